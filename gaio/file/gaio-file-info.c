/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* From statx(2) to GFileInfo: the attributes that g_file_query_info() gives for a local file, as
 * far as the system tells them without reading the file. Content types and icons are not among
 * them. Any thread may call it. */

#include "config.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <gaio/file/gaio-file-info-private.h>

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
set_times (GFileInfo *info, const struct statx *statx)
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

  if ((statx->stx_mask & STATX_MTIME) != 0)
    set_time (info, &modified, &statx->stx_mtime);
  if ((statx->stx_mask & STATX_ATIME) != 0)
    set_time (info, &accessed, &statx->stx_atime);
  if ((statx->stx_mask & STATX_CTIME) != 0)
    set_time (info, &changed, &statx->stx_ctime);
  if ((statx->stx_mask & STATX_BTIME) != 0)
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

GFileInfo *
gaio_file_info_new (const struct statx *statx, const char *path, const char *attributes)
{
  GFileAttributeMatcher *matcher =
      g_file_attribute_matcher_new (attributes != NULL ? attributes : "*");
  GFileInfo *info = g_file_info_new ();

  /* Attributes that the mask does not have are then left out by the setters. */
  g_file_info_set_attribute_mask (info, matcher);
  g_file_attribute_matcher_unref (matcher);
  if (path != NULL)
    {
      g_autofree char *name = g_path_get_basename (path);
      g_autofree char *shown = g_filename_display_name (name);

      g_file_info_set_name (info, name);
      g_file_info_set_display_name (info, shown);
    }
  g_file_info_set_file_type (info, type_of (statx->stx_mode));
  g_file_info_set_size (info, statx->stx_size);
  g_file_info_set_attribute_uint64 (info,
                                    G_FILE_ATTRIBUTE_STANDARD_ALLOCATED_SIZE,
                                    statx->stx_blocks * G_GUINT64_CONSTANT (512));
  set_times (info, statx);
  set_unix (info, statx);
  g_file_info_unset_attribute_mask (info);
  return info;
}
