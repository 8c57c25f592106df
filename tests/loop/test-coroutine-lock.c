/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The locks of coroutines, in one thread, where what happens in which order can be told exactly.
 * Between threads: test-coroutine-threads.c. */

#include "gaio-test.h"

static GString *record;

static void
note (const char *what)
{
  g_string_append_printf (record, "%s ", what);
}

static void
assert_record (const char *wanted)
{
  g_assert_cmpstr (record->str, ==, wanted);
  g_string_truncate (record, 0);
}

typedef struct
{
  const char *name;
  GaioCoroutine *coroutine;
  gpointer lock;
} Locker;

static void
begin (GaioTestLoop *loop, Locker *self, const char *name, GaioFunc func, gpointer lock)
{
  g_autoptr (GError) error = NULL;

  self->name = name;
  self->lock = lock;
  self->coroutine = gaio_coroutine_new (loop->context, func, self, NULL, &error);
  g_assert_no_error (error);
  gaio_coroutine_enter (self->coroutine);
}

static void
go_on (Locker *self)
{
  gaio_coroutine_enter (self->coroutine);
}

static void
finish (Locker *self)
{
  g_assert_true (gaio_coroutine_is_ended (self->coroutine));
  gaio_coroutine_unref (self->coroutine);
}

/* ---- mutex ---- */

static void
lock_and_yield (gpointer data)
{
  Locker *self = data;

  gaio_co_mutex_lock (self->lock);
  note (self->name);
  gaio_coroutine_yield ();
  gaio_co_mutex_unlock (self->lock);
}

static void
try_lock (gpointer data)
{
  Locker *self = data;

  note (gaio_co_mutex_trylock (self->lock) ? "taken" : "held");
  if (g_str_equal (self->name, "unlock"))
    gaio_co_mutex_unlock (self->lock);
}

static void
mutex (GaioTestLoop *loop)
{
  GaioCoMutex lock = { 0 };
  Locker a, b, c, d, e;

  begin (loop, &a, "a", lock_and_yield, &lock);
  begin (loop, &b, "b", lock_and_yield, &lock);
  begin (loop, &c, "c", lock_and_yield, &lock);
  begin (loop, &d, "", try_lock, &lock);
  assert_record ("a held ");
  /* It is kept for when it yields, and does not get it the lock. */
  go_on (&b);
  assert_record ("");
  /* One gets it, the first that came, and at once; b then does not wait in its yield. */
  go_on (&a);
  assert_record ("b c ");
  go_on (&c);
  begin (loop, &e, "unlock", try_lock, &lock);
  assert_record ("taken ");
  gaio_test_settle (loop);
  finish (&a);
  finish (&b);
  finish (&c);
  finish (&d);
  finish (&e);
  gaio_co_mutex_clear (&lock);
}

/* ---- queue ---- */

typedef struct
{
  GaioCoQueue queue;
  GaioCoMutex mutex;
  GMutex g_mutex;
  GaioCoRwLock rw_lock;
  int n_ready;
} Condition;

static void
wait_with_mutex (gpointer data)
{
  Locker *self = data;
  Condition *condition = self->lock;

  gaio_co_mutex_lock (&condition->mutex);
  while (condition->n_ready == 0)
    gaio_co_queue_wait (&condition->queue, &condition->mutex);
  condition->n_ready--;
  note (self->name);
  gaio_co_mutex_unlock (&condition->mutex);
}

static void
set_with_mutex (gpointer data)
{
  Locker *self = data;
  Condition *condition = self->lock;

  gaio_co_mutex_lock (&condition->mutex);
  condition->n_ready += 1;
  note (gaio_co_queue_wake_one (&condition->queue) ? "one" : "none");
  gaio_co_mutex_unlock (&condition->mutex);
}

static void
queue (GaioTestLoop *loop)
{
  Condition condition = { 0 };
  Locker a, b, c, setter[3];

  begin (loop, &a, "a", wait_with_mutex, &condition);
  begin (loop, &b, "b", wait_with_mutex, &condition);
  begin (loop, &c, "c", wait_with_mutex, &condition);
  assert_record ("");
  begin (loop, &setter[0], "", set_with_mutex, &condition);
  assert_record ("one a ");
  begin (loop, &setter[1], "", set_with_mutex, &condition);
  assert_record ("one b ");
  /* From no coroutine, and more than wait: the loop brings it. */
  condition.n_ready = 1;
  gaio_co_queue_wake_all (&condition.queue);
  g_assert_false (gaio_co_queue_wake_one (&condition.queue));
  gaio_test_settle (loop);
  assert_record ("c ");
  begin (loop, &setter[2], "", set_with_mutex, &condition);
  assert_record ("none ");
  finish (&a);
  finish (&b);
  finish (&c);
  for (int i = 0; i < 3; i++)
    finish (&setter[i]);
  gaio_co_queue_clear (&condition.queue);
  gaio_co_mutex_clear (&condition.mutex);
}

static void
wait_with_any (gpointer data)
{
  Locker *self = data;
  Condition *condition = self->lock;

  gaio_co_queue_wait (&condition->queue, NULL);
  note ("bare");
  g_mutex_lock (&condition->g_mutex);
  gaio_co_queue_wait_full (&condition->queue, &condition->g_mutex, (GaioFunc) g_mutex_lock,
                           (GaioFunc) g_mutex_unlock);
  g_assert_false (g_mutex_trylock (&condition->g_mutex));
  g_mutex_unlock (&condition->g_mutex);
  note ("GMutex");
  gaio_co_rw_lock_writer_lock (&condition->rw_lock);
  gaio_co_queue_wait_full (&condition->queue, &condition->rw_lock,
                           (GaioFunc) gaio_co_rw_lock_writer_lock,
                           (GaioFunc) gaio_co_rw_lock_unlock);
  gaio_co_rw_lock_unlock (&condition->rw_lock);
  note ("rw");
  gaio_co_queue_wait_full (&condition->queue, NULL, NULL, NULL);
  note ("none");
}

static void
queue_with_any_lock (GaioTestLoop *loop)
{
  Condition condition = { 0 };
  Locker a;

  begin (loop, &a, "a", wait_with_any, &condition);
  for (int i = 0; i < 4; i++)
    {
      /* It does not hold it while it waits. */
      g_assert_true (g_mutex_trylock (&condition.g_mutex));
      g_mutex_unlock (&condition.g_mutex);
      g_assert_true (gaio_co_queue_wake_one (&condition.queue));
      gaio_test_settle (loop);
    }
  assert_record ("bare GMutex rw none ");
  finish (&a);
  gaio_co_queue_clear (&condition.queue);
  gaio_co_rw_lock_clear (&condition.rw_lock);
}

/* ---- rw lock ---- */

static void
read_and_yield (gpointer data)
{
  Locker *self = data;

  gaio_co_rw_lock_reader_lock (self->lock);
  note (self->name);
  gaio_coroutine_yield ();
  gaio_co_rw_lock_unlock (self->lock);
}

static void
write_and_yield (gpointer data)
{
  Locker *self = data;

  gaio_co_rw_lock_writer_lock (self->lock);
  note (self->name);
  gaio_coroutine_yield ();
  gaio_co_rw_lock_unlock (self->lock);
}

static void
upgrade_and_yield (gpointer data)
{
  Locker *self = data;

  gaio_co_rw_lock_reader_lock (self->lock);
  note (self->name);
  gaio_coroutine_yield ();
  gaio_co_rw_lock_upgrade (self->lock);
  note ("upgraded");
  gaio_coroutine_yield ();
  gaio_co_rw_lock_unlock (self->lock);
}

static void
downgrade_and_yield (gpointer data)
{
  Locker *self = data;

  gaio_co_rw_lock_writer_lock (self->lock);
  note (self->name);
  gaio_coroutine_yield ();
  gaio_co_rw_lock_downgrade (self->lock);
  note ("downgraded");
  gaio_coroutine_yield ();
  gaio_co_rw_lock_unlock (self->lock);
}

/* Readers together, writers alone, and nobody overtakes. */
static void
fair (GaioTestLoop *loop)
{
  GaioCoRwLock lock = { 0 };
  Locker r1, r2, w1, r3, w2;

  begin (loop, &r1, "r1", read_and_yield, &lock);
  begin (loop, &r2, "r2", read_and_yield, &lock);
  begin (loop, &w1, "w1", write_and_yield, &lock);
  begin (loop, &r3, "r3", read_and_yield, &lock);
  begin (loop, &w2, "w2", write_and_yield, &lock);
  assert_record ("r1 r2 ");
  go_on (&r1);
  assert_record ("");
  go_on (&r2);
  assert_record ("w1 ");
  go_on (&w1);
  assert_record ("r3 ");
  go_on (&r3);
  assert_record ("w2 ");
  go_on (&w2);
  finish (&r1);
  finish (&r2);
  finish (&w1);
  finish (&r3);
  finish (&w2);
  gaio_co_rw_lock_clear (&lock);
}

static void
upgrade (GaioTestLoop *loop)
{
  GaioCoRwLock lock = { 0 };
  Locker u, r, w, alone;

  /* Nobody else: at once. */
  begin (loop, &alone, "alone", upgrade_and_yield, &lock);
  go_on (&alone);
  assert_record ("alone upgraded ");
  go_on (&alone);

  /* Behind a writer that waits, which it lets in. */
  begin (loop, &u, "u", upgrade_and_yield, &lock);
  begin (loop, &w, "w", write_and_yield, &lock);
  begin (loop, &r, "r", read_and_yield, &lock);
  assert_record ("u ");
  go_on (&u);
  assert_record ("w ");
  go_on (&w);
  assert_record ("r ");
  go_on (&r);
  assert_record ("upgraded ");
  go_on (&u);
  finish (&alone);
  finish (&u);
  finish (&w);
  finish (&r);

  /* For another reader. */
  begin (loop, &r, "r", read_and_yield, &lock);
  begin (loop, &u, "u", upgrade_and_yield, &lock);
  go_on (&u);
  assert_record ("r u ");
  go_on (&r);
  assert_record ("upgraded ");
  go_on (&u);
  finish (&r);
  finish (&u);
  gaio_co_rw_lock_clear (&lock);
}

static void
downgrade (GaioTestLoop *loop)
{
  GaioCoRwLock lock = { 0 };
  Locker w, r1, u, w2, r2;

  begin (loop, &w, "w", downgrade_and_yield, &lock);
  begin (loop, &r1, "r1", read_and_yield, &lock);
  begin (loop, &u, "u", upgrade_and_yield, &lock);
  begin (loop, &w2, "w2", write_and_yield, &lock);
  begin (loop, &r2, "r2", read_and_yield, &lock);
  assert_record ("w ");
  go_on (&w);
  assert_record ("downgraded r1 u ");
  go_on (&w);
  go_on (&u);
  assert_record ("");
  go_on (&r1);
  assert_record ("w2 ");
  go_on (&w2);
  assert_record ("r2 ");
  go_on (&r2);
  assert_record ("upgraded ");
  go_on (&u);
  finish (&w);
  finish (&r1);
  finish (&u);
  finish (&w2);
  finish (&r2);
  gaio_co_rw_lock_clear (&lock);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  record = g_string_new (NULL);
  gaio_test_add_driver_matrix ("/coroutine-lock/mutex", mutex);
  gaio_test_add_driver_matrix ("/coroutine-lock/queue", queue);
  gaio_test_add_driver_matrix ("/coroutine-lock/queue/any-lock", queue_with_any_lock);
  gaio_test_add_driver_matrix ("/coroutine-lock/rw-lock/fair", fair);
  gaio_test_add_driver_matrix ("/coroutine-lock/rw-lock/upgrade", upgrade);
  gaio_test_add_driver_matrix ("/coroutine-lock/rw-lock/downgrade", downgrade);
  return g_test_run ();
}
