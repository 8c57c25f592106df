/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioPollPhase:
 * @GAIO_POLL_PHASE_FILL: before a wait: descriptors may be added, the timeout be lowered
 * @GAIO_POLL_PHASE_OK: after the wait: descriptors may be asked what they are ready for
 * @GAIO_POLL_PHASE_ERROR: after a wait that has failed: nothing is known
 *
 * When a [callback@Gaio.PollNotifierFunc] is called.
 */
typedef enum
{
  GAIO_POLL_PHASE_FILL,
  GAIO_POLL_PHASE_OK,
  GAIO_POLL_PHASE_ERROR,
} GaioPollPhase;

GAIO_AVAILABLE_IN_1_0
GType gaio_poll_phase_get_type (void);
#define GAIO_TYPE_POLL_PHASE (gaio_poll_phase_get_type ())

typedef struct _GaioPollSet GaioPollSet;

#define GAIO_TYPE_POLL_SET (gaio_poll_set_get_type ())
GAIO_AVAILABLE_IN_1_0
GType gaio_poll_set_get_type (void);

GAIO_AVAILABLE_IN_1_0
GaioPollSet *gaio_poll_set_ref (GaioPollSet *self);

GAIO_AVAILABLE_IN_1_0
void gaio_poll_set_unref (GaioPollSet *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GaioPollSet, gaio_poll_set_unref)

GAIO_AVAILABLE_IN_1_0
void gaio_poll_set_add (GaioPollSet *self, int fd, GIOCondition condition);

GAIO_AVAILABLE_IN_1_0
void gaio_poll_set_limit_timeout_ns (GaioPollSet *self, gint64 timeout_ns);

GAIO_AVAILABLE_IN_1_0
gint64 gaio_poll_set_get_timeout_ns (GaioPollSet *self);

GAIO_AVAILABLE_IN_1_0
GIOCondition gaio_poll_set_get_ready (GaioPollSet *self, int fd);

G_END_DECLS
