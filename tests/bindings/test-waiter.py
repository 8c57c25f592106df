# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Waiting in nested turns from Python: conditions, timeouts, and functions in other threads."""

import errno
import threading

from common import Case, Gaio
from gi.repository import Gio
import tap

MS = 1_000_000


class Wait(Case):
    def setUp(self):
        self.context = Gaio.Context.ref_thread_default()
        self.waiter = Gaio.Waiter.new()
        self.n = 0

    def advance(self, *_):
        self.n += 1
        self.waiter.kick()

    def test_already(self):
        self.assertTrue(self.context.wait_while(self.waiter, -1, None, lambda: False))

    def test_own_callback(self):
        self.context.invoke(self.advance)
        self.assertTrue(self.context.wait_while(None, -1, None, lambda: self.n == 0))

    def test_another_thread(self):
        def kick():
            for _ in range(100):
                self.advance()

        thread = threading.Thread(target=kick)
        thread.start()
        for n in range(1, 101):
            self.assertTrue(self.context.wait_while(self.waiter, -1, None, lambda: self.n < n))
        thread.join()

    def test_timeout(self):
        for timeout in (0, 5 * MS):
            with self.assertRaises(TimeoutError):
                self.context.wait_while(self.waiter, timeout, None, lambda: True)

    def test_negative_timeout(self):
        """Every negative one is for ever, as to poll(2)."""
        for timeout in (-1, -5, -1 << 63):
            self.n = 0
            self.context.invoke(self.advance)
            self.assertTrue(self.context.wait_while(None, timeout, None, lambda: self.n == 0))
            self.context.invoke(self.advance)
            while self.n < 2:
                self.context.poll_ns(timeout)

    def test_cancel(self):
        cancellable = Gio.Cancellable.new()
        timer = threading.Timer(0.005, cancellable.cancel)
        timer.start()
        with self.assertRaises(OSError) as caught:
            self.context.wait_while(self.waiter, -1, cancellable, lambda: True)
        self.assert_errno(caught.exception, errno.ECANCELED)
        timer.join()

    def test_condition_raises(self):
        asked = []

        def condition():
            asked.append(None)
            raise KeyError("mine")

        for _ in range(2):
            with self.assertRaisesRegex(KeyError, "mine"):
                self.context.wait_while(self.waiter, -1, None, condition)
        self.assertEqual(len(asked), 2)
        self.test_own_callback()

    def test_user_data(self):
        seen = []

        def condition(data):
            seen.append(data)
            return len(seen) < 2

        self.context.invoke(self.advance)
        self.assertTrue(self.context.wait_while(None, -1, None, condition, "mine"))
        self.assertEqual(seen, ["mine", "mine"])


class Invoke(Case):
    def test_another_thread(self):
        own = Gaio.Context.ref_thread_default()
        thread = Gaio.IOThread.new("gaio-test")
        seen = []
        for _ in range(50):
            self.assertTrue(thread.get_context().invoke_and_wait(
                own, lambda: seen.append(threading.get_ident())))
        self.assertEqual(len(seen), 50)
        self.assertEqual(len(set(seen)), 1)
        self.assertNotIn(threading.get_ident(), seen)
        thread.stop()
        with self.assertRaises(OSError) as caught:
            thread.get_context().invoke_and_wait(own, lambda: seen.append(0))
        self.assert_errno(caught.exception, errno.ECANCELED)
        self.assertEqual(len(seen), 50)

    def test_own(self):
        own = Gaio.Context.ref_thread_default()
        seen = []
        self.assertTrue(own.invoke_and_wait(own, lambda: seen.append(1)))
        self.assertEqual(seen, [1])

    def test_to_and_fro(self):
        own = Gaio.Context.ref_thread_default()
        thread = Gaio.IOThread.new("gaio-test")
        there = thread.get_context()
        seen = []

        def bounce(here, other, depth):
            seen.append(threading.get_ident())
            if depth > 0:
                other.invoke_and_wait(here, lambda: bounce(other, here, depth - 1))

        bounce(own, there, 20)
        self.assertEqual(seen, [seen[0], seen[1]] * 10 + [seen[0]])
        self.assertNotEqual(seen[0], seen[1])
        thread.stop()


if __name__ == "__main__":
    tap.main()
