/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The I/O threads of all elements of the process.
 *
 * Sixty-four sinks need one thread and one ring, not sixty-four. But a ring has a few kernel
 * workers only, and a handful of files on a disk that hangs would take them all; so the elements
 * on one disk share a thread and those on another have another, and what a disk does to its own
 * it does to nobody else. A disk is a device number: of a regular file that of its file system.
 * What is no regular file is a disk of its own, since a pipe that nobody reads is no matter of
 * other pipes. A name given by the user divides them further, as does the engine that is asked for;
 * and a name only brings together what is no disk: eight files that hang take all the workers of a
 * ring, so that no name could make one thread serve a good disk beside a bad one. For the same
 * reason each has thread pools, which have threads only while there is work for them: one for what
 * waits for the disk, and another for what waits for the program, since a disk that hangs must not
 * be kept secret because it hangs.
 *
 * One lock guards the table and the counts. It is held while a thread is started, so that two do
 * not start the same, and not while one is stopped. */

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "gstgaioloop.h"

struct _GstGaioLoop
{
  char *key;
  GaioIOThread *thread;
  GaioThreadPool *pool;
  GaioThreadPool *tellers;
  guint refs; /* under `loops_lock` */
};

static GMutex loops_lock;
static GHashTable *loops; /* of GstGaioLoop by their keys; under `loops_lock`; NULL: none */

static char *
make_key (const char *name, GaioEngine engine, int fd)
{
  static const char *const prefixes[] = {
    [GAIO_ENGINE_AUTO] = "",
    [GAIO_ENGINE_IO_URING] = "u",
    [GAIO_ENGINE_THREADS] = "t",
  };
  const char *prefix = prefixes[engine];
  struct stat st = { 0 };

  /* It does not fail for a descriptor that is open. */
  if (fstat (fd, &st) < 0 || S_ISREG (st.st_mode))
    return g_strdup_printf ("%s%u:%u=%s", prefix, major (st.st_dev), minor (st.st_dev), name);
  if (*name != '\0' && !S_ISBLK (st.st_mode))
    return g_strconcat (prefix, "=", name, NULL);
  return g_strdup_printf ("%s%u:%u:%" G_GUINT64_FORMAT "=%s",
                          prefix,
                          major (st.st_dev),
                          minor (st.st_dev),
                          (guint64) st.st_ino,
                          name);
}

/* A thread has the name that the user gave, or that of the disk. */
static char *
make_thread_name (const char *key)
{
  const char *name = strchr (key, '=');

  if (name[1] != '\0')
    return g_strconcat ("gaio-", name + 1, NULL);
  return g_strdup_printf ("gaio-%.*s", (int) (name - key), key);
}

/* A ring polls what it cannot write or read at once, in the thread that submits; and a file system
 * with a server asks that the first time whether it can be polled. So it is asked here, where who
 * opens a file may wait, and not in the I/O thread, where a server that hangs would hold up all. */
static void
ask_server (int fd)
{
  GPollFD poll = { .fd = fd, .events = G_IO_IN | G_IO_OUT };

  g_poll (&poll, 1, 0);
}

static GstGaioLoop *
loop_new_locked (char *key, GaioEngine engine, GError **error)
{
  g_autofree char *thread_name = make_thread_name (key);
  GaioIOThread *thread = g_initable_new (GAIO_TYPE_IO_THREAD, NULL, error, "name", thread_name,
                                         "engine", engine, NULL);
  GstGaioLoop *self;

  if (thread == NULL)
    {
      g_free (key);
      return NULL;
    }
  self = g_new0 (GstGaioLoop, 1);
  self->key = key;
  self->thread = thread;
  self->pool = gaio_thread_pool_new ();
  self->tellers = gaio_thread_pool_new ();
  gaio_thread_pool_serve (self->pool, gaio_io_thread_get_context (thread));
  if (loops == NULL)
    loops = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (loops, self->key, self);
  return self;
}

GstGaioLoop *
gst_gaio_loop_acquire (const char *name, GaioEngine engine, int fd, GError **error)
{
  char *key = make_key (name != NULL ? name : "", engine, fd);
  GstGaioLoop *self;

  ask_server (fd);
  g_mutex_lock (&loops_lock);
  self = loops != NULL ? g_hash_table_lookup (loops, key) : NULL;
  if (self != NULL)
    g_free (key);
  else
    self = loop_new_locked (key, engine, error);
  if (self != NULL)
    self->refs++;
  g_mutex_unlock (&loops_lock);
  return self;
}

void
gst_gaio_loop_unref (GstGaioLoop *self)
{
  gboolean is_last;

  g_mutex_lock (&loops_lock);
  is_last = --self->refs == 0;
  if (is_last)
    g_hash_table_remove (loops, self->key);
  if (is_last && g_hash_table_size (loops) == 0)
    g_clear_pointer (&loops, g_hash_table_unref);
  g_mutex_unlock (&loops_lock);
  if (!is_last)
    return;

  /* Joins the thread, unless this is it. */
  g_object_unref (self->thread);
  g_object_unref (self->pool);
  g_object_unref (self->tellers);
  g_free (self->key);
  g_free (self);
}

GaioContext *
gst_gaio_loop_get_context (GstGaioLoop *self)
{
  return gaio_io_thread_get_context (self->thread);
}

GaioThreadPool *
gst_gaio_loop_get_pool (GstGaioLoop *self)
{
  return self->pool;
}

GaioThreadPool *
gst_gaio_loop_get_tellers (GstGaioLoop *self)
{
  return self->tellers;
}

GstStructure *
gst_gaio_loop_make_stats (GaioContext *context, const char *name)
{
  g_autofree char *reason = gaio_context_get_engine_reason (context);
  GEnumClass *engines = g_type_class_ref (GAIO_TYPE_ENGINE);
  GEnumValue *engine = g_enum_get_value (engines, gaio_context_get_engine (context));
  GstStructure *stats = gst_structure_new (name, "engine", G_TYPE_STRING, engine->value_nick,
                                           "engine-reason", G_TYPE_STRING, reason, NULL);

  g_type_class_unref (engines);
  return stats;
}
