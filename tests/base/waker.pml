/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The protocol of gaio/base/gaio-waker.c for the model checker. N1 to S4 are the steps as they are
 * named there.
 *
 * Each notifier publishes work and notifies, some rounds. The loop sleeps and works until it has
 * seen all, some of it its own. A loop that sleeps though nobody will wake it is an invalid end
 * state, which is what spin looks for.
 *
 * The steps on `notified` and `sleepers` are sequentially consistent in the code, so they are here
 * what they are. The work itself is published with no order of its own: the loop is only sure to
 * see what was released by an N1 that its S4 has acquired; of what was published later it sees any
 * part. What it publishes itself it sees at once, for being the same thread.
 *
 * The mutants are mistakes one can make; each of them must be found. check-model runs them
 * all. */

#ifndef NOTIFIERS
#define NOTIFIERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define ALL (NOTIFIERS * ROUNDS)

bool notified = false;
byte sleepers = 0;
bool eventfd = false;       /* readable */
byte other_events = 1;      /* how often something else ends a sleep: a descriptor, a timer */

byte published[NOTIFIERS];  /* rounds of work */
byte released[NOTIFIERS];   /* by an exchange of `notified` */
byte acquired[NOTIFIERS];   /* by the loop */

inline publish (me)
{
  published[me]++
}

inline notify (me)
{
  bool was = false;
  bool asleep = false;

#if defined (MUTANT_1)
  /* N2's load before N1. */
  asleep = sleepers > 0;
  atomic { was = notified; notified = true; released[me] = published[me] }
#elif defined (MUTANT_7)
  /* N1 as a load and a store. */
  was = notified;
  atomic { notified = true; released[me] = published[me] }
  asleep = sleepers > 0;
#elif defined (MUTANT_9)
  /* No N1. */
  asleep = sleepers > 0;
#elif defined (MUTANT_10)
  /* H by another thread. */
  if
  :: notified -> was = true
  :: else ->
     atomic { was = notified; notified = true; released[me] = published[me] }
     asleep = sleepers > 0
  fi;
#else
  atomic { was = notified; notified = true; released[me] = published[me] } /* N1 */
  asleep = sleepers > 0;                                                   /* N2 */
#endif
  if
  :: !was && asleep -> eventfd = true
  :: else -> skip
  fi;
  was = false;
  asleep = false
}

proctype notifier (byte me)
{
  byte round;

  for (round : 1 .. ROUNDS)
    {
#ifdef MUTANT_5
      /* The work comes after the notification. */
      notify (me);
      publish (me)
#else
      publish (me);
      notify (me)
#endif
    }
}

/* H: the loop publishes and notifies in its turn. */
inline notify_own ()
{
#ifdef MUTANT_11
  /* Not at all, since it is awake. */
  skip
#else
  if
  :: notified -> skip
  :: else ->
     atomic { own_was = notified; notified = true }
     if
     :: !own_was && sleepers > 0 -> eventfd = true
     :: else -> skip
     fi
  fi
#endif
}

inline accept ()
{
  if
  :: notified ->
#ifdef MUTANT_8
     /* S4 as a plain store: it acquires nothing. */
     notified = false
#else
     atomic /* S4 */
       {
         notified = false;
         for (i : 0 .. NOTIFIERS - 1) { acquired[i] = released[i] }
       }
#endif
  /* The load before it is relaxed, so it may also be late and see false. */
  :: true -> skip
  fi
}

/* What the loop finds: at least what it has acquired, at most what is published. */
inline look ()
{
  done = 0;
  own_seen = own_published;
  for (i : 0 .. NOTIFIERS - 1)
    {
      if
      :: seen[i] < acquired[i] -> seen[i] = acquired[i]
      :: else -> skip
      fi;
      do
      :: seen[i] < published[i] -> seen[i]++
      :: true -> break
      od;
      done = done + seen[i]
    }
}

inline wait ()
{
#ifdef MUTANT_6
  /* What the notifier wrote is cleared by the loop on its way to sleep. */
  eventfd = false;
#endif
  if
  :: atomic { eventfd -> eventfd = false }
  :: atomic { other_events > 0 -> other_events-- }
  fi
}

active proctype loop ()
{
  byte seen[NOTIFIERS];
  byte i;
  byte done = 0;
  bool may_wait;
  bool own_was;
  byte own_published = 0;
  byte own_seen = 0;

  atomic { for (i : 0 .. NOTIFIERS - 1) { run notifier (i) } }

  do
  :: done < ALL || own_seen < own_published ->
#if defined (MUTANT_2)
     /* No S2. */
     sleepers++;
     may_wait = true;
#elif defined (MUTANT_3)
     /* S2 before S1. */
     may_wait = !notified;
     sleepers++;
#else
     sleepers++;           /* S1 */
     may_wait = !notified; /* S2 */
#endif
     if
     :: may_wait -> wait ()
     :: else -> skip
     fi;
     sleepers--;           /* S3 */
#ifdef MUTANT_4
     /* S4 after the look. */
     look ();
     accept ()
#else
     accept ();
     look ()
#endif
     ;
     if
     :: own_published < ROUNDS -> own_published++; notify_own ()
     :: true -> skip
     fi
  :: else -> break
  od
}
