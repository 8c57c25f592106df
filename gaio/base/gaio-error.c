/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* From errno to GError and back.
 *
 * Below the border of the library everything is a negative errno. This file is the border: an
 * errno becomes a G_IO_ERROR where GIO has a code for it, because programs match on those, and a
 * GAIO_ERROR whose code is the errno where it has none.
 *
 * GIO's codes are coarser than errno (EPERM and EACCES are one code), and language bindings carry
 * only domain, code and message of a GError. So the message ends in the errno's name, which is
 * what gaio_error_get_errno() reads back first. Any thread may call anything here. */

#include "config.h"

#include <errno.h>
#include <string.h>

#include <gaio/base/gaio-error-private.h>

/* Above the highest errno of any Linux architecture (MIPS has 1133 for EDQUOT). */
#define MAX_ERRNO 1200

/**
 * gaio_error_quark:
 *
 * Gets the domain of the errors that `G_IO_ERROR` has no code for.
 *
 * Thread: any.
 *
 * Returns: the quark of %GAIO_ERROR
 */
G_DEFINE_QUARK (gaio-error-quark, gaio_error)

G_DEFINE_ENUM_TYPE (GaioError,
                    gaio_error,
                    G_DEFINE_ENUM_VALUE (GAIO_ERROR_IO, "io"),
                    G_DEFINE_ENUM_VALUE (GAIO_ERROR_BAD_FD, "bad-fd"),
                    G_DEFINE_ENUM_VALUE (GAIO_ERROR_NO_MEMORY, "no-memory"),
                    G_DEFINE_ENUM_VALUE (GAIO_ERROR_FILE_TOO_LARGE, "file-too-large"),
                    G_DEFINE_ENUM_VALUE (GAIO_ERROR_NOT_SEEKABLE, "not-seekable"),
                    G_DEFINE_ENUM_VALUE (GAIO_ERROR_STALE, "stale"),
                    G_DEFINE_ENUM_VALUE (GAIO_ERROR_QUOTA, "quota"))

/* GIO says NO_SPACE for ENOMEM, which sends people to look at their disk; and its CLOSED is for a
 * stream that is closed, not for a descriptor that never was open. */
static gboolean
gio_has_code (int errnum)
{
  return errnum != ENOMEM && g_io_error_from_errno (errnum) != G_IO_ERROR_FAILED;
}

GError *
gaio_error_new_errno_with_detail (int errnum,
                                  const char *operation,
                                  const char *object,
                                  const char *detail)
{
  g_autofree char *shown = object != NULL ? g_filename_display_name (object) : NULL;
  const char *name = strerrorname_np (errnum);
  gboolean in_gio = gio_has_code (errnum);

  return g_error_new (in_gio ? G_IO_ERROR : GAIO_ERROR,
                      in_gio ? (int) g_io_error_from_errno (errnum) : errnum,
                      "%s%s%s%s%s%s: %s (%s)",
                      operation,
                      shown != NULL ? " “" : "",
                      shown != NULL ? shown : "",
                      shown != NULL ? "”" : "",
                      detail != NULL ? ", " : "",
                      detail != NULL ? detail : "",
                      g_strerror (errnum),
                      name != NULL ? name : "unknown errno");
}

GError *
gaio_error_new_errno (int errnum, const char *operation, const char *object)
{
  return gaio_error_new_errno_with_detail (errnum, operation, object, NULL);
}

void
gaio_set_error_errno (GError **error, int errnum, const char *operation, const char *object)
{
  if (error != NULL)
    *error = gaio_error_new_errno (errnum, operation, object);
}

/* "… (ENOENT)" -> ENOENT, 0 when the message does not end so. */
static int
errno_from_message (const char *message)
{
  const char *open = message != NULL ? strrchr (message, '(') : NULL;
  size_t length;

  if (open == NULL || open[1] != 'E')
    return 0;
  length = strlen (open + 1);
  if (length < 2 || open[length] != ')')
    return 0;

  for (int i = 1; i < MAX_ERRNO; i++)
    {
      const char *name = strerrorname_np (i);

      if (name != NULL && strlen (name) == length - 1 && strncmp (name, open + 1, length - 1) == 0)
        return i;
    }
  return 0;
}

/* For a G_IO_ERROR that did not come from here: the lowest errno that GIO gives this code. */
static int
errno_from_gio_code (int code)
{
  if (code == G_IO_ERROR_FAILED)
    return EIO;
  if (code == G_IO_ERROR_CLOSED)
    return EBADF;
  if (code == G_IO_ERROR_NO_SPACE)
    return ENOSPC;
  if (code == G_IO_ERROR_PERMISSION_DENIED)
    return EACCES;
  if (code == G_IO_ERROR_NOT_SUPPORTED)
    return ENOTSUP;
  if (code == G_IO_ERROR_INVALID_DATA || code == G_IO_ERROR_PARTIAL_INPUT)
    return EBADMSG; /* what a converter says */
  for (int i = 1; i < MAX_ERRNO; i++)
    if (strerrorname_np (i) != NULL && (int) g_io_error_from_errno (i) == code)
      return i;
  return EIO;
}

/**
 * gaio_error_get_errno:
 * @error: an error from any function of this library
 *
 * Tells which errno an error stands for.
 *
 * `G_IO_ERROR` joins several errnos in one code and calls some just "failed"; this function tells
 * them apart, also for an error that has passed through a language binding.
 *
 * Thread: any.
 *
 * Returns: a positive errno value, or 0 when @error is of a domain other than `G_IO_ERROR` and
 *   %GAIO_ERROR
 */
int
gaio_error_get_errno (const GError *error)
{
  int errnum;

  g_return_val_if_fail (error != NULL, 0);

  if (error->domain == GAIO_ERROR)
    return error->code;
  if (error->domain != G_IO_ERROR)
    return 0;
  errnum = errno_from_message (error->message);
  return errnum != 0 ? errnum : errno_from_gio_code (error->code);
}
