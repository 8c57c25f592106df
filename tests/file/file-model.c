/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The model of a file: as plain as can be, so that it is right.
 *
 * Operations that are in flight together may end in any order, so those whose order would matter
 * must not be. Each reserves the part of the file that it reads (shared) or changes (exclusive).
 * What moves the end of the file changes all from the old end to the new one; what depends on where
 * the end is reads the byte there. */

#include <string.h>

#include "file-model.h"

void
file_model_init (FileModel *self)
{
  self->data = g_malloc0 (FILE_MODEL_MAX_BYTES);
  self->size = 0;
  self->parts = g_ptr_array_new ();
}

void
file_model_clear (FileModel *self)
{
  g_free (self->data);
  g_ptr_array_unref (self->parts);
}

bool
file_model_reserve (FileModel *self, FileModelPart *part, const FileModelPart *beside)
{
  for (guint i = 0; i < self->parts->len; i++)
    {
      FileModelPart *other = self->parts->pdata[i];

      if (other != beside && (part->exclusive || other->exclusive) && part->begin < other->end &&
          other->begin < part->end)
        return false;
    }
  g_ptr_array_add (self->parts, part);
  return true;
}

void
file_model_release (FileModel *self, FileModelPart *part)
{
  bool found = g_ptr_array_remove_fast (self->parts, part);

  g_assert_true (found);
}

void
file_model_write (FileModel *self, gsize offset, gconstpointer data, gsize length)
{
  if (length == 0)
    return;
  memcpy (self->data + offset, data, length);
  self->size = MAX (self->size, offset + length);
}

void
file_model_zero (FileModel *self, gsize offset, gsize length)
{
  memset (self->data + offset, 0, length);
}

void
file_model_truncate (FileModel *self, gsize size)
{
  if (size < self->size)
    memset (self->data + size, 0, self->size - size);
  self->size = size;
}

gsize
file_model_readable (FileModel *self, gsize offset, gsize length)
{
  return offset >= self->size ? 0 : MIN (length, self->size - offset);
}

void
file_model_fill (guint8 *data, gsize length, guint64 number)
{
  guint64 word = (number + 1) * 0x9e3779b97f4a7c15u;

  for (gsize i = 0; i < length; i += sizeof word)
    {
      word ^= word << 13;
      word ^= word >> 7;
      word ^= word << 17;
      memcpy (data + i, &word, MIN (sizeof word, length - i));
    }
}
