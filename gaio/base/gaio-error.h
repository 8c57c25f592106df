/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GAIO_ERROR:
 *
 * The domain of the errors that `G_IO_ERROR` has no code for. The code of such an error is the
 * errno value itself.
 */
#define GAIO_ERROR (gaio_error_quark ())

/**
 * GaioError:
 * @GAIO_ERROR_IO: the device or the file system failed (`EIO`)
 * @GAIO_ERROR_BAD_FD: the file descriptor is not open, or not open for this (`EBADF`)
 * @GAIO_ERROR_NO_MEMORY: the kernel has no memory for the operation (`ENOMEM`)
 * @GAIO_ERROR_FILE_TOO_LARGE: the file would pass the largest size allowed (`EFBIG`)
 * @GAIO_ERROR_NOT_SEEKABLE: the file has no positions, as a pipe has none (`ESPIPE`)
 * @GAIO_ERROR_STALE: the file is gone on the server (`ESTALE`)
 * @GAIO_ERROR_QUOTA: the user's disk quota is used up (`EDQUOT`)
 *
 * Well-known codes of the %GAIO_ERROR domain. The code of a %GAIO_ERROR is always an errno
 * value, also where it has no name here.
 */
typedef enum
{
  GAIO_ERROR_IO = 5,
  GAIO_ERROR_BAD_FD = 9,
  GAIO_ERROR_NO_MEMORY = 12,
  GAIO_ERROR_FILE_TOO_LARGE = 27,
  GAIO_ERROR_NOT_SEEKABLE = 29,
  GAIO_ERROR_STALE = 116,
  GAIO_ERROR_QUOTA = 122,
} GaioError;

GAIO_AVAILABLE_IN_1_0
GQuark gaio_error_quark (void);

GAIO_AVAILABLE_IN_1_0
int gaio_error_get_errno (const GError *error);

GAIO_AVAILABLE_IN_1_0
GType gaio_error_get_type (void);
#define GAIO_TYPE_ERROR (gaio_error_get_type ())

G_END_DECLS
