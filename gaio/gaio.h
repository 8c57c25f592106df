/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The only header that programs include. */

#pragma once

#define GAIO_INSIDE

#include <gaio/base/gaio-types.h>
#include <gaio/base/gaio-version.h>
#include <gaio/base/gaio-error.h>
#include <gaio/base/gaio-event-notifier.h>
#include <gaio/base/gaio-poll.h>

#include <gaio/loop/gaio-bottom-half.h>
#include <gaio/loop/gaio-child-watch.h>
#include <gaio/loop/gaio-clock.h>
#include <gaio/loop/gaio-context.h>
#include <gaio/loop/gaio-coroutine.h>
#include <gaio/loop/gaio-coroutine-lock.h>
#include <gaio/loop/gaio-drive.h>
#include <gaio/loop/gaio-fd-handler.h>
#include <gaio/loop/gaio-io-thread.h>
#include <gaio/loop/gaio-main-loop.h>
#include <gaio/loop/gaio-poll-set.h>
#include <gaio/loop/gaio-signal.h>
#include <gaio/loop/gaio-timer.h>
#include <gaio/loop/gaio-waiter.h>

#include <gaio/pool/gaio-thread-pool.h>
#include <gaio/pool/gaio-thread-pool-co.h>
#include <gaio/pool/gaio-thread-pool-jobs.h>

#include <gaio/file/gaio-buffer-pool.h>
#include <gaio/file/gaio-checksum.h>
#include <gaio/file/gaio-copy.h>
#include <gaio/file/gaio-enumerator.h>
#include <gaio/file/gaio-file.h>
#include <gaio/file/gaio-batch.h>
#include <gaio/file/gaio-file-co.h>
#include <gaio/file/gaio-file-copy-range.h>
#include <gaio/file/gaio-file-input-stream.h>
#include <gaio/file/gaio-file-io.h>
#include <gaio/file/gaio-file-io-stream.h>
#include <gaio/file/gaio-file-lock.h>
#include <gaio/file/gaio-file-open.h>
#include <gaio/file/gaio-file-output-stream.h>
#include <gaio/file/gaio-file-query.h>
#include <gaio/file/gaio-file-space.h>
#include <gaio/file/gaio-load.h>
#include <gaio/file/gaio-make-directory.h>
#include <gaio/file/gaio-move.h>
#include <gaio/file/gaio-remove.h>
#include <gaio/file/gaio-request.h>
#include <gaio/file/gaio-save.h>
#include <gaio/file/gaio-scan-directory.h>

#undef GAIO_INSIDE
