/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Direct I/O at any offset, of any length, from and to any memory. The system calls come by here
 * first (see meson.build), so a file system that refuses is at hand. */

#include <linux/falloc.h>
#include <sys/uio.h>

#include <gaio/file/gaio-file-direct-private.h>

#include "file-mount.h"
#include "file-test.h"

#define FILE_BYTES 300000

/* What the kernel is made to refuse; 0: nothing. */
static guint strict;          /* transfers of O_DIRECT that are not aligned to this */
static gboolean hides;        /* what statx(2) knows of alignment */
static gboolean refuses_open; /* O_DIRECT */
static gsize most_bytes;      /* a write moves no more than that */

static int stop_at = -1; /* a write that begins there waits for `go_on` */
static int stopped;
static int go_on;

ssize_t __real_pread64 (int fd, void *buffer, size_t length, off_t offset);
ssize_t __wrap_pread64 (int fd, void *buffer, size_t length, off_t offset);
ssize_t __real_pwrite64 (int fd, const void *data, size_t length, off_t offset);
ssize_t __wrap_pwrite64 (int fd, const void *data, size_t length, off_t offset);
int __real_statx (int fd, const char *path, int flags, unsigned mask, struct statx *buffer);
int __wrap_statx (int fd, const char *path, int flags, unsigned mask, struct statx *buffer);
int __real_open64 (const char *path, int flags, mode_t mode);
int __wrap_open64 (const char *path, int flags, mode_t mode);

static gboolean
is_refused (int fd, guintptr memory, size_t length, off_t offset)
{
  guint unit = g_atomic_int_get (&strict);

  return unit != 0 && (fcntl (fd, F_GETFL) & O_DIRECT) != 0 &&
         ((memory | length | (gsize) offset) & (unit - 1)) != 0;
}

ssize_t
__wrap_pread64 (int fd, void *buffer, size_t length, off_t offset)
{
  if (is_refused (fd, (guintptr) buffer, length, offset))
    {
      errno = EINVAL;
      return -1;
    }
  return __real_pread64 (fd, buffer, length, offset);
}

ssize_t
__wrap_pwrite64 (int fd, const void *data, size_t length, off_t offset)
{
  if (is_refused (fd, (guintptr) data, length, offset))
    {
      errno = EINVAL;
      return -1;
    }
  if (offset == g_atomic_int_get (&stop_at))
    {
      g_atomic_int_set (&stopped, 1);
      while (!g_atomic_int_get (&go_on))
        g_usleep (100);
    }
  if (most_bytes != 0)
    length = MIN (length, most_bytes);
  return __real_pwrite64 (fd, data, length, offset);
}

int
__wrap_statx (int fd, const char *path, int flags, unsigned mask, struct statx *buffer)
{
  int res = __real_statx (fd, path, flags, mask, buffer);

  if (hides)
    buffer->stx_mask &= ~0x2000u;
  return res;
}

int
__wrap_open64 (const char *path, int flags, mode_t mode)
{
  if (refuses_open && (flags & O_DIRECT) != 0)
    {
      errno = EINVAL;
      return -1;
    }
  return __real_open64 (path, flags, mode);
}

static void
forget (void)
{
  g_atomic_int_set (&strict, 0);
  hides = FALSE;
  refuses_open = FALSE;
  most_bytes = 0;
  g_atomic_int_set (&stop_at, -1);
  g_atomic_int_set (&stopped, 0);
  g_atomic_int_set (&go_on, 0);
}

/* A directory whose file system does direct I/O in units. */
static char *
make_dir (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "probe", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);

  if (fd >= 0)
    close (fd);
  else
    g_test_skip ("the temporary directory has no O_DIRECT");
  unlink (path);
  if (fd >= 0)
    return dir;
  file_test_remove_dir (dir);
  return NULL;
}

static GaioFile *
open_direct (GaioContext *context, const char *path, int flags)
{
  g_autoptr (GError) error = NULL;
  int fd = open (path, flags | O_DIRECT | O_CLOEXEC, 0600);
  GaioFile *file;

  g_assert_cmpint (fd, >=, 0);
  file = gaio_file_new_for_fd (context, fd, path, &error);
  g_assert_no_error (error);
  return file;
}

static guint
get_alignment (GaioFile *file)
{
  guint alignment;

  g_object_get (file, "direct-alignment", &alignment, NULL);
  return alignment;
}

static void
assert_direct (GaioFile *file)
{
  g_autofree char *reason = NULL;
  gboolean direct;

  g_object_get (file, "direct", &direct, "direct-reason", &reason, NULL);
  g_assert_cmpstr (reason, ==, NULL);
  g_assert_true (direct);
  g_assert_true (fcntl (gaio_file_get_fd (file), F_GETFL) & O_DIRECT);
}

static void
assert_not_direct (GaioFile *file)
{
  g_autofree char *reason = NULL;
  gboolean direct;

  g_object_get (file, "direct", &direct, "direct-reason", &reason, NULL);
  g_assert_cmpstr (reason, !=, NULL);
  g_assert_false (direct);
  g_assert_cmpuint (get_alignment (file), ==, 1);
  g_assert_false (fcntl (gaio_file_get_fd (file), F_GETFL) & O_DIRECT);
}

static void
assert_file (const char *path, gconstpointer data, gsize size)
{
  g_autofree char *found = NULL;
  gsize found_size;

  g_assert_true (g_file_get_contents (path, &found, &found_size, NULL));
  g_assert_cmpuint (found_size, ==, size);
  for (gsize i = 0; i < size; i++)
    if (found[i] != ((const char *) data)[i])
      g_error ("byte %" G_GSIZE_FORMAT " is %02x", i, (guint8) found[i]);
}

static void
on_end (GaioRequest *request, gpointer user_data)
{
  ++*(int *) user_data;
}

static GaioRequest *
new_request (GaioFile *file, int *ended)
{
  return gaio_request_new (file, on_end, ended, NULL);
}

static gsize
assert_ok (GaioRequest *request)
{
  g_autoptr (GError) error = NULL;
  gsize n_bytes = 0;

  gaio_request_get_result (request, &n_bytes, &error);
  g_assert_no_error (error);
  return n_bytes;
}

static void
wait_one (GaioTestLoop *loop, int *ended)
{
  gaio_test_turn_until (loop, ended, 1);
  *ended = 0;
}

static const gsize offsets[] = { 0,    1,     511,    512,    4095,
                                 4096, 65535, 131072, 299999, FILE_BYTES - 4096 };
static const gsize lengths[] = { 1, 7, 511, 512, 513, 4096, 5000, 65536, 200000, 299999 };

static void
test_open (GaioTestLoop *loop)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  GaioFile *file;
  guint memory;

  if (dir == NULL)
    return;
  path = file_test_make_file (dir, "a", 10000);
  file = open_direct (loop->context, path, O_RDWR);
  assert_direct (file);
  g_assert_cmpuint (get_alignment (file), >=, 512);
  g_object_get (file, "direct-memory-alignment", &memory, NULL);
  g_assert_cmpuint (memory, >=, 1);
  g_object_unref (file);

  file = file_test_open (loop->context, path, "r");
  g_assert_false (gaio_file_is_direct (file));
  g_assert_cmpuint (get_alignment (file), ==, 1);
  g_object_unref (file);

  file = gaio_open_full (path, GAIO_OPEN_READ | GAIO_OPEN_DIRECT, 0, NULL, NULL);
  assert_direct (file);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* A file system that has no O_DIRECT. */
static void
test_refused (GaioTestLoop *loop)
{
  static const GaioOpenFlags ways[] = {
    GAIO_OPEN_READ | GAIO_OPEN_WRITE | GAIO_OPEN_CREATE,
    GAIO_OPEN_READ | GAIO_OPEN_WRITE | GAIO_OPEN_CREATE | GAIO_OPEN_TRUNCATE,
  };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (5, 1000);
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      GaioFile *file;

      refuses_open = TRUE;
      file = gaio_open_full (path, ways[i] | GAIO_OPEN_DIRECT, 0600, NULL, &error);
      forget ();
      g_assert_no_error (error);
      assert_not_direct (file);
      g_assert_cmpint (gaio_file_write_bytes (file, 5, bytes, NULL, &error), ==, 1000);
      g_assert_no_error (error);
      g_object_unref (file);
    }
  /* And one that is there must not be taken for one's own. */
  g_assert_null (gaio_open_full (
      path, GAIO_OPEN_WRITE | GAIO_OPEN_CREATE | GAIO_OPEN_EXCLUSIVE | GAIO_OPEN_DIRECT, 0600, NULL,
      &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_EXISTS, EEXIST);
  unlink (path);
  {
    GaioFile *file = gaio_open_full (path,
                                     GAIO_OPEN_READ | GAIO_OPEN_WRITE | GAIO_OPEN_CREATE |
                                         GAIO_OPEN_EXCLUSIVE | GAIO_OPEN_DIRECT,
                                     0600, NULL, &error);

    g_assert_no_error (error);
    g_assert_true (gaio_file_is_direct (file) ==
                   ((fcntl (gaio_file_get_fd (file), F_GETFL) & O_DIRECT) != 0));
    g_object_unref (file);
  }
  file_test_remove_dir (dir);
}

static void
check_reads (GaioTestLoop *loop, GaioFile *file)
{
  g_autofree guint8 *memory = g_malloc (FILE_BYTES + 1);
  int ended = 0;
  g_autoptr (GaioRequest) request = new_request (file, &ended);

  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    for (guint j = 0; j < G_N_ELEMENTS (lengths); j++)
      {
        gsize offset = offsets[i];
        gsize length = lengths[j];
        gsize there = MIN (length, FILE_BYTES - offset);
        gsize first = MIN (length, 3);
        struct iovec iov[] = {
          { memory + 1, first },
          { memory + 1 + first, 0 },
          { memory + 1 + first, length - first },
        };
        gconstpointer data;
        gsize size;

        gaio_request_read (request, offset, length);
        wait_one (loop, &ended);
        g_assert_cmpuint (assert_ok (request), ==, there);
        data = gaio_request_get_data (request, &size);
        g_assert_cmpuint (size, ==, there);
        file_test_assert_pattern (data, offset, there);
        if (i % 2 == 0)
          {
            g_autoptr (GBytes) bytes = gaio_request_steal_bytes (request);

            file_test_assert_bytes (bytes, offset, there);
          }

        memset (memory, 0xee, FILE_BYTES + 1);
        gaio_request_read_into (request, offset, length, memory + 1);
        wait_one (loop, &ended);
        g_assert_cmpuint (assert_ok (request), ==, there);
        file_test_assert_pattern (memory + 1, offset, there);
        g_assert_cmpint (memory[0], ==, 0xee);
        g_assert_cmpint (memory[1 + there], ==, 0xee);

        memset (memory, 0xee, FILE_BYTES + 1);
        gaio_request_readv_into (request, offset, iov, 3);
        wait_one (loop, &ended);
        g_assert_cmpuint (assert_ok (request), ==, there);
        file_test_assert_pattern (memory + 1, offset, there);
        g_assert_cmpint (memory[1 + there], ==, 0xee);
      }

  /* At the end, past it, and as far as there are offsets. */
  gaio_request_read (request, FILE_BYTES, 1);
  wait_one (loop, &ended);
  g_assert_cmpuint (assert_ok (request), ==, 0);
  gaio_request_read (request, FILE_BYTES + 10000, 5000);
  wait_one (loop, &ended);
  g_assert_cmpuint (assert_ok (request), ==, 0);
  gaio_request_read (request, G_MAXOFFSET - 7, 7);
  wait_one (loop, &ended);
  gaio_request_read (request, 3, 0);
  wait_one (loop, &ended);
  g_assert_cmpuint (assert_ok (request), ==, 0);
}

static guint64
count_of (GaioTestLoop *loop, const char *name)
{
  g_autoptr (GVariant) stats = gaio_context_get_stats (loop->context);
  guint64 value = 0;

  g_assert_true (g_variant_lookup (stats, name, "t", &value));
  return value;
}

static void
test_read (GaioTestLoop *loop)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  GaioFile *file;

  if (dir == NULL)
    return;
  path = file_test_make_file (dir, "a", FILE_BYTES);
  for (int flags = O_RDONLY; flags <= O_RDWR; flags += O_RDWR)
    {
      file = open_direct (loop->context, path, flags);
      check_reads (loop, file);
      assert_direct (file);
      g_object_unref (file);
    }
  /* The request's own memory is read into where the ring can do it. */
  if (loop->engine == GAIO_ENGINE_IO_URING)
    {
      guint64 before = count_of (loop, "ring-requests");
      int ended = 0;
      g_autoptr (GaioRequest) request = NULL;

      file = open_direct (loop->context, path, O_RDWR);
      request = new_request (file, &ended);
      gaio_request_read (request, 12345, 6789);
      wait_one (loop, &ended);
      g_assert_cmpuint (count_of (loop, "ring-requests"), ==, before + 1);
      g_object_unref (file);
    }
  file_test_remove_dir (dir);
}

/* A file and what should be in it. */
typedef struct
{
  guint8 data[2 * FILE_BYTES];
  gsize size;
} Model;

static Model *
model_new (gsize size)
{
  Model *self = g_new0 (Model, 1);
  g_autofree guint8 *pattern = file_test_pattern (0, size);

  memcpy (self->data, pattern, size);
  self->size = size;
  return self;
}

static void
model_write (Model *self, gsize offset, GBytes *bytes)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);

  memcpy (self->data + offset, data, size);
  self->size = MAX (self->size, offset + size);
}

/* Bytes in memory that is aligned to nothing, or to a page. */
static GBytes *
make_bytes (gsize size, guint8 seed, gboolean aligned)
{
  void *memory = NULL;
  guint8 *data;

  g_assert_cmpint (posix_memalign (&memory, 4096, size + 1), ==, 0);
  data = (guint8 *) memory + !aligned;
  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) (seed + i * 7);
  return g_bytes_new_with_free_func (data, size, free, memory);
}

static void
test_write (GaioTestLoop *loop)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  g_autofree Model *model = model_new (100000);
  GaioFile *file;
  int ended = 0;
  GaioRequest *request;
  guint8 seed = 1;

  if (dir == NULL)
    return;
  path = file_test_make_file (dir, "a", 100000);
  file = open_direct (loop->context, path, O_RDWR);
  request = new_request (file, &ended);
  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    for (guint j = 0; j < G_N_ELEMENTS (lengths); j++)
      {
        g_autoptr (GBytes) bytes = make_bytes (lengths[j], seed, seed % 2 == 0);
        gsize half = lengths[j] / 2;
        g_autoptr (GBytes) first = g_bytes_new_from_bytes (bytes, 0, half);
        g_autoptr (GBytes) second = g_bytes_new_from_bytes (bytes, half, lengths[j] - half);
        GBytes *chunks[] = { first, second };

        seed++;
        if (seed % 3 == 0)
          gaio_request_writev (request, offsets[i], chunks, 2);
        else
          gaio_request_write (request, offsets[i], bytes);
        wait_one (loop, &ended);
        g_assert_cmpuint (assert_ok (request), ==, lengths[j]);
        model_write (model, offsets[i], bytes);
        if (j % 4 == 3)
          assert_file (path, model->data, model->size);
      }
  assert_direct (file);
  gaio_request_unref (request);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* Pieces larger than the buffer, from memory that is not aligned; and short writes within. */
static void
test_write_large (GaioTestLoop *loop)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  g_autofree guint8 *wanted = g_malloc0 (3500001 + 777);
  g_autoptr (GBytes) bytes = make_bytes (3500001, 9, FALSE);
  GaioFile *file;
  int ended = 0;
  GaioRequest *request;

  if (dir == NULL)
    return;
  path = g_build_filename (dir, "a", NULL);
  memcpy (wanted + 777, g_bytes_get_data (bytes, NULL), 3500001);
  for (int i = 0; i < 2; i++)
    {
      file = open_direct (loop->context, path, O_RDWR | O_CREAT | O_TRUNC);
      request = new_request (file, &ended);
      most_bytes = i == 1 ? 4096 * 5 : 0;
      gaio_request_write (request, 777, bytes);
      wait_one (loop, &ended);
      forget ();
      g_assert_cmpuint (assert_ok (request), ==, 3500001);
      assert_file (path, wanted, 3500001 + 777);
      gaio_request_unref (request);
      g_object_unref (file);
    }
  file_test_remove_dir (dir);
}

typedef struct
{
  GaioFile *file;
  gsize offset;
  GBytes *bytes;
} Errand;

static gpointer
write_blocking (gpointer data)
{
  Errand *errand = data;
  g_autoptr (GError) error = NULL;

  gaio_file_write_bytes (errand->file, errand->offset, errand->bytes, NULL, &error);
  g_assert_no_error (error);
  return NULL;
}

/* Many writes in flight at once, that share blocks but no bytes; some of them by blocking calls of
 * other threads. Each byte must be right at the end. */
static void
check_neighbours (GaioTestLoop *loop, const char *dir)
{
  enum
  {
    MOST = 32
  };
  g_autofree char *path = file_test_make_file (dir, "neighbours", 100000);
  g_autofree Model *model = model_new (100000);
  GaioFile *file = open_direct (loop->context, path, O_RDWR);
  GaioRequest *requests[MOST];
  int ended = 0;

  for (int i = 0; i < MOST; i++)
    requests[i] = new_request (file, &ended);
  for (int round = 0; round < 24; round++)
    {
      int n = g_test_rand_int_range (1, MOST + 1);
      gsize offset = g_test_rand_int_range (0, 250000);
      Errand errands[2] = { 0 };
      GThread *threads[2] = { 0 };
      gsize expected_size;

      for (int i = 0; i < n; i++)
        {
          gsize length = g_test_rand_int_range (1, round % 2 == 0 ? 300 : 6000);
          GBytes *bytes = make_bytes (length, (guint8) g_test_rand_int (), i % 2 == 0);
          bool blocking = i < 2 && n > 4;

          model_write (model, offset, bytes);
          if (blocking)
            {
              errands[i] = (Errand){ file, offset, bytes };
              threads[i] = g_thread_new ("errand", write_blocking, &errands[i]);
            }
          else
            {
              gaio_request_write (requests[i], offset, bytes);
              g_bytes_unref (bytes);
            }
          offset += length;
        }
      expected_size = model->size;
      gaio_test_turn_until (loop, &ended, n > 4 ? n - 2 : n);
      ended = 0;
      for (int i = 0; i < 2; i++)
        if (threads[i] != NULL)
          {
            g_thread_join (threads[i]);
            g_bytes_unref (errands[i].bytes);
          }
      for (int i = n > 4 ? 2 : 0; i < n; i++)
        assert_ok (requests[i]);
      assert_file (path, model->data, expected_size);
    }
  assert_direct (file);
  for (int i = 0; i < MOST; i++)
    gaio_request_unref (requests[i]);
  g_object_unref (file);
  unlink (path);
}

static void
test_neighbours (GaioTestLoop *loop)
{
  char *dir = make_dir ();

  if (dir == NULL)
    return;
  check_neighbours (loop, dir);
  file_test_remove_dir (dir);
}

static void
on_disk (GaioTestLoop *loop, const char *type, guint sector_bytes)
{
  g_autofree char *why = NULL;
  g_autoptr (FileMount) mount = file_mount_new_on_sectors (type, sector_bytes, &why);
  g_autofree char *path = NULL;
  GaioFile *file;

  if (mount == NULL)
    {
      g_test_skip (why);
      return;
    }
  path = file_test_make_file (mount->dir, "a", FILE_BYTES);
  file = open_direct (loop->context, path, O_RDWR);
  g_assert_cmpuint (get_alignment (file), ==, sector_bytes);
  check_reads (loop, file);
  g_object_unref (file);

  /* The same by trial. */
  hides = TRUE;
  file = open_direct (loop->context, path, O_RDWR);
  check_reads (loop, file);
  forget ();
  g_assert_cmpuint (get_alignment (file), ==, sector_bytes);
  g_object_unref (file);
  check_neighbours (loop, mount->dir);
}

static void
test_ext4_512 (GaioTestLoop *loop)
{
  on_disk (loop, "ext4", 512);
}

static void
test_ext4_4096 (GaioTestLoop *loop)
{
  on_disk (loop, "ext4", 4096);
}

static void
test_xfs_512 (GaioTestLoop *loop)
{
  on_disk (loop, "xfs", 512);
}

static void
test_xfs_4096 (GaioTestLoop *loop)
{
  on_disk (loop, "xfs", 4096);
}

/* In units of the library's own making, since tmpfs takes anything. */
static void
test_tmpfs (GaioTestLoop *loop)
{
  g_autofree char *why = NULL;
  g_autoptr (FileMount) mount = file_mount_new ("tmpfs", 1024 * 1024, &why);
  g_autofree char *path = NULL;
  g_autoptr (GBytes) bytes = make_bytes (1500000, 3, FALSE);
  GaioFile *file;
  GaioRequest *request;
  g_autoptr (GError) error = NULL;
  int ended = 0;
  int fd;
  gsize written;

  if (mount == NULL)
    {
      g_test_skip (why);
      return;
    }
  path = file_test_make_file (mount->dir, "a", 10000);
  fd = open (path, O_RDWR | O_DIRECT | O_CLOEXEC);
  if (fd < 0)
    {
      g_test_skip ("tmpfs has no O_DIRECT here");
      return;
    }
  file = gaio_file_new_for_fd (loop->context, fd, path, NULL);
  request = new_request (file, &ended);
  gaio_request_read (request, 11, 5000);
  wait_one (loop, &ended);
  g_assert_cmpuint (assert_ok (request), ==, 5000);
  file_test_assert_pattern (gaio_request_get_data (request, NULL), 11, 5000);
  g_assert_cmpuint (get_alignment (file), ==, 1);

  /* A disk that is full in the midst of a write: as much as is said is there, and no more. */
  atomic_store (&file->direct->memory_alignment, 512);
  atomic_store (&file->direct->alignment, 512);
  gaio_request_write (request, 100, bytes);
  wait_one (loop, &ended);
  g_assert_false (gaio_request_get_result (request, &written, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  g_assert_cmpuint (written, >, 0);
  g_assert_cmpuint (written, <, 1500000);
  {
    g_autofree guint8 *wanted = file_test_pattern (0, 100 + 1500000);

    memcpy (wanted + 100, g_bytes_get_data (bytes, NULL), written);
    assert_file (path, wanted, 100 + written);
  }
  gaio_request_unref (request);
  g_object_unref (file);
}

/* Appends, also of a file that the descriptor may not read. */
static void
test_append (GaioTestLoop *loop)
{
  static const int modes[] = { O_RDWR | O_APPEND, O_WRONLY | O_APPEND, O_RDWR };
  char *dir = make_dir ();

  if (dir == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      g_autofree char *path = file_test_make_file (dir, "a", 1000);
      g_autofree Model *model = model_new (1000);
      GaioFile *file = open_direct (loop->context, path, modes[i]);
      GaioRequest *requests[8];
      int ended = 0;
      gsize sum = 1000;

      for (int j = 0; j < 8; j++)
        {
          g_autoptr (GBytes) bytes = make_bytes (1000 + j, j, TRUE);

          requests[j] = new_request (file, &ended);
          if (i < 2)
            gaio_request_write (requests[j], 3, bytes);
          else
            gaio_request_append (requests[j], &bytes, 1);
          /* Those that wait are served in turn. */
          model_write (model, sum, bytes);
          sum += 1000 + j;
        }
      gaio_test_turn_until (loop, &ended, 8);
      for (int j = 0; j < 8; j++)
        {
          g_assert_cmpuint (assert_ok (requests[j]), ==, 1000 + j);
          gaio_request_unref (requests[j]);
        }
      assert_direct (file);
      assert_file (path, model->data, sum);
      g_object_unref (file);
    }
  file_test_remove_dir (dir);
}

/* A descriptor for writing alone reads what it has to by another one. */
static void
test_write_only (GaioTestLoop *loop)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  g_autofree Model *model = model_new (10000);
  g_autoptr (GBytes) bytes = make_bytes (3000, 5, FALSE);
  g_autoptr (GError) error = NULL;
  GaioFile *file;

  if (dir == NULL)
    return;
  path = file_test_make_file (dir, "a", 10000);
  file = open_direct (loop->context, path, O_WRONLY);
  gaio_file_write_bytes (file, 1111, bytes, NULL, &error);
  g_assert_no_error (error);
  assert_direct (file);
  model_write (model, 1111, bytes);
  assert_file (path, model->data, model->size);
  g_assert_true (gaio_file_close (file, NULL, &error));
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* And where it may not, the file goes on without direct I/O. */
static void
test_not_readable (void)
{
  if (g_test_subprocess ())
    {
      char *dir = NULL;
      g_autofree char *path = NULL;
      g_autofree Model *model = model_new (10000);
      g_autoptr (GBytes) bytes = make_bytes (3000, 5, FALSE);
      g_autoptr (GaioContext) context = NULL;
      g_autoptr (GError) error = NULL;
      GaioFile *file;

      file_test_become_nobody ();
      dir = make_dir ();
      if (dir == NULL)
        return;
      context = gaio_context_new (NULL);
      path = file_test_make_file (dir, "a", 10000);
      g_assert_cmpint (chmod (path, 0200), ==, 0);
      file = open_direct (context, path, O_WRONLY);
      assert_direct (file);
      gaio_file_write_bytes (file, 1111, bytes, NULL, &error);
      g_assert_no_error (error);
      assert_not_direct (file);
      g_object_unref (file);
      g_assert_cmpint (chmod (path, 0600), ==, 0);
      model_write (model, 1111, bytes);
      assert_file (path, model->data, model->size);
      file_test_remove_dir (dir);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

/* A file system that wants more than it says, and one that wants more than there is. */
static void
test_strict (void)
{
  static const guint units[] = { 1024, 4096, 16384, 65536, 1 << 20 };
  char *dir = make_dir ();
  g_autoptr (GaioContext) context = NULL;

  if (dir == NULL)
    return;
  context = gaio_context_new (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (units); i++)
    for (int writes = 0; writes < 2; writes++)
      {
        g_autofree char *path = file_test_make_file (dir, "a", FILE_BYTES);
        g_autofree Model *model = model_new (FILE_BYTES);
        g_autoptr (GBytes) bytes = make_bytes (5000, 5, FALSE);
        g_autoptr (GBytes) read = NULL;
        g_autoptr (GError) error = NULL;
        GaioFile *file = open_direct (context, path, O_RDWR);

        /* Whatever the disk is like. */
        atomic_store (&file->direct->alignment, 512);
        atomic_store (&file->direct->memory_alignment, 512);
        g_atomic_int_set (&strict, units[i]);
        if (writes)
          {
            gaio_file_write_bytes (file, 1111, bytes, NULL, &error);
            g_assert_no_error (error);
            model_write (model, 1111, bytes);
          }
        read = gaio_file_read_bytes (file, 1000, 100000, NULL, &error);
        g_assert_no_error (error);
        g_assert_cmpuint (g_bytes_get_size (read), ==, 100000);
        g_assert_true (memcmp (g_bytes_get_data (read, NULL), model->data + 1000, 100000) == 0);
        forget ();
        if (units[i] <= 65536)
          {
            assert_direct (file);
            g_assert_cmpuint (get_alignment (file), ==, units[i] <= 4096 ? 4096 : 65536);
          }
        else
          assert_not_direct (file);
        g_object_unref (file);
        assert_file (path, model->data, model->size);
      }
  file_test_remove_dir (dir);
}

/* What changes or sees the length, or changes the bytes, beside a block that is being changed,
 * waits for it. */
static void
test_others_wait (GaioTestLoop *loop)
{
  enum
  {
    TRUNCATE,
    PUNCH,
    COPY,
    QUERY,
    COPY_FROM,
    READ_AT_END,
    READ_OF_STALE, /* the same, when somebody else has made the file shorter */
    N
  };
  char *dir = make_dir ();
  g_autofree char *source_path = NULL;
  g_autofree char *plain_path = NULL;
  GaioFile *source;
  GaioFile *plain;

  if (dir == NULL)
    return;
  plain_path = file_test_make_file (dir, "plain", 0);
  plain = file_test_open (loop->context, plain_path, "r+");
  source_path = file_test_make_file (dir, "source", 50000);
  source = open_direct (loop->context, source_path, O_RDONLY);
  for (int i = 0; i < N; i++)
    {
      g_autofree char *path = file_test_make_file (dir, "a", 10000);
      g_autofree Model *model = model_new (10000);
      g_autoptr (GBytes) bytes = make_bytes (1000, 77, FALSE);
      GaioFile *file = open_direct (loop->context, path, O_RDWR);
      int ended = 0;
      int other_ended = 0;
      g_autoptr (GaioRequest) write = new_request (file, &ended);
      g_autoptr (GaioRequest) other = new_request (i == COPY ? source : file, &other_ended);
      gsize alignment = get_alignment (file);
      gsize offset = 9500;

      if (i == READ_OF_STALE)
        {
          g_assert_cmpint (truncate (path, 100000), ==, 0);
          gaio_request_write (write, 9000, bytes);
          wait_one (loop, &ended);
          assert_ok (write);
          g_assert_cmpint (truncate (path, 10000), ==, 0);
          model_write (model, 9000, bytes);
          model->size = 10000;
        }
      /* Over the end of the file; stopped before the block is written back. */
      g_atomic_int_set (&stop_at, (int) (offset & ~(alignment - 1)));
      gaio_request_write (write, offset, bytes);
      while (!g_atomic_int_get (&stopped))
        gaio_test_turn (loop, FALSE);
      model_write (model, offset, bytes);
      switch (i)
        {
        case TRUNCATE:
          gaio_request_truncate (other, 9900);
          model->size = 9900;
          break;
        case PUNCH:
          gaio_request_allocate (other, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset + 10,
                                 100);
          memset (model->data + offset + 10, 0, 100);
          break;
        case COPY:
          gaio_request_copy_range (other, 123, file, offset + 20, 30000);
          {
            g_autofree guint8 *pattern = file_test_pattern (123, 30000);

            memcpy (model->data + offset + 20, pattern, 30000);
            model->size = offset + 20 + 30000;
          }
          break;
        case QUERY:
          gaio_request_statx (other, STATX_SIZE);
          break;
        case COPY_FROM:
          gaio_request_copy_range (other, 0, plain, 0, 20000);
          break;
        default:
          gaio_request_read (other, 0, 20000);
          break;
        }
      for (int j = 0; j < 20; j++)
        {
          gaio_test_turn (loop, FALSE);
          g_usleep (100);
        }
      g_assert_cmpint (other_ended, ==, 0);
      g_atomic_int_set (&go_on, 1);
      gaio_test_turn_until (loop, &other_ended, 1);
      gaio_test_turn_until (loop, &ended, 1);
      forget ();
      assert_ok (write);
      if (i == QUERY)
        g_assert_cmpuint (other->statx->stx_size, ==, model->size);
      if (i >= COPY_FROM)
        g_assert_cmpuint (assert_ok (other), ==, model->size);
      else
        assert_ok (other);
      assert_file (path, model->data, model->size);
      g_object_unref (file);
    }
  g_object_unref (source);
  g_object_unref (plain);
  file_test_remove_dir (dir);
}

/* A request that has copied to a direct file is no longer kept waiting by what that one does. */
static void
test_after_copy (GaioTestLoop *loop)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  g_autofree char *plain_path = NULL;
  g_autoptr (GBytes) bytes = make_bytes (1000, 77, FALSE);
  GaioFile *plain;
  GaioFile *file;
  GaioRequest *request;
  GaioRequest *write;
  int ended = 0;
  int write_ended = 0;

  if (dir == NULL)
    return;
  plain_path = file_test_make_file (dir, "plain", 0);
  plain = file_test_open (loop->context, plain_path, "r+");
  path = file_test_make_file (dir, "a", 10000);
  file = open_direct (loop->context, path, O_RDWR);
  request = new_request (plain, &ended);
  write = new_request (file, &write_ended);
  gaio_request_write (request, 0, bytes);
  wait_one (loop, &ended);
  assert_ok (request);
  gaio_request_copy_range (request, 0, file, 0, 1000);
  wait_one (loop, &ended);
  g_assert_cmpuint (assert_ok (request), ==, 1000);

  g_atomic_int_set (&stop_at, (int) (9500 & ~(get_alignment (file) - 1)));
  gaio_request_write (write, 9500, bytes);
  while (!g_atomic_int_get (&stopped))
    gaio_test_turn (loop, FALSE);
  gaio_request_write (request, 9500, bytes);
  wait_one (loop, &ended);
  g_assert_cmpuint (assert_ok (request), ==, 1000);
  g_assert_cmpint (write_ended, ==, 0);
  g_atomic_int_set (&go_on, 1);
  wait_one (loop, &write_ended);
  forget ();
  assert_ok (write);
  gaio_request_unref (write);
  gaio_request_unref (request);
  g_object_unref (file);
  g_object_unref (plain);
  file_test_remove_dir (dir);
}

/* Those that wait, and those that run, are cancelled: no block is half the one and half the
 * other. */
static void
test_cancel (GaioTestLoop *loop)
{
  enum
  {
    N = 24,
    STEP = 700
  };
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  GaioFile *file;
  GaioRequest *requests[N];
  g_autofree guint8 *wanted = NULL;
  int ended = 0;
  int stopped_early = 0;

  if (dir == NULL)
    return;
  path = file_test_make_file (dir, "a", 50000);
  wanted = file_test_pattern (0, 50000);
  file = open_direct (loop->context, path, O_RDWR);
  for (int i = 0; i < N; i++)
    {
      g_autoptr (GBytes) bytes = make_bytes (STEP, (guint8) i, FALSE);

      requests[i] = new_request (file, &ended);
      gaio_request_write (requests[i], i * STEP + 1, bytes);
    }
  for (int i = N - 1; i > 0; i -= 2)
    gaio_request_cancel (requests[i]);
  g_assert_cmpint (ended, ==, 0);
  gaio_test_turn_until (loop, &ended, N);
  for (int i = 0; i < N; i++)
    {
      g_autoptr (GBytes) bytes = make_bytes (STEP, (guint8) i, FALSE);
      g_autoptr (GError) error = NULL;
      gsize written = 0;

      if (!gaio_request_get_result (requests[i], &written, &error))
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
          g_assert_cmpint (i % 2, ==, 1);
          stopped_early++;
        }
      memcpy (wanted + i * STEP + 1, g_bytes_get_data (bytes, NULL), written);
      gaio_request_unref (requests[i]);
    }
  g_assert_cmpint (stopped_early, >, 0);
  assert_file (path, wanted, 50000);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

typedef struct
{
  GaioFile *file;
  GBytes *bytes;
  int runs;
} Nested;

static void
on_end_of_first (GaioRequest *request, gpointer user_data)
{
  Nested *nested = user_data;
  g_autoptr (GError) error = NULL;

  /* The block is free, but a call further down waits for it, and was first. */
  gaio_file_write_bytes (nested->file, 300, nested->bytes, NULL, &error);
  if (error != NULL)
    g_assert_cmpint (gaio_error_get_errno (error), ==, EDEADLK);
  nested->runs++;
}

/* A blocking call in the home thread, for a block that only the home thread can end with. */
static void
test_blocking_at_home (GaioTestLoop *loop)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  g_autofree Model *model = model_new (10000);
  g_autoptr (GBytes) first = make_bytes (100, 1, FALSE);
  g_autoptr (GBytes) second = make_bytes (100, 2, FALSE);
  g_autoptr (GBytes) third = make_bytes (100, 3, FALSE);
  g_autoptr (GError) error = NULL;
  GaioFile *file;
  GaioRequest *request;
  Nested nested;

  if (dir == NULL)
    return;
  path = file_test_make_file (dir, "a", 10000);
  file = open_direct (loop->context, path, O_RDWR);
  nested = (Nested){ .file = file, .bytes = third };
  request = gaio_request_new (file, on_end_of_first, &nested, NULL);
  gaio_request_write (request, 100, first);
  gaio_file_write_bytes (file, 200, second, NULL, &error);
  g_assert_no_error (error);
  gaio_test_turn_until (loop, &nested.runs, 1);
  g_assert_cmpint (nested.runs, ==, 1);
  assert_ok (request);
  model_write (model, 100, first);
  model_write (model, 200, second);
  {
    g_autoptr (GBytes) there = gaio_file_read_bytes (file, 0, 300, NULL, NULL);

    g_assert_true (memcmp (g_bytes_get_data (there, NULL), model->data, 300) == 0);
  }
  gaio_request_unref (request);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* The context goes while requests wait for each other. */
static void
test_context_goes (void)
{
  char *dir = make_dir ();
  g_autofree char *path = NULL;
  GaioIOThread *thread;
  GaioFile *file;
  GaioRequest *requests[16];
  int ended = 0;

  if (dir == NULL)
    return;
  path = file_test_make_file (dir, "a", 10000);
  thread = gaio_io_thread_new ("direct", NULL);
  file = open_direct (gaio_io_thread_get_context (thread), path, O_RDWR);
  for (int i = 0; i < 16; i++)
    {
      g_autoptr (GBytes) bytes = make_bytes (100, (guint8) i, FALSE);

      requests[i] = new_request (file, &ended);
      gaio_request_write (requests[i], 100 * i, bytes);
    }
  for (int i = 0; i < 16; i++)
    gaio_request_unref (requests[i]);
  g_object_unref (file);
  gaio_io_thread_stop (thread);
  g_object_unref (thread);
  g_assert_cmpint (ended, ==, 16);
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/direct/open", test_open);
  gaio_test_add_engine_matrix ("/direct/refused", test_refused);
  gaio_test_add_engine_matrix ("/direct/read", test_read);
  gaio_test_add_engine_matrix ("/direct/write", test_write);
  gaio_test_add_engine_matrix ("/direct/write-large", test_write_large);
  gaio_test_add_engine_matrix ("/direct/neighbours", test_neighbours);
  gaio_test_add_engine_matrix ("/direct/ext4-512", test_ext4_512);
  gaio_test_add_engine_matrix ("/direct/ext4-4096", test_ext4_4096);
  gaio_test_add_engine_matrix ("/direct/xfs-512", test_xfs_512);
  gaio_test_add_engine_matrix ("/direct/xfs-4096", test_xfs_4096);
  gaio_test_add_engine_matrix ("/direct/tmpfs", test_tmpfs);
  gaio_test_add_engine_matrix ("/direct/append", test_append);
  gaio_test_add_engine_matrix ("/direct/write-only", test_write_only);
  gaio_test_add ("/direct/not-readable", test_not_readable);
  gaio_test_add ("/direct/strict", test_strict);
  gaio_test_add_engine_matrix ("/direct/others-wait", test_others_wait);
  gaio_test_add_engine_matrix ("/direct/after-copy", test_after_copy);
  gaio_test_add_engine_matrix ("/direct/cancel", test_cancel);
  gaio_test_add_engine_matrix ("/direct/blocking-at-home", test_blocking_at_home);
  gaio_test_add ("/direct/context-goes", test_context_goes);
  return g_test_run ();
}
