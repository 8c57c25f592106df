/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ids of jobs: an array of slots. An id is the index of its slot, and in the upper half the
 * slot's generation, which changes whenever a job leaves it. So all operations are O(1) and touch
 * one slot, and the id of a job that is over finds nothing until the slot has been used four
 * thousand million times more.
 *
 * The array grows to the most jobs there were at a time, 16 bytes each, and does not shrink. */

#include "config.h"

#include <gaio/pool/gaio-job-ids-private.h>

#define FIRST_N_SLOTS 64

struct _GaioJobSlot
{
  GaioJob *job;
  guint32 generation; /* never 0, so that no id is */
  guint32 next_free;  /* index + 1 */
};

static void
grow (GaioJobIds *self)
{
  guint32 n_slots = MAX (FIRST_N_SLOTS, self->n_slots * 2);

  self->slots = g_renew (GaioJobSlot, self->slots, n_slots);
  for (guint32 i = n_slots; i > self->n_slots; i--)
    {
      self->slots[i - 1] = (GaioJobSlot){ .generation = 1, .next_free = self->free_slot };
      self->free_slot = i;
    }
  self->n_slots = n_slots;
}

guint64
gaio_job_ids_add (GaioJobIds *self, GaioJob *job)
{
  guint32 index;

  if (self->free_slot == 0)
    grow (self);
  index = self->free_slot - 1;
  self->free_slot = self->slots[index].next_free;
  self->slots[index].job = job;
  job->id = (guint64) self->slots[index].generation << 32 | index;
  return job->id;
}

void
gaio_job_ids_remove (GaioJobIds *self, GaioJob *job)
{
  guint32 index = (guint32) job->id;
  GaioJobSlot *slot;

  if (job->id == 0)
    return;
  slot = &self->slots[index];
  slot->job = NULL;
  slot->generation = slot->generation == G_MAXUINT32 ? 1 : slot->generation + 1;
  slot->next_free = self->free_slot;
  self->free_slot = index + 1;
  job->id = 0;
}

GaioJob *
gaio_job_ids_lookup (GaioJobIds *self, guint64 id)
{
  guint32 index = (guint32) id;

  if (index >= self->n_slots || self->slots[index].generation != id >> 32)
    return NULL;
  return self->slots[index].job;
}

void
gaio_job_ids_clear (GaioJobIds *self)
{
  g_free (self->slots);
  *self = (GaioJobIds){ 0 };
}
