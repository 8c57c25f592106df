/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioEventNotifier:
 *
 * A flag that a thread sets and an event loop sees: an eventfd.
 *
 * Any number of [method@Gaio.EventNotifier.set] before the next
 * [method@Gaio.EventNotifier.test_and_clear] count as one. The descriptor becomes readable when
 * the flag is set, so it can be given to [method@Gaio.Context.set_fd_handler], to another process,
 * or to any other event loop.
 *
 * This is QEMU's EventNotifier. See eventfd(2).
 */

/* The only file that includes <sys/eventfd.h>. */

#include "config.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/base/gaio-event-notifier.h>

struct _GaioEventNotifier
{
  GObject parent_instance;

  int fd; /* immutable */
};

G_DEFINE_FINAL_TYPE (GaioEventNotifier, gaio_event_notifier, G_TYPE_OBJECT)

static void
gaio_event_notifier_finalize (GObject *object)
{
  GaioEventNotifier *self = GAIO_EVENT_NOTIFIER (object);

  if (self->fd >= 0)
    close (self->fd);
  G_OBJECT_CLASS (gaio_event_notifier_parent_class)->finalize (object);
}

static void
gaio_event_notifier_class_init (GaioEventNotifierClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gaio_event_notifier_finalize;
}

static void
gaio_event_notifier_init (GaioEventNotifier *self)
{
  self->fd = -1;
}

/**
 * gaio_event_notifier_new:
 * @error: return location for an error
 *
 * Makes a notifier that is not set, on a new non-blocking, close-on-exec eventfd.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the notifier, or %NULL when the process is out of file descriptors or
 *   the kernel out of memory
 */
GaioEventNotifier *
gaio_event_notifier_new (GError **error)
{
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (fd < 0)
    {
      gaio_set_error_errno (error, errno, "eventfd", NULL);
      return NULL;
    }
  return gaio_event_notifier_new_for_fd (fd);
}

/**
 * gaio_event_notifier_new_for_fd:
 * @fd: an eventfd, made non-blocking by its maker; the notifier closes it
 *
 * Makes a notifier of an eventfd that was made elsewhere, for example in another process.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the notifier
 */
GaioEventNotifier *
gaio_event_notifier_new_for_fd (int fd)
{
  GaioEventNotifier *self;

  g_return_val_if_fail (fd >= 0, NULL);

  self = g_object_new (GAIO_TYPE_EVENT_NOTIFIER, NULL);
  self->fd = fd;
  return self;
}

/**
 * gaio_event_notifier_get_fd:
 * @self: a notifier
 *
 * Gets the descriptor that is readable while the notifier is set. It stays the notifier's.
 *
 * Thread: any.
 *
 * Returns: the file descriptor
 */
int
gaio_event_notifier_get_fd (GaioEventNotifier *self)
{
  g_return_val_if_fail (GAIO_IS_EVENT_NOTIFIER (self), -1);

  return self->fd;
}

/**
 * gaio_event_notifier_set:
 * @self: a notifier
 *
 * Sets the flag. Does nothing when it is set already.
 *
 * Thread: any; safe in a signal handler.
 */
void
gaio_event_notifier_set (GaioEventNotifier *self)
{
  static const guint64 one = 1;
  int saved_errno = errno;
  ssize_t written;

  /* EAGAIN: the counter is full, so the flag has long been set. */
  do
    written = write (self->fd, &one, sizeof one);
  while (written < 0 && errno == EINTR);
  errno = saved_errno;
}

/**
 * gaio_event_notifier_test_and_clear:
 * @self: a notifier
 *
 * Clears the flag and tells whether it was set.
 *
 * Thread: any.
 *
 * Returns: %TRUE when the flag was set
 */
gboolean
gaio_event_notifier_test_and_clear (GaioEventNotifier *self)
{
  guint64 count;
  ssize_t got;

  g_return_val_if_fail (GAIO_IS_EVENT_NOTIFIER (self), FALSE);

  do
    got = read (self->fd, &count, sizeof count);
  while (got < 0 && errno == EINTR);
  return got == sizeof count;
}
