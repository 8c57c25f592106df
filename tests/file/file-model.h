/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a file should be: its bytes in memory, changed one operation at a time, and who has which
 * part of it. See file-model.c. */

#pragma once

#include <stdbool.h>

#include <glib.h>

#define FILE_MODEL_MAX_BYTES ((gsize) 2 * 1024 * 1024)

typedef struct
{
  gint64 begin;
  gint64 end;
  bool exclusive;
} FileModelPart;

typedef struct
{
  guint8 *data; /* beyond the size it is all zeros */
  gsize size;
  GPtrArray *parts; /* in use, the users' own */
} FileModel;

void file_model_init (FileModel *self);
void file_model_clear (FileModel *self);

/* Whether `part` can be had beside those that are, but for `beside`, which it may overlap; it then
 * stays until the release. */
bool file_model_reserve (FileModel *self, FileModelPart *part, const FileModelPart *beside);
void file_model_release (FileModel *self, FileModelPart *part);

void file_model_write (FileModel *self, gsize offset, gconstpointer data, gsize length);
void file_model_zero (FileModel *self, gsize offset, gsize length);
void file_model_truncate (FileModel *self, gsize size);

/* How many bytes a read of `length` has at `offset`. */
gsize file_model_readable (FileModel *self, gsize offset, gsize length);

/* Bytes that nobody else writes: they tell the write, by its number, and where it began. */
void file_model_fill (guint8 *data, gsize length, guint64 number);
