/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The queue of gaio/loop/gaio-bottom-half.c for the model checker.
 *
 * Two threads schedule nodes, each one of its own and one that both share, and in the
 * plain model the first of them its own again; the loop runs the
 * queue whenever it is notified. A loop that sleeps although a node has been asked for, or has been
 * asked for again after it last ran, is an invalid end state, which is what spin looks for. The
 * assertions say the rest: no node is in the queue twice, nodes run in the order of their pushes,
 * and no run of the queue comes to a node that was pushed after the run began.
 *
 * With RESCHEDULE a node schedules itself once; with NESTED the shared node waits in turns of its
 * own until another has run; with SLICE a run may end after any node; with CLOSE the loop ends at
 * any time, and what is scheduled then runs at once, as closing. The waker is only a flag here:
 * tests/base/waker.pml is about that.
 *
 * Steps that only the thread itself can tell apart are one. Those on `newest`, `state` and `closed`
 * are sequentially consistent in the code, and `next` is released by its store and acquired by its
 * load, so that here they are what they are.
 *
 * The mutants are mistakes one can make; each of them must be found. check-model runs them all.
 * Some need more than the plain model has:
 * MUTANT_6 needs -DRESCHEDULE
 * MUTANT_7 needs -DNESTED
 * MUTANT_8 needs -DNESTED
 * MUTANT_10 needs -DCLOSE
 * MUTANT_11 needs -DCLOSE
 * MUTANT_12 needs -DCLOSE
 * MUTANT_13 needs -DSLICE */

#define PRODUCERS 2
#define STUB 0   /* nodes 1 and 2 are the producers' own */
#define SHARED 3
#define NODES 4
#define NIL 255

byte newest = STUB;
byte oldest = STUB;
byte next[NODES] = NIL;
bool queued[NODES];      /* `state` */
bool notified = false;
bool closed = false;
bool locked = false;     /* close_lock */

byte wanted[NODES];      /* how often it was asked for */
byte seen[NODES];        /* by its last run */
bool inside[NODES];      /* in the queue: between push and pop */
byte number[NODES];      /* of its last push */
byte pushes = 0;
byte last_run = 0;       /* the push of the node that ran last */
byte ended = 0;          /* producers */

/* The runs, the inner one second. */
byte run_last[2];
byte run_began[2];       /* pushes, when it began */
bool run_done[2];
byte depth = 0;
bool interrupted = false; /* the last run has left something */

inline push (node)
{
#ifdef MUTANT_4
  /* The link is cleared when others can set it already. */
  atomic { pushes++; number[node] = pushes; previous = newest; newest = node };
  next[node] = NIL;
#else
#ifdef MUTANT_3
  /* The exchange as a load and a store. */
  atomic { next[node] = NIL; previous = newest };
  atomic { pushes++; number[node] = pushes; newest = node };
#else
  /* The node is nobody else's until it is the newest. */
  atomic { next[node] = NIL; pushes++; number[node] = pushes; previous = newest; newest = node };
#endif
#endif
#ifdef MUTANT_2
  /* The notification comes in the gap. */
  notified = true;
#endif
  /* Here is the gap. */
  atomic { next[previous] = node; previous = NIL }
}

inline schedule (node)
{
#ifdef MUTANT_1
  /* The state as a load and a store. */
  atomic { wanted[node]++; was = queued[node] };
  queued[node] = true;
#else
  atomic { wanted[node]++; was = queued[node]; queued[node] = true };
#endif
  if
  :: atomic { !was -> assert (!inside[node]); inside[node] = true };
#ifdef MUTANT_11
     /* Looks whether it is closed before the node is there. */
     was = closed;
#endif
     push (node);
#ifndef MUTANT_2
     notified = true;
#endif
#ifdef MUTANT_11
     if
     :: was -> run_as_closing ()
     :: else -> skip
     fi
#elif defined (CLOSE)
     if
     :: closed -> run_as_closing ()
     :: else -> skip
     fi
#endif
  :: atomic { else -> was = false }
  fi
}

inline pass (node)
{
#ifdef MUTANT_7
  /* Only the inner run hears of it. */
  i = depth - 1;
#else
  i = 0;
#endif
  do
  :: i < depth ->
     if
     :: run_last[i] == node -> run_done[i] = true
     :: else -> skip
     fi;
     i++
  :: else -> i = 0; break
  od
}

/* Leaves the node in `got`. */
inline pop ()
{
  atomic
    {
      got = NIL;
      more = true;
      node = oldest;
      following = next[node];
      if
      :: node == STUB && following == NIL -> more = false
      :: node == STUB && following != NIL ->
         oldest = following;
         pass (STUB);
         if
         :: run_done[depth - 1] -> more = false
         :: else -> node = following; following = NIL
         fi
      :: else -> skip
      fi
    };
  if
  :: more && following == NIL -> following = next[node]
  :: else -> skip
  fi;
  if
  :: more && following == NIL ->
#ifdef MUTANT_9
     /* A node that nothing follows is taken for the last, gap or not. */
     push (STUB);
     following = next[node]
#else
     if
     :: atomic { node != newest -> more = false } /* a gap: its producer will notify */
     :: else ->
        push (STUB);
        atomic
          {
            following = next[node];
            if
            :: following == NIL -> more = false
            :: else -> skip
            fi
          }
     fi
#endif
  :: else -> skip
  fi;
  atomic
    {
      if
      :: more -> oldest = following; pass (node); got = node
      :: else -> skip
      fi;
      node = NIL;
      following = NIL;
      more = false
    }
}

inline begin_run ()
{
  atomic
    {
#ifdef MUTANT_6
      /* It goes on while there is anything. */
      run_last[depth] = NIL;
#else
      run_last[depth] = newest;
#endif
      run_began[depth] = pushes;
      run_done[depth] = false;
      interrupted = false;
      nothing = oldest == STUB && newest == STUB;
      depth++
    }
}

inline end_run ()
{
  atomic
    {
      depth--;
      run_done[depth] = false;
      run_last[depth] = NIL;
      run_began[depth] = 0;
      nothing = false
    }
}

/* What all nodes do when they run. */
inline call (me)
{
  atomic
    {
      assert (number[me] <= run_began[depth - 1]);
      assert (number[me] > last_run);
      last_run = number[me];
      inside[me] = false;
#ifdef MUTANT_5
      /* The state is cleared after the call. */
      seen[me] = wanted[me]
#else
      queued[me] = false
#endif
    };
  atomic
    {
#ifdef MUTANT_5
      queued[me] = false
#else
      seen[me] = wanted[me]
#endif
    }
}

inline run_inner ()
{
  begin_run ();
  do
  :: !nothing && !run_done[1] ->
     pop ();
     if
     :: got == NIL -> break
     :: else -> call (got)
     fi
  :: else -> break
  od;
  end_run ()
}

#define LEFT_OVER ((interrupted || (depth > 0 && !run_done[depth - 1])) && \
                   (oldest != STUB || next[STUB] != NIL))

inline run_outer ()
{
  begin_run ();
  do
  :: !nothing && !run_done[0] ->
     pop ();
     if
     :: got == NIL -> break
     :: got == 1 ->
        call (got);
#ifdef RESCHEDULE
        if
        :: !rescheduled -> rescheduled = true; schedule (1)
        :: else -> skip
        fi
#endif
     :: got == SHARED ->
        call (got);
#ifdef NESTED
        do
        :: seen[1] == 0 ->
#ifdef MUTANT_8
           /* The rest of the outer run is no reason not to sleep. */
           notified;
#else
           (notified || LEFT_OVER);
#endif
           notified = false;
           run_inner ()
        :: else -> break
        od
#endif
     :: else -> call (got)
     fi;
#ifdef SLICE
     if
     :: interrupted = !run_done[0]; break
     :: true -> skip
     fi
#endif
  :: else -> break
  od;
  end_run ()
}

/* By any thread, once it is closed. */
inline run_as_closing ()
{
#ifndef MUTANT_12
  atomic { !locked -> locked = true };
#endif
  do
  :: oldest != STUB || newest != STUB ->
     begin_run ();
     do
     :: !nothing && !run_done[0] ->
        pop ();
        if
        :: got == NIL -> break
        :: else -> call (got)
        fi
     :: else -> break
     od;
     end_run ()
  :: else -> break
  od;
#ifndef MUTANT_12
  locked = false
#endif
}

#define VARIABLES \
  byte previous = NIL; \
  byte node = NIL; \
  byte following = NIL; \
  byte got = NIL; \
  byte i = 0; \
  bool more = false; \
  bool nothing = false; \
  bool was = false

proctype producer (byte own)
{
  VARIABLES;

  schedule (own);
  schedule (SHARED);
#if !defined (RESCHEDULE) && !defined (NESTED) && !defined (SLICE) && !defined (CLOSE)
  if
  :: own == 1 -> schedule (own)
  :: else -> skip
  fi;
#endif
  ended++
}

#define ALL_SEEN (seen[1] == wanted[1] && seen[2] == wanted[2] && seen[SHARED] == wanted[SHARED])
#define EMPTY (!inside[1] && !inside[2] && !inside[SHARED])

active proctype loop ()
{
  VARIABLES;
  bool rescheduled = false;

  atomic { run producer (1); run producer (2) };
  do
  :: ended == PRODUCERS && ALL_SEEN && EMPTY -> break
#ifdef MUTANT_13
  /* What a slice has left is no reason not to sleep. */
  :: notified ->
#else
  :: notified || LEFT_OVER ->
#endif
     notified = false;
     run_outer ()
#ifdef CLOSE
  :: true ->
#ifdef MUTANT_10
     run_as_closing ();
     closed = true;
#else
     closed = true;
     run_as_closing ();
#endif
     ended == PRODUCERS;
     break
#endif
  od;
  assert (ALL_SEEN && EMPTY)
}
