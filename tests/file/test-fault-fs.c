/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files of a file system that answers with any errno, with less than asked for, late, or not any
 * more: see fault-fs.c. Only the kernel stands between, so this is what a bad disk, or a server
 * that goes away, looks like. */

#include <fcntl.h>
#include <string.h>

#include "fault-server.h"
#include "file-mount.h"
#include "file-test.h"

#define WRITE_BYTES ((gsize) 10000)

static const int errnos[] = {
  EPERM, EIO,    EBADF, ENOMEM, EACCES, EBUSY,      EFBIG,     ENOSPC, EROFS,
  EPIPE, ESTALE, ENXIO, EDQUOT, EINVAL, EOPNOTSUPP, ETIMEDOUT, EPROTO, EREMOTEIO,
};

typedef struct
{
  GaioTestLoop *loop;
  FaultServer *server;
  GaioFile *file;
  GaioRequest *request;
  int ended;
  gboolean ok;
  gsize n;
  int errnum;
} Client;

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Client *client = user_data;
  g_autoptr (GError) error = NULL;

  client->ok = gaio_request_get_result (request, &client->n, &error);
  client->errnum = error != NULL ? gaio_error_get_errno (error) : 0;
  client->ended++;
}

static int
client_open (Client *client, gboolean direct, const char *operation, int fault)
{
  g_autofree char *path = g_strdup_printf ("%s/%s%s-%d", client->server->dir,
                                           direct ? "direct-" : "", operation, fault);
  g_autoptr (GError) error = NULL;

  client->file = gaio_file_new_for_path (client->loop->context, path, "r+", &error);
  if (client->file == NULL)
    return gaio_error_get_errno (error);
  client->request = gaio_request_new (client->file, on_end, client, NULL);
  return 0;
}

static int
wait_for_end (Client *client)
{
  client->ended = 0;
  gaio_test_turn_until (client->loop, &client->ended, 1);
  g_assert_cmpint (client->ended, ==, 1);
  return client->errnum;
}

static int
write_some (Client *client)
{
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, WRITE_BYTES);

  gaio_request_write (client->request, 0, bytes);
  return wait_for_end (client);
}

static int
read_all (Client *client)
{
  gaio_request_read (client->request, 0, WRITE_BYTES + 1);
  return wait_for_end (client);
}

static int
client_close (Client *client)
{
  g_autoptr (GError) error = NULL;
  gboolean ok = gaio_file_close (client->file, NULL, &error);

  g_assert_cmpint (gaio_file_get_fd (client->file), ==, -1);
  g_clear_pointer (&client->request, gaio_request_unref);
  g_clear_object (&client->file);
  return ok ? 0 : gaio_error_get_errno (error);
}

/* Each operation ends with the errno that the disk gave, and the others go well. */
static void
check_errnos (Client *client, gboolean direct)
{
  for (guint i = 0; i < G_N_ELEMENTS (errnos); i++)
    {
      int errnum = errnos[i];

      g_assert_cmpint (client_open (client, direct, "open", errnum), ==, errnum);

      g_assert_cmpint (client_open (client, direct, "write", errnum), ==, 0);
      g_assert_cmpint (write_some (client), ==, errnum);
      g_assert_cmpuint (client->n, ==, 0);
      g_assert_cmpint (read_all (client), ==, 0);
      g_assert_cmpuint (client->n, ==, 0);
      g_assert_cmpint (client_close (client), ==, 0);

      g_assert_cmpint (client_open (client, direct, "truncate", errnum), ==, 0);
      gaio_request_truncate (client->request, 77);
      g_assert_cmpint (wait_for_end (client), ==, errnum);
      g_assert_cmpint (client_close (client), ==, 0);

      g_assert_cmpint (client_open (client, direct, "flush", errnum), ==, 0);
      g_assert_cmpint (write_some (client), ==, 0);
      g_assert_cmpint (client_close (client), ==, errnum);
    }
}

/* Of the kernel the tests know (6.18) a ring takes EOPNOTSUPP for a reason to poll the file, and a
 * read without the page cache then never ends. */
static void
check_reads (Client *client, gboolean direct)
{
  for (guint i = 0; i < G_N_ELEMENTS (errnos); i++)
    {
      if (direct && errnos[i] == EOPNOTSUPP)
        continue;
      g_assert_cmpint (client_open (client, direct, "read", errnos[i]), ==, 0);
      g_assert_cmpint (write_some (client), ==, 0);
      g_assert_cmpint (client_close (client), ==, 0);
      g_assert_cmpint (client_open (client, direct, "read", errnos[i]), ==, 0);
      posix_fadvise (gaio_file_get_fd (client->file), 0, 0, POSIX_FADV_DONTNEED);
      g_assert_cmpint (read_all (client), ==, errnos[i]);
      g_assert_cmpint (client_close (client), ==, 0);
    }
}

/* Once, and for ever after. */
static void
check_sync (Client *client, gboolean direct)
{
  g_assert_cmpint (client_open (client, direct, "once-fsync", EIO), ==, 0);
  g_assert_cmpint (write_some (client), ==, 0);
  for (int i = 0; i < 3; i++)
    {
      gaio_request_sync (client->request, i % 2);
      g_assert_cmpint (wait_for_end (client), ==, EIO);
    }
  g_assert_cmpint (client_close (client), ==, EIO);
}

static void
check_content (Client *client)
{
  g_assert_cmpint (read_all (client), ==, 0);
  g_assert_cmpuint (client->n, ==, WRITE_BYTES);
  file_test_assert_pattern (gaio_request_get_data (client->request, NULL), 0, WRITE_BYTES);
}

static void
check_got_over (Client *client, gboolean direct)
{
  static const int passing[] = { EINTR, EAGAIN };

  for (guint i = 0; i < G_N_ELEMENTS (passing); i++)
    {
      g_assert_cmpint (client_open (client, direct, "once-write", passing[i]), ==, 0);
      g_assert_cmpint (write_some (client), ==, 0);
      check_content (client);
      g_assert_cmpint (client_close (client), ==, 0);
      /* And when it never ends. */
      g_assert_cmpint (client_open (client, direct, "write", passing[i]), ==, 0);
      g_assert_cmpint (write_some (client), ==, passing[i]);
      g_assert_cmpint (client_close (client), ==, 0);
    }

  /* It goes on; but the ring makes an error of it when there is no page cache. */
  g_assert_cmpint (client_open (client, direct, "once-write", FAULT_SHORT), ==, 0);
  if (write_some (client) == 0)
    check_content (client);
  else
    g_assert_cmpint (direct ? client->errnum : 0, ==, EIO);
  g_assert_cmpint (client_close (client), ==, 0);

  g_assert_cmpint (client_open (client, direct, "write", FAULT_ZERO), ==, 0);
  g_assert_cmpint (write_some (client), ==, EIO);
  g_assert_cmpint (client_close (client), ==, 0);

  if (direct)
    {
      g_assert_cmpint (client_open (client, direct, "once-read", FAULT_SHORT), ==, 0);
      g_assert_cmpint (write_some (client), ==, 0);
      check_content (client);
      g_assert_cmpint (client_close (client), ==, 0);
    }
}

/* Held for a while, cancelled, dropped: it ends once. */
static void
check_slow (Client *client, gboolean direct)
{
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, WRITE_BYTES);

  g_assert_cmpint (client_open (client, direct, "write", FAULT_SLOW), ==, 0);
  client->ended = 0;
  gaio_request_write (client->request, 0, bytes);
  g_clear_pointer (&bytes, g_bytes_unref);
  gaio_test_settle (client->loop);
  gaio_request_cancel (client->request);
  gaio_request_unref (client->request);
  g_clear_object (&client->file);
  gaio_test_turn_until (client->loop, &client->ended, 1);
  gaio_test_settle (client->loop);
  g_assert_cmpint (client->ended, ==, 1);
  if (client->ok)
    g_assert_cmpuint (client->n, ==, WRITE_BYTES);
  else
    g_assert_true (client->errnum == ECANCELED || client->errnum == EIO);
}

static void
test_faults (GaioTestLoop *loop)
{
  Client client = { .loop = loop, .server = fault_server_new () };

  for (int direct = 0; client.server != NULL && direct < 2; direct++)
    {
      check_errnos (&client, direct);
      check_reads (&client, direct);
      check_sync (&client, direct);
      check_got_over (&client, direct);
      check_slow (&client, direct);
    }
  if (client.server != NULL)
    fault_server_free (client.server);
}

/* The server dies with a write in flight. */
static void
test_gone (GaioTestLoop *loop)
{
  Client client = { .loop = loop, .server = fault_server_new () };
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, WRITE_BYTES);

  if (client.server == NULL)
    return;
  g_assert_cmpint (client_open (&client, FALSE, "write", 0), ==, 0);
  g_assert_cmpint (write_some (&client), ==, 0); /* asks whether the file can be polled */
  fault_server_halt (client.server);
  gaio_request_write (client.request, 0, bytes);
  gaio_test_settle (loop);
  g_usleep (20000); /* it is in flight by now, most likely */
  fault_server_kill (client.server);
  g_assert_cmpint (wait_for_end (&client), !=, 0);
  g_assert_true (client.errnum == ECONNABORTED || client.errnum == ENOTCONN);
  g_assert_cmpint (write_some (&client), ==, ENOTCONN);
  gaio_request_sync (client.request, FALSE);
  g_assert_cmpint (wait_for_end (&client), ==, ENOTCONN);
  g_assert_cmpint (client_close (&client), ==, ENOTCONN);
  fault_server_free (client.server);
}

static GBytes *
whole_block (void)
{
  void *memory = g_aligned_alloc (1, 4096, 4096);

  memset (memory, 'x', 4096);
  return g_bytes_new_with_free_func (memory, 4096, g_aligned_free, memory);
}

/* The server takes no calls, and the loop turns all the same: also past the page cache, where the
 * file system itself would wait in the call that submits. */
static void
test_halted (GaioTestLoop *loop)
{
  Client client = { .loop = loop, .server = fault_server_new () };
  g_autoptr (GBytes) block = whole_block ();
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  int fd;

  if (client.server == NULL)
    return;
  path = g_build_filename (client.server->dir, "write-0", NULL);
  fd = open (path, O_RDWR | O_DIRECT | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  client.file = gaio_file_new_for_fd (loop->context, fd, path, &error);
  g_assert_no_error (error);
  client.request = gaio_request_new (client.file, on_end, &client, NULL);
  for (int i = 0; i < 2; i++) /* the first ones find out about the alignment */
    {
      gaio_request_write (client.request, 0, block);
      g_assert_cmpint (wait_for_end (&client), ==, 0);
    }

  client.ended = 0;
  fault_server_halt (client.server);
  gaio_request_write (client.request, 0, block);
  gaio_test_settle (loop);
  g_assert_cmpint (client.ended, ==, 0);
  fault_server_go_on (client.server);
  g_assert_cmpint (wait_for_end (&client), ==, 0);

  fault_server_halt (client.server);
  gaio_request_read (client.request, 0, 4096);
  gaio_test_settle (loop);
  fault_server_go_on (client.server);
  g_assert_cmpint (wait_for_end (&client), ==, 0);
  g_assert_cmpint (client_close (&client), ==, 0);
  fault_server_free (client.server);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/fault-fs/faults", test_faults);
  gaio_test_add_engine_matrix ("/fault-fs/gone", test_gone);
  gaio_test_add_engine_matrix ("/fault-fs/halted", test_halted);
  return g_test_run ();
}
