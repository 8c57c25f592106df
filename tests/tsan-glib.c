/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tells ThreadSanitizer about GLib's locks, and about liburing's memory.
 *
 * The sanitizer learns what happens before what from the code it instrumented and from pthreads.
 * GLib's mutexes are neither: they are futexes in a library that came without instrumentation,
 * and everything that a GMutex protects looks like a race. This library, loaded
 * before all others (LD_PRELOAD), wraps the locks, conditions, threads and reference counts that
 * gaio and its tests call, and says in the sanitizer's own words what each of them orders.
 *
 * It adds only order that is there in GLib and not visible, so it hides no race between two places
 * that share no lock. In a process without the sanitizer it does nothing. */

#include <dlfcn.h>
#include <glib-object.h>

/* As in <liburing.h>, which need not be here. */
int io_uring_queue_init_params (unsigned entries, void *ring, void *params);
void io_uring_queue_exit (void *ring);

/* Weak, so that a child process that is no part of the test can load this too. */
extern void __tsan_acquire (void *address) __attribute__ ((weak));
extern void __tsan_release (void *address) __attribute__ ((weak));
extern void AnnotateIgnoreWritesBegin (const char *file, int line) __attribute__ ((weak));
extern void AnnotateIgnoreWritesEnd (const char *file, int line) __attribute__ ((weak));

/* The function that this one stands before. */
#define REAL(name) \
  ({ \
    static __typeof__ (&name) real; \
    if (real == NULL) \
      *(void **) &real = dlsym (RTLD_NEXT, #name); \
    real; \
  })

static inline void
acquire (void *address)
{
  if (__tsan_acquire != NULL)
    __tsan_acquire (address);
}

static inline void
release (void *address)
{
  if (__tsan_release != NULL)
    __tsan_release (address);
}

#define WRAP_LOCK(type, prefix) \
  void prefix##_lock (type *lock) \
  { \
    REAL (prefix##_lock) (lock); \
    acquire (lock); \
  } \
  gboolean prefix##_trylock (type *lock) \
  { \
    gboolean taken = REAL (prefix##_trylock) (lock); \
    if (taken) \
      acquire (lock); \
    return taken; \
  } \
  void prefix##_unlock (type *lock) \
  { \
    release (lock); \
    REAL (prefix##_unlock) (lock); \
  }

WRAP_LOCK (GMutex, g_mutex)
WRAP_LOCK (GRecMutex, g_rec_mutex)

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  release (mutex);
  REAL (g_cond_wait) (cond, mutex);
  acquire (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  gboolean signalled;

  release (mutex);
  signalled = REAL (g_cond_wait_until) (cond, mutex, end_time);
  acquire (mutex);
  return signalled;
}

/* What a function of GLib's writes under a lock of its own that is not to be seen. */
static void
ignore_writes_begin (void)
{
  if (AnnotateIgnoreWritesBegin != NULL)
    AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
}

static void
ignore_writes_end (void)
{
  if (AnnotateIgnoreWritesEnd != NULL)
    AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
}

/* The first object of a class sets up the class, for the objects of all threads; the others find
 * that out by an atomic counter inside GLib. */
gpointer
g_object_new (GType type, const gchar *first_name, ...)
{
  gpointer object;
  va_list args;

  if (g_type_class_peek (type) == NULL)
    {
      ignore_writes_begin ();
      g_type_class_ref (type); /* to the end of the process */
      ignore_writes_end ();
    }
  va_start (args, first_name);
  object = g_object_new_valist (type, first_name, args);
  va_end (args);
  return object;
}

/* All uses of an object happen before its end, whoever drops the last reference. */
void
g_object_unref (gpointer object)
{
  release (object);
  acquire (object);
  REAL (g_object_unref) (object);
}

void
g_bytes_unref (GBytes *bytes)
{
  if (bytes != NULL)
    {
      release (bytes);
      acquire (bytes);
    }
  REAL (g_bytes_unref) (bytes);
}

/* What a thread did before it hands something to a GMainContext happens before the context calls
 * it: the context takes it from its list under its own lock, after it polled. Each context
 * therefore polls by way of here, also one that somebody has given a function of his own: of those
 * there is one, that of the contexts that drive. */
static __thread GMainContext *iterated;
static GPollFunc own_poll;

static gint
poll_and_acquire (GPollFD *fds, guint n_fds, gint timeout)
{
  gint n_ready = g_poll (fds, n_fds, timeout);

  if (iterated != NULL)
    acquire (iterated);
  return n_ready;
}

static gint
own_poll_and_acquire (GPollFD *fds, guint n_fds, gint timeout)
{
  GPollFunc func = __atomic_load_n (&own_poll, __ATOMIC_ACQUIRE);
  gint n_ready = func (fds, n_fds, timeout);

  if (iterated != NULL)
    acquire (iterated);
  return n_ready;
}

void
g_main_context_set_poll_func (GMainContext *context, GPollFunc func)
{
  GPollFunc none = NULL;

  if (func == NULL || func == g_poll)
    func = poll_and_acquire;
  else if (__atomic_compare_exchange_n (&own_poll, &none, func, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE) ||
           none == func)
    func = own_poll_and_acquire;
  REAL (g_main_context_set_poll_func) (context, func);
}

GPollFunc
g_main_context_get_poll_func (GMainContext *context)
{
  GPollFunc func = REAL (g_main_context_get_poll_func) (context);

  if (func == poll_and_acquire)
    return g_poll;
  return func == own_poll_and_acquire ? __atomic_load_n (&own_poll, __ATOMIC_ACQUIRE) : func;
}

GMainContext *
g_main_context_new (void)
{
  GMainContext *context = REAL (g_main_context_new) ();

  g_main_context_set_poll_func (context, NULL);
  return context;
}

gboolean
g_main_context_iteration (GMainContext *context, gboolean may_block)
{
  GMainContext *outer = iterated;
  gboolean dispatched;

  iterated = context != NULL ? context : g_main_context_default ();
  acquire (iterated);
  dispatched = REAL (g_main_context_iteration) (context, may_block);
  iterated = outer;
  return dispatched;
}

void
g_main_loop_run (GMainLoop *loop)
{
  GMainContext *outer = iterated;

  iterated = g_main_loop_get_context (loop);
  acquire (iterated);
  REAL (g_main_loop_run) (loop);
  iterated = outer;
}

/* The table of a context's sources grows in here, under the context's own lock, by a realloc() that
 * the sanitizer sees; and it shrinks where no function of GLib is called by us, or in
 * g_source_unref(). */
guint
g_source_attach (GSource *source, GMainContext *context)
{
  guint id;

  release (context != NULL ? context : g_main_context_default ());
  ignore_writes_begin ();
  id = REAL (g_source_attach) (source, context);
  ignore_writes_end ();
  return id;
}

/* The last reference to a source that was called before who attached it has returned: it goes from
 * the table. Nothing of the program's is called in here, but for one that was never attached. */
void
g_source_unref (GSource *source)
{
  gboolean in_table = g_source_is_destroyed (source) || g_source_get_context (source) != NULL;

  release (source);
  acquire (source);
  if (in_table)
    ignore_writes_begin ();
  REAL (g_source_unref) (source);
  if (in_table)
    ignore_writes_end ();
}

/* One that is attached when the context has polled is called in the same iteration. Results come by
 * such sources, so they acquire once more. */
static gboolean
idle_prepare (GSource *source, gint *timeout)
{
  *timeout = 0;
  return TRUE;
}

static gboolean
idle_check (GSource *source)
{
  return TRUE;
}

static gboolean
idle_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  acquire (g_source_get_context (source));
  return callback (user_data);
}

GSource *
g_idle_source_new (void)
{
  static GSourceFuncs funcs = { idle_prepare, idle_check, idle_dispatch };
  GSource *source = g_source_new (&funcs, sizeof (GSource));

  g_source_set_priority (source, G_PRIORITY_DEFAULT_IDLE);
  return source;
}

/* Likewise, so not by the source that GLib makes for it. */
void
g_main_context_invoke (GMainContext *context, GSourceFunc function, gpointer data)
{
  GMainContext *which = context != NULL ? context : g_main_context_default ();
  GMainContext *own = g_main_context_get_thread_default ();
  GSource *source;

  if (g_main_context_is_owner (which) ||
      (own != NULL ? own : g_main_context_default ()) == which)
    {
      release (which);
      REAL (g_main_context_invoke) (which, function, data);
      return;
    }
  source = g_idle_source_new ();
  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, function, data, NULL);
  g_source_attach (source, which);
  g_source_unref (source);
}

/* To change an attached source takes the lock of its context, and wakes it by an eventfd that
 * another thread may have made. */
static void
change (GSource *source)
{
  GMainContext *context = g_source_is_destroyed (source) ? NULL : g_source_get_context (source);

  if (context != NULL)
    {
      acquire (context);
      release (context);
    }
}

gpointer
g_source_add_unix_fd (GSource *source, gint fd, GIOCondition events)
{
  change (source);
  return REAL (g_source_add_unix_fd) (source, fd, events);
}

void
g_source_modify_unix_fd (GSource *source, gpointer tag, GIOCondition events)
{
  change (source);
  REAL (g_source_modify_unix_fd) (source, tag, events);
}

void
g_source_remove_unix_fd (GSource *source, gpointer tag)
{
  change (source);
  REAL (g_source_remove_unix_fd) (source, tag);
}

void
g_source_set_ready_time (GSource *source, gint64 ready_time)
{
  change (source);
  REAL (g_source_set_ready_time) (source, ready_time);
}

void
g_source_destroy (GSource *source)
{
  change (source);
  REAL (g_source_destroy) (source);
}

void
g_main_context_wakeup (GMainContext *context)
{
  GMainContext *which = context != NULL ? context : g_main_context_default ();

  acquire (which);
  release (which);
  REAL (g_main_context_wakeup) (context);
}

/* liburing maps and unmaps its rings by system calls of its own, so the sanitizer believes a new
 * ring at an old ring's address to be the old one. */
static char rings;

int
io_uring_queue_init_params (unsigned entries, void *ring, void *params)
{
  int r = REAL (io_uring_queue_init_params) (entries, ring, params);

  acquire (&rings);
  return r;
}

void
io_uring_queue_exit (void *ring)
{
  release (&rings);
  REAL (io_uring_queue_exit) (ring);
}
