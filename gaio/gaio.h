/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The only header that programs include. */

#pragma once

#define GAIO_INSIDE

#include <gaio/base/gaio-types.h>
#include <gaio/base/gaio-version.h>
#include <gaio/base/gaio-error.h>
#include <gaio/base/gaio-event-notifier.h>




#undef GAIO_INSIDE
