/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* One run of a camera before one writer; what was seen of it comes out as JSON, for
 * bench-camera.py.
 *
 *   bench-camera --location=FILE [OPTION...] PIPELINE
 *   bench-camera --location=FILE [OPTION...] raw
 *   bench-camera --has=ELEMENT[.PROPERTY]
 *
 * It says "started" when the first frame is due, so that the caller can have the disk misbehave at
 * a moment of its choice. --null-at stops in the middle, without an end of the stream; what is in
 * the file then is not looked at. */

#include <fcntl.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "contender.h"

#define TICK_US 20000

static char *option_location;
static char *option_has;
static gint option_frame_bytes = 256 * 1024;
static gdouble option_period_ms = 10;
static gint option_frames = 601;
static gint option_pool;
static gint option_sinks = 1;
static gint option_warm_mib;
static gdouble option_null_at;
static gboolean option_trace;

static const GOptionEntry options[] = {
  { "location", 0, 0, G_OPTION_ARG_FILENAME, &option_location, "Where to write", "FILE" },
  { "has", 0, 0, G_OPTION_ARG_STRING, &option_has, "Only say whether there is such a property",
    "ELEMENT.PROPERTY" },
  { "frame-bytes", 0, 0, G_OPTION_ARG_INT, &option_frame_bytes, "Size of a frame", "BYTES" },
  { "period", 0, 0, G_OPTION_ARG_DOUBLE, &option_period_ms, "From frame to frame", "MS" },
  { "frames", 0, 0, G_OPTION_ARG_INT, &option_frames, "How many", "N" },
  { "pool", 0, 0, G_OPTION_ARG_INT, &option_pool, "Buffers the camera has, 0: no limit", "N" },
  { "sinks", 0, 0, G_OPTION_ARG_INT, &option_sinks, "Sinks that get each frame", "N" },
  { "warm", 0, 0, G_OPTION_ARG_INT, &option_warm_mib, "Memory to have the host give first", "MIB" },
  { "null-at", 0, 0, G_OPTION_ARG_DOUBLE, &option_null_at, "Stop after so long", "SECONDS" },
  { "trace", 0, 0, G_OPTION_ARG_NONE, &option_trace, "Print each push", NULL },
  { NULL }
};

typedef struct
{
  Camera camera;
  Contender *contender;
  gint finished; /* (atomic) */
} Run;

/* A virtual machine's memory is slow the first time. */
static void
warm (gsize bytes)
{
  void *memory =
      mmap (NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

  if (memory != MAP_FAILED)
    munmap (memory, bytes);
}

static void
forget_peak_memory (void)
{
  FILE *file = fopen ("/proc/self/clear_refs", "we");

  if (file == NULL)
    return;
  fputs ("5", file);
  fclose (file);
}

static gint64
status_kib (const char *name)
{
  g_autofree char *text = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &text, NULL, NULL))
    return -1;
  line = strstr (text, name);
  return line != NULL ? g_ascii_strtoll (line + strlen (name), NULL, 10) : -1;
}

static double
cpu_seconds (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 + usage.ru_stime.tv_sec +
         usage.ru_stime.tv_usec / 1e6;
}

/* The threads there are now, and those of them that the kernel made to work for a ring. */
static guint
count_threads (guint *n_workers)
{
  GDir *dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  guint n = 0;

  *n_workers = 0;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/comm", name);
      g_autofree char *comm = NULL;

      n++;
      if (g_file_get_contents (path, &comm, NULL, NULL) && g_str_has_prefix (comm, "iou-"))
        ++*n_workers;
    }
  g_clear_pointer (&dir, g_dir_close);
  return n;
}

static gpointer
camera_thread (gpointer data)
{
  Run *run = data;

  camera_run (&run->camera);
  if (!g_atomic_int_get (&run->camera.stop))
    run->contender->target->finish (run->contender->data);
  g_atomic_int_set (&run->finished, TRUE);
  return NULL;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  gint64 one = *(const gint64 *) a, other = *(const gint64 *) b;

  return (one > other) - (one < other);
}

static void
print_number (const char *name, double value)
{
  printf ("  \"%s\": %.6g,\n", name, value);
}

static void
print_text (const char *name, const char *text)
{
  g_autofree char *escaped = text != NULL ? g_strescape (text, NULL) : NULL;

  if (escaped != NULL)
    printf ("  \"%s\": \"%s\",\n", name, escaped);
  else
    printf ("  \"%s\": null,\n", name);
}

static void
print_pushes (const Camera *camera)
{
  const CameraPush *pushes = (const CameraPush *) camera->pushes->data;
  guint n = camera->pushes->len;
  g_autofree gint64 *sorted = g_new0 (gint64, n + 1);
  gint64 gap_ns = 0;
  guint late = 0;

  for (guint i = 0; i < n; i++)
    {
      sorted[i] = pushes[i].took_ns;
      late += pushes[i].took_ns > camera->period_ns;
      if (i > 0)
        gap_ns = MAX (gap_ns, pushes[i].at_ns - pushes[i - 1].at_ns);
    }
  qsort (sorted, n, sizeof *sorted, compare);
  print_number ("p50_ms", sorted[n / 2] / 1e6);
  print_number ("p99_ms", sorted[(guint) (n * 0.99)] / 1e6);
  print_number ("p999_ms", sorted[(guint) (n * 0.999)] / 1e6);
  print_number ("max_ms", sorted[n > 0 ? n - 1 : 0] / 1e6);
  print_number ("gap_ms", gap_ns / 1e6);
  print_number ("late", late);
  if (!option_trace)
    return;
  printf ("  \"pushes\": [");
  for (guint i = 0; i < n; i++)
    printf ("%s[%.3f, %.4f]", i > 0 ? ", " : "", pushes[i].at_ns / 1e9, pushes[i].took_ns / 1e6);
  printf ("],\n");
}

static int
bench (const char *text)
{
  gboolean is_raw = strcmp (text, "raw") == 0;
  ContenderSettings settings = {
    .text = text,
    .path = option_location,
    .frame_bytes = (gsize) option_frame_bytes,
    .period_ns = (gint64) (option_period_ms * 1e6),
    .pool_buffers = (guint) option_pool,
    .n_sinks = (guint) option_sinks,
  };
  Run run = {
    .camera.frame_bytes = settings.frame_bytes,
    .camera.period_ns = settings.period_ns,
    .camera.n_frames = (guint) option_frames,
  };
  guint peak_threads = 0, peak_workers = 0;
  g_autofree char *stats = NULL;
  g_autofree char *why = NULL;
  gboolean whole = TRUE;
  gint64 begin_ns, memory_kib;
  double begin_cpu, cpu, bytes;
  GThread *thread;

  warm ((gsize) option_warm_mib << 20);
  forget_peak_memory ();
  memory_kib = status_kib ("VmRSS:");
  begin_cpu = cpu_seconds ();
  run.contender = is_raw ? contender_raw_new (&settings) : contender_gst_new (&settings);
  if (run.contender == NULL)
    return 1;
  run.camera.target = run.contender->target;
  run.camera.target_data = run.contender->data;

  puts ("started");
  fflush (stdout);
  begin_ns = camera_now_ns ();
  thread = g_thread_new ("camera", camera_thread, &run);
  while (!g_atomic_int_get (&run.finished) &&
         (option_null_at == 0 || camera_now_ns () - begin_ns < option_null_at * 1e9))
    {
      guint n_workers, n = count_threads (&n_workers);

      peak_threads = MAX (peak_threads, n - n_workers);
      peak_workers = MAX (peak_workers, n_workers);
      g_usleep (TICK_US);
    }
  g_atomic_int_set (&run.camera.stop, TRUE);
  if (!is_raw)
    stats = contender_gst_get_stats (run.contender);
  if (is_raw)
    g_thread_join (thread);
  (is_raw ? contender_raw_stop : contender_gst_stop) (run.contender);
  if (!is_raw)
    g_thread_join (thread);
  cpu = cpu_seconds () - begin_cpu - run.camera.fill_cpu_ns / 1e9;
  bytes = (double) run.camera.pushes->len * settings.frame_bytes * settings.n_sinks;

  for (guint i = 0; i < settings.n_sinks && whole && option_null_at == 0; i++)
    {
      g_autofree char *path =
          i == 0 ? g_strdup (settings.path) : g_strdup_printf ("%s.%u", settings.path, i);

      whole = camera_check_file (&run.camera, path, run.contender->stride, &why);
    }

  printf ("{\n");
  print_pushes (&run.camera);
  print_number ("made", run.camera.n_made);
  print_number ("taken", run.camera.pushes->len);
  print_number ("dropped", run.camera.dropped_busy + run.camera.dropped_pool);
  print_number ("dropped_busy", run.camera.dropped_busy);
  print_number ("dropped_pool", run.camera.dropped_pool);
  print_number ("missed", run.camera.missed);
  print_number ("eos_ms", run.contender->eos_ms);
  print_number ("null_ms", run.contender->null_ms);
  print_number ("peak_mib", (status_kib ("VmHWM:") - memory_kib) / 1024.0);
  print_number ("threads", peak_threads - 2); /* but the main one and the camera */
  print_number ("workers", peak_workers);
  print_number ("cpu_s_per_gib", bytes > 0 ? cpu / (bytes / (1 << 30)) : 0);
  print_number ("realtime", run.camera.realtime);
  print_text ("error", run.contender->error);
  print_text ("stats", stats);
  print_text ("missing", why);
  printf ("  \"whole\": %s\n}\n", whole ? "true" : "false");

  g_array_unref (run.camera.pushes);
  (is_raw ? contender_raw_free : contender_gst_free) (run.contender);
  return 0;
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("PIPELINE");
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("bench-camera: %s\n", error->message);
      return 2;
    }
  gst_init (&argc, &argv);
  if (option_has != NULL)
    {
      g_auto (GStrv) parts = g_strsplit (option_has, ".", 2);

      return contender_gst_has_property (parts[0], parts[1] != NULL ? parts[1] : "") ? 0 : 1;
    }
  if (argc != 2 || option_location == NULL)
    {
      g_printerr ("bench-camera: a pipeline and a location are needed\n");
      return 2;
    }
  return bench (argv[1]);
}
