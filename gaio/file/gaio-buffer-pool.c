/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioBufferPool:
 *
 * Buffers of one size, for files that are read and written much.
 *
 * Reads of a file that has the pool as its #GaioFile:buffer-pool take their memory from it, as long
 * as there is some. The [struct@GLib.Bytes] that such a read gives returns its buffer when its last
 * reference goes, in whichever thread. [method@Gaio.BufferPool.copy_bytes] gives memory to write
 * from. When there is no buffer left, or none is large enough, ordinary memory is used: a pool
 * never makes an operation wait or fail.
 *
 * The buffers begin at pages, so direct I/O has them as it wants them. And the kernel is told of
 * them once, where it takes that, instead of with every operation.
 */

/* The memory is one mapping, made at the first buffer. It belongs to a part that the pool and each
 * buffer in use have a reference to, so it is there until the last GBytes is gone.
 *
 * A ring to which the mapping is registered reads into it a good part faster, from the page cache
 * too: the kernel need not find and hold the pages each time. What is registered is the pool's and
 * the ring's business together, in a GaioBufferUse: the pool takes it back from the ring when it
 * goes, in the ring's thread; a ring that goes says so, when nothing is in flight any more. The
 * kernel holds the pages of operations in flight by itself. Where it refuses, for the user may not
 * lock so much memory or the kernel is too old, all goes on as it would without. */

#include "config.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/file/gaio-buffer-pool-private.h>

struct _GaioBuffers
{
  atomic_uint refs;

  /* immutable */
  gsize buffer_bytes;
  guint n_buffers;

  /* under lock */
  GMutex lock;
  guint8 *memory;    /* NULL: not made yet, or there is none */
  GaioBuffer *slots; /* one for each buffer */
  GaioBuffer **free; /* those that are not in use, the last one first */
  guint n_free;
  bool is_made;
};

struct _GaioBufferUse
{
  atomic_uint refs; /* the pool's and the ring's */
  GaioBuffers *buffers;
  GaioBhQueue *queue; /* of the ring's context */
  GMutex lock;
  _Atomic (GaioRing *) ring; /* changed under lock; NULL when it is gone */
  int index;
};

struct _GaioBufferPool
{
  GObject parent_instance;

  GaioBuffers *buffers;

  GMutex lock;
  GPtrArray *uses; /* under lock */
};

enum
{
  PROP_BUFFER_BYTES = 1,
  PROP_N_BUFFERS,
  PROP_N_USED,
  PROP_REGISTERED,
  PROP_ALIGNMENT,
  N_PROPS,
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (GaioBufferPool, gaio_buffer_pool, G_TYPE_OBJECT)

/* The buffers */

static GaioBuffers *
buffers_new (void)
{
  GaioBuffers *self = g_new0 (GaioBuffers, 1);

  atomic_init (&self->refs, 1);
  g_mutex_init (&self->lock);
  return self;
}

static gsize
get_size (GaioBuffers *self)
{
  return self->buffer_bytes * self->n_buffers;
}

static void
buffers_unref (GaioBuffers *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (self->memory != NULL)
    munmap (self->memory, get_size (self));
  g_free (self->slots);
  g_free (self->free);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* Under the lock. */
static void
make_memory (GaioBuffers *self)
{
  void *memory = MAP_FAILED;
  gsize size;

  self->is_made = true;
  if (g_size_checked_mul (&size, self->buffer_bytes, self->n_buffers) && size > 0)
    memory = mmap (NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    {
      gaio_debug (FILE, "no memory for %u buffers", self->n_buffers);
      return;
    }
  self->memory = memory;
  self->slots = g_new (GaioBuffer, self->n_buffers);
  self->free = g_new (GaioBuffer *, self->n_buffers);
  for (guint i = self->n_buffers; i-- > 0;)
    {
      self->slots[i] = (GaioBuffer){ self, self->memory + i * self->buffer_bytes };
      self->free[self->n_free++] = &self->slots[i];
    }
}

static GaioBuffer *
take (GaioBuffers *self)
{
  GaioBuffer *buffer = NULL;

  g_mutex_lock (&self->lock);
  if (!self->is_made)
    make_memory (self);
  if (self->n_free > 0)
    {
      buffer = self->free[--self->n_free];
      atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
    }
  g_mutex_unlock (&self->lock);
  return buffer;
}

GaioBuffer *
gaio_buffer_pool_take (GaioBufferPool *self, gsize size)
{
  return size <= self->buffers->buffer_bytes ? take (self->buffers) : NULL;
}

gsize
gaio_buffer_get_capacity (GaioBuffer *self)
{
  return self->buffers->buffer_bytes;
}

void
gaio_buffer_give_back (gpointer data)
{
  GaioBuffer *self = data;
  GaioBuffers *buffers = self->buffers;

  g_mutex_lock (&buffers->lock);
  buffers->free[buffers->n_free++] = self;
  g_mutex_unlock (&buffers->lock);
  buffers_unref (buffers);
}

/* What rings know of them */

static void
use_unref (gpointer data)
{
  GaioBufferUse *self = data;

  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  buffers_unref (self->buffers);
  gaio_bh_queue_unref (self->queue);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* From the ring, which is about to go, or has let go of the memory. */
static void
on_ring_gone (gpointer data)
{
  GaioBufferUse *self = data;

  g_mutex_lock (&self->lock);
  self->ring = NULL;
  g_mutex_unlock (&self->lock);
  use_unref (self);
}

/* In the ring's thread; or, when its context has ended, in any: the ring then is gone, or goes. */
static void
end_use (gpointer data)
{
  GaioBufferUse *self = data;
  bool is_released = false;

  g_mutex_lock (&self->lock);
  if (self->ring != NULL)
    is_released = gaio_ring_unregister_memory (self->ring, self->index);
  if (is_released)
    self->ring = NULL;
  g_mutex_unlock (&self->lock);
  if (is_released)
    use_unref (self);
  use_unref (self);
}

static bool
use_is_alive (GaioBufferUse *self)
{
  bool is_alive;

  g_mutex_lock (&self->lock);
  is_alive = self->ring != NULL;
  g_mutex_unlock (&self->lock);
  return is_alive;
}

static GaioBufferUse *
use_new (GaioBuffers *buffers, GaioContext *context, GaioRing *ring)
{
  GaioBufferUse *self = g_new0 (GaioBufferUse, 1);

  atomic_init (&self->refs, 2);
  atomic_fetch_add_explicit (&buffers->refs, 1, memory_order_relaxed);
  self->buffers = buffers;
  self->queue = gaio_bh_queue_ref (gaio_context_get_bh_queue (context));
  g_mutex_init (&self->lock);
  self->ring = ring;
  self->index =
      gaio_ring_register_memory (ring, buffers->memory, get_size (buffers), on_ring_gone, self);
  if (self->index >= 0)
    return self;
  gaio_debug (FILE, "buffers are not registered: %s", g_strerror (-self->index));
  use_unref (self);
  use_unref (self);
  return NULL;
}

GaioBufferUse *
gaio_buffer_pool_use (GaioBufferPool *self, GaioContext *context, GaioRing *ring)
{
  GaioBufferUse *found = NULL;

  if (ring == NULL)
    return NULL;
  g_mutex_lock (&self->buffers->lock);
  if (!self->buffers->is_made)
    make_memory (self->buffers);
  g_mutex_unlock (&self->buffers->lock);
  if (self->buffers->memory == NULL)
    return NULL;

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->uses->len && found == NULL; i++)
    if (((GaioBufferUse *) self->uses->pdata[i])->ring == ring)
      found = self->uses->pdata[i];
  g_mutex_unlock (&self->lock);
  /* Only this thread looks for this ring. */
  if (found == NULL && (found = use_new (self->buffers, context, ring)) != NULL)
    {
      g_mutex_lock (&self->lock);
      g_ptr_array_add (self->uses, found);
      g_mutex_unlock (&self->lock);
    }
  return found;
}

int
gaio_buffer_use_find (GaioBufferUse *self, GaioRing *ring, gconstpointer memory, gsize size)
{
  gsize where = (guintptr) memory - (guintptr) self->buffers->memory;
  gsize all = get_size (self->buffers);

  return self->ring == ring && where < all && size <= all - where ? self->index : -1;
}

/* The object */

static void
gaio_buffer_pool_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GaioBufferPool *self = GAIO_BUFFER_POOL (object);
  gsize page = (gsize) getpagesize ();

  switch (id)
    {
    case PROP_BUFFER_BYTES:
      self->buffers->buffer_bytes =
          MIN (g_value_get_uint64 (value) + page - 1, G_MAXSSIZE) & ~(page - 1);
      break;
    case PROP_N_BUFFERS:
      self->buffers->n_buffers = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_buffer_pool_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioBufferPool *self = GAIO_BUFFER_POOL (object);

  switch (id)
    {
    case PROP_BUFFER_BYTES:
      g_value_set_uint64 (value, self->buffers->buffer_bytes);
      break;
    case PROP_N_BUFFERS:
      g_value_set_uint (value, self->buffers->n_buffers);
      break;
    case PROP_N_USED:
      g_value_set_uint (value, gaio_buffer_pool_get_n_used (self));
      break;
    case PROP_REGISTERED:
      g_value_set_boolean (value, gaio_buffer_pool_is_registered (self));
      break;
    case PROP_ALIGNMENT:
      g_value_set_uint (value, getpagesize ());
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_buffer_pool_finalize (GObject *object)
{
  GaioBufferPool *self = GAIO_BUFFER_POOL (object);

  for (guint i = 0; i < self->uses->len; i++)
    {
      GaioBufferUse *use = self->uses->pdata[i];
      GaioBhQueue *queue = gaio_bh_queue_ref (use->queue);

      gaio_bh_queue_release (queue, end_use, use);
      gaio_bh_queue_unref (queue);
    }
  g_ptr_array_unref (self->uses);
  buffers_unref (self->buffers);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (gaio_buffer_pool_parent_class)->finalize (object);
}

static void
gaio_buffer_pool_class_init (GaioBufferPoolClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = gaio_buffer_pool_set_property;
  object_class->get_property = gaio_buffer_pool_get_property;
  object_class->finalize = gaio_buffer_pool_finalize;

  /**
   * GaioBufferPool:buffer-bytes:
   *
   * The size of each buffer in bytes: what was asked for, rounded up to whole pages.
   */
  props[PROP_BUFFER_BYTES] =
      g_param_spec_uint64 ("buffer-bytes", NULL, NULL, 1, G_MAXSSIZE, 65536,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioBufferPool:n-buffers:
   *
   * How many buffers there are.
   */
  props[PROP_N_BUFFERS] =
      g_param_spec_uint ("n-buffers", NULL, NULL, 1, G_MAXUINT, 32,
                         G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioBufferPool:n-used:
   *
   * How many of the buffers are in use. No notification is sent, since it changes in any thread.
   */
  props[PROP_N_USED] = g_param_spec_uint ("n-used", NULL, NULL, 0, G_MAXUINT, 0,
                                          G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioBufferPool:registered:
   *
   * Whether an io_uring knows the buffers, so that operations on them cost less. It is so once the
   * pool has been made the #GaioFile:buffer-pool of a file whose context has one, unless the system
   * refuses.
   */
  props[PROP_REGISTERED] = g_param_spec_boolean ("registered", NULL, NULL, FALSE,
                                                 G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioBufferPool:alignment:
   *
   * What the buffers are aligned to, in bytes: the size of a page.
   */
  props[PROP_ALIGNMENT] = g_param_spec_uint ("alignment", NULL, NULL, 1, G_MAXUINT, 4096,
                                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
gaio_buffer_pool_init (GaioBufferPool *self)
{
  self->buffers = buffers_new ();
  self->uses = g_ptr_array_new ();
  g_mutex_init (&self->lock);
}

/**
 * gaio_buffer_pool_new:
 * @buffer_bytes: the size of each buffer in bytes, rounded up to whole pages
 * @n_buffers: how many there are
 *
 * Makes a pool. Its memory is had from the system when the first buffer is needed.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the pool
 */
GaioBufferPool *
gaio_buffer_pool_new (gsize buffer_bytes, guint n_buffers)
{
  g_return_val_if_fail (buffer_bytes > 0 && buffer_bytes <= G_MAXSSIZE, NULL);
  g_return_val_if_fail (n_buffers > 0, NULL);

  return g_object_new (GAIO_TYPE_BUFFER_POOL, "buffer-bytes", (guint64) buffer_bytes, "n-buffers",
                       n_buffers, NULL);
}

/**
 * gaio_buffer_pool_get_buffer_bytes:
 * @self: a pool
 *
 * Gets the size of each buffer.
 *
 * Thread: any.
 *
 * Returns: the size in bytes
 */
gsize
gaio_buffer_pool_get_buffer_bytes (GaioBufferPool *self)
{
  g_return_val_if_fail (GAIO_IS_BUFFER_POOL (self), 0);

  return self->buffers->buffer_bytes;
}

/**
 * gaio_buffer_pool_get_n_buffers:
 * @self: a pool
 *
 * Gets how many buffers there are.
 *
 * Thread: any.
 *
 * Returns: the number
 */
guint
gaio_buffer_pool_get_n_buffers (GaioBufferPool *self)
{
  g_return_val_if_fail (GAIO_IS_BUFFER_POOL (self), 0);

  return self->buffers->n_buffers;
}

/**
 * gaio_buffer_pool_get_n_used:
 * @self: a pool
 *
 * Gets how many of the buffers are in use.
 *
 * Thread: any.
 *
 * Returns: the number
 */
guint
gaio_buffer_pool_get_n_used (GaioBufferPool *self)
{
  guint n_used;

  g_return_val_if_fail (GAIO_IS_BUFFER_POOL (self), 0);

  g_mutex_lock (&self->buffers->lock);
  n_used = self->buffers->memory != NULL ? self->buffers->n_buffers - self->buffers->n_free : 0;
  g_mutex_unlock (&self->buffers->lock);
  return n_used;
}

/**
 * gaio_buffer_pool_is_registered:
 * @self: a pool
 *
 * Tells whether an io_uring knows the buffers, see #GaioBufferPool:registered.
 *
 * Thread: any.
 *
 * Returns: %TRUE when one does
 */
gboolean
gaio_buffer_pool_is_registered (GaioBufferPool *self)
{
  bool found = false;

  g_return_val_if_fail (GAIO_IS_BUFFER_POOL (self), FALSE);

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->uses->len && !found; i++)
    found = use_is_alive (self->uses->pdata[i]);
  g_mutex_unlock (&self->lock);
  return found;
}

/**
 * gaio_buffer_pool_copy_bytes:
 * @self: a pool
 * @bytes: what to copy
 *
 * Copies bytes into a buffer, to be written from there. The buffer returns to the pool with the
 * last reference to the result. When there is none left, or @bytes are more than one holds, they
 * are copied to ordinary memory that is aligned like a buffer.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the copy
 */
GBytes *
gaio_buffer_pool_copy_bytes (GaioBufferPool *self, GBytes *bytes)
{
  GaioBuffer *buffer;
  gconstpointer data;
  void *memory;
  gsize size;

  g_return_val_if_fail (GAIO_IS_BUFFER_POOL (self), NULL);
  g_return_val_if_fail (bytes != NULL, NULL);

  data = g_bytes_get_data (bytes, &size);
  if (size == 0)
    return g_bytes_ref (bytes);
  buffer = gaio_buffer_pool_take (self, size);
  if (buffer != NULL)
    {
      memcpy (buffer->memory, data, size);
      return g_bytes_new_with_free_func (buffer->memory, size, gaio_buffer_give_back, buffer);
    }
  if (posix_memalign (&memory, (gsize) getpagesize (), size) != 0)
    return g_bytes_ref (bytes);
  memcpy (memory, data, size);
  return g_bytes_new_with_free_func (memory, size, free, memory);
}

/**
 * gaio_buffer_pool_acquire: (skip)
 * @self: a pool
 *
 * Takes a buffer out of the pool.
 *
 * Thread: any.
 *
 * Returns: (nullable): #GaioBufferPool:buffer-bytes of memory, to be given back with
 *   gaio_buffer_pool_release(); %NULL when all are in use
 */
gpointer
gaio_buffer_pool_acquire (GaioBufferPool *self)
{
  GaioBuffer *buffer;

  g_return_val_if_fail (GAIO_IS_BUFFER_POOL (self), NULL);

  buffer = take (self->buffers);
  return buffer != NULL ? buffer->memory : NULL;
}

/**
 * gaio_buffer_pool_release: (skip)
 * @self: a pool
 * @buffer: what gaio_buffer_pool_acquire() has given
 *
 * Gives a buffer back to the pool.
 *
 * Thread: any.
 */
void
gaio_buffer_pool_release (GaioBufferPool *self, gpointer buffer)
{
  GaioBuffers *buffers;
  gsize where;

  g_return_if_fail (GAIO_IS_BUFFER_POOL (self));
  buffers = self->buffers;
  where = (guintptr) buffer - (guintptr) buffers->memory;
  g_return_if_fail (buffers->memory != NULL && where < get_size (buffers));
  g_return_if_fail (where % buffers->buffer_bytes == 0);

  gaio_buffer_give_back (&buffers->slots[where / buffers->buffer_bytes]);
}
