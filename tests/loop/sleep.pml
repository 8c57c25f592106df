/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a context falls asleep, for the model checker: from a spin (gaio/loop/gaio-adaptive.c), in
 * its GSource, in a foreign loop (gaio/loop/gaio-core-*.c); each turn by whichever driver it likes.
 *
 * There are two who have work for it. A notifier publishes and notifies, by the protocol of
 * gaio/base/gaio-waker.c, which is proved in tests/base/waker.pml. A device has a handler with a
 * poll function: while the context is in polling mode its notifications are off (poll_begin), so
 * it only makes work, and does not make its descriptor readable. A loop that sleeps although there
 * is work that nobody will tell it about is an invalid end state, which is what spin looks for.
 *
 * The handler of the device runs only when its poll function or its descriptor said so, as in the
 * code; while what was notified is looked at in each turn.
 *
 * The mutants are mistakes one can make; each of them must be found. check-model runs them all. */

#ifndef ROUNDS
#define ROUNDS 2
#endif

bool notified = false;
byte sleepers = 0;
bool eventfd = false;      /* readable */
byte published = 0;

byte work = 0;             /* of the device */
bool masked = false;       /* polling mode */
bool readable = false;     /* its descriptor */

byte other_events = 1;     /* how often something else ends a wait of GLib */

inline notify ()
{
  atomic { was = notified; notified = true }; /* N1 */
  if
  :: atomic { !was && sleepers > 0 -> eventfd = true } /* N2 */
  :: else -> skip
  fi;
  was = false
}

proctype notifier ()
{
  bool was = false;
  byte round;

  for (round : 1 .. ROUNDS)
    {
      published++;
      notify ()
    }
}

proctype device ()
{
  bool off = false;
  byte round;

  for (round : 1 .. ROUNDS)
    {
#ifdef MUTANT_12
      /* Looks whether anybody wants to know before there is anything to know. */
      off = masked;
      work++;
#else
      work++;
      off = masked;
#endif
      if
      :: !off -> readable = true
      :: else -> skip
      fi
    }
}

/* Looks with the poll function. */
inline look_at_device ()
{
  hit = hit || work > worked
}

inline stop_polling ()
{
#ifdef MUTANT_2
  /* The last look is before poll_end. */
  look_at_device ();
  masked = false
#else
  masked = false;
#ifndef MUTANT_1
  look_at_device ()
#endif
#endif
}

inline collect ()
{
  hit = hit || readable
}

inline dispatch ()
{
#ifdef MUTANT_14
  /* S4 after the look. */
  seen = published;
  notified = false;
#else
  notified = false; /* S4 */
  seen = published;
#endif
  eventfd = false;
  if
  :: hit ->
     readable = false;
     worked = work
  :: else -> skip
  fi;
  hit = false
}

inline turn_by_hand ()
{
  may_wait = true;
  if
  :: true -> /* a spin, which begins or goes on with polling mode, and looks now and then */
     masked = true;
     do
     :: true ->
        look_at_device ();
        if
        :: hit -> may_wait = false; break
        :: else -> skip
        fi;
        if
        :: notified ->
#ifdef MUTANT_4
           /* The notification is taken, and the look is left to others. */
           notified = false;
#else
           may_wait = false;
#endif
           break
        :: else -> skip
        fi
     :: true -> break
     od
  :: true -> skip
  fi;
  if
  :: may_wait ->
     stop_polling ();
     if
     :: hit -> skip
     :: else ->
        sleepers++; /* S1 */
#ifdef MUTANT_3
        /* No S2, since the spin has just looked. */
        may_wait = true;
#else
        may_wait = !notified; /* S2 */
#endif
#ifdef MUTANT_13
        eventfd = false;
#endif
        if
        :: may_wait -> (eventfd || readable)
        :: else -> skip
        fi;
        sleepers-- /* S3 */
     fi
  :: else -> skip
  fi;
  collect ();
  dispatch ()
}

/* prepare, GLib's poll, check; and prepare again when there was nothing for it. */
inline turn_by_source ()
{
  do
  :: true ->
#ifndef MUTANT_6
     stop_polling ();
#endif
#ifdef MUTANT_7
     /* What the last look finds in prepare is for nobody. */
     hit = false;
#endif
     sleepers++; /* S1 */
#ifdef MUTANT_5
     may_wait = !hit;
#else
     may_wait = !hit && !notified; /* S2 */
#endif
     if
     :: may_wait ->
        if
        :: (eventfd || readable) -> skip
        :: atomic { other_events > 0 -> other_events-- }
        fi
     :: else -> skip
     fi;
     sleepers--; /* S3 */
     collect ();
     if
     :: hit || notified || eventfd -> break
     :: else -> skip
     fi
  od;
  dispatch ()
}

inline turn_by_foreign_loop ()
{
#ifndef MUTANT_11
  stop_polling ();
#endif
#if defined (MUTANT_9)
  /* No S1: the home thread is awake, in that loop. */
  may_wait = !notified;
#elif defined (MUTANT_10)
  may_wait = !notified;
  sleepers++;
#else
  sleepers++; /* S1 */
  may_wait = !notified; /* S2 */
#endif
  if
  :: hit || !may_wait ->
#ifndef MUTANT_8
     eventfd = true
#endif
  :: else -> skip
  fi;
  /* In that loop the home thread itself may have something to run soon. */
  if
  :: own == 0 && ROUNDS == 1 -> own++; published++; notify ()
  :: true -> skip
  fi;
  (eventfd || readable);
#ifndef MUTANT_9
  sleepers--; /* S3 */
#endif
  collect ();
  dispatch ()
}

active proctype loop ()
{
  byte seen = 0;
  byte worked = 0;
  byte own = 0;
  bool hit = false;
  bool may_wait = false;
  bool was = false;

  atomic { run notifier (); run device () };
  do
  :: seen < ROUNDS + own || worked < ROUNDS ->
     if
     :: true -> turn_by_hand ()
     :: true -> turn_by_source ()
     :: true -> turn_by_foreign_loop ()
     fi
  :: else -> break
  od
}
