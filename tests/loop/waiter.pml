/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The protocol of gaio/loop/gaio-waiter.c for the model checker. K1 to W4 are the steps as they are
 * named there.
 *
 * Each kicker changes what the conditions look at and kicks, some rounds. Two contexts wait by the
 * one waiter, each as often as there are rounds of one kicker, with more to wait for each time. One
 * that sleeps though its condition does not hold any more is an invalid end state, which is what
 * spin looks for.
 *
 * What the conditions look at has no order of its own. A context is only sure to see what was
 * released by a step on a word (of the waiter, or of its waker) that a step of its own on that word
 * has acquired; of what is changed later it sees any part. The waker is one word here, which is
 * what it is worth: tests/base/waker.pml is about that.
 *
 * The mutants are mistakes one can make; each of them must be found. check-model runs them all. */

#define WAITERS 2
#ifndef KICKERS
#define KICKERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif

byte changed[KICKERS];
byte n_waiting = 0;
byte word[KICKERS];        /* changes released by n_waiting */
bool listed[WAITERS];      /* in the list of wakers; the lock is in the steps on it */

bool notified[WAITERS];
byte waker0[KICKERS];      /* changes released by notified[0], */
byte waker1[KICKERS];      /* and by notified[1] */

inline notify (i)
{
  atomic
    {
      if
      :: listed[i] && i == 0 -> notified[0] = true; waker0[me] = changed[me]
      :: listed[i] && i == 1 -> notified[1] = true; waker1[me] = changed[me]
      :: else -> skip
      fi
    }
}

inline kick ()
{
#ifdef MUTANT_1
  /* K1 as a load: it may be from before the change is seen. */
  n = early;
#else
  atomic { n = n_waiting; word[me] = changed[me] }; /* K1 */
#endif
  if
  :: n > 0 -> /* K2 */
     notify (0);
#ifndef MUTANT_2
     /* Only the first one of those who wait is told. */
     notify (1);
#endif
  :: else -> skip
  fi;
  n = 0
}

proctype kicker (byte me)
{
  byte round;
  byte n = 0;
#ifdef MUTANT_1
  byte early = 0;
#endif

  for (round : 1 .. ROUNDS)
    {
#ifdef MUTANT_1
      early = n_waiting;
#endif
#ifdef MUTANT_3
      /* The change comes after the kick. */
      kick ();
      changed[me]++
#else
      changed[me]++;
      kick ()
#endif
    }
}

/* W2: at least what was acquired, at most what has changed. */
inline look ()
{
  atomic
    {
      all = 0;
      for (k : 0 .. KICKERS - 1)
        {
          if
          :: seen[k] < acquired[k] -> seen[k] = acquired[k]
          :: else -> skip
          fi;
          do
          :: seen[k] < changed[k] -> seen[k]++
          :: true -> break
          od;
          all = all + seen[k]
        }
      k = 0
    }
}

/* S4 of the waker, for what it is worth here. */
inline accept ()
{
  atomic
    {
      if
      :: notified[me] ->
         notified[me] = false;
         for (k : 0 .. KICKERS - 1)
           {
             if
             :: me == 0 && acquired[k] < waker0[k] -> acquired[k] = waker0[k]
             :: me == 1 && acquired[k] < waker1[k] -> acquired[k] = waker1[k]
             :: else -> skip
             fi
           }
         k = 0
      :: else -> skip
      fi
    }
}

inline begin_wait ()
{
#if defined (MUTANT_4)
  /* Counted before it is in the list. */
  n_waiting++;
  listed[me] = true;
#elif defined (MUTANT_5)
  /* Not counted. */
  listed[me] = true;
#else
  listed[me] = true;
#endif
#if !defined (MUTANT_4) && !defined (MUTANT_5)
  atomic /* W1 */
    {
      n_waiting++;
#ifndef MUTANT_6
      /* Without this it acquires nothing. */
      for (k : 0 .. KICKERS - 1)
        {
          if
          :: acquired[k] < word[k] -> acquired[k] = word[k]
          :: else -> skip
          fi
        }
      k = 0
#endif
    }
#endif
}

inline end_wait ()
{
#ifdef MUTANT_7
  /* W4 as if it were the only one. */
  n_waiting = 0;
#else
  n_waiting--; /* W4 */
#endif
  listed[me] = false
}

proctype waiter (byte me)
{
  byte seen[KICKERS];
  byte acquired[KICKERS];
  byte all = 0;
  byte k = 0;
  byte round;

  for (round : 1 .. ROUNDS)
    {
#ifdef MUTANT_8
      /* W2 before W1, and not again before the wait. */
      look ();
      begin_wait ();
#else
      begin_wait ();
      look ();
#endif
      do
      :: all < KICKERS * round ->
         /* W3: the turn waits, then a nested one may take what comes meanwhile. */
         notified[me];
         accept ();
         if
         :: true -> accept ()
         :: true -> skip
         fi;
#ifdef MUTANT_9
         /* Goes to sleep again after a turn without looking. */
         if
         :: true -> notified[me]; accept ()
         :: true -> skip
         fi;
#endif
         look ()
      :: else -> break
      od;
      end_wait ()
    }
}

init
{
  byte i;

  atomic
    {
      for (i : 0 .. KICKERS - 1) { run kicker (i) }
      for (i : 0 .. WAITERS - 1) { run waiter (i) }
    }
}
