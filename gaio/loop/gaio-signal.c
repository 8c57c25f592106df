/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Signals as events of a context: a signalfd among its descriptors, one for all its signals.
 *
 * The kernel hands a signal to a signalfd only where no thread takes it in the ordinary way. So
 *  - the signal is blocked in the thread that asks for it, the home, and in threads made by it
 *    later on;
 *  - a thread that has it unblocked, because it is older, or a library's own, is the one that the
 *    kernel chooses. For that there is a handler, which sends the signal on to the home thread with
 *    all that came with it. The handler also keeps the kernel from dropping what would be ignored,
 *    such as SIGWINCH, and from ending the process.
 * When the last callback of a signal goes, the handler and the mask of the home become what they
 * were; an instance that nobody has read yet then does what it would have done before.
 *
 * A signal belongs to one context, since of two readers each would see only some of its instances.
 *
 * A forked child starts with no signal added: handlers and mask are set back in it before fork()
 * returns, so that what it executes does not inherit a blocked SIGTERM.
 *
 * The signalfd is read one signal at a time, so what a callback does not live to see, a nested turn
 * does. Home thread, but for what is under the lock. The only file that includes <sys/signalfd.h>.
 */

#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/base/gaio-error-private.h>
#include <gaio/base/gaio-fork-private.h>
#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-signal.h>

/* How many signals one call of the handler takes, so that a callback that sends another each time
 * does not keep the loop from all else. */
#define MAX_SIGNALS 64

/* As the kernel sees it. */
#define FIRST_REAL_TIME 32

/* Takes the code of a siginfo to where no code is. */
#define CODE_SHIFT 0x1000000

/* Those that the kernel raises for what the thread itself has done: blocked, they end the process.
 */
static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };

/* One callback. It lives while it is added, and while it runs. */
typedef struct
{
  guint id;
  int signo;
  GaioSignalFunc func;
  gpointer user_data;
  GDestroyNotify notify;
  bool removed;
} Watch;

struct _GaioSignalHub
{
  GaioCore *core; /* borrowed: its table of descriptors owns the hub */
  int fd;
  guint fork_count; /* of the process that the signalfd belongs to */
  GPtrArray *watches;
  guint last_id;
};

typedef GaioSignalHub Hub;

/* What a signal is taken from. */
typedef struct
{
  Hub *owner; /* NULL: not taken */
  struct sigaction before;
  bool blocked; /* by us, in that thread */
  pthread_t blocked_in;
} Taken;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Taken taken[_NSIG]; /* under the lock */
static atomic_int home_tids[_NSIG];

G_DEFINE_BOXED_TYPE (GaioSignalInfo, gaio_signal_info, gaio_signal_info_copy, gaio_signal_info_free)

/**
 * gaio_signal_info_copy:
 * @self: what is known of a signal
 *
 * Copies what is known of a signal, to keep it.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the copy
 */
GaioSignalInfo *
gaio_signal_info_copy (const GaioSignalInfo *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_memdup2 (self, sizeof *self);
}

/**
 * gaio_signal_info_free:
 * @self: a copy
 *
 * Frees what [method@Gaio.SignalInfo.copy] has made.
 *
 * Thread: any.
 */
void
gaio_signal_info_free (GaioSignalInfo *self)
{
  g_free (self);
}

/* Taking signals from the process and giving them back */

/* In a thread that does not block the signal. Nobody may send a siginfo with a code that stands for
 * the kernel or for kill(2), so such codes are sent as others; restore_code() undoes it. */
static void
on_caught (int signo, siginfo_t *info, void *ucontext)
{
  int saved_errno = errno;
  siginfo_t sent = *info;

  if (sent.si_code >= 0 || sent.si_code == SI_TKILL)
    sent.si_code -= CODE_SHIFT;
  syscall (SYS_rt_tgsigqueueinfo, getpid (), atomic_load (&home_tids[signo]), signo, &sent);
  errno = saved_errno;
}

/* The kernel has copied what came with the code as that of sigqueue(3): a union of the same size,
 * in which only the names differ. */
static void
restore_code (GaioSignalInfo *info)
{
  if (info->code >= SI_TKILL - CODE_SHIFT / 2)
    return;
  info->code += CODE_SHIFT;
  if (info->signo == SIGCHLD && info->code > 0)
    info->status = info->value_int;
  if (info->signo == SIGIO && info->code > 0 && info->code != SI_KERNEL)
    {
      info->band = (guint) info->pid;
      info->fd = info->value_int;
      info->pid = 0;
      info->uid = 0;
    }
  info->value_int = 0;
  info->value_pointer = NULL;
}

static void
give_back_locked (int signo)
{
  Taken *self = &taken[signo];
  struct sigaction now;
  sigset_t set;

  /* Somebody else may have set a handler meanwhile; then it is theirs. */
  if (sigaction (signo, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
      now.sa_sigaction == on_caught)
    sigaction (signo, &self->before, NULL);
  if (self->blocked && pthread_equal (self->blocked_in, pthread_self ()))
    {
      sigemptyset (&set);
      sigaddset (&set, signo);
      pthread_sigmask (SIG_UNBLOCK, &set, NULL);
    }
  memset (self, 0, sizeof *self);
}

static int
take (Hub *hub, int signo)
{
  struct sigaction action = {
    .sa_sigaction = on_caught,
    .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK,
  };
  Taken *self = &taken[signo];
  sigset_t set, before;
  int result = 0;

  sigemptyset (&set);
  sigaddset (&set, signo);
  pthread_mutex_lock (&lock);
  if (self->owner != NULL && self->owner != hub)
    result = -EBUSY;
  else if (self->owner == NULL)
    {
      pthread_sigmask (SIG_BLOCK, &set, &before);
      self->blocked = !sigismember (&before, signo);
      self->blocked_in = pthread_self ();
      atomic_store (&home_tids[signo], gettid ());
      sigaction (signo, &action, &self->before);
      self->owner = hub;
    }
  pthread_mutex_unlock (&lock);
  return result;
}

static void
give_back (Hub *hub, int signo)
{
  pthread_mutex_lock (&lock);
  if (taken[signo].owner == hub)
    give_back_locked (signo);
  pthread_mutex_unlock (&lock);
}

static void
before_fork (void)
{
  pthread_mutex_lock (&lock);
}

static void
in_parent (void)
{
  pthread_mutex_unlock (&lock);
}

static void
in_child (void)
{
  for (int signo = 1; signo < _NSIG; signo++)
    if (taken[signo].owner != NULL)
      {
        /* The child's one thread may have inherited the mask of the one that asked. */
        taken[signo].blocked_in = pthread_self ();
        give_back_locked (signo);
      }
  pthread_mutex_unlock (&lock);
}

static void
watch_forks (void)
{
  pthread_atfork (before_fork, in_parent, in_child);
}

/* The signalfd and its callbacks */

static void
watch_clear (gpointer data)
{
  Watch *watch = data;

  if (watch->notify != NULL)
    watch->notify (watch->user_data);
}

static void
watch_release (gpointer data)
{
  g_rc_box_release_full (data, watch_clear);
}

static void
deliver (Hub *hub, const GaioSignalInfo *info)
{
  g_autoptr (GPtrArray) called = g_ptr_array_new_with_free_func (watch_release);

  for (guint i = 0; i < hub->watches->len; i++)
    {
      Watch *watch = hub->watches->pdata[i];

      if (watch->signo == info->signo)
        g_ptr_array_add (called, g_rc_box_acquire (watch));
    }
  for (guint i = 0; i < called->len; i++)
    {
      Watch *watch = called->pdata[i];

      if (!watch->removed)
        watch->func (info, watch->user_data);
    }
}

static void
on_readable (gpointer user_data)
{
  Hub *hub = user_data;
  struct signalfd_siginfo got;

  for (int i = 0; i < MAX_SIGNALS && hub->watches->len > 0; i++)
    {
      ssize_t length = read (hub->fd, &got, sizeof got);
      GaioSignalInfo info = { 0 };

      if (length < 0 && errno == EINTR)
        continue;
      if (length != sizeof got)
        return;
      info.signo = (int) got.ssi_signo;
      info.code = got.ssi_code;
      info.pid = (int) got.ssi_pid;
      info.uid = got.ssi_uid;
      info.status = got.ssi_status;
      info.value_int = got.ssi_int;
      info.value_pointer = (gpointer) (gsize) got.ssi_ptr;
      info.fd = got.ssi_fd;
      info.band = got.ssi_band;
      restore_code (&info);
      deliver (hub, &info);
    }
}

static void
free_hub (gpointer data)
{
  Hub *hub = data;
  GPtrArray *watches = hub->watches;

  if (hub->core->signals == hub)
    hub->core->signals = NULL;
  for (guint i = 0; i < watches->len; i++)
    {
      Watch *watch = watches->pdata[i];

      watch->removed = true;
      give_back (hub, watch->signo);
    }
  close (hub->fd);
  g_free (hub);
  /* Callbacks that free data may do anything; the hub is gone. */
  g_ptr_array_unref (watches);
}

static int
watch_signals (Hub *hub)
{
  sigset_t set;

  sigemptyset (&set);
  for (guint i = 0; i < hub->watches->len; i++)
    sigaddset (&set, ((Watch *) hub->watches->pdata[i])->signo);
  return signalfd (hub->fd, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static Hub *
hub_new (GaioCore *core)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  Hub *hub = g_new0 (Hub, 1);

  pthread_once (&once, watch_forks);
  hub->core = core;
  hub->fd = -1;
  hub->fork_count = gaio_fork_get_count ();
  hub->watches = g_ptr_array_new_with_free_func (watch_release);
  return hub;
}

/* Its data is freed once no turn looks at it any more. */
static void
leave_hub (Hub *hub)
{
  hub->core->signals = NULL;
  gaio_fd_table_remove (hub->core->fds, hub->fd);
}

/* A hub that no handler owns yet. */
static bool
open_hub (Hub *hub)
{
  GaioFdRegistration registration = {
    .events = G_IO_IN,
    .handlers = { .read = on_readable },
    .user_data = hub,
    .notify = free_hub,
  };

  hub->fd = watch_signals (hub);
  if (hub->fd < 0)
    return false;
  registration.fd = hub->fd;
  gaio_fd_table_set (hub->core->fds, &registration);
  hub->core->signals = hub;
  return true;
}

static void
remove_watch (Hub *hub, guint index)
{
  Watch *watch = g_ptr_array_steal_index (hub->watches, index);
  bool is_last = true;

  watch->removed = true;
  for (guint i = 0; i < hub->watches->len; i++)
    if (((Watch *) hub->watches->pdata[i])->signo == watch->signo)
      is_last = false;
  if (hub->watches->len == 0)
    leave_hub (hub);
  else if (is_last && hub->fork_count == gaio_fork_get_count ())
    watch_signals (hub);
  if (is_last)
    give_back (hub, watch->signo);
  watch_release (watch);
}

/* What keeps a signal from being added; NULL when nothing does. */
static const char *
find_obstacle (int signo)
{
  /* Those below SIGRTMIN are the C library's. */
  if (signo < 1 || signo > SIGRTMAX || (signo >= FIRST_REAL_TIME && signo < SIGRTMIN))
    return "which is no signal";
  if (signo == SIGKILL || signo == SIGSTOP)
    return "which nobody can catch";
  for (guint i = 0; i < G_N_ELEMENTS (synchronous); i++)
    if (signo == synchronous[i])
      return "which stands for a fault of the thread itself";
  return NULL;
}

static void
set_error (GError **error, int errnum, int signo, const char *detail)
{
  const char *abbreviation = sigabbrev_np (signo);
  g_autofree char *name = abbreviation != NULL ? g_strconcat ("SIG", abbreviation, NULL)
                                               : g_strdup_printf ("%d", signo);

  g_propagate_error (error, gaio_error_new_errno_with_detail (errnum, "add signal", name, detail));
}

/**
 * gaio_context_add_signal:
 * @self: a context
 * @signo: a signal, such as `SIGTERM`
 * @func: (scope notified) (closure user_data) (destroy notify): what to call for each that comes
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when the callback has been removed
 * @error: return location for an error
 *
 * Calls a function in the home thread whenever the process gets a signal, in place of what the
 * signal does otherwise: it neither ends the process nor runs a handler. A signal may have several
 * callbacks in one context, which are called in the order in which they were added, and belongs to
 * that context until the last of them is removed. Then it does again what it did before, also to
 * an instance that has come and not been seen yet.
 *
 * Of the standard signals several that come before the loop sees them are one; real-time signals
 * are all there, and in their order if all threads block them.
 *
 * The signal is blocked in the calling thread, which is to run the context for as long as it has
 * signals. It does not matter whether other threads block it.
 * A program that is executed inherits the mask though, where it is started without fork(2): by
 * posix_spawn(3), by Python's `subprocess`, or by `g_spawn_async()` and its kin with
 * %G_SPAWN_LEAVE_DESCRIPTORS_OPEN. Unblock the signal for those, or they will not end at a
 * `SIGTERM`: with posix_spawnattr_setsigmask(3), with a child setup function, with `preexec_fn`. A
 * forked process has no signal added, and may add its own.
 *
 * To wait for the end of a process use [method@Gaio.Context.add_child_watch] instead of `SIGCHLD`,
 * of which others may depend.
 *
 * ```c
 * static void
 * on_terminate (const GaioSignalInfo *info, gpointer user_data)
 * {
 *   g_message ("process %d told us to end", info->pid);
 *   g_main_loop_quit (user_data);
 * }
 *
 * gaio_context_add_signal (context, SIGTERM, on_terminate, loop, NULL, &error);
 * ```
 *
 * Thread: home.
 *
 * Returns: an identifier for [method@Gaio.Context.remove_signal], or 0 when @signo cannot be
 *   caught, stands for a fault of the thread (as `SIGSEGV` does), or belongs to another context,
 *   and when the process is out of file descriptors; @user_data is then not freed
 */
guint
gaio_context_add_signal (GaioContext *self,
                         int signo,
                         GaioSignalFunc func,
                         gpointer user_data,
                         GDestroyNotify notify,
                         GError **error)
{
  const char *obstacle = find_obstacle (signo);
  bool is_new;
  GaioCore *core;
  Watch *watch;
  Hub *hub;
  int result;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);
  g_return_val_if_fail (func != NULL, 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);
  g_return_val_if_fail (gaio_context_adopt (self), 0);

  if (obstacle != NULL)
    {
      set_error (error, EINVAL, signo, obstacle);
      return 0;
    }

  core = gaio_context_get_core (self);
  if (core->signals != NULL && core->signals->fork_count != gaio_fork_get_count ())
    leave_hub (core->signals);
  is_new = core->signals == NULL;
  hub = is_new ? hub_new (core) : core->signals;
  result = take (hub, signo);
  if (result < 0)
    {
      set_error (error, -result, signo, "which another context has");
      if (is_new)
        free_hub (hub);
      return 0;
    }

  watch = g_rc_box_new0 (Watch);
  watch->id = ++hub->last_id;
  watch->signo = signo;
  watch->func = func;
  watch->user_data = user_data;
  watch->notify = notify;
  g_ptr_array_add (hub->watches, watch);
  if (is_new ? !open_hub (hub) : watch_signals (hub) < 0)
    {
      set_error (error, errno, signo, NULL);
      watch->notify = NULL;
      if (is_new)
        free_hub (hub);
      else
        remove_watch (hub, hub->watches->len - 1);
      return 0;
    }
  return watch->id;
}

/**
 * gaio_context_remove_signal:
 * @self: a context
 * @id: what [method@Gaio.Context.add_signal] returned
 *
 * Removes a callback of a signal, which is not called any more. Nothing happens when it has been
 * removed already.
 *
 * Thread: home.
 */
void
gaio_context_remove_signal (GaioContext *self, guint id)
{
  Hub *hub;

  g_return_if_fail (GAIO_IS_CONTEXT (self));
  g_return_if_fail (gaio_context_adopt (self));

  hub = gaio_context_get_core (self)->signals;
  for (guint i = 0; hub != NULL && i < hub->watches->len; i++)
    if (((Watch *) hub->watches->pdata[i])->id == id)
      {
        remove_watch (hub, i);
        return;
      }
}
