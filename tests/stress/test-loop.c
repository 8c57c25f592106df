/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Five contexts on five threads, which do to each other at random all that one thread may do to
 * another's context. At the end as much has arrived as was sent; a wake-up that is lost is a hang.
 * Three of the threads poll their contexts, two run a GMainContext with theirs in it.
 *
 * Short by default; with `-m thorough` there are 10 million wake-ups. */

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "gaio-test.h"

#define N_AGENTS 5
#define N_TOKENS 12
#define MAX_DEPTH 3

static GaioWaiter *waiter; /* for the end */

static GaioIOThread *
make_thread (int index)
{
  g_autoptr (GError) error = NULL;
  GaioIOThread *thread = gaio_io_thread_new ("gaio-test", &error);

  g_assert_no_error (error);
  if (index % 2)
    gaio_io_thread_get_main_context (thread);
  return thread;
}

static guint
next_random (guint *state)
{
  *state = *state * 1103515245 + 12345;
  return *state >> 16;
}

static void
wait_for_end (GaioConditionFunc condition, gpointer data)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (context);
  g_assert_true (gaio_context_wait_while (context, waiter, -1, NULL, condition, data, &error));
  g_assert_no_error (error);
}

/* ---- tokens: each hop is a wake-up, and the next one comes only after it ---- */

typedef struct
{
  GaioBottomHalf *bhs[N_AGENTS];
  guint state;
  int at;
  int left;
} Token;

static atomic_int n_hops;
static atomic_int n_tokens_left;

static void
on_hop (gpointer data)
{
  Token *token = data;

  atomic_fetch_add_explicit (&n_hops, 1, memory_order_relaxed);
  if (--token->left == 0)
    {
      if (atomic_fetch_sub (&n_tokens_left, 1) == 1)
        gaio_waiter_kick (waiter);
      return;
    }
  /* To another one: a loop need not wake itself. */
  token->at = (int) (token->at + 1 + next_random (&token->state) % (N_AGENTS - 1)) % N_AGENTS;
  gaio_bottom_half_schedule (token->bhs[token->at]);
}

static gboolean
is_token_left (gpointer data)
{
  return atomic_load (&n_tokens_left) > 0;
}

/* With few tokens most of the threads sleep when one comes, with many they are awake. */
static void
pass_tokens (int n_tokens, int n)
{
  GaioIOThread *threads[N_AGENTS];
  Token tokens[N_TOKENS];

  waiter = gaio_waiter_new ();
  atomic_store (&n_hops, 0);
  atomic_store (&n_tokens_left, n_tokens);
  for (int i = 0; i < N_AGENTS; i++)
    threads[i] = make_thread (i);
  for (int i = 0; i < n_tokens; i++)
    {
      tokens[i] = (Token){ .state = i, .left = n / n_tokens };
      for (int j = 0; j < N_AGENTS; j++)
        tokens[i].bhs[j] = gaio_bottom_half_new (gaio_io_thread_get_context (threads[j]), on_hop,
                                                 &tokens[i], NULL);
    }
  for (int i = 0; i < n_tokens; i++)
    gaio_bottom_half_schedule (tokens[i].bhs[0]);
  wait_for_end (is_token_left, NULL);
  g_assert_cmpint (atomic_load (&n_hops), ==, n / n_tokens * n_tokens);
  for (int i = 0; i < N_AGENTS; i++)
    gaio_io_thread_stop (threads[i]);
  for (int i = 0; i < n_tokens; i++)
    for (int j = 0; j < N_AGENTS; j++)
      g_object_unref (tokens[i].bhs[j]);
  for (int i = 0; i < N_AGENTS; i++)
    g_object_unref (threads[i]);
  g_clear_object (&waiter);
}

static void
test_wake_ups (void)
{
  gint64 begin_us = g_get_monotonic_time ();
  int n = g_test_thorough () ? 10 * 1000 * 1000 : 60 * 1000;

  pass_tokens (1, n / 100);
  pass_tokens (3, n / 100 * 9);
  pass_tokens (N_TOKENS, n / 10 * 9);
  g_test_message ("%d wake-ups in %.1f s", n, (g_get_monotonic_time () - begin_us) / 1e6);
}

/* ---- agents: everything at once ---- */

typedef struct _Agent Agent;

/* What one agent does to another. What was sent is a number that only goes up; of what is made one,
 * such as several schedules of a bottom half, the last must be seen. */
typedef struct
{
  Agent *to;
  GaioBottomHalf *bh;
  GaioTimer *timer;
  GaioEventNotifier *notifier;

  atomic_int n_sent[3]; /* by schedule, arm, set */
  atomic_int n_seen[3];
} Line;

struct _Agent
{
  GaioIOThread *thread;
  GaioContext *context;
  GaioBottomHalf *act;
  GaioTimer *pause;
  Line lines[N_AGENTS];
  guint state;
  int left;
  int depth; /* of waits */

  GaioWaiter *waiter; /* for answers */
};

static Agent agents[N_AGENTS];
static atomic_int n_invoked, n_ran;
static atomic_int n_asked, n_answered;
static atomic_int n_acting;

static void
see (Line *line, int kind)
{
  atomic_store (&line->n_seen[kind], atomic_load (&line->n_sent[kind]));
  if (atomic_load (&n_acting) == 0)
    gaio_waiter_kick (waiter);
}

static void
on_line_bh (gpointer data)
{
  see (data, 0);
}

static void
on_line_timer (gpointer data)
{
  see (data, 1);
}

static void
on_line_notifier (gpointer data)
{
  see (data, 2);
}

static void
on_invoked (gpointer data)
{
  atomic_fetch_add (&n_ran, 1);
  if (atomic_load (&n_acting) == 0)
    gaio_waiter_kick (waiter);
}

typedef struct
{
  Agent *from;
  atomic_bool answered;
} Question;

static void
on_question (gpointer data)
{
  Question *question = data;
  GaioWaiter *asker = g_object_ref (question->from->waiter);

  atomic_fetch_add (&n_answered, 1);
  /* The question is gone as soon as it is answered. */
  atomic_store_explicit (&question->answered, true, memory_order_release);
  gaio_waiter_kick (asker);
  g_object_unref (asker);
}

static gboolean
is_open (gpointer data)
{
  /* An answer may be seen before its kick, so that orders nothing. */
  return !atomic_load_explicit (&((Question *) data)->answered, memory_order_acquire);
}

static void
on_answer (gpointer data)
{
  atomic_fetch_add (&n_answered, 1);
}

/* Waits for the other one, which may be waiting for this. */
static void
ask (Agent *self, Agent *other)
{
  if (self->depth == MAX_DEPTH)
    return;
  self->depth++;
  atomic_fetch_add (&n_asked, 1);
  if (next_random (&self->state) % 2)
    g_assert_true (
        gaio_context_invoke_and_wait (other->context, self->context, on_answer, NULL, NULL));
  else
    {
      Question question = { .from = self };

      gaio_context_invoke (other->context, on_question, &question, NULL);
      g_assert_true (gaio_context_wait_while (self->context, self->waiter, -1, NULL, is_open,
                                              &question, NULL));
    }
  self->depth--;
}

static void
act_once (Agent *self)
{
  guint random = next_random (&self->state);
  Line *line = &self->lines[next_random (&self->state) % N_AGENTS];

  switch (random % 16)
    {
    case 0:
      ask (self, line->to);
      break;
    case 1:
    case 2:
    case 3:
      atomic_fetch_add (&line->n_sent[1], 1);
      gaio_timer_arm_ns (line->timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) +
                                          next_random (&self->state) % 100000);
      break;
    case 4:
    case 5:
    case 6:
      atomic_fetch_add (&line->n_sent[2], 1);
      gaio_event_notifier_set (line->notifier);
      break;
    case 7:
    case 8:
      atomic_fetch_add (&n_invoked, 1);
      gaio_context_invoke (line->to->context, on_invoked, NULL, NULL);
      break;
    case 9:
      gaio_context_notify (line->to->context);
      break;
    default:
      atomic_fetch_add (&line->n_sent[0], 1);
      gaio_bottom_half_schedule (line->bh);
    }
}

static void
on_act (gpointer data)
{
  Agent *self = data;

  for (guint i = next_random (&self->state) % 8; i > 0 && self->left > 0; i--)
    {
      self->left--;
      act_once (self);
    }
  /* What is nested in a wait leaves the going on to the outermost one. */
  if (self->depth > 0)
    return;
  if (self->left == 0)
    {
      if (atomic_fetch_sub (&n_acting, 1) == 1)
        gaio_waiter_kick (waiter);
    }
  else if (next_random (&self->state) % 4 == 0)
    gaio_timer_arm_ns (self->pause, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) +
                                        next_random (&self->state) % 50000);
  else
    gaio_bottom_half_schedule (self->act);
}

/* It looks at what others change, but only for as long as they have something to change. */
static gboolean
is_anything_on_its_way (gpointer data)
{
  if (atomic_load (&n_acting) > 0 || atomic_load (&n_ran) < atomic_load (&n_invoked) ||
      atomic_load (&n_answered) < atomic_load (&n_asked))
    return TRUE;
  for (int i = 0; i < N_AGENTS; i++)
    for (int j = 0; j < N_AGENTS; j++)
      for (int kind = 0; kind < 3; kind++)
        if (atomic_load (&agents[i].lines[j].n_seen[kind]) <
            atomic_load (&agents[i].lines[j].n_sent[kind]))
          return TRUE;
  return FALSE;
}

static void
make_line (Line *line, Agent *to)
{
  line->to = to;
  line->bh = gaio_bottom_half_new (to->context, on_line_bh, line, NULL);
  line->timer = gaio_timer_new (to->context, GAIO_CLOCK_MONOTONIC, on_line_timer, line, NULL);
  line->notifier = gaio_event_notifier_new (NULL);
  g_assert_nonnull (line->notifier);
  gaio_context_set_event_notifier (to->context, line->notifier, on_line_notifier, line, NULL, NULL);
}

static void
free_line (Line *line)
{
  gaio_context_remove_fd_handler (line->to->context, gaio_event_notifier_get_fd (line->notifier));
  g_object_unref (line->bh);
  g_object_unref (line->timer);
}

static void
test_everything (void)
{
  int n = g_test_thorough () ? 200 * 1000 : 3000;
  gint64 n_sent = 0;

  memset (agents, 0, sizeof agents);
  atomic_store (&n_invoked, 0);
  atomic_store (&n_ran, 0);
  atomic_store (&n_asked, 0);
  atomic_store (&n_answered, 0);
  atomic_store (&n_acting, N_AGENTS);
  waiter = gaio_waiter_new ();
  for (int i = 0; i < N_AGENTS; i++)
    {
      Agent *agent = &agents[i];

      agent->thread = make_thread (i);
      agent->context = gaio_io_thread_get_context (agent->thread);
      agent->waiter = gaio_waiter_new ();
      agent->state = i + 1;
      agent->left = n;
      agent->act = gaio_bottom_half_new (agent->context, on_act, agent, NULL);
      agent->pause = gaio_timer_new (agent->context, GAIO_CLOCK_MONOTONIC, on_act, agent, NULL);
    }
  for (int i = 0; i < N_AGENTS; i++)
    for (int j = 0; j < N_AGENTS; j++)
      make_line (&agents[i].lines[j], &agents[j]);
  for (int i = 0; i < N_AGENTS; i++)
    gaio_bottom_half_schedule (agents[i].act);

  wait_for_end (is_anything_on_its_way, NULL);
  g_assert_cmpint (atomic_load (&n_ran), ==, atomic_load (&n_invoked));
  g_assert_cmpint (atomic_load (&n_answered), ==, atomic_load (&n_asked));
  for (int i = 0; i < N_AGENTS; i++)
    for (int j = 0; j < N_AGENTS; j++)
      for (int kind = 0; kind < 3; kind++)
        {
          g_assert_cmpint (atomic_load (&agents[i].lines[j].n_seen[kind]), ==,
                           atomic_load (&agents[i].lines[j].n_sent[kind]));
          n_sent += atomic_load (&agents[i].lines[j].n_sent[kind]);
        }
  g_assert_cmpint (n_sent, >, n);
  g_assert_cmpint (atomic_load (&n_asked), >, n / 100);
  g_test_message ("%" G_GINT64_FORMAT " by lines, %d invoked, %d asked", n_sent,
                  atomic_load (&n_invoked), atomic_load (&n_asked));

  for (int i = 0; i < N_AGENTS; i++)
    for (int j = 0; j < N_AGENTS; j++)
      free_line (&agents[i].lines[j]);
  for (int i = 0; i < N_AGENTS; i++)
    {
      g_object_unref (agents[i].act);
      g_object_unref (agents[i].pause);
    }
  for (int i = 0; i < N_AGENTS; i++)
    gaio_io_thread_stop (agents[i].thread);
  for (int i = 0; i < N_AGENTS; i++)
    {
      g_object_unref (agents[i].thread);
      g_object_unref (agents[i].waiter);
      for (int j = 0; j < N_AGENTS; j++)
        g_object_unref (agents[i].lines[j].notifier);
    }
  g_clear_object (&waiter);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/stress/wake-ups", test_wake_ups);
  gaio_test_add ("/stress/everything", test_everything);

  return g_test_run ();
}
