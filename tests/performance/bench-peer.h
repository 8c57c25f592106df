/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The event loops that are compared. Each is a file: gaio's, the peers', and the reference, which
 * is as much of a loop as a benchmark needs and no more. */

#pragma once

#include <gaio/gaio.h>

typedef struct
{
  gboolean scans; /* an event costs time for each descriptor: do few */

  /* A loop for the calling thread; NULL when it cannot be had here. */
  gpointer (*open) (int arg);
  void (*close) (gpointer loop);

  /* Waits until something has happened, and serves it. */
  void (*turn) (gpointer loop);

  /* The rest is NULL where there is no such thing. */

  /* Calls func (data) in each turn that finds the descriptor readable, until the close. */
  void (*watch) (gpointer loop, int fd, GaioFunc func, gpointer data);

  /* From another thread: has func (data) called soon. */
  void (*post) (gpointer loop, GaioFunc func, gpointer data);

  /* Once: has n callbacks called in each turn, which count, and ask to be called again. */
  void (*repeat) (gpointer loop, int n, int *counter);

  /* Once: n timers that count when they fire. Where making is arming, it does nothing. */
  void (*make_timers) (gpointer loop, int n, int *counter);

  /* All of them; monotonic times. */
  void (*arm_timers) (gpointer loop, const gint64 *deadlines_ns, int n);
  void (*cancel_timers) (gpointer loop, int n);
} BenchPeer;

/* The reference: epoll, a list, a heap; `arg` is not used. */
extern const BenchPeer bench_peer_raw;

/* The arg is a GaioMonitor, with BENCH_SOURCE to have it run by a GMainContext, or BENCH_DRIVEN to
 * have it drive that. */
#define BENCH_SOURCE 16
#define BENCH_DRIVEN 32
extern const BenchPeer bench_peer_gaio;
extern const BenchPeer bench_peer_gaio_poll; /* the same, but it scans */

extern const BenchPeer bench_peer_glib;

/* Those that are not built in are at NULL. */
extern const BenchPeer bench_peer_uring __attribute__ ((weak)); /* bare, one-shot polls */
extern const BenchPeer bench_peer_libuv __attribute__ ((weak));
extern const BenchPeer bench_peer_libevent __attribute__ ((weak));
