/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Adaptive polling: what a spin finds and in what order it calls whom; what a nested turn and a
 * removal do to it; when it grows, shrinks and gives up.
 *
 * No test depends on how fast the machine is: events that end a wait are there before it begins, or
 * the window is so long (LONG_NS) that a spin ends by what it finds only. */

#include <unistd.h>

#include "flag.h"
#include "stats.h"

/* Far beyond what any wait here takes. */
#define LONG_NS (G_GINT64_CONSTANT (60) * 1000 * 1000 * 1000)

/* Something that can be polled, beside a descriptor that tells of it too. */
typedef struct _Device Device;
struct _Device
{
  GaioTestLoop *loop;
  GaioEventNotifier *notifier;
  GString *record; /* b(egin) e(nd) p(oll) P: with success; (poll) R(eady) r(ead) */

  int hit;      /* atomic: what the poll function says */
  int n_polled; /* atomic */
  int n_ready;  /* calls of poll_ready */
  int n_read;
  int n_notified;                   /* atomic */
  gboolean keep;                    /* what was found stays */
  char remove_in;                   /* as in the record: removes itself there */
  void (*in_poll) (Device *device); /* does more in a callback */
  void (*in_ready) (Device *device);
  void (*in_end) (Device *device);
  int ended;   /* atomic: the mode has */
  Flag *other; /* for those */
  Device *victim;
  int n_until;
};

static int
device_fd (Device *device)
{
  return gaio_event_notifier_get_fd (device->notifier);
}

static void
note (Device *device, char letter)
{
  /* How many times in a row it looked in vain says nothing. */
  if (letter != 'p' || !g_str_has_suffix (device->record->str, "p"))
    g_string_append_c (device->record, letter);
  if (device->remove_in == letter)
    gaio_context_remove_fd_handler (device->loop->context, device_fd (device));
}

static gboolean
device_poll (gpointer data)
{
  Device *device = data;
  gboolean hit;

  g_atomic_int_inc (&device->n_polled);
  if (device->in_poll != NULL)
    device->in_poll (device);
  hit = g_atomic_int_get (&device->hit);
  note (device, hit ? 'P' : 'p');
  return hit;
}

static void
device_ready (gpointer data)
{
  Device *device = data;

  g_assert_true (g_atomic_int_get (&device->hit));
  device->n_ready++;
  note (device, 'R');
  if (!device->keep)
    g_atomic_int_set (&device->hit, FALSE);
  if (device->in_ready != NULL)
    device->in_ready (device);
}

static void
device_read (gpointer data)
{
  Device *device = data;

  gaio_event_notifier_test_and_clear (device->notifier);
  device->n_read++;
  note (device, 'r');
}

static void
device_begin (gpointer data)
{
  note (data, 'b');
}

static void
device_end (gpointer data)
{
  Device *device = data;

  note (device, 'e');
  g_atomic_int_set (&device->ended, TRUE);
  if (device->in_end != NULL)
    device->in_end (device);
}

static void
on_device_notify (gpointer data)
{
  g_atomic_int_inc (&((Device *) data)->n_notified);
}

static const GaioFdHandlers device_handlers = {
  .read = device_read,
  .poll = device_poll,
  .poll_ready = device_ready,
  .poll_begin = device_begin,
  .poll_end = device_end,
};

static void
device_init (GaioTestLoop *loop, Device *device)
{
  device->loop = loop;
  device->record = g_string_new (NULL);
  device->notifier = gaio_event_notifier_new (NULL);
  g_assert_nonnull (device->notifier);
}

static void
device_set (Device *device)
{
  g_autoptr (GError) error = NULL;

  gaio_context_set_fd_handlers (device->loop->context, device_fd (device), &device_handlers, device,
                                on_device_notify, &error);
  g_assert_no_error (error);
}

static void
device_clear (Device *device)
{
  gaio_context_remove_fd_handler (device->loop->context, device_fd (device));
  gaio_test_settle (device->loop);
  g_object_unref (device->notifier);
  g_string_free (device->record, TRUE);
}

static void
assert_record (Device *device, const char *expected)
{
  g_assert_cmpstr (device->record->str, ==, expected);
  g_string_truncate (device->record, 0);
}

typedef struct
{
  GaioEventNotifier *notifier;
  gulong delay_us;
} Setter;

static gpointer
set_later (gpointer data)
{
  Setter *setter = data;

  g_usleep (setter->delay_us);
  gaio_event_notifier_set (setter->notifier);
  return NULL;
}

/* A wait that another thread ends. */
static void
wait_for (GaioContext *context, GaioEventNotifier *notifier, const int *n, gulong delay_us)
{
  Setter setter = { notifier, delay_us };
  GThread *thread = g_thread_new ("setter", set_later, &setter);
  int before = *n;

  while (*n == before)
    gaio_context_poll (context, TRUE);
  g_thread_join (thread);
}

static void
wait_a_little (Device *device)
{
  wait_for (device->loop->context, device->notifier, &device->n_read, 1000);
}

/* A wait that is over before the limit opens the window: the next one begins with a spin. */
static void
prime (Device *device)
{
  while (gaio_context_poll (device->loop->context, FALSE))
    ;
  do
    wait_a_little (device);
  while (get_stat (device->loop->context, "poll-window-ns") == 0);
  g_string_truncate (device->record, 0);
}

/* A wait that is much longer than the window, so that it grows. */
static void
wait_for_long (Device *device)
{
  GaioContext *context = device->loop->context;
  guint64 window_us = get_stat (context, "poll-window-ns") / 1000;

  gaio_context_set_poll_weight (context, 1);
  wait_for (context, device->notifier, &device->n_read, 4 * window_us + 1);
  gaio_context_set_poll_weight (context, 0);
}

/* A window of LONG_NS that stays. */
static void
prime_for_long (Device *device)
{
  GaioContext *context = device->loop->context;

  gaio_context_set_poll_max_ns (context, LONG_NS);
  gaio_context_set_poll_shrink (context, 1);
  gaio_context_set_poll_grow (context, G_MAXUINT);
  prime (device);
  while (get_stat (context, "poll-window-ns") < LONG_NS)
    wait_for_long (device);
  /* Ends the polling mode, where the last wait has begun it. */
  gaio_context_set_poll_max_ns (context, 0);
  gaio_context_poll (context, FALSE);
  gaio_context_set_poll_max_ns (context, LONG_NS);
  g_string_truncate (device->record, 0);
}

static void
start (GaioTestLoop *loop, Device *device, gint64 max_ns)
{
  device_init (loop, device);
  gaio_context_set_poll_max_ns (loop->context, max_ns);
  device_set (device);
}

/* Nobody is polled who did not ask for it. */
static void
test_off (GaioTestLoop *loop)
{
  Device device = { .hit = TRUE };

  start (loop, &device, 0);
  for (int i = 1; i <= 20; i++)
    {
      gaio_event_notifier_set (device.notifier);
      while (device.n_read < i)
        gaio_context_poll (loop->context, TRUE);
    }
  g_assert_cmpint (device.n_polled, ==, 0);
  assert_record (&device, "rrrrrrrrrrrrrrrrrrrr");
  g_assert_cmpuint (get_stat (loop->context, "polls"), ==, 0);
  g_assert_cmpuint (get_stat (loop->context, "poll-ns"), ==, 0);
  device_clear (&device);
}

/* The mode begins once and lasts as long as something is found; before the sleep it ends, and there
 * is one more look. */
static void
test_order (GaioTestLoop *loop)
{
  Device device = { 0 };
  guint64 waits;

  start (loop, &device, LONG_NS);
  prime (&device);
  waits = get_stat (loop->context, "waits");
  device.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "bPR");
  device.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "PR");
  device.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, FALSE));
  assert_record (&device, "PR");
  g_assert_false (gaio_context_poll (loop->context, FALSE));
  assert_record (&device, "p");
  g_assert_cmpuint (get_stat (loop->context, "waits"), ==, waits);
  g_assert_cmpuint (get_stat (loop->context, "polls"), ==, 2);
  g_assert_cmpuint (get_stat (loop->context, "poll-hits"), ==, 2);

  gaio_context_set_poll_max_ns (loop->context, 1000);
  while (get_stat (loop->context, "waits") == waits)
    gaio_context_poll_ns (loop->context, 2 * 1000 * 1000);
  assert_record (&device, "pep");
  g_assert_cmpint (device.n_ready, ==, 3);
  device_clear (&device);
}

static void
hit_now (Device *device)
{
  device->hit = TRUE;
}

/* What comes while notifications are still off is found by the last look. */
static void
test_last_look (GaioTestLoop *loop)
{
  Device device = { .in_end = hit_now };

  start (loop, &device, LONG_NS);
  prime (&device);
  /* Nothing else would ever end this wait. */
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "bpePR");
  device_clear (&device);
}

/* For another thread: until the loop is in the midst of a spin; or has ended it without finding
 * anything, since spins do not pay on a machine that is slow at the moment. A test of what a spin
 * finds then tries again. */
static void
await_spin (Device *device)
{
  int before = g_atomic_int_get (&device->n_polled);

  while (g_atomic_int_get (&device->n_polled) < before + 100 && !g_atomic_int_get (&device->ended))
    g_usleep (100);
}

/* A waiter without a deadline that nobody notifies by a system call. */
static gpointer
hit_when_polled (gpointer data)
{
  Device *device = data;

  await_spin (device);
  g_atomic_int_set (&device->hit, TRUE);
  /* The last look may have been before. */
  if (g_atomic_int_get (&device->ended))
    gaio_event_notifier_set (device->notifier);
  return NULL;
}

static void
test_shared_memory (GaioTestLoop *loop)
{
  Device device = { 0 };

  start (loop, &device, 0);
  do
    {
      guint64 waits, sent, spent;
      GThread *thread;

      device.hit = FALSE;
      prime_for_long (&device);
      device.ended = FALSE;
      device.n_ready = 0;
      waits = get_stat (loop->context, "waits");
      sent = get_stat (loop->context, "wake-ups-sent");
      spent = get_stat (loop->context, "poll-ns");
      thread = g_thread_new ("device", hit_when_polled, &device);
      while (device.n_ready == 0 && !device.ended)
        gaio_context_poll (loop->context, TRUE);
      g_thread_join (thread);
      if (device.ended)
        continue;
      g_assert_cmpuint (get_stat (loop->context, "waits"), ==, waits);
      g_assert_cmpuint (get_stat (loop->context, "wake-ups-sent"), ==, sent);
      g_assert_cmpuint (get_stat (loop->context, "poll-ns"), >, spent);
    }
  while (device.ended);
  device_clear (&device);
}

typedef struct
{
  Device *device;
  int n;
} Caller;

static void
on_called (gpointer data)
{
  ((Caller *) data)->n++;
}

static gpointer
invoke_when_polled (gpointer data)
{
  Caller *caller = data;

  await_spin (caller->device);
  gaio_context_invoke (caller->device->loop->context, on_called, caller, NULL);
  return NULL;
}

/* A loop that spins is awake: who notifies it makes no system call. */
static void
test_notification (GaioTestLoop *loop)
{
  Device device = { 0 };
  Caller caller = { .device = &device };

  start (loop, &device, 0);
  do
    {
      guint64 waits, sent, saved, hits;
      GThread *thread;

      prime_for_long (&device);
      device.ended = FALSE;
      caller.n = 0;
      waits = get_stat (loop->context, "waits");
      sent = get_stat (loop->context, "wake-ups-sent");
      saved = get_stat (loop->context, "wake-ups-saved");
      hits = get_stat (loop->context, "poll-hits");
      thread = g_thread_new ("caller", invoke_when_polled, &caller);
      while (caller.n == 0)
        gaio_context_poll (loop->context, TRUE);
      g_thread_join (thread);
      if (device.ended)
        continue;
      g_assert_cmpuint (get_stat (loop->context, "waits"), ==, waits);
      g_assert_cmpuint (get_stat (loop->context, "wake-ups-sent"), ==, sent);
      g_assert_cmpuint (get_stat (loop->context, "wake-ups-saved"), ==, saved + 1);
      g_assert_cmpuint (get_stat (loop->context, "poll-hits"), ==, hits + 1);
    }
  while (device.ended);
  device_clear (&device);
}

static void
set_other_once (Device *device)
{
  if (++device->n_until == 100)
    gaio_event_notifier_set (device->other->notifier);
}

/* Who cannot be polled is served all the same: in the midst of a spin, and beside one who has
 * something in each turn. */
static void
test_unpollable (GaioTestLoop *loop)
{
  Device device = { .keep = TRUE };
  Flag flag = { 0 };
  guint64 waits;

  init (loop, &flag);
  watch (&flag);
  start (loop, &device, 0);
  prime_for_long (&device);
  waits = get_stat (loop->context, "waits");
  device.other = &flag;
  device.in_poll = set_other_once;
  device.ended = FALSE;
  while (flag.n == 0)
    gaio_context_poll (loop->context, TRUE);
  g_assert_cmpuint (get_stat (loop->context, "waits"), ==, waits);

  device.in_poll = NULL;
  device.hit = TRUE;
  for (int i = 0; i < 3; i++)
    {
      int n_ready = device.n_ready;

      gaio_event_notifier_set (flag.notifier);
      while (flag.n < i + 2)
        gaio_context_poll (loop->context, TRUE);
      g_assert_cmpint (device.n_ready - n_ready, <=, 16);
    }
  /* But where spins do not pay. */
  if (!device.ended)
    g_assert_cmpuint (get_stat (loop->context, "waits"), ==, waits);
  device.hit = FALSE;
  finish (&flag);
  device_clear (&device);
}

static void
remove_victim (Device *device)
{
  gaio_context_remove_fd_handler (device->loop->context, device_fd (device->victim));
}

/* Of two, both are served by one spin. */
static void
test_two (GaioTestLoop *loop)
{
  Device a = { 0 };
  Device b = { 0 };

  start (loop, &a, LONG_NS);
  prime (&a);
  a.hit = TRUE;
  gaio_context_poll (loop->context, TRUE);
  assert_record (&a, "bPR");
  /* Set while the mode is on. */
  device_init (loop, &b);
  device_set (&b);
  gaio_context_poll (loop->context, FALSE);
  a.hit = b.hit = TRUE;
  a.record->len = b.record->len = 0;
  gaio_context_poll (loop->context, TRUE);
  assert_record (&a, "PR");
  assert_record (&b, "bPR");

  /* One that another removes is not called, though it was found. */
  a.hit = b.hit = TRUE;
  a.victim = &b;
  a.in_ready = remove_victim;
  gaio_context_poll (loop->context, TRUE);
  assert_record (&a, "PR");
  assert_record (&b, "P");
  device_clear (&b);
  device_clear (&a);
}

static void
wait_in_there (Device *device)
{
  int n_ready = device->n_ready;
  int n_polled = device->n_polled;
  int n = device->other->n;

  gaio_event_notifier_set (device->other->notifier);
  while (device->other->n == n)
    gaio_context_poll (device->loop->context, TRUE);
  g_assert_cmpint (device->n_ready, ==, n_ready);
  g_assert_cmpint (device->n_polled, ==, n_polled);
}

/* QEMU's /nested-aio-poll: a handler that waits in its poll_ready is not polled in there. */
static void
test_nested (GaioTestLoop *loop)
{
  Device device = { .keep = TRUE, .in_ready = wait_in_there };
  Flag dummy = { 0 };

  init (loop, &dummy);
  watch (&dummy);
  device.other = &dummy;
  start (loop, &device, LONG_NS);
  for (int i = 1; i <= 3; i++)
    {
      /* The nested turn may have ended the mode and closed the window. */
      device.hit = FALSE;
      prime (&device);
      device.hit = TRUE;
      g_assert_true (gaio_context_poll (loop->context, TRUE));
      g_assert_cmpint (device.n_ready, ==, i);
      g_assert_cmpint (dummy.n, ==, i);
    }
  device.hit = FALSE;
  finish (&dummy);
  device_clear (&device);
}

static void
sleep_in_there (Device *device)
{
  GaioContext *context = device->loop->context;
  guint64 waits = get_stat (context, "waits");
  int n_polled = device->n_polled;

  if (device->n_ready > 1)
    return;
  /* Turns polling off, and has the mode end in there. */
  g_object_set (context, "poll-max-ns", (gint64) 0, NULL);
  while (get_stat (context, "waits") == waits)
    gaio_context_poll_ns (context, 1000 * 1000);
  g_assert_cmpint (device->n_polled, ==, n_polled);
  g_assert_cmpint (device->n_ready, ==, 1);
}

/* What a nested turn had to leave out before its sleep is made up for by the outer one. */
static void
test_nested_sleep (GaioTestLoop *loop)
{
  Device device = { .keep = TRUE, .in_ready = sleep_in_there };

  start (loop, &device, LONG_NS);
  prime (&device);
  device.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  g_assert_cmpint (device.n_ready, ==, 1);
  assert_record (&device, "bPRe");
  /* The device has said nothing on its descriptor, and polling is off. */
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "PR");
  device_clear (&device);
}

static void
on_bh (gpointer data)
{
  Device *device = data;
  GaioContext *context = device->loop->context;
  guint64 waits = get_stat (context, "waits");
  int n_polled = device->n_polled;

  device->hit = TRUE;
  gaio_context_set_poll_max_ns (context, 1000);
  while (get_stat (context, "waits") == waits)
    gaio_context_poll_ns (context, 1000 * 1000);
  g_assert_cmpint (device->n_polled, ==, n_polled);
  g_assert_cmpint (device->n_ready, ==, 1);
}

/* Turns that do not call a handler's group do not poll it, and do not wait in vain for it. */
static void
test_group (GaioTestLoop *loop)
{
  Device device = { 0 };

  start (loop, &device, LONG_NS);
  g_assert_true (
      gaio_context_set_fd_group (loop->context, device_fd (&device), GAIO_FD_GROUP_IO, NULL));
  prime (&device);
  device.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "bPR");
  gaio_context_invoke (loop->context, on_bh, &device, NULL);
  while (device.n_ready == 1)
    gaio_context_poll (loop->context, TRUE);
  g_assert_cmpint (device.n_ready, ==, 2);
  device_clear (&device);
}

static void
poll_in_there (Device *device)
{
  gaio_context_poll (device->loop->context, FALSE);
}

/* What the outer turn has found of a group that the nested one leaves alone is not lost. */
static void
test_group_held (GaioTestLoop *loop)
{
  Device a = { 0 };
  Device b = { 0 };

  start (loop, &a, LONG_NS);
  device_init (loop, &b);
  device_set (&b);
  g_assert_true (gaio_context_set_fd_group (loop->context, device_fd (&b), GAIO_FD_GROUP_IO, NULL));
  prime (&a);
  a.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&a, "bPR");

  /* Found by the last look, so nobody looks again. */
  gaio_context_set_poll_max_ns (loop->context, 0);
  a.hit = b.hit = TRUE;
  a.in_ready = poll_in_there;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  g_assert_cmpint (a.n_ready, ==, 2);
  g_assert_cmpint (b.n_ready, ==, 0);
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  g_assert_cmpint (b.n_ready, ==, 1);
  device_clear (&b);
  device_clear (&a);
}

static gssize
can_read (gpointer data)
{
  return *(int *) data;
}

/* A handler that does not want to read is not polled either. */
static void
test_can_read (GaioTestLoop *loop)
{
  Device device = { .keep = TRUE };
  int wants = 1;

  start (loop, &device, LONG_NS);
  prime (&device);
  g_assert_true (gaio_context_set_fd_can_read (loop->context, device_fd (&device), can_read, &wants,
                                               NULL, NULL));
  gaio_context_poll (loop->context, FALSE);
  device.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  g_assert_cmpint (device.n_ready, ==, 1);
  wants = 0;
  g_assert_false (gaio_context_poll_ns (loop->context, 1000 * 1000));
  g_assert_cmpint (device.n_ready, ==, 1);
  wants = 1;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  g_assert_cmpint (device.n_ready, ==, 2);
  device_clear (&device);
}

/* Nothing of a handler is called after it was removed, from whichever of its own callbacks. */
static void
test_removal (GaioTestLoop *loop)
{
  /* The first one needs a window that ends. */
  const char *cases[][2] = {
    { "e", "bpe" }, { "b", "b" }, { "p", "bp" }, { "P", "bP" }, { "R", "bPR" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      Device device = { 0 };
      char last = cases[i][1][strlen (cases[i][1]) - 1];

      start (loop, &device, 0);
      if (last != 'e')
        prime_for_long (&device);
      else
        {
          gaio_context_set_poll_max_ns (loop->context, LONG_NS);
          prime (&device);
        }
      device.remove_in = cases[i][0][0];
      device.hit = last == 'P' || last == 'R';
      /* The removal notifies, so this ends. */
      while (device.n_notified == 0)
        gaio_context_poll (loop->context, TRUE);
      g_assert_cmpint (device.n_notified, ==, 1);
      gaio_test_settle (loop);
      gaio_context_poll_ns (loop->context, 1000 * 1000);
      assert_record (&device, cases[i][1]);
      device_clear (&device);
      g_assert_cmpint (device.n_notified, ==, 1);
      g_object_set (loop->context, "poll-shrink", 0, "poll-grow", 0, NULL);
    }
}

static gpointer
remove_when_polled (gpointer data)
{
  Device *device = data;

  await_spin (device);
  gaio_context_remove_fd_handler (device->loop->context, device_fd (device));
  return NULL;
}

static void
test_removal_by_thread (GaioTestLoop *loop)
{
  int ended;

  do
    {
      Device device = { 0 };
      GThread *thread;
      int n_polled;

      start (loop, &device, 0);
      prime_for_long (&device);
      device.ended = FALSE;
      thread = g_thread_new ("remover", remove_when_polled, &device);
      while (g_atomic_int_get (&device.n_notified) == 0)
        gaio_context_poll (loop->context, TRUE);
      g_thread_join (thread);
      ended = device.ended;
      n_polled = device.n_polled;
      if (!ended)
        assert_record (&device, "bp");
      for (int i = 0; i < 10; i++)
        gaio_context_poll_ns (loop->context, 100 * 1000);
      g_assert_cmpint (device.n_polled, ==, n_polled);
      g_assert_cmpint (device.n_notified, ==, 1);
      device_clear (&device);
      g_object_set (loop->context, "poll-shrink", 0, "poll-grow", 0, NULL);
    }
  while (ended);
}

/* Threads set and remove handlers, and tune, while the loop spins. */
static gpointer
disturb (gpointer data)
{
  Device *devices = data;
  GaioContext *context = devices->loop->context;

  for (int i = 0; i < 300; i++)
    {
      Device *device = &devices[i % 2];

      gaio_context_set_poll_max_ns (context, i % 3 == 0 ? 0 : LONG_NS);
      gaio_context_set_poll_weight (context, (guint) i % 5);
      device_set (device);
      if (i % 7 == 0)
        gaio_context_remove_fd_handler (context, device_fd (device));
      else if (i % 5 == 0)
        gaio_context_set_fd_group (context, device_fd (device), GAIO_FD_GROUP_IO, NULL);
    }
  gaio_context_remove_fd_handler (context, device_fd (&devices[0]));
  gaio_context_remove_fd_handler (context, device_fd (&devices[1]));
  return NULL;
}

static void
test_disturbed (GaioTestLoop *loop)
{
  Device devices[2] = { { .keep = TRUE }, { 0 } };
  GThread *thread;

  for (int i = 0; i < 2; i++)
    {
      device_init (loop, &devices[i]);
      gaio_event_notifier_set (devices[i].notifier);
      devices[i].hit = i == 0;
    }
  thread = g_thread_new ("disturber", disturb, devices);
  while (g_atomic_int_get (&devices[0].n_notified) + g_atomic_int_get (&devices[1].n_notified) <
         300)
    gaio_context_poll_ns (loop->context, 1000 * 1000);
  g_thread_join (thread);
  device_clear (&devices[0]);
  device_clear (&devices[1]);
  g_assert_cmpint (devices[0].n_notified + devices[1].n_notified, ==, 300);
}

static gboolean
flag_poll (gpointer data)
{
  return g_atomic_int_get (&((Flag *) data)->active);
}

/* A handler of one function, as languages have it, is called as if it could be read. */
static void
test_function (GaioTestLoop *loop)
{
  g_autoptr (GError) error = NULL;
  Flag flag = { 0 };
  int before;

  init (loop, &flag);
  watch (&flag);
  gaio_context_set_poll_max_ns (loop->context, LONG_NS);
  g_assert_true (
      gaio_context_set_fd_poll (loop->context, fd_of (&flag), flag_poll, &flag, on_notify, &error));
  do
    wait_for (loop->context, flag.notifier, &flag.n, 1000);
  while (get_stat (loop->context, "poll-window-ns") == 0);
  before = flag.n;
  flag.condition = 0;
  flag.active = 1;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  g_assert_cmpint (flag.n, ==, before + 1);
  g_assert_cmpint (flag.condition, ==, G_IO_IN);
  /* The function and its poll function. */
  unwatch (&flag);
  gaio_test_settle (loop);
  g_assert_cmpint (flag.n_notified, ==, 2);
  g_object_unref (flag.notifier);
}

/* One that is amended goes on in the mode that it is in. */
static void
test_amended (GaioTestLoop *loop)
{
  Device device = { 0 };

  start (loop, &device, LONG_NS);
  prime (&device);
  device.hit = TRUE;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "bPR");
  g_assert_true (
      gaio_context_set_fd_group (loop->context, device_fd (&device), GAIO_FD_GROUP_IO, NULL));
  gaio_context_poll (loop->context, FALSE);
  device.hit = TRUE;
  device.record->len = 0;
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "PR");
  gaio_context_set_poll_max_ns (loop->context, 0);
  gaio_context_poll (loop->context, FALSE);
  assert_record (&device, "ep");
  device_clear (&device);
}

/* A limit of 0 ends the mode, at run time. */
static void
test_switched_off (GaioTestLoop *loop)
{
  Device device = { 0 };
  guint64 polls;
  int n_polled;

  start (loop, &device, LONG_NS);
  prime (&device);
  device.hit = TRUE;
  gaio_context_poll (loop->context, TRUE);
  assert_record (&device, "bPR");
  gaio_context_set_poll_max_ns (loop->context, 0);
  polls = get_stat (loop->context, "polls");
  device.hit = TRUE;
  /* The last look finds it. */
  g_assert_true (gaio_context_poll (loop->context, TRUE));
  assert_record (&device, "ePR");
  n_polled = device.n_polled;
  for (int i = 0; i < 5; i++)
    gaio_context_poll_ns (loop->context, 1000);
  g_assert_cmpint (device.n_polled, ==, n_polled);
  g_assert_cmpuint (get_stat (loop->context, "polls"), ==, polls);
  device_clear (&device);
}

/* Before others wait in the loop's stead the mode ends. */
static void
test_source (GaioTestLoop *loop)
{
  Device device = { 0 };

  start (loop, &device, LONG_NS);
  prime (&device);
  device.hit = TRUE;
  gaio_context_poll (loop->context, TRUE);
  assert_record (&device, "bPR");
  device.hit = TRUE;
  /* Nothing but the last look would end this. */
  while (device.n_ready < 2)
    gaio_test_turn (loop, TRUE);
  assert_record (&device, loop->driver == GAIO_TEST_BY_SOURCE ? "ePR" : "PR");
  device_clear (&device);
}

static void
test_foreign (GaioTestLoop *loop)
{
  Device device = { 0 };

  start (loop, &device, LONG_NS);
  prime (&device);
  device.hit = TRUE;
  gaio_context_poll (loop->context, TRUE);
  assert_record (&device, "bPR");
  device.hit = TRUE;
  g_assert_cmpint (gaio_context_get_fd (loop->context), >=, 0);
  assert_record (&device, "eP");
  g_assert_true (gaio_context_iterate (loop->context));
  assert_record (&device, "R");
  device_clear (&device);
}

static void
sleep_once (GaioContext *context, gint64 duration_ns)
{
  guint64 waits = get_stat (context, "waits");

  while (get_stat (context, "waits") == waits)
    gaio_context_poll_ns (context, duration_ns);
}

/* A window that is many times what it was before. A wait that is over before it has begun, on a
 * slow machine, says nothing. */
static guint64
grow_window (Device *device, guint factor)
{
  GaioContext *context = device->loop->context;
  guint64 before, after;

  gaio_context_set_poll_max_ns (context, LONG_NS);
  gaio_context_set_poll_grow (context, factor);
  do
    {
      if (get_stat (context, "poll-window-ns") == 0)
        prime (device);
      before = get_stat (context, "poll-window-ns");
      g_assert_cmpuint (before, >=, 2000);
      wait_for_long (device);
      after = get_stat (context, "poll-window-ns");
    }
  while (after <= before);
  g_assert_cmpuint (after, >=, MIN (before * factor, LONG_NS));
  return after;
}

/* Up the window goes by the factor when it was too short, and down by the divisor when what it was
 * for has not happened for as long as the limit. */
static void
test_window (GaioTestLoop *loop)
{
  GaioContext *context = loop->context;
  Device device = { 0 };
  int n_halved = 0;

  start (loop, &device, LONG_NS);
  /* Often it gives up before, when the machine is slow. */
  while (n_halved < 3)
    {
      /* One that is long enough to remember what it was for, and short enough to sleep longer. */
      guint64 window = grow_window (&device, 10) / 2;

      gaio_context_set_poll_max_ns (context, (gint64) window);
      while (window > 0)
        {
          guint64 after;

          sleep_once (context, (gint64) window * 2);
          after = get_stat (context, "poll-window-ns");
          g_assert_cmpuint (after, <, window);
          /* There may have been more waits than one; and it gives up after some spins in vain. */
          while (window / 2 > after && after != 0)
            window /= 2;
          g_assert_true (after == window / 2 || after == 0);
          n_halved += after != 0;
          window = after;
        }
    }
  device_clear (&device);
}

/* Down at once, if that is wanted; and a sleep beyond the limit does not open it. */
static void
test_shrink_at_once (GaioTestLoop *loop)
{
  GaioContext *context = loop->context;
  Device device = { 0 };

  start (loop, &device, LONG_NS);
  gaio_context_set_poll_shrink (context, 0);
  prime (&device);
  gaio_context_set_poll_max_ns (context, 1000 * 1000);
  sleep_once (context, 2 * 1000 * 1000);
  g_assert_cmpuint (get_stat (context, "poll-window-ns"), ==, 0);
  sleep_once (context, 2 * 1000 * 1000);
  g_string_truncate (device.record, 0);
  sleep_once (context, 2 * 1000 * 1000);
  assert_record (&device, "");
  device_clear (&device);
}

static void
set_own (Device *device)
{
  gaio_event_notifier_set (device->notifier);
}

/* Where the one who is waited for needs this processor no spin finds anything, and each sleep is
 * short: few are tried in the end. */
static void
test_misses (GaioTestLoop *loop)
{
  Device device = { .in_end = set_own };
  guint64 polls;

  start (loop, &device, LONG_NS);
  prime (&device);
  for (int i = 0; i < 1000; i++)
    {
      int n_read = device.n_read;

      /* In polling mode the end of it does that. */
      device.record->len = 0;
      if (get_stat (loop->context, "poll-window-ns") == 0)
        gaio_event_notifier_set (device.notifier);
      while (device.n_read == n_read)
        gaio_context_poll (loop->context, TRUE);
    }
  polls = get_stat (loop->context, "polls");
  g_assert_cmpuint (polls, >=, 16); /* it tries again */
  g_assert_cmpuint (polls, <, 200);
  g_assert_cmpuint (get_stat (loop->context, "poll-hits"), <, 10);
  device.in_end = NULL;
  device_clear (&device);
}

static void
take_long (Device *device)
{
  g_usleep (100);
}

/* A round that takes longer than a sleep cannot pay, whatever it finds. */
static void
test_dear (GaioTestLoop *loop)
{
  Device device = { .in_poll = take_long, .keep = TRUE };

  start (loop, &device, LONG_NS);
  prime (&device);
  device.hit = TRUE;
  for (int i = 0; i < 200; i++)
    {
      gaio_event_notifier_set (device.notifier);
      gaio_context_poll (loop->context, TRUE);
      device.record->len = 0;
    }
  g_assert_cmpuint (get_stat (loop->context, "polls"), >=, 4);
  g_assert_cmpuint (get_stat (loop->context, "polls"), <, 50);
  device.hit = FALSE;
  device_clear (&device);
}

static void
on_notified (GObject *object, GParamSpec *pspec, gpointer data)
{
  g_string_append_printf (data, "%s ", pspec->name);
}

static void
test_properties (void)
{
  g_autoptr (GString) notified = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioContext) context = gaio_context_new (&error);
  g_autoptr (GaioContext) other = NULL;

  g_assert_no_error (error);
  g_assert_cmpint (gaio_context_get_poll_max_ns (context), ==, 0);
  g_assert_cmpuint (gaio_context_get_poll_grow (context), ==, 2);
  g_assert_cmpuint (gaio_context_get_poll_shrink (context), ==, 2);
  g_assert_cmpuint (gaio_context_get_poll_weight (context), ==, 3);

  g_signal_connect (context, "notify", G_CALLBACK (on_notified), notified);
  gaio_context_set_poll_max_ns (context, 32768);
  gaio_context_set_poll_max_ns (context, 32768);
  gaio_context_set_poll_grow (context, 0);
  gaio_context_set_poll_grow (context, 4);
  gaio_context_set_poll_shrink (context, 0);
  gaio_context_set_poll_weight (context, 0);
  gaio_context_set_poll_weight (context, 63);
  g_assert_cmpstr (notified->str, ==, "poll-max-ns poll-grow poll-shrink poll-weight ");
  g_assert_cmpint (gaio_context_get_poll_max_ns (context), ==, 32768);
  g_assert_cmpuint (gaio_context_get_poll_grow (context), ==, 4);
  g_assert_cmpuint (gaio_context_get_poll_shrink (context), ==, 0);
  g_assert_cmpuint (gaio_context_get_poll_weight (context), ==, 63);
  gaio_context_set_poll_grow (context, 0);
  g_assert_cmpuint (gaio_context_get_poll_grow (context), ==, 2);

  other = g_initable_new (GAIO_TYPE_CONTEXT, NULL, &error, "poll-max-ns", G_GINT64_CONSTANT (5),
                          "poll-shrink", 7, "epoll-threshold", 9, "dispatch-budget-us", 11, NULL);
  g_assert_no_error (error);
  g_assert_cmpint (gaio_context_get_poll_max_ns (other), ==, 5);
  g_assert_cmpuint (gaio_context_get_poll_shrink (other), ==, 7);
  g_assert_cmpuint (gaio_context_get_epoll_threshold (other), ==, 9);
  g_assert_cmpuint (gaio_context_get_dispatch_budget_us (other), ==, 11);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_monitor_matrix ("/adaptive/off", test_off);
  gaio_test_add_monitor_matrix ("/adaptive/order", test_order);
  gaio_test_add_monitor_matrix ("/adaptive/last-look", test_last_look);
  gaio_test_add_monitor_matrix ("/adaptive/shared-memory", test_shared_memory);
  gaio_test_add_monitor_matrix ("/adaptive/notification", test_notification);
  gaio_test_add_monitor_matrix ("/adaptive/unpollable", test_unpollable);
  gaio_test_add_monitor_matrix ("/adaptive/two", test_two);
  gaio_test_add_monitor_matrix ("/adaptive/nested", test_nested);
  gaio_test_add_monitor_matrix ("/adaptive/nested-sleep", test_nested_sleep);
  gaio_test_add_monitor_matrix ("/adaptive/group", test_group);
  gaio_test_add_monitor_matrix ("/adaptive/group-held", test_group_held);
  gaio_test_add_monitor_matrix ("/adaptive/can-read", test_can_read);
  gaio_test_add_monitor_matrix ("/adaptive/removal", test_removal);
  gaio_test_add_monitor_matrix ("/adaptive/removal-by-thread", test_removal_by_thread);
  gaio_test_add_monitor_matrix ("/adaptive/disturbed", test_disturbed);
  gaio_test_add_monitor_matrix ("/adaptive/function", test_function);
  gaio_test_add_monitor_matrix ("/adaptive/amended", test_amended);
  gaio_test_add_monitor_matrix ("/adaptive/switched-off", test_switched_off);
  gaio_test_add_loop_matrix ("/adaptive/source", test_source);
  gaio_test_add_monitor_matrix ("/adaptive/foreign", test_foreign);
  gaio_test_add_monitor_matrix ("/adaptive/window", test_window);
  gaio_test_add_monitor_matrix ("/adaptive/shrink-at-once", test_shrink_at_once);
  gaio_test_add_monitor_matrix ("/adaptive/misses", test_misses);
  gaio_test_add_monitor_matrix ("/adaptive/dear", test_dear);
  gaio_test_add ("/adaptive/properties", test_properties);
  return g_test_run ();
}
