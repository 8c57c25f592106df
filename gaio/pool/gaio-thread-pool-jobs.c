/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Work that a pool knows how to do by itself, for languages that cannot run in its threads: a
 * checksum of bytes, and bytes through a GConverter.
 *
 * All that the worker uses belongs to the task and so is freed in the caller's thread. The same
 * functions do the work in the caller's thread for the blocking forms.
 *
 * A converter is the one thing here that may be a script's. One whose functions are written in a
 * script is not run in a worker: JavaScript cannot run there, and no language binding says so
 * beforehand. What gives it away is that its functions are not in a library or program that the
 * linker knows, but in memory that the binding made them in. A native converter may have handlers
 * of a script, for `notify`: its notifications are held back until it is at home again. And nobody
 * keeps a script from starting two conversions with one converter, which is not made for that; so
 * it is marked while it is in use. */

#include "config.h"

#include <dlfcn.h>
#include <errno.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/pool/gaio-thread-pool-jobs.h>
#include <gaio/pool/gaio-thread-pool-run-private.h>

/* Between two looks at the cancellable: under a millisecond of work. */
#define PIECE_BYTES ((gsize) 256 * 1024)

/* Room for a converter to write into. */
#define ROOM_BYTES ((gsize) 64 * 1024)

/* A buffer is cut when more than this part of it is unused. */
#define WASTE_DIVISOR 8

/* Checksums */

static char *
checksum (GChecksumType type, GBytes *bytes, GCancellable *cancellable, GError **error)
{
  gsize size;
  const guchar *data = g_bytes_get_data (bytes, &size);
  g_autoptr (GChecksum) sum = NULL;

  if (g_checksum_type_get_length (type) < 0)
    {
      gaio_set_error_errno (error, EINVAL, "checksum of an unknown type", NULL);
      return NULL;
    }
  sum = g_checksum_new (type);
  for (gsize done = 0; done < size; done += PIECE_BYTES)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return NULL;
      g_checksum_update (sum, data + done, MIN (size - done, PIECE_BYTES));
    }
  return g_strdup (g_checksum_get_string (sum));
}

typedef struct
{
  /* immutable */
  GChecksumType type;
  GBytes *bytes;

  /* the worker's, then the caller's */
  char *result;
  GError *error;
} Sum;

static void
sum_free (gpointer data)
{
  Sum *self = data;

  g_bytes_unref (self->bytes);
  g_free (self->result);
  g_clear_error (&self->error);
  g_free (self);
}

static void
sum_work (gpointer data, GCancellable *cancellable)
{
  Sum *self = data;

  self->result = checksum (self->type, self->bytes, cancellable, &self->error);
}

static void
sum_end (GTask *task)
{
  Sum *self = g_task_get_task_data (task);

  if (self->error != NULL)
    g_task_return_error (task, g_steal_pointer (&self->error));
  else
    g_task_return_pointer (task, g_steal_pointer (&self->result), g_free);
}

static const GaioRunOps sum_ops = { .work = sum_work, .end = sum_end };

/* Conversion */

typedef struct
{
  guint8 *data;
  gsize capacity;
  gsize size;
} Buffer;

static bool
buffer_reserve (Buffer *self, gsize room, GError **error)
{
  gsize capacity = self->capacity;
  guint8 *data;

  while (capacity - self->size < room && capacity <= G_MAXSSIZE / 2)
    capacity = MAX (capacity * 2, room);
  data = capacity == self->capacity ? self->data : g_try_realloc (self->data, capacity);
  if (data == NULL || capacity - self->size < room)
    {
      gaio_set_error_errno (error, ENOMEM, "convert", NULL);
      return false;
    }
  self->data = data;
  self->capacity = capacity;
  return true;
}

static GBytes *
buffer_to_bytes (Buffer *self)
{
  guint8 *data = g_steal_pointer (&self->data);

  if (self->capacity - self->size > self->capacity / WASTE_DIVISOR)
    data = g_realloc (data, self->size);
  return g_bytes_new_take (data, self->size);
}

/* What became of one call of the converter. */
typedef enum
{
  STEP_FAILED,
  STEP_AGAIN,
  STEP_FINISHED,
} Step;

typedef struct
{
  /* immutable */
  GConverter *converter;
  const guint8 *input;
  gsize size;

  gsize consumed;
  gsize piece; /* of the input, for one step */
  gsize room;  /* for its output */
  Buffer output;
} Conversion;

static Step
conversion_step (Conversion *self, GError **error)
{
  gsize left = self->size - self->consumed;
  gsize length = MIN (left, self->piece);
  GConverterFlags flags = length == left ? G_CONVERTER_INPUT_AT_END : G_CONVERTER_NO_FLAGS;
  GError *own_error = NULL;
  GConverterResult result;
  gsize n_read = 0, n_written = 0;

  if (!buffer_reserve (&self->output, self->room, error))
    return STEP_FAILED;
  result = g_converter_convert (self->converter, self->input + self->consumed, length,
                                self->output.data + self->output.size, self->room, flags, &n_read,
                                &n_written, &own_error);
  if (result == G_CONVERTER_ERROR && own_error != NULL)
    {
      /* What both of these say is true of what was offered, not of the whole. */
      if (g_error_matches (own_error, G_IO_ERROR, G_IO_ERROR_NO_SPACE) &&
          self->room <= G_MAXSSIZE / 2)
        self->room *= 2;
      else if (g_error_matches (own_error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT) && length < left)
        self->piece *= 2;
      else
        {
          g_propagate_error (error, own_error);
          return STEP_FAILED;
        }
      g_error_free (own_error);
      return STEP_AGAIN;
    }
  g_clear_error (&own_error);
  /* A converter of a script may answer anything. */
  if (result == G_CONVERTER_ERROR || n_read > length || n_written > self->room ||
      (result != G_CONVERTER_FINISHED && n_read == 0 && n_written == 0))
    {
      gaio_set_error_errno (error, EIO, "convert", G_OBJECT_TYPE_NAME (self->converter));
      return STEP_FAILED;
    }
  self->consumed += n_read;
  self->output.size += n_written;
  return result == G_CONVERTER_FINISHED ? STEP_FINISHED : STEP_AGAIN;
}

static GBytes *
convert (GConverter *converter, GBytes *bytes, GCancellable *cancellable, GError **error)
{
  Conversion self = { .converter = converter, .piece = PIECE_BYTES, .room = ROOM_BYTES };
  Step step = STEP_AGAIN;

  self.input = g_bytes_get_data (bytes, &self.size);
  if (self.input == NULL)
    self.input = (const guint8 *) ""; /* there are converters that look at the pointer */
  g_converter_reset (converter);
  while (step == STEP_AGAIN)
    step = g_cancellable_set_error_if_cancelled (cancellable, error)
               ? STEP_FAILED
               : conversion_step (&self, error);
  if (step == STEP_FINISHED)
    return buffer_to_bytes (&self.output);
  g_free (self.output.data);
  return NULL;
}

/* Whether code is in a library or program, and not what a language binding made. */
static bool
is_native (gconstpointer code)
{
  Dl_info info;

  return dladdr (code, &info) != 0;
}

static bool
may_run_anywhere (GConverter *converter)
{
  GConverterIface *iface = G_CONVERTER_GET_IFACE (converter);

  return is_native ((gconstpointer) iface->convert) && is_native ((gconstpointer) iface->reset);
}

static GQuark
in_use_quark (void)
{
  static gsize quark;

  if (g_once_init_enter (&quark))
    g_once_init_leave (&quark, g_quark_from_static_string ("gaio-converter-in-use"));
  return quark;
}

/* Thread: the caller's, as for its counterpart. */
static bool
claim (GConverter *converter, GError **error)
{
  static int in_use;

  if (!g_object_replace_qdata (G_OBJECT (converter), in_use_quark (), NULL, &in_use, NULL, NULL))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_PENDING,
                   "convert: the %s is in use by another conversion (EBUSY)",
                   G_OBJECT_TYPE_NAME (converter));
      return false;
    }
  g_object_freeze_notify (G_OBJECT (converter));
  return true;
}

static void
release (GConverter *converter)
{
  g_object_set_qdata (G_OBJECT (converter), in_use_quark (), NULL);
  g_object_thaw_notify (G_OBJECT (converter));
}

typedef struct
{
  /* immutable */
  GConverter *converter;
  GBytes *bytes;

  /* the worker's, then the caller's */
  GBytes *result;
  GError *error;
} Convert;

static void
convert_free (gpointer data)
{
  Convert *self = data;

  g_object_unref (self->converter);
  g_bytes_unref (self->bytes);
  g_clear_pointer (&self->result, g_bytes_unref);
  g_clear_error (&self->error);
  g_free (self);
}

static void
convert_work (gpointer data, GCancellable *cancellable)
{
  Convert *self = data;

  self->result = convert (self->converter, self->bytes, cancellable, &self->error);
}

static void
convert_settle (gpointer data)
{
  Convert *self = data;

  release (self->converter);
}

static void
convert_end (GTask *task)
{
  Convert *self = g_task_get_task_data (task);

  if (self->error != NULL)
    g_task_return_error (task, g_steal_pointer (&self->error));
  else
    g_task_return_pointer (task, g_steal_pointer (&self->result), (GDestroyNotify) g_bytes_unref);
}

static const GaioRunOps convert_ops = {
  .work = convert_work,
  .settle = convert_settle,
  .end = convert_end,
};

/* Public functions */

/**
 * gaio_thread_pool_checksum:
 * @self: a pool
 * @type: which checksum
 * @bytes: what it is of
 * @cancellable: (nullable): seen between pieces of the bytes
 * @error: return location for an error
 *
 * Does what [method@Gaio.ThreadPool.checksum_async] does, in the thread of the caller and without
 * a thread of the pool.
 *
 * Thread: any; it blocks.
 *
 * Returns: (transfer full): the checksum as a hexadecimal string
 */
char *
gaio_thread_pool_checksum (GaioThreadPool *self,
                           GChecksumType type,
                           GBytes *bytes,
                           GCancellable *cancellable,
                           GError **error)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), NULL);
  g_return_val_if_fail (bytes != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return checksum (type, bytes, cancellable, error);
}

/**
 * gaio_thread_pool_checksum_async:
 * @self: a pool
 * @type: which checksum
 * @bytes: what it is of; must not change meanwhile
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): seen between pieces of the bytes
 * @callback: (nullable): called at the end
 * @user_data: data for @callback
 *
 * Computes a checksum of bytes in a thread of the pool.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_thread_pool_checksum_async (GaioThreadPool *self,
                                 GChecksumType type,
                                 GBytes *bytes,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  GTask *task;
  Sum *sum;

  g_return_if_fail (GAIO_IS_THREAD_POOL (self));
  g_return_if_fail (bytes != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  sum = g_new0 (Sum, 1);
  sum->type = type;
  sum->bytes = g_bytes_ref (bytes);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gaio_thread_pool_checksum_async);
  g_task_set_priority (task, io_priority);
  g_task_set_task_data (task, sum, sum_free);
  gaio_thread_pool_run_task (self, task, &sum_ops, "checksum");
}

/**
 * gaio_thread_pool_checksum_finish:
 * @self: a pool
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Gaio.ThreadPool.checksum_async].
 *
 * Thread: any.
 *
 * Returns: (transfer full): the checksum as a hexadecimal string
 */
char *
gaio_thread_pool_checksum_finish (GaioThreadPool *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_thread_pool_checksum_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * gaio_thread_pool_convert:
 * @self: a pool
 * @converter: what to put the bytes through; it is reset first
 * @bytes: the input
 * @cancellable: (nullable): seen between the steps of the conversion
 * @error: return location for an error
 *
 * Does what [method@Gaio.ThreadPool.convert_async] does, in the thread of the caller and without a
 * thread of the pool; so it takes any converter.
 *
 * Thread: any; it blocks.
 *
 * Returns: (transfer full): the output
 */
GBytes *
gaio_thread_pool_convert (GaioThreadPool *self,
                          GConverter *converter,
                          GBytes *bytes,
                          GCancellable *cancellable,
                          GError **error)
{
  GBytes *result;

  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), NULL);
  g_return_val_if_fail (G_IS_CONVERTER (converter), NULL);
  g_return_val_if_fail (bytes != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  if (!claim (converter, error))
    return NULL;
  result = convert (converter, bytes, cancellable, error);
  release (converter);
  return result;
}

/**
 * gaio_thread_pool_convert_async:
 * @self: a pool
 * @converter: what to put the bytes through; it is reset first, and must not be used meanwhile
 * @bytes: the input; must not change meanwhile
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): seen between the steps of the conversion
 * @callback: (nullable): called at the end
 * @user_data: data for @callback
 *
 * Puts bytes through a converter in a thread of the pool: compresses or decompresses them, or
 * changes the character set of a text.
 *
 * The conversion ends with the input, or where the converter says that it is finished; what
 * follows then is left out. An input that ends too early is the error `G_IO_ERROR_PARTIAL_INPUT`.
 *
 * The converter must be one of a library, such as a [class@Gio.ZlibDecompressor] or a
 * [class@Gio.CharsetConverter]. One that is written in a scripting language is refused with
 * `G_IO_ERROR_NOT_SUPPORTED`, since such languages cannot all run in another thread; it can be
 * given to [method@Gaio.ThreadPool.convert]. Changes of the converter's properties are notified in
 * the thread of the caller, at the end. A converter serves one conversion at a time; a second one
 * is the error `G_IO_ERROR_PENDING`.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_thread_pool_convert_async (GaioThreadPool *self,
                                GConverter *converter,
                                GBytes *bytes,
                                int io_priority,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data)
{
  GError *error = NULL;
  Convert *call;
  GTask *task;

  g_return_if_fail (GAIO_IS_THREAD_POOL (self));
  g_return_if_fail (G_IS_CONVERTER (converter));
  g_return_if_fail (bytes != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  call = g_new0 (Convert, 1);
  call->converter = g_object_ref (converter);
  call->bytes = g_bytes_ref (bytes);
  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gaio_thread_pool_convert_async);
  g_task_set_priority (task, io_priority);
  g_task_set_task_data (task, call, convert_free);
  if (!may_run_anywhere (converter))
    {
      error = gaio_error_new_errno_with_detail (
          ENOTSUP, "convert in a thread", G_OBJECT_TYPE_NAME (converter), "which is a script's");
      gaio_thread_pool_fail_task (task, error);
    }
  else if (!claim (converter, &error))
    gaio_thread_pool_fail_task (task, error);
  else
    gaio_thread_pool_run_task (self, task, &convert_ops, "convert");
}

/**
 * gaio_thread_pool_convert_finish:
 * @self: a pool
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Gaio.ThreadPool.convert_async].
 *
 * Thread: any.
 *
 * Returns: (transfer full): the output
 */
GBytes *
gaio_thread_pool_convert_finish (GaioThreadPool *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), NULL);
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_thread_pool_convert_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
