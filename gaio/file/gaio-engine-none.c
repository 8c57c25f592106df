/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The io_uring engine where liburing was not there at build time: it takes nothing, so that the
 * threads do it all. */

#include "config.h"

#include <errno.h>

#include <gaio/file/gaio-engine-private.h>

guint
gaio_engine_uring_get_kinds (GaioRing *ring)
{
  return 0;
}

static int
none_submit (GaioRequest *self)
{
  return -ENOSYS;
}

static void
none_cancel (GaioRequest *self)
{
  /* It has no request that could be. */
}

const GaioEngineOps gaio_engine_uring = {
  .type = GAIO_ENGINE_IO_URING,
  .submit = none_submit,
  .cancel = none_cancel,
};
