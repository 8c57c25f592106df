# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What the Python tests share: a case with a scratch directory, and a watch on leaks."""

import gc
import os
import shutil
import signal
import tempfile
import unittest

import gi

# a shell has what it starts in the background ignore SIGINT, and then Python and PyGObject leave
# it so; the tests that interrupt themselves would wait for ever
signal.signal(signal.SIGINT, signal.default_int_handler)

gi.require_version("Gaio", "1.0")
from gi.repository import Gaio, GLib  # noqa: E402


def open_fds():
    """{number: what it is} of the descriptors of this process."""
    fds = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            fds[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            pass  # the one that listed them
    return fds


class Case(unittest.TestCase):
    """A test with `self.dir` to write in, and `self.path`, a file of 1 MiB whose bytes tell their
    place."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="gaio-bindings-")
        cls.path = os.path.join(cls.dir, "data")
        cls.data = b"".join(i.to_bytes(4, "big") for i in range(256 * 1024))
        with open(cls.path, "wb") as file:
            file.write(cls.data)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def file_of_fd(self, fd, path=None):
        """A Gaio.File that owns `fd`."""
        return Gaio.File.new_for_fd(Gaio.Context.ref_thread_default(), fd, path)

    def assert_errno(self, error, errnum):
        self.assertEqual(error.errno, errnum, str(error))


def settle(main_context=None):
    """Lets what was dropped go: garbage, and what the main context still has to deliver."""
    main_context = main_context or GLib.MainContext.default()
    for _ in range(3):
        gc.collect()
        while main_context.iteration(False):
            pass
