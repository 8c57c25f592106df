/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* From statx(2) to GFileInfo: the attributes that g_file_query_info() gives for a local file, as
 * far as the system tells them of the file itself. Content types and icons, which are in the file,
 * the names of users and groups, and `access::`, which also depends on the directory, are not among
 * them. Any thread may call it; to look up a name may wait for a disk. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <gaio/file/gaio-file-info-private.h>

/* Any of these, and all of `unix::` is set. */
#define MASK_UNIX (STATX_INO | STATX_MODE | STATX_NLINK | STATX_UID | STATX_GID)

/* What is made only when it is asked for, for it costs an allocation or a system call. */
enum
{
  TEXT_DISPLAY_NAME = 1 << 0,
  TEXT_EDIT_NAME = 1 << 1,
  TEXT_COPY_NAME = 1 << 2,
  TEXT_LINK_TARGET = 1 << 3,
  TEXT_ETAG = 1 << 4,
  TEXT_FILE = 1 << 5,
  TEXT_FILE_SYSTEM = 1 << 6,
};

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
  if ((statx->stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0)
    g_file_info_set_attribute_boolean (info,
                                       G_FILE_ATTRIBUTE_UNIX_IS_MOUNTPOINT,
                                       (statx->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
}

char *
gaio_file_info_make_etag (const struct statx *statx)
{
  return g_strdup_printf ("%" G_GINT64_FORMAT ":%u:%u",
                          (gint64) statx->stx_mtime.tv_sec,
                          statx->stx_mtime.tv_nsec / 1000,
                          statx->stx_mtime.tv_nsec);
}

static void
set_ids (GFileInfo *info, const struct statx *statx, guint texts)
{
  guint64 device = makedev (statx->stx_dev_major, statx->stx_dev_minor);

  if ((texts & TEXT_FILE) != 0)
    {
      g_autofree char *file =
          g_strdup_printf ("l%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, device,
                           (guint64) statx->stx_ino);

      g_file_info_set_attribute_string (info, G_FILE_ATTRIBUTE_ID_FILE, file);
    }
  if ((texts & TEXT_FILE_SYSTEM) != 0)
    {
      g_autofree char *system = g_strdup_printf ("l%" G_GUINT64_FORMAT, device);

      g_file_info_set_attribute_string (info, G_FILE_ATTRIBUTE_ID_FILESYSTEM, system);
    }
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

/* Attributes that the info's own mask does not have are left out by the setters; what is in the
 * wish only saves the work for those. */
static void
set_all (GFileInfo *info, const GaioFileInfoWish *wish, const struct statx *statx)
{
  guint mask = statx->stx_mask & wish->mask;

  if ((mask & STATX_TYPE) != 0)
    g_file_info_set_file_type (info, type_of (statx->stx_mode));
  if ((mask & STATX_SIZE) != 0)
    g_file_info_set_size (info, statx->stx_size);
  if ((mask & STATX_BLOCKS) != 0)
    g_file_info_set_attribute_uint64 (info,
                                      G_FILE_ATTRIBUTE_STANDARD_ALLOCATED_SIZE,
                                      statx->stx_blocks * G_GUINT64_CONSTANT (512));
  set_times (info, statx, mask);
  if ((wish->texts & TEXT_ETAG) != 0 && (mask & STATX_MTIME) != 0)
    {
      g_autofree char *etag = gaio_file_info_make_etag (statx);

      g_file_info_set_attribute_string (info, G_FILE_ATTRIBUTE_ETAG_VALUE, etag);
    }
  if ((mask & MASK_UNIX) != 0)
    {
      set_unix (info, statx);
      set_ids (info, statx, wish->texts);
    }
}

/* What a name alone tells. */
static void
set_name (GFileInfo *info, const GaioFileInfoWish *wish, const char *name)
{
  gsize length = strlen (name);

  g_file_info_set_name (info, name);
  g_file_info_set_attribute_boolean (info, G_FILE_ATTRIBUTE_STANDARD_IS_HIDDEN, name[0] == '.');
  g_file_info_set_attribute_boolean (info,
                                     G_FILE_ATTRIBUTE_STANDARD_IS_BACKUP,
                                     length > 0 && name[length - 1] == '~');
  if ((wish->texts & (TEXT_DISPLAY_NAME | TEXT_EDIT_NAME)) != 0)
    {
      g_autofree char *shown = g_filename_display_name (name);

      g_file_info_set_display_name (info, shown);
      g_file_info_set_edit_name (info, shown);
    }
  if ((wish->texts & TEXT_COPY_NAME) != 0)
    {
      g_autofree char *copied = g_filename_to_utf8 (name, -1, NULL, NULL, NULL);

      if (copied != NULL)
        g_file_info_set_attribute_string (info, G_FILE_ATTRIBUTE_STANDARD_COPY_NAME, copied);
    }
}

GFileInfo *
gaio_file_info_new (const GaioFileInfoWish *wish,
                    const struct statx *statx,
                    const char *name,
                    bool is_link)
{
  GFileInfo *info = g_file_info_new ();

  g_file_info_set_attribute_mask (info, wish->matcher);
  if (name != NULL)
    set_name (info, wish, name);
  g_file_info_set_is_symlink (info, is_link);
  set_all (info, wish, statx);
  g_file_info_unset_attribute_mask (info);
  return info;
}

static int
ask (const GaioFileInfoWish *wish, int dir_fd, const char *path, int flags, struct statx *answer)
{
  return statx (dir_fd, path, AT_NO_AUTOMOUNT | flags, wish->mask | STATX_TYPE, answer) < 0 ? errno
                                                                                            : 0;
}

static void
set_target (GFileInfo *info, int dir_fd, const char *path)
{
  char target[PATH_MAX];
  gssize length = readlinkat (dir_fd, path, target, sizeof target - 1);

  if (length < 0)
    return;
  target[length] = '\0';
  g_file_info_set_symlink_target (info, target);
}

int
gaio_file_info_look_up (const GaioFileInfoWish *wish,
                        int dir_fd,
                        const char *path,
                        const char *name,
                        bool follow,
                        GFileInfo **info)
{
  struct statx answer;
  struct statx followed;
  int errnum = ask (wish, dir_fd, path, AT_SYMLINK_NOFOLLOW, &answer);
  bool is_link;

  if (errnum != 0)
    return errnum;
  is_link = S_ISLNK (answer.stx_mode);
  if (is_link && follow)
    {
      errnum = ask (wish, dir_fd, path, 0, &followed);
      if (errnum == 0)
        answer = followed;
      /* One that leads nowhere is itself what there is. */
      else if (errnum != ENOENT && errnum != ELOOP)
        return errnum;
    }
  *info = gaio_file_info_new (wish, &answer, name, is_link);
  if (is_link && (wish->texts & TEXT_LINK_TARGET) != 0)
    set_target (*info, dir_fd, path);
  return 0;
}

/* What statx(2) is to be asked for each of them, and what is to be made. */
static const struct
{
  const char *attribute;
  guint mask;
  guint text;
} needs[] = {
  { G_FILE_ATTRIBUTE_STANDARD_DISPLAY_NAME, 0, TEXT_DISPLAY_NAME },
  { G_FILE_ATTRIBUTE_STANDARD_EDIT_NAME, 0, TEXT_EDIT_NAME },
  { G_FILE_ATTRIBUTE_STANDARD_COPY_NAME, 0, TEXT_COPY_NAME },
  /* The directory tells of most files whether they are links, as it does of types. */
  { G_FILE_ATTRIBUTE_STANDARD_IS_SYMLINK, STATX_TYPE },
  { G_FILE_ATTRIBUTE_STANDARD_SYMLINK_TARGET, STATX_MODE, TEXT_LINK_TARGET },
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
  { G_FILE_ATTRIBUTE_UNIX_IS_MOUNTPOINT, STATX_MODE },
  { G_FILE_ATTRIBUTE_ETAG_VALUE, STATX_MTIME, TEXT_ETAG },
  { G_FILE_ATTRIBUTE_ID_FILE, STATX_INO, TEXT_FILE },
  { G_FILE_ATTRIBUTE_ID_FILESYSTEM, STATX_MODE, TEXT_FILE_SYSTEM },
};

void
gaio_file_info_wish_init (GaioFileInfoWish *self, const char *attributes)
{
  self->matcher = g_file_attribute_matcher_new (attributes != NULL ? attributes : "*");
  self->mask = 0;
  self->texts = 0;
  for (guint i = 0; i < G_N_ELEMENTS (needs); i++)
    if (g_file_attribute_matcher_matches (self->matcher, needs[i].attribute))
      {
        self->mask |= needs[i].mask;
        self->texts |= needs[i].text;
      }
}

void
gaio_file_info_wish_clear (GaioFileInfoWish *self)
{
  g_clear_pointer (&self->matcher, g_file_attribute_matcher_unref);
}
