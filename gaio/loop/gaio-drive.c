/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The driver by a GMainContext's poll function: whoever runs that GMainContext (g_main_loop_run(),
 * g_application_run(), a nested loop) waits as gaio does, with deadlines in nanoseconds, adaptive
 * polling, and one system call that submits and waits.
 *
 * GLib calls the poll function between prepare and check, with the descriptors that all sources
 * wait for. Here these become guests of the context (gaio-guests.c), the wait is the context's own,
 * and what the guests are ready for goes back to GLib. The turn itself is run by the context's
 * GSource, as without a drive; nothing of the user's runs in the poll function, since GLib does
 * not expect that, but for the functions that are asked before each wait.
 *
 * A poll function has no user data. So the drive adds a descriptor that is its own to the
 * GMainContext, the marker, which is the one that wakes the context; the array that has it is its.
 *
 * Everything here is for the thread that runs the GMainContext, but for the beginning and the list
 * of drives, which is under a lock that nothing else is taken with. */

#include "config.h"

#include <errno.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/base/gaio-error-private.h>
#include <gaio/base/gaio-poll.h>
#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-drive-private.h>
#include <gaio/loop/gaio-guests-private.h>

/* After so many waits that did not block the guests are verified too, or a loop that is never idle
 * would not see one that has got the number of another. */
#define MAX_UNVERIFIED 16

/* How long a wait lasts at most that cannot be ended by all descriptors, since the kernel has no
 * memory or no descriptor for them. */
#define INCOMPLETE_WAIT_NS (10 * 1000 * 1000)

typedef struct
{
  GaioCoreDriver parent;

  /* immutable */
  GaioCore *core;             /* which has the drive */
  GMainContext *main_context; /* borrowed: it has the core, as long as that is attached to it */
  GPollFunc previous;
  int wakeup_fd; /* of the GMainContext, if that is known; else -1 */

  atomic_int refs; /* one is the core's, one a wait's */

  /* under the lock */
  int marker_fd;

  /* home thread */
  GPollFD marker;
  GaioGuests *guests;
  guint n_unverified;
  bool is_waiting;
  GaioDriveHooks hooks;
  gpointer hooks_data;
  GaioGuests *hook_guests; /* what the hooks wait for */
  GArray *hook_fds;
} Drive;

static GMutex drives_lock;
static GSList *drives; /* under the lock */

static void
drive_unref (Drive *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  gaio_guests_free (self->guests);
  g_clear_pointer (&self->hook_guests, gaio_guests_free);
  g_array_unref (self->hook_fds);
  g_free (self);
}

/* Who drives the GMainContext that has called with this array; with a reference to it, and to the
 * core, which is alive as long as its drive is in the list. */
static Drive *
find (const GPollFD *fds, guint n_fds)
{
  Drive *found = NULL;

  g_mutex_lock (&drives_lock);
  for (GSList *l = drives; l != NULL && found == NULL; l = l->next)
    {
      Drive *drive = l->data;

      for (guint i = 0; i < n_fds && found == NULL; i++)
        if (fds[i].fd == drive->marker_fd)
          found = drive;
    }
  if (found != NULL)
    {
      atomic_fetch_add_explicit (&found->refs, 1, memory_order_relaxed);
      g_source_ref (gaio_core_get_source (found->core));
    }
  g_mutex_unlock (&drives_lock);
  return found;
}

/* Not by its name, which another may have by now. */
static Drive *
find_by_main_context_locked (GMainContext *main_context)
{
  for (GSList *l = drives; l != NULL; l = l->next)
    if (gaio_core_get_main_context (((Drive *) l->data)->core) == main_context)
      return l->data;
  return NULL;
}

/* The wait */

static void
set_hook_guests (Drive *self, gint64 *limit_ns)
{
  g_array_set_size (self->hook_fds, 0);
  self->hooks.fill (self->hook_fds, limit_ns, self->hooks_data);
  if (self->hook_guests != NULL)
    gaio_guests_set (self->hook_guests,
                     (GPollFD *) (void *) self->hook_fds->data,
                     self->hook_fds->len,
                     -1,
                     -1);
}

static bool
verify_guests (Drive *self)
{
  bool is_ready = gaio_guests_verify (self->guests);

  if (self->hook_guests != NULL)
    is_ready |= gaio_guests_verify (self->hook_guests);
  self->n_unverified = 0;
  return is_ready;
}

static int
drive_wait (Drive *self, GPollFD *fds, guint n_fds, int timeout_ms)
{
  gint64 limit_ns = timeout_ms < 0 ? -1 : timeout_ms * G_GINT64_CONSTANT (1000000);
  /* Those that begin with this wait end with it, whoever sets others meanwhile. */
  const GaioDriveHooks hooks = self->hooks;
  gpointer hooks_data = self->hooks_data;
  bool is_complete;
  int n_ready;

  gaio_core_check_process (self->core);
  if (hooks.fill != NULL)
    set_hook_guests (self, &limit_ns);
  gaio_guests_set (self->guests, fds, n_fds, self->marker.fd, self->wakeup_fd);
  if (limit_ns != 0 || ++self->n_unverified >= MAX_UNVERIFIED)
    if (verify_guests (self))
      limit_ns = 0;
  is_complete = gaio_guests_is_complete (self->guests) &&
                (self->hook_guests == NULL || gaio_guests_is_complete (self->hook_guests));
  if (G_UNLIKELY (!is_complete))
    limit_ns = gaio_timeout_soonest_ns (limit_ns, INCOMPLETE_WAIT_NS);
  gaio_core_flush (self->core);
  /* A can-read function has dropped the last reference to the context. */
  if (G_UNLIKELY (atomic_load_explicit (&self->core->driver, memory_order_relaxed) == NULL))
    limit_ns = 0;

  if (hooks.release != NULL)
    hooks.release (hooks_data);
  gaio_core_wait (self->core, limit_ns);
  if (hooks.acquire != NULL)
    hooks.acquire (hooks_data);

  n_ready = gaio_guests_collect (self->guests, fds);
  if (self->hook_guests != NULL)
    gaio_guests_collect (self->hook_guests, (GPollFD *) (void *) self->hook_fds->data);
  if (G_UNLIKELY (!is_complete))
    {
      n_ready = g_poll (fds, n_fds, 0);
      g_poll ((GPollFD *) (void *) self->hook_fds->data, self->hook_fds->len, 0);
    }
  if (hooks.done != NULL)
    hooks.done (self->hook_fds, 0, hooks_data);
  return n_ready;
}

static int
drive_poll (GPollFD *fds, guint n_fds, int timeout_ms)
{
  Drive *drive = find (fds, n_fds);
  GSource *source;
  int n_ready;

  if (drive == NULL)
    return g_poll (fds, n_fds, timeout_ms);
  source = gaio_core_get_source (drive->core);
  if (!gaio_core_take_home (drive->core))
    n_ready = drive->previous (fds, n_fds, timeout_ms);
  else if (!drive->is_waiting)
    {
      drive->is_waiting = true;
      n_ready = drive_wait (drive, fds, n_fds, timeout_ms);
      drive->is_waiting = false;
    }
  else
    {
      g_critical ("A function that is called in the midst of a wait of a main context runs it");
      n_ready = drive->previous (fds, n_fds, 0);
    }
  drive_unref (drive);
  g_source_unref (source);
  return n_ready;
}

/* Beginning and end */

/* Puts the marker into each array, whatever the priority of what is ready. */
static void
add_marker (Drive *self)
{
  self->marker.fd = gaio_event_notifier_get_fd (gaio_waker_get_notifier (self->core->waker));
  self->marker.events = G_IO_IN;
  g_mutex_lock (&drives_lock);
  self->marker_fd = self->marker.fd;
  g_mutex_unlock (&drives_lock);
  g_main_context_add_poll (self->main_context, &self->marker, G_MININT);
}

static void
drive_begin_child (GaioCoreDriver *driver)
{
  Drive *self = (Drive *) driver;

  if (gaio_core_get_main_context (self->core) == self->main_context)
    {
      g_main_context_remove_poll (self->main_context, &self->marker);
      add_marker (self);
    }
  if (!gaio_guests_begin_child (self->guests) ||
      (self->hook_guests != NULL && !gaio_guests_begin_child (self->hook_guests)))
    gaio_debug (LOOP, "the child of a fork has no descriptor left to wait with");
}

static void
drive_free (GaioCoreDriver *driver)
{
  Drive *self = (Drive *) driver;

  g_mutex_lock (&drives_lock);
  drives = g_slist_remove (drives, self);
  g_mutex_unlock (&drives_lock);
  /* A GMainContext that has ended has destroyed its sources. */
  if (gaio_core_get_main_context (self->core) == self->main_context)
    {
      g_main_context_remove_poll (self->main_context, &self->marker);
      if (g_main_context_get_poll_func (self->main_context) == drive_poll)
        g_main_context_set_poll_func (self->main_context, self->previous);
    }
  drive_unref (self);
}

/* A GMainContext that waits for nothing has one descriptor, its own. One that cannot be asked, or
 * has more, keeps it to itself; then it is a guest like the others. */
static int
find_wakeup_fd (GMainContext *main_context)
{
  GPollFD fds[2];
  int timeout_ms;
  int n_fds;

  if (!g_main_context_acquire (main_context))
    return -1;
  n_fds = g_main_context_query (main_context, G_MAXINT, &timeout_ms, fds, G_N_ELEMENTS (fds));
  g_main_context_release (main_context);
  return n_fds == 1 ? fds[0].fd : -1;
}

static Drive *
drive_new (GaioCore *core, GMainContext *main_context)
{
  GaioGuests *guests = gaio_guests_new (core->fds);
  Drive *self;

  if (guests == NULL)
    return NULL;
  self = g_new0 (Drive, 1);
  self->parent.begin_child = drive_begin_child;
  self->parent.free = drive_free;
  atomic_init (&self->refs, 1);
  self->core = core;
  self->main_context = main_context;
  self->previous = g_main_context_get_poll_func (main_context);
  self->wakeup_fd = find_wakeup_fd (main_context);
  self->marker_fd = -1;
  self->guests = guests;
  self->hook_fds = g_array_new (FALSE, TRUE, sizeof (GPollFD));
  return self;
}

/* Once in the list, it is the one for its GMainContext: 0, or an errno. */
static int
enlist (Drive *self)
{
  Drive *other;
  int err = 0;

  g_mutex_lock (&drives_lock);
  other = find_by_main_context_locked (self->main_context);
  if (other != NULL)
    err = other->core == self->core ? EALREADY : EEXIST;
  else
    drives = g_slist_prepend (drives, self);
  g_mutex_unlock (&drives_lock);
  return err;
}

static void
begin (Drive *self)
{
  gaio_fd_table_leave_source (self->core->fds);
  atomic_store_explicit (&self->core->driver, &self->parent, memory_order_release);
  add_marker (self);
  g_main_context_set_poll_func (self->main_context, drive_poll);
  /* It may be waiting as it used to. */
  g_main_context_wakeup (self->main_context);
}

/**
 * gaio_context_drive:
 * @self: a context
 * @main_context: (nullable): a main context, %NULL for the default one
 * @error: return location for an error
 *
 * Has the context do the waiting for a main context: it becomes that one's poll function, and is
 * attached to it if it is not yet. Whoever runs the main context, be it g_main_loop_run(),
 * g_application_run() or a GTK program, then gets the context's deadlines in nanoseconds, its
 * adaptive polling ([property@Gaio.Context:poll-max-ns]), and one system call for each turn; file
 * requests are submitted in the call that waits. Sources, nested main loops and wake-ups from other
 * threads are what they were.
 *
 * ```c
 * gaio_context_drive (gaio_context_get_default (), NULL, &error);
 * return g_application_run (application, argc, argv);
 * ```
 *
 * It lasts as long as the context; then the main context waits as before. What runs the main
 * context by g_main_context_query() and a poll of its own, instead of iterating it, must not be
 * driven: it does not call the poll function. Nor must another one be set after this. Functions
 * that the context calls before it waits, such as [callback@Gaio.CanReadFunc], are called in the
 * midst of an iteration and must not run the main context.
 *
 * Thread: any, before or while the main context runs.
 *
 * Returns: %TRUE, or %FALSE when the process is out of file descriptors, when another context
 *   drives @main_context (%G_IO_ERROR_EXISTS), or when this one is attached to another main context
 *   (%G_IO_ERROR_INVALID_ARGUMENT)
 */
gboolean
gaio_context_drive (GaioContext *self, GMainContext *main_context, GError **error)
{
  GaioCore *core;
  GMainContext *attached_to;
  Drive *drive;
  int err;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  core = gaio_context_get_core (self);
  attached_to = gaio_core_get_main_context (core);
  if (main_context == NULL)
    main_context = g_main_context_default ();
  if (g_source_is_destroyed (gaio_core_get_source (core)) ||
      (attached_to != NULL && attached_to != main_context))
    {
      gaio_set_error_errno (error, EINVAL, "drive", "a context that is attached elsewhere");
      return FALSE;
    }

  drive = drive_new (core, main_context);
  if (drive == NULL)
    {
      gaio_set_error_errno (error, errno, "drive", "a main context");
      return FALSE;
    }
  err = enlist (drive);
  if (err != 0)
    drive_unref (drive);
  if (err == EALREADY)
    return TRUE;
  if (err != 0)
    {
      gaio_set_error_errno (error, err, "drive", "a main context that is driven");
      return FALSE;
    }
  if (attached_to == NULL)
    gaio_context_attach (self, main_context);
  begin (drive);
  return TRUE;
}

void
gaio_context_set_drive_hooks (GaioContext *self, const GaioDriveHooks *hooks, gpointer user_data)
{
  const GaioDriveHooks none = { 0 };
  GaioCore *core = gaio_context_get_core (self);
  Drive *drive = (Drive *) atomic_load (&core->driver);

  g_return_if_fail (drive != NULL);

  drive->hooks = hooks != NULL ? *hooks : none;
  drive->hooks_data = user_data;
  /* Without a descriptor for it the hooks are called all the same, and find nothing ready. */
  if (drive->hooks.fill != NULL && drive->hook_guests == NULL)
    drive->hook_guests = gaio_guests_new (core->fds);
}
