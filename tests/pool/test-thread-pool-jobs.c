/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The work that a pool does by itself: checksums of bytes, and bytes through converters, good ones
 * and bad ones. */

#include <errno.h>
#include <string.h>

#include "probe.h"

#define LARGE ((gsize) 3 * 1024 * 1024 + 17)

/* A call and its end */

typedef struct
{
  GaioThreadPool *pool;
  GaioTestLoop loop;
  GThread *home;
} Fixture;

typedef struct
{
  Fixture *fixture;
  int n_ended;
  char *sum;
  GBytes *bytes;
  GError *error;
} Call;

static void
fixture_open (Fixture *self)
{
  self->pool = gaio_thread_pool_new ();
  self->loop = (GaioTestLoop){ gaio_context_ref_thread_default (), g_main_context_default (),
                               GAIO_TEST_BY_SOURCE };
  self->home = g_thread_self ();
}

static void
fixture_close (Fixture *self)
{
  gaio_test_settle (&self->loop);
  g_object_unref (self->loop.context);
  g_object_unref (self->pool);
}

static void
on_sum (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;

  g_assert_true (g_thread_self () == call->fixture->home);
  call->sum = gaio_thread_pool_checksum_finish (GAIO_THREAD_POOL (source), result, &call->error);
  call->n_ended++;
}

static void
on_converted (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;

  g_assert_true (g_thread_self () == call->fixture->home);
  call->bytes = gaio_thread_pool_convert_finish (GAIO_THREAD_POOL (source), result, &call->error);
  call->n_ended++;
}

static void
wait_for (Call *call)
{
  g_assert_cmpint (call->n_ended, ==, 0);
  gaio_test_turn_until (&call->fixture->loop, &call->n_ended, 1);
  gaio_test_settle (&call->fixture->loop);
  g_assert_cmpint (call->n_ended, ==, 1);
}

static GBytes *
make_input (gsize size)
{
  guint8 *data = g_malloc (size + 1);

  for (gsize i = 0; i < size; i++)
    data[i] = (i * 2654435761u) >> 22;
  return g_bytes_new_take (data, size);
}

/* Checksums */

static char *
sum_by (Fixture *fixture, gboolean async, GChecksumType type, GBytes *bytes, GError **error)
{
  Call call = { .fixture = fixture };

  if (!async)
    return gaio_thread_pool_checksum (fixture->pool, type, bytes, NULL, error);
  gaio_thread_pool_checksum_async (fixture->pool, type, bytes, 0, NULL, on_sum, &call);
  wait_for (&call);
  if (call.error != NULL)
    g_propagate_error (error, call.error);
  return call.sum;
}

static void
test_checksum (void)
{
  static const gsize sizes[] = { 0, 1, 256 * 1024, 256 * 1024 + 1, LARGE };
  Fixture fixture;

  fixture_open (&fixture);
  for (int async = 0; async < 2; async++)
    {
      GError *error = NULL;

      for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
        for (int type = G_CHECKSUM_MD5; type <= G_CHECKSUM_SHA384; type++)
          {
            g_autoptr (GBytes) bytes = make_input (sizes[i]);
            g_autofree char *expected = g_compute_checksum_for_bytes (type, bytes);
            g_autofree char *sum = sum_by (&fixture, async, type, bytes, &error);

            g_assert_no_error (error);
            g_assert_cmpstr (sum, ==, expected);
          }
      {
        g_autoptr (GBytes) bytes = make_input (1);

        g_assert_null (sum_by (&fixture, async, (GChecksumType) 99, bytes, &error));
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
        g_clear_error (&error);
      }
    }
  fixture_close (&fixture);
}

static void
freed_at_home (gpointer data)
{
  Fixture *fixture = data;

  g_assert_true (g_thread_self () == fixture->home);
  fixture->home = NULL;
}

/* The bytes may be the last thing of a script. */
static void
test_freed_at_home (void)
{
  for (int convert = 0; convert < 2; convert++)
    {
      Fixture fixture;
      Call call = { .fixture = &fixture };
      GBytes *bytes;

      fixture_open (&fixture);
      bytes = g_bytes_new_with_free_func ("abc", 3, freed_at_home, &fixture);
      if (convert)
        {
          GConverter *zlib = G_CONVERTER (g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_RAW, -1));

          gaio_thread_pool_convert_async (fixture.pool, zlib, bytes, 0, NULL, on_converted, &call);
          g_object_unref (zlib);
        }
      else
        gaio_thread_pool_checksum_async (fixture.pool, G_CHECKSUM_MD5, bytes, 0, NULL, on_sum,
                                         &call);
      g_bytes_unref (bytes);
      wait_for (&call);
      g_assert_no_error (call.error);
      g_assert_null (fixture.home);
      g_clear_pointer (&call.bytes, g_bytes_unref);
      g_free (call.sum);
      fixture_close (&fixture);
    }
}

/* Converters */

static GBytes *
convert_by (Fixture *fixture, gboolean async, gpointer converter, GBytes *bytes, GError **error)
{
  Call call = { .fixture = fixture };

  if (!async)
    return gaio_thread_pool_convert (fixture->pool, converter, bytes, NULL, error);
  gaio_thread_pool_convert_async (fixture->pool, converter, bytes, 0, NULL, on_converted, &call);
  wait_for (&call);
  if (call.error != NULL)
    g_propagate_error (error, call.error);
  return call.bytes;
}

static void
test_zlib (void)
{
  static const gsize sizes[] = { 0, 1, 256 * 1024, 256 * 1024 + 1, LARGE };
  g_autoptr (GZlibCompressor) pack = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1);
  g_autoptr (GZlibDecompressor) unpack = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  Fixture fixture;

  fixture_open (&fixture);
  for (int async = 0; async < 2; async++)
    for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
      {
        g_autoptr (GBytes) bytes = make_input (sizes[i]);
        g_autoptr (GBytes) packed = NULL;
        g_autoptr (GBytes) unpacked = NULL;
        GError *error = NULL;

        /* Used again, so they must be reset. */
        packed = convert_by (&fixture, async, pack, bytes, &error);
        g_assert_no_error (error);
        unpacked = convert_by (&fixture, async, unpack, packed, &error);
        g_assert_no_error (error);
        g_assert_true (g_bytes_equal (bytes, unpacked));
      }
  fixture_close (&fixture);
}

static void
test_zlib_errors (void)
{
  g_autoptr (GZlibCompressor) pack = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1);
  g_autoptr (GZlibDecompressor) unpack = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  g_autoptr (GBytes) bytes = make_input (LARGE);
  Fixture fixture;

  fixture_open (&fixture);
  for (int async = 0; async < 2; async++)
    {
      g_autoptr (GBytes) packed = convert_by (&fixture, async, pack, bytes, NULL);
      gsize size = g_bytes_get_size (packed);
      g_autoptr (GBytes) cut = g_bytes_new_from_bytes (packed, 0, size - 1);
      g_autoptr (GByteArray) longer = g_byte_array_new ();
      g_autoptr (GBytes) more = NULL;
      g_autoptr (GBytes) unpacked = NULL;
      GError *error = NULL;

      g_assert_null (convert_by (&fixture, async, unpack, cut, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
      g_clear_error (&error);
      g_assert_null (convert_by (&fixture, async, unpack, bytes, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
      g_clear_error (&error);

      /* What follows the end is left out. */
      g_byte_array_append (longer, g_bytes_get_data (packed, NULL), size);
      g_byte_array_append (longer, (const guint8 *) "more", 4);
      more = g_byte_array_free_to_bytes (g_steal_pointer (&longer));
      unpacked = convert_by (&fixture, async, unpack, more, &error);
      g_assert_no_error (error);
      g_assert_true (g_bytes_equal (bytes, unpacked));
    }
  fixture_close (&fixture);
}

/* A character that lies across the border of two pieces. */
static void
test_charset (void)
{
  const gsize size = 256 * 1024 + 2;
  g_autofree char *text = g_malloc (size);
  g_autoptr (GCharsetConverter) converter = NULL;
  g_autoptr (GBytes) bytes = NULL;
  Fixture fixture;

  memset (text, 'a', size);
  memcpy (text + 256 * 1024 - 1, "\xe2\x82\xac", 3);
  bytes = g_bytes_new_static (text, size);
  converter = g_charset_converter_new ("ISO-8859-15", "UTF-8", NULL);
  fixture_open (&fixture);
  for (int async = 0; async < 2; async++)
    {
      GError *error = NULL;
      g_autoptr (GBytes) out = convert_by (&fixture, async, converter, bytes, &error);
      const guint8 *data;

      g_assert_no_error (error);
      data = g_bytes_get_data (out, NULL);
      g_assert_cmpuint (g_bytes_get_size (out), ==, size - 2);
      g_assert_cmphex (data[size - 3], ==, 0xa4);
      g_assert_cmphex (data[0], ==, 'a');
    }
  fixture_close (&fixture);
}

/* A converter that does what the test says */

typedef enum
{
  ODD_COPIES_SOME,    /* one byte a step */
  ODD_WANTS_ALL,      /* the whole input at once, and room for it */
  ODD_DOES_NOTHING,   /* neither reads nor writes */
  ODD_FAILS_SILENTLY, /* after some work */
  ODD_LIES_READ,      /* has read more than there is */
  ODD_LIES_WRITTEN,   /* has written more than there is room for */
  ODD_WAITS,          /* at a gate in its first step; then as COPIES_SOME */
} OddKind;

typedef struct
{
  GObject parent_instance;
  OddKind kind;
  Gate *gate;
  GThread *thread;
  int n_steps;
  int n_resets;
} Odd;

typedef GObjectClass OddClass;

static GType odd_get_type (void);
static void odd_iface_init (GConverterIface *iface);

G_DEFINE_TYPE_WITH_CODE (Odd,
                         odd,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (G_TYPE_CONVERTER, odd_iface_init))

static GConverterResult
odd_convert (GConverter *converter,
             const void *in,
             gsize in_size,
             void *out,
             gsize out_size,
             GConverterFlags flags,
             gsize *n_read,
             gsize *n_written,
             GError **error)
{
  Odd *self = (Odd *) converter;
  gboolean at_end = (flags & G_CONVERTER_INPUT_AT_END) != 0;

  self->thread = g_thread_self ();
  self->n_steps++;
  switch (self->kind)
    {
    case ODD_WAITS:
      if (self->n_steps == 1)
        gate_wait (self->gate);
      G_GNUC_FALLTHROUGH;
    case ODD_COPIES_SOME:
      *n_read = *n_written = MIN (in_size, 1);
      memcpy (out, in, *n_read);
      return at_end && in_size <= 1 ? G_CONVERTER_FINISHED : G_CONVERTER_CONVERTED;
    case ODD_WANTS_ALL:
      if (!at_end)
        {
          g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT, "all of it");
          return G_CONVERTER_ERROR;
        }
      if (out_size < in_size)
        {
          g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "room");
          return G_CONVERTER_ERROR;
        }
      memcpy (out, in, in_size);
      *n_read = *n_written = in_size;
      return G_CONVERTER_FINISHED;
    case ODD_DOES_NOTHING:
      return G_CONVERTER_CONVERTED;
    case ODD_FAILS_SILENTLY:
      *n_read = in_size;
      return G_CONVERTER_ERROR;
    case ODD_LIES_READ:
      *n_read = in_size + 1;
      return G_CONVERTER_CONVERTED;
    case ODD_LIES_WRITTEN:
      *n_written = out_size + 1;
      return G_CONVERTER_CONVERTED;
    }
  return G_CONVERTER_ERROR;
}

static void
odd_reset (GConverter *converter)
{
  ((Odd *) converter)->n_resets++;
}

static void
odd_iface_init (GConverterIface *iface)
{
  iface->convert = odd_convert;
  iface->reset = odd_reset;
}

static void
odd_class_init (OddClass *klass)
{
}

static void
odd_init (Odd *self)
{
}

static Odd *
odd_new (OddKind kind)
{
  Odd *self = g_object_new (odd_get_type (), NULL);

  self->kind = kind;
  return self;
}

static void
test_odd (void)
{
  static const struct
  {
    OddKind kind;
    gsize size;
    int code;
  } cases[] = {
    { ODD_COPIES_SOME, 1000, -1 },   { ODD_WANTS_ALL, LARGE, -1 }, { ODD_DOES_NOTHING, 1000, 1 },
    { ODD_FAILS_SILENTLY, 1000, 1 }, { ODD_LIES_READ, 1000, 1 },   { ODD_LIES_WRITTEN, 1000, 1 },
  };
  Fixture fixture;

  fixture_open (&fixture);
  for (int async = 0; async < 2; async++)
    for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
      {
        Odd *odd = odd_new (cases[i].kind);
        g_autoptr (GBytes) bytes = make_input (cases[i].size);
        g_autoptr (GBytes) out = NULL;
        GError *error = NULL;

        out = convert_by (&fixture, async, odd, bytes, &error);
        g_assert_cmpint (odd->n_resets, ==, 1);
        g_assert_true ((odd->thread == fixture.home) == !async);
        if (cases[i].code < 0)
          {
            g_assert_no_error (error);
            g_assert_true (g_bytes_equal (out, bytes));
          }
        else
          {
            g_assert_error (error, GAIO_ERROR, GAIO_ERROR_IO);
            g_assert_cmpint (odd->n_steps, ==, 1);
            g_error_free (error);
          }
        g_object_unref (odd);
      }
  fixture_close (&fixture);
}

static void
test_in_use (void)
{
  Gate gate = GATE_INIT;
  g_autoptr (GBytes) bytes = make_input (10);
  Odd *odd = odd_new (ODD_WAITS);
  GError *error = NULL;
  Fixture fixture;
  Call first = { .fixture = &fixture }, second = { .fixture = &fixture };

  fixture_open (&fixture);
  odd->gate = &gate;
  gaio_thread_pool_convert_async (fixture.pool, G_CONVERTER (odd), bytes, 0, NULL, on_converted,
                                  &first);
  gate_fill (&gate, 1);
  gaio_thread_pool_convert_async (fixture.pool, G_CONVERTER (odd), bytes, 0, NULL, on_converted,
                                  &second);
  wait_for (&second);
  g_assert_error (second.error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&second.error);
  g_assert_null (gaio_thread_pool_convert (fixture.pool, G_CONVERTER (odd), bytes, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&error);
  gate_open (&gate);
  wait_for (&first);
  g_assert_no_error (first.error);
  g_clear_pointer (&first.bytes, g_bytes_unref);

  /* Free again. */
  first.bytes = gaio_thread_pool_convert (fixture.pool, G_CONVERTER (odd), bytes, NULL, &error);
  g_assert_no_error (error);
  g_bytes_unref (first.bytes);
  g_object_unref (odd);
  fixture_close (&fixture);
}

/* Before, while it is queued, and between two steps. */
static void
test_cancelled (void)
{
  GCancellable *cancellables[3];
  g_autoptr (GBytes) bytes = make_input (1000);
  Gate gate = GATE_INIT;
  Odd *odds[3];
  Fixture fixture;
  Call calls[3];

  fixture_open (&fixture);
  gaio_thread_pool_set_max_threads (fixture.pool, 1);
  for (int i = 2; i >= 0; i--)
    {
      cancellables[i] = g_cancellable_new ();
      odds[i] = odd_new (ODD_WAITS);
      odds[i]->gate = &gate;
      calls[i] = (Call){ .fixture = &fixture };
      if (i == 0)
        g_cancellable_cancel (cancellables[i]);
      gaio_thread_pool_convert_async (fixture.pool, G_CONVERTER (odds[i]), bytes, 0,
                                      cancellables[i], on_converted, &calls[i]);
    }
  gate_fill (&gate, 1);
  g_cancellable_cancel (cancellables[1]);
  g_cancellable_cancel (cancellables[2]);
  wait_for (&calls[1]);
  g_assert_cmpint (calls[2].n_ended, ==, 0);
  gate_open (&gate);
  gaio_test_turn_until (&fixture.loop, &calls[2].n_ended, 1);
  for (int i = 0; i < 3; i++)
    {
      GError *error = NULL;

      g_assert_cmpint (calls[i].n_ended, ==, 1);
      g_assert_error (calls[i].error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpint (odds[i]->n_steps, ==, i == 2);
      g_clear_error (&calls[i].error);

      /* It is not in use for ever. */
      odds[i]->n_steps = 1;
      calls[i].bytes =
          gaio_thread_pool_convert (fixture.pool, G_CONVERTER (odds[i]), bytes, NULL, &error);
      g_assert_no_error (error);
      g_bytes_unref (calls[i].bytes);
      g_object_unref (odds[i]);
      g_object_unref (cancellables[i]);
    }
  fixture_close (&fixture);
}

static void
test_checksum_cancelled (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) bytes = make_input (1);
  GError *error = NULL;
  Fixture fixture;
  Call call = { .fixture = &fixture };

  fixture_open (&fixture);
  g_cancellable_cancel (cancellable);
  gaio_thread_pool_checksum_async (fixture.pool, G_CHECKSUM_MD5, bytes, 0, cancellable, on_sum,
                                   &call);
  wait_for (&call);
  g_assert_error (call.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&call.error);
  g_assert_null (
      gaio_thread_pool_checksum (fixture.pool, G_CHECKSUM_MD5, bytes, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  fixture_close (&fixture);
}

static void
on_notify (GObject *object, GParamSpec *spec, gpointer data)
{
  Call *call = data;

  g_assert_true (g_thread_self () == call->fixture->home);
  call->n_ended += 100;
}

/* A decompressor notifies of the file name that it has found. */
static void
test_notify (void)
{
  g_autoptr (GZlibCompressor) pack = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1);
  g_autoptr (GZlibDecompressor) unpack = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  g_autoptr (GFileInfo) info = g_file_info_new ();
  g_autoptr (GBytes) bytes = make_input (1000);
  g_autoptr (GBytes) packed = NULL;
  Fixture fixture;
  Call call = { .fixture = &fixture };

  fixture_open (&fixture);
  g_file_info_set_name (info, "name");
  g_zlib_compressor_set_file_info (pack, info);
  packed = convert_by (&fixture, TRUE, pack, bytes, NULL);
  g_signal_connect (unpack, "notify::file-info", G_CALLBACK (on_notify), &call);
  gaio_thread_pool_convert_async (fixture.pool, G_CONVERTER (unpack), packed, 0, NULL, on_converted,
                                  &call);
  gaio_test_turn_until (&fixture.loop, &call.n_ended, 101);
  g_assert_no_error (call.error);
  g_assert_true (g_bytes_equal (bytes, call.bytes));
  g_assert_cmpstr (g_file_info_get_name (g_zlib_decompressor_get_file_info (unpack)), ==, "name");
  g_bytes_unref (call.bytes);
  fixture_close (&fixture);
}

/* Nobody has to do the work in a thread. */
static void
test_no_threads (void)
{
  g_autoptr (GBytes) bytes = make_input (1000);
  g_autofree char *expected = g_compute_checksum_for_bytes (G_CHECKSUM_SHA1, bytes);
  g_autofree char *sum = NULL;
  GError *error = NULL;
  Fixture fixture;

  fixture_open (&fixture);
  gaio_thread_pool_set_max_threads (fixture.pool, 0);
  sum = sum_by (&fixture, TRUE, G_CHECKSUM_SHA1, bytes, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (sum, ==, expected);
  fixture_close (&fixture);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  /* The first task makes what GLib's worker thread waits on, for good. */
  g_type_ensure (G_TYPE_TASK);

  gaio_test_add ("/thread-pool-jobs/checksum", test_checksum);
  gaio_test_add ("/thread-pool-jobs/checksum-cancelled", test_checksum_cancelled);
  gaio_test_add ("/thread-pool-jobs/freed-at-home", test_freed_at_home);
  gaio_test_add ("/thread-pool-jobs/zlib", test_zlib);
  gaio_test_add ("/thread-pool-jobs/zlib-errors", test_zlib_errors);
  gaio_test_add ("/thread-pool-jobs/charset", test_charset);
  gaio_test_add ("/thread-pool-jobs/odd", test_odd);
  gaio_test_add ("/thread-pool-jobs/in-use", test_in_use);
  gaio_test_add ("/thread-pool-jobs/cancelled", test_cancelled);
  gaio_test_add ("/thread-pool-jobs/notify", test_notify);
  gaio_test_add ("/thread-pool-jobs/no-threads", test_no_threads);

  return g_test_run ();
}
