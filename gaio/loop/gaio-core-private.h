/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a context is inside: its parts, the turn that serves them, and who drives it. */

#pragma once

#include <gaio/loop/gaio-adaptive-private.h>
#include <gaio/loop/gaio-context-private.h>
#include <gaio/loop/gaio-coroutine-private.h>
#include <gaio/loop/gaio-deadline-private.h>
#include <gaio/loop/gaio-fd-table-private.h>
#include <gaio/loop/gaio-foreign-private.h>
#include <gaio/loop/gaio-timer-private.h>

/* A quarter of a frame at 60 a second. */
#define GAIO_CORE_BUDGET_US 4000

typedef struct _GaioCore GaioCore;
typedef struct _GaioSignalHub GaioSignalHub;

/* Who waits in the core's stead, as the poll function of its GMainContext. */
typedef struct _GaioCoreDriver GaioCoreDriver;
struct _GaioCoreDriver
{
  /* In a forked child, before its first turn. Thread: home. */
  void (*begin_child) (GaioCoreDriver *self);

  /* The core ends, or goes on without it. Thread: home, or any when nobody is that. */
  void (*free) (GaioCoreDriver *self);
};

/* What is decided when a core is made. */
typedef struct
{
  GaioMonitor monitor; /* the first to be wanted */
  GaioEngine engine;
  guint n_ring_entries;
} GaioCoreConfig;

struct _GaioCore
{
  GSource parent;

  /* immutable */
  GaioWaker *waker;
  GaioBhQueue *bottom_halves;
  GaioTimerHeap *timers;
  GaioFdTable *fds;
  GaioEngine wanted_engine;
  guint n_ring_entries;

  /* atomic */
  GaioCoreDriver *_Atomic driver; /* or NULL; set once */
  atomic_bool orphaned;    /* the object is gone: the home ends the core when it comes by */
  atomic_bool left;        /* there was a home, which has left; there may be another by now */
  atomic_uint max_batch;   /* submissions to gather at most, 0: what the ring has room for */
  atomic_int budget_us;    /* how long the GSource may be ready without a break */
  atomic_uint depth;       /* turns that are running, one in another; written by home */
  atomic_uint work;        /* begun and not ended */
  atomic_uint work_ended;  /* wraps */
  atomic_int engine;       /* GaioEngine in use, AUTO before it is known */
  char *_Atomic reason;    /* of it; written once */
  GaioCoroutineGroup *_Atomic coroutines; /* made when there is the first; written once */

  /* home thread */
  GWeakRef object;
  GaioMonitor monitor;        /* in use, as the object's listeners know it */
  GaioBhNode monitor_changed;
  GaioRing *ring;
  bool ring_tried;
  bool ring_watched;   /* by the fd table, for monitors that are not on the ring */
  guint fork_count;    /* of the process that the descriptors belong to */
  bool source_sleeps;  /* between prepare and check of the GSource */
  gint64 busy_since_us; /* since when each round had something for the GSource; 0: it has not */
  GSource *source_break; /* the GSource lets others have their turn, until this is dispatched */
  gint64 break_end_us;   /* or until then */
  GaioForeign *foreign; /* a foreign loop has asked for the descriptor; or NULL */
  bool foreign_sleeps; /* between two gaio_context_iterate() */
  bool iterating;      /* in gaio_context_iterate() */
  GaioDeadline *deadline; /* made when a wait needs it that others do */
  bool deadline_failed;   /* the system gave none */
  GaioSignalHub *signals; /* borrowed from the table; NULL: no signal was added */
  GaioAdaptive adaptive;  /* but for its tunables */

  /* home thread: statistics */
  guint64 n_turns;
  guint64 n_sleeps;
  guint64 n_reaped;
  guint64 n_reaped_before; /* when the ring was last seen to be readable */
  bool times_dispatch; /* somebody has asked for the figure */
  guint64 longest_dispatch_ns;
  GaioContextCounters counters;

  GMainContext *registered_for; /* a name, not a reference; under the registry's lock */
};

/* Thread: any. A core is a GSource; the one reference is the caller's. `object` is the context that
 * stands before it, not kept alive. */
GaioCore *gaio_core_new (gpointer object, const GaioCoreConfig *config, GError **error);

static inline GSource *
gaio_core_get_source (GaioCore *self)
{
  return &self->parent;
}

/* Thread: the caller's becomes the home, if it has the right to: no other thread is in a turn. */
bool gaio_core_take_home (GaioCore *self);

/* Thread: home, all that follow. One turn, which waits for `limit_ns` at most; -1 is for ever. */
bool gaio_core_poll (GaioCore *self, gint64 limit_ns);
int gaio_core_get_fd (GaioCore *self);
bool gaio_core_iterate (GaioCore *self);

/* The parts of a wait, for a driver, in this order: sees to it that the descriptors are this
 * process's own; makes everything known to the kernel; waits for at most `limit_ns`. The turn is
 * then the GSource's. */
void gaio_core_check_process (GaioCore *self);
void gaio_core_flush (GaioCore *self);
void gaio_core_wait (GaioCore *self, gint64 limit_ns);

/* Before a wait: whether it would last, as far as the core knows. */
bool gaio_core_may_sleep (GaioCore *self);

/* Takes the driver away, if there is one. Thread: home, or any when nobody is that. */
void gaio_core_end_driver (GaioCore *self);

/* Thread: any. The GMainContext that drives the core; NULL when there is none, or it has ended. */
GMainContext *gaio_core_get_main_context (GaioCore *self);

/* No turn follows: gives the ring back, which is quick only in the thread that made it.
 * Thread: home. */
void gaio_core_close_ring (GaioCore *self);

/* The ring, made by the first call; NULL when there is none. */
GaioRing *gaio_core_ensure_ring (GaioCore *self);

/* Thread: any. The core of a context. */
GaioCore *gaio_context_get_core (GaioContext *self);

/* Thread: any. The context that is attached to `main_context`, made and attached when there is none
 * yet; NULL when the process is out of file descriptors. */
GaioContext *gaio_context_ref_for_main_context (GMainContext *main_context, GError **error);

/* Thread: any. A context that was registered for `main_context` is gone. */
void gaio_context_unregister (GMainContext *main_context);
