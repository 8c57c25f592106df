/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* From statx(2) to GFileInfo: the attributes that g_file_query_info() gives for a local file, as
 * far as the system tells them without reading the file. Content types and icons are not among
 * them. Any thread may call it. */

#include "config.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gaio/file/gaio-file-info-private.h>

/* Any of these, and all of `unix::` is set. */
#define MASK_UNIX (STATX_INO | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID)

typedef struct
{
  const char *seconds;
  const char *microseconds;
  const char *nanoseconds;
} TimeNames;

static void
set_time (GFileInfo *info, const TimeNames *names, const struct statx_timestamp *time)
{
  g_file_info_set_attribute_uint64 (info, names->seconds, time->tv_sec);
  g_file_info_set_attribute_uint32 (info, names->microseconds, time->tv_nsec / 1000);
  g_file_info_set_attribute_uint32 (info, names->nanoseconds, time->tv_nsec);
}

static void
set_times (GFileInfo *info, const struct statx *statx, guint mask)
{
  static const TimeNames modified = { G_FILE_ATTRIBUTE_TIME_MODIFIED,
                                      G_FILE_ATTRIBUTE_TIME_MODIFIED_USEC,
                                      G_FILE_ATTRIBUTE_TIME_MODIFIED_NSEC };
  static const TimeNames accessed = { G_FILE_ATTRIBUTE_TIME_ACCESS,
                                      G_FILE_ATTRIBUTE_TIME_ACCESS_USEC,
                                      G_FILE_ATTRIBUTE_TIME_ACCESS_NSEC };
  static const TimeNames changed = { G_FILE_ATTRIBUTE_TIME_CHANGED,
                                     G_FILE_ATTRIBUTE_TIME_CHANGED_USEC,
                                     G_FILE_ATTRIBUTE_TIME_CHANGED_NSEC };
  static const TimeNames created = { G_FILE_ATTRIBUTE_TIME_CREATED,
                                     G_FILE_ATTRIBUTE_TIME_CREATED_USEC,
                                     G_FILE_ATTRIBUTE_TIME_CREATED_NSEC };

  if ((mask & STATX_MTIME) != 0)
    set_time (info, &modified, &statx->stx_mtime);
  if ((mask & STATX_ATIME) != 0)
    set_time (info, &accessed, &statx->stx_atime);
  if ((mask & STATX_CTIME) != 0)
    set_time (info, &changed, &statx->stx_ctime);
  if ((mask & STATX_BTIME) != 0)
    set_time (info, &created, &statx->stx_btime);
}

static void
set_unix (GFileInfo *info, const struct statx *statx)
{
  dev_t device = makedev (statx->stx_dev_major, statx->stx_dev_minor);
  dev_t special = makedev (statx->stx_rdev_major, statx->stx_rdev_minor);

  g_file_info_set_attribute_uint32 (info, G_FILE_ATTRIBUTE_UNIX_DEVICE, device);
  g_file_info_set_attribute_uint64 (info, G_FILE_ATTRIBUTE_UNIX_INODE, statx->stx_ino);
  g_file_info_set_attribute_uint32 (info, G_FILE_ATTRIBUTE_UNIX_MODE, statx->stx_mode);
  g_file_info_set_attribute_uint32 (info, G_FILE_ATTRIBUTE_UNIX_NLINK, statx->stx_nlink);
  g_file_info_set_attribute_uint32 (info, G_FILE_ATTRIBUTE_UNIX_UID, statx->stx_uid);
  g_file_info_set_attribute_uint32 (info, G_FILE_ATTRIBUTE_UNIX_GID, statx->stx_gid);
  g_file_info_set_attribute_uint32 (info, G_FILE_ATTRIBUTE_UNIX_RDEV, special);
  g_file_info_set_attribute_uint32 (info, G_FILE_ATTRIBUTE_UNIX_BLOCK_SIZE, statx->stx_blksize);
  g_file_info_set_attribute_uint64 (info, G_FILE_ATTRIBUTE_UNIX_BLOCKS, statx->stx_blocks);
}

static GFileType
type_of (guint16 mode)
{
  switch (mode & S_IFMT)
    {
    case S_IFREG:
      return G_FILE_TYPE_REGULAR;
    case S_IFDIR:
      return G_FILE_TYPE_DIRECTORY;
    case S_IFLNK:
      return G_FILE_TYPE_SYMBOLIC_LINK;
    default:
      return G_FILE_TYPE_SPECIAL;
    }
}

/* Attributes that the info's own mask does not have are left out by the setters; `mask` only saves
 * the work for those. */
static void
set_all (GFileInfo *info, const struct statx *statx, guint mask)
{
  if ((mask & STATX_TYPE) != 0)
    g_file_info_set_file_type (info, type_of (statx->stx_mode));
  if ((mask & STATX_SIZE) != 0)
    g_file_info_set_size (info, statx->stx_size);
  if ((mask & STATX_BLOCKS) != 0)
    g_file_info_set_attribute_uint64 (info,
                                      G_FILE_ATTRIBUTE_STANDARD_ALLOCATED_SIZE,
                                      statx->stx_blocks * G_GUINT64_CONSTANT (512));
  set_times (info, statx, mask);
  if ((mask & MASK_UNIX) != 0)
    set_unix (info, statx);
}

GFileInfo *
gaio_file_info_new (const struct statx *statx, const char *path, const char *attributes)
{
  GFileAttributeMatcher *matcher =
      g_file_attribute_matcher_new (attributes != NULL ? attributes : "*");
  GFileInfo *info = g_file_info_new ();

  g_file_info_set_attribute_mask (info, matcher);
  g_file_attribute_matcher_unref (matcher);
  if (path != NULL)
    {
      g_autofree char *name = g_path_get_basename (path);
      g_autofree char *shown = g_filename_display_name (name);

      g_file_info_set_name (info, name);
      g_file_info_set_display_name (info, shown);
    }
  set_all (info, statx, statx->stx_mask);
  g_file_info_unset_attribute_mask (info);
  return info;
}

/* What statx(2) is to be asked for each of them. */
static const struct
{
  const char *attribute;
  guint mask;
} needs[] = {
  { G_FILE_ATTRIBUTE_STANDARD_TYPE, STATX_TYPE },
  { G_FILE_ATTRIBUTE_STANDARD_SIZE, STATX_SIZE },
  { G_FILE_ATTRIBUTE_STANDARD_ALLOCATED_SIZE, STATX_BLOCKS },
  { G_FILE_ATTRIBUTE_TIME_MODIFIED, STATX_MTIME },
  { G_FILE_ATTRIBUTE_TIME_MODIFIED_USEC, STATX_MTIME },
  { G_FILE_ATTRIBUTE_TIME_MODIFIED_NSEC, STATX_MTIME },
  { G_FILE_ATTRIBUTE_TIME_ACCESS, STATX_ATIME },
  { G_FILE_ATTRIBUTE_TIME_ACCESS_USEC, STATX_ATIME },
  { G_FILE_ATTRIBUTE_TIME_ACCESS_NSEC, STATX_ATIME },
  { G_FILE_ATTRIBUTE_TIME_CHANGED, STATX_CTIME },
  { G_FILE_ATTRIBUTE_TIME_CHANGED_USEC, STATX_CTIME },
  { G_FILE_ATTRIBUTE_TIME_CHANGED_NSEC, STATX_CTIME },
  { G_FILE_ATTRIBUTE_TIME_CREATED, STATX_BTIME },
  { G_FILE_ATTRIBUTE_TIME_CREATED_USEC, STATX_BTIME },
  { G_FILE_ATTRIBUTE_TIME_CREATED_NSEC, STATX_BTIME },
  { G_FILE_ATTRIBUTE_UNIX_DEVICE, STATX_MODE },
  { G_FILE_ATTRIBUTE_UNIX_INODE, STATX_INO },
  { G_FILE_ATTRIBUTE_UNIX_MODE, STATX_MODE | STATX_TYPE },
  { G_FILE_ATTRIBUTE_UNIX_NLINK, STATX_NLINK },
  { G_FILE_ATTRIBUTE_UNIX_UID, STATX_UID },
  { G_FILE_ATTRIBUTE_UNIX_GID, STATX_GID },
  { G_FILE_ATTRIBUTE_UNIX_RDEV, STATX_MODE },
  { G_FILE_ATTRIBUTE_UNIX_BLOCK_SIZE, STATX_MODE },
  { G_FILE_ATTRIBUTE_UNIX_BLOCKS, STATX_BLOCKS | STATX_MODE },
};

void
gaio_file_info_wish_init (GaioFileInfoWish *self, const char *attributes)
{
  self->matcher = g_file_attribute_matcher_new (attributes != NULL ? attributes : "*");
  self->mask = 0;
  for (guint i = 0; i < G_N_ELEMENTS (needs); i++)
    if (g_file_attribute_matcher_matches (self->matcher, needs[i].attribute))
      self->mask |= needs[i].mask;
  self->display_name =
      g_file_attribute_matcher_matches (self->matcher, G_FILE_ATTRIBUTE_STANDARD_DISPLAY_NAME);
  /* The directory tells of most files whether they are links, as it does of types. */
  if (g_file_attribute_matcher_matches (self->matcher, G_FILE_ATTRIBUTE_STANDARD_IS_SYMLINK))
    self->mask |= STATX_TYPE;
}

void
gaio_file_info_wish_clear (GaioFileInfoWish *self)
{
  g_clear_pointer (&self->matcher, g_file_attribute_matcher_unref);
}

GFileInfo *
gaio_file_info_new_entry (const GaioFileInfoWish *wish,
                          const struct statx *statx,
                          const char *name,
                          bool is_link)
{
  GFileInfo *info = g_file_info_new ();

  g_file_info_set_attribute_mask (info, wish->matcher);
  g_file_info_set_name (info, name);
  if (wish->display_name)
    {
      g_autofree char *shown = g_filename_display_name (name);

      g_file_info_set_display_name (info, shown);
    }
  g_file_info_set_is_symlink (info, is_link);
  set_all (info, statx, statx->stx_mask & wish->mask);
  g_file_info_unset_attribute_mask (info);
  return info;
}
