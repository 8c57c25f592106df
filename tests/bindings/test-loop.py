# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The loop by itself, from Python: adaptive polling, and the counters."""

import gc
import os
import threading
import time
import unittest
import weakref

from common import Gaio
from gi.repository import GLib
import tap


class Memory:
    """What a device might write to."""

    def __init__(self):
        self.has_news = False
        self.n_polled = 0
        self.conditions = []

    def poll(self, *_):
        self.n_polled += 1
        return self.has_news

    def ready(self, fd, condition, *_):
        self.conditions.append(condition)
        if not self.has_news:
            os.eventfd_read(fd)
        self.has_news = False


class AdaptivePolling(unittest.TestCase):
    def setUp(self):
        self.context = Gaio.Context.new()
        self.fd = os.eventfd(0, os.EFD_NONBLOCK)

    def tearDown(self):
        self.context.remove_fd_handler(self.fd)
        while self.context.poll(False):
            pass
        os.close(self.fd)

    def wait_for_event(self, memory):
        def write():
            time.sleep(0.001)
            os.eventfd_write(self.fd, 1)

        thread = threading.Thread(target=write)
        thread.start()
        before = len(memory.conditions)
        while len(memory.conditions) == before:
            self.context.poll(True)
        thread.join()

    def test_poll_function(self):
        memory = Memory()
        self.context.props.poll_max_ns = 60 * 10**9
        self.context.set_fd_handler(self.fd, GLib.IOCondition.IN, memory.ready)
        self.context.set_fd_poll(self.fd, memory.poll)
        while self.context.get_stats()["poll-window-ns"] == 0:
            self.wait_for_event(memory)

        before = self.context.get_stats()
        for i in range(3):
            del memory.conditions[:]
            memory.has_news = True
            self.assertTrue(self.context.poll(True))
            self.assertEqual(memory.conditions, [GLib.IOCondition.IN])
        after = self.context.get_stats()
        self.assertEqual(after["poll-hits"], before["poll-hits"] + 3)
        self.assertEqual(after["waits"], before["waits"])
        self.assertGreaterEqual(memory.n_polled, 3)

    def test_functions_go_with_the_handler(self):
        memory = Memory()
        gone = weakref.ref(memory)
        self.context.set_fd_handler(self.fd, GLib.IOCondition.IN, memory.ready)
        self.context.set_fd_poll(self.fd, memory.poll)
        del memory
        self.context.remove_fd_handler(self.fd)
        while self.context.poll(False):
            pass
        gc.collect()
        self.assertIsNone(gone())

    def test_needs_a_handler(self):
        with self.assertRaises(FileNotFoundError):
            self.context.set_fd_poll(self.fd, lambda *_: False)

    def test_properties(self):
        context = Gaio.Context(poll_max_ns=32768, poll_grow=3, poll_shrink=0, poll_weight=5)
        self.assertEqual(context.props.poll_max_ns, 32768)
        self.assertEqual(context.get_poll_grow(), 3)
        self.assertEqual(context.props.poll_shrink, 0)
        self.assertEqual(context.props.poll_weight, 5)
        context.props.poll_weight = 0
        self.assertEqual(context.props.poll_weight, 3)


class Stats(unittest.TestCase):
    def test_numbers(self):
        context = Gaio.Context.new()
        called = []
        while context.poll(False):
            pass
        context.poll(False)
        before = context.get_stats()
        context.invoke(called.append, 1)
        while not called:
            context.poll(True)
        after = context.get_stats()
        self.assertEqual(after["bottom-halves"], before["bottom-halves"] + 1)
        self.assertGreater(after["turns"], before["turns"])
        self.assertEqual(after["io"]["in-flight"], 0)
        kinds = {"monitor": str, "engine": str, "io": dict}
        for name, value in after.unpack().items():
            self.assertIsInstance(value, kinds.get(name, int), name)


if __name__ == "__main__":
    tap.main()
