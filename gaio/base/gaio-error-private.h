/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-error.h>

/* The one way from an errno to a GError: "operation “object”: reason (NAME)".
 * `errnum` is positive; `object` is a file name in the file system's encoding, or NULL. */
GError *gaio_error_new_errno (int errnum, const char *operation, const char *object);

void gaio_set_error_errno (GError **error, int errnum, const char *operation, const char *object);

/* The same with a remark that stands behind the object: "write “a”, 10 of 20 bytes written: …" */
GError *gaio_error_new_errno_with_detail (int errnum,
                                          const char *operation,
                                          const char *object,
                                          const char *detail);
