/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every errno must come back out of the GError it went into, also when a language binding kept no
 * more of it than domain, code and message. */

#include <errno.h>
#include <string.h>

#include <gaio/base/gaio-error-private.h>

#include "gaio-test.h"

#define LAST_ERRNO 133 /* EHWPOISON */

static void
test_round_trip (void)
{
  int tried = 0;

  for (int errnum = 1; errnum <= LAST_ERRNO; errnum++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) copy = NULL;

      if (strerrorname_np (errnum) == NULL)
        continue; /* 41 and 58 are holes */
      error = gaio_error_new_errno (errnum, "read", "/tmp/a");
      copy = g_error_new_literal (error->domain, error->code, error->message);
      g_assert_cmpint (gaio_error_get_errno (error), ==, errnum);
      g_assert_cmpint (gaio_error_get_errno (copy), ==, errnum);
      tried++;
    }
  g_assert_cmpint (tried, ==, LAST_ERRNO - 2);
}

/* GIO has one code for the two, and for several others. */
static void
test_joined_codes (void)
{
  g_autoptr (GError) eperm = gaio_error_new_errno (EPERM, "open", "a");
  g_autoptr (GError) eacces = gaio_error_new_errno (EACCES, "open", "a");

  g_assert_error (eperm, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_assert_error (eacces, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED);
  g_assert_cmpint (gaio_error_get_errno (eperm), ==, EPERM);
  g_assert_cmpint (gaio_error_get_errno (eacces), ==, EACCES);
}

/* What programs match on. */
static void
test_gio_codes (void)
{
  static const struct
  {
    int errnum;
    int code;
  } expected[] = {
    { ENOENT, G_IO_ERROR_NOT_FOUND },
    { EEXIST, G_IO_ERROR_EXISTS },
    { EISDIR, G_IO_ERROR_IS_DIRECTORY },
    { ENOTDIR, G_IO_ERROR_NOT_DIRECTORY },
    { ENOTEMPTY, G_IO_ERROR_NOT_EMPTY },
    { ENOSPC, G_IO_ERROR_NO_SPACE },
    { EINVAL, G_IO_ERROR_INVALID_ARGUMENT },
    { ECANCELED, G_IO_ERROR_CANCELLED },
    { EPIPE, G_IO_ERROR_BROKEN_PIPE },
    { EBUSY, G_IO_ERROR_BUSY },
    { EROFS, G_IO_ERROR_READ_ONLY },
    { EMFILE, G_IO_ERROR_TOO_MANY_OPEN_FILES },
    { ENOTSUP, G_IO_ERROR_NOT_SUPPORTED },
    { EAGAIN, G_IO_ERROR_WOULD_BLOCK },
    { ETIMEDOUT, G_IO_ERROR_TIMED_OUT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_autoptr (GError) error = gaio_error_new_errno (expected[i].errnum, "open", NULL);

      g_assert_error (error, G_IO_ERROR, expected[i].code);
    }
}

/* Where GIO has nothing to say, the code is the errno. */
static void
test_own_codes (void)
{
  static const int expected[] = { EIO, EBADF, ENOMEM, EFBIG, ESPIPE, ESTALE, EDQUOT, ELIBBAD };

  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_autoptr (GError) error = gaio_error_new_errno (expected[i], "write", NULL);

      g_assert_error (error, GAIO_ERROR, expected[i]);
    }
  g_assert_cmpint (GAIO_ERROR_IO, ==, EIO);
  g_assert_cmpint (GAIO_ERROR_BAD_FD, ==, EBADF);
  g_assert_cmpint (GAIO_ERROR_NO_MEMORY, ==, ENOMEM);
  g_assert_cmpint (GAIO_ERROR_FILE_TOO_LARGE, ==, EFBIG);
  g_assert_cmpint (GAIO_ERROR_NOT_SEEKABLE, ==, ESPIPE);
  g_assert_cmpint (GAIO_ERROR_STALE, ==, ESTALE);
  g_assert_cmpint (GAIO_ERROR_QUOTA, ==, EDQUOT);
}

static void
test_message (void)
{
  g_autoptr (GError) plain = gaio_error_new_errno (ENOENT, "open", NULL);
  g_autoptr (GError) named = gaio_error_new_errno (ENOENT, "open", "/no/such");
  g_autoptr (GError) detailed =
      gaio_error_new_errno_with_detail (ENOSPC, "write", "a", "10 of 20 bytes written");
  g_autoptr (GError) not_utf8 = gaio_error_new_errno (ENOENT, "open", "a\xff(EIO)");

  g_assert_cmpstr (plain->message, ==, "open: No such file or directory (ENOENT)");
  g_assert_cmpstr (named->message, ==, "open “/no/such”: No such file or directory (ENOENT)");
  g_assert_cmpstr (detailed->message,
                   ==,
                   "write “a”, 10 of 20 bytes written: No space left on device (ENOSPC)");
  g_assert_true (g_utf8_validate (not_utf8->message, -1, NULL));
  g_assert_cmpint (gaio_error_get_errno (not_utf8), ==, ENOENT);
}

/* Errors that did not come from here. */
static void
test_foreign (void)
{
  static const struct
  {
    int code;
    int errnum;
  } expected[] = {
    { G_IO_ERROR_CLOSED, EBADF },
    { G_IO_ERROR_NO_SPACE, ENOSPC },
    { G_IO_ERROR_PERMISSION_DENIED, EACCES },
    { G_IO_ERROR_NOT_SUPPORTED, ENOTSUP },
    { G_IO_ERROR_EXISTS, EEXIST },
    { G_IO_ERROR_CANCELLED, ECANCELED },
    { G_IO_ERROR_INVALID_DATA, EBADMSG },
    { G_IO_ERROR_PARTIAL_INPUT, EBADMSG },
  };
  g_autoptr (GError) other = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOENT, "no (ENOENT)");
  g_autoptr (GError) by_gio = g_error_new (G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "not there");
  g_autoptr (GError) failed = g_error_new (G_IO_ERROR, G_IO_ERROR_FAILED, "failed");
  g_autoptr (GError) misleading = g_error_new (G_IO_ERROR, G_IO_ERROR_EXISTS, "a (ENOTANERRNO)");
  g_autoptr (GError) cut = g_error_new (G_IO_ERROR, G_IO_ERROR_EXISTS, "a (ENOENT");

  g_assert_cmpint (gaio_error_get_errno (other), ==, 0);
  g_assert_cmpint (gaio_error_get_errno (by_gio), ==, ENOENT);
  g_assert_cmpint (gaio_error_get_errno (failed), ==, EIO);
  g_assert_cmpint (gaio_error_get_errno (misleading), ==, EEXIST);
  g_assert_cmpint (gaio_error_get_errno (cut), ==, EEXIST);
  for (guint i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_autoptr (GError) error = g_error_new (G_IO_ERROR, expected[i].code, "said GIO");

      g_assert_cmpint (gaio_error_get_errno (error), ==, expected[i].errnum);
    }
  for (int code = G_IO_ERROR_FAILED; code <= G_IO_ERROR_NOT_CONNECTED; code++)
    {
      g_autoptr (GError) error = g_error_new (G_IO_ERROR, code, "said GIO");

      g_assert_cmpint (gaio_error_get_errno (error), >, 0);
    }
}

static void
test_null_return (void)
{
  GError *error = NULL;

  gaio_set_error_errno (NULL, EIO, "read", NULL);
  gaio_set_error_errno (&error, EIO, "read", NULL);
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_IO);
  g_error_free (error);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/error/round-trip", test_round_trip);
  gaio_test_add ("/error/joined-codes", test_joined_codes);
  gaio_test_add ("/error/gio-codes", test_gio_codes);
  gaio_test_add ("/error/own-codes", test_own_codes);
  gaio_test_add ("/error/message", test_message);
  gaio_test_add ("/error/foreign", test_foreign);
  gaio_test_add ("/error/null-return", test_null_return);

  return g_test_run ();
}
