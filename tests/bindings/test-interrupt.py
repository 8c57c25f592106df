# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Ctrl+C and other signals in the calls that wait, each in a process of its own.

The child says when it is about to wait. Whether the signal comes before it does or after is left to
chance, but for the parent's looking whether the child sleeps: either way the call has to end. What
does not end fails by the time that the runner gives the test.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

# Jobs in the background of a shell are born without it; and PyGObject looks when it is loaded.
signal.signal(signal.SIGINT, signal.default_int_handler)

from common import Case, Gaio, settle  # noqa: E402
from gi.repository import Gio, GLib  # noqa: E402
import tap  # noqa: E402


class Mine(Exception):
    """What a handler of the program raises."""


def ready():
    print(os.getpid(), flush=True)


def wait_for_ever():
    ready()
    while True:
        Gaio.Context.get_default().poll(True)


def poll_ns():
    ready()
    while True:
        Gaio.Context.get_default().poll_ns(3_600_000_000_000)


def wait_while():
    ready()
    Gaio.Context.get_default().wait_while(None, -1, None, lambda: True)


def main_loop():
    ready()
    Gaio.MainLoop.new().run()


def main_loop_iterate():
    loop = Gaio.MainLoop.new()
    ready()
    while True:
        loop.iterate(True)


def main_loop_of_another_context():
    main_context = GLib.MainContext.new()
    loop = Gaio.MainLoop.new(main_context)
    ready()
    loop.run()


def open_pipe():
    reader, writer = os.pipe()
    context = Gaio.Context.get_default()
    return (Gaio.File.new_for_fd(context, reader, None),
            Gaio.File.new_for_fd(context, writer, None))


def read_pipe():
    reader, writer = open_pipe()
    ready()
    reader.read_bytes_sync(0, 100)


def read_pipe_with_cancellable():
    reader, writer = open_pipe()
    cancellable = Gio.Cancellable.new()
    ready()
    try:
        reader.read_bytes_sync(0, 100, cancellable=cancellable)
    finally:
        assert not cancellable.is_cancelled()


def read_batch_of_pipe():
    reader, writer = open_pipe()
    ready()
    reader.read_batch_sync([0], 100)


def write_pipe():
    reader, writer = open_pipe()
    ready()
    writer.write_bytes_sync(0, bytes(1 << 20))


def load_pipe():
    path = os.path.join(tempfile.mkdtemp(prefix="gaio-bindings-"), "pipe")
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)
    ready()
    try:
        Gaio.load_bytes_sync(path)
    finally:
        os.close(writer)
        os.unlink(path)
        os.rmdir(os.path.dirname(path))


def lock():
    files = [Gaio.File.new_for_fd(Gaio.Context.get_default(),
                                  os.open(f"/proc/self/fd/{STORE.fileno()}", os.O_RDWR), None)
             for _ in range(2)]
    files[0].lock_sync(Gaio.LockType.EXCLUSIVE)
    ready()
    files[1].lock_sync(Gaio.LockType.EXCLUSIVE)


def within_a_callback():
    """The interrupt comes while a callback runs, where an exception would be lost."""
    context = Gaio.Context.get_default()
    context.invoke(os.kill, os.getpid(), signal.SIGINT)
    wait_for_ever()


def poll_in_poll():
    context = Gaio.Context.get_default()
    context.invoke(wait_for_ever)
    while True:
        context.poll(True)


def poll_in_glib_loop():
    GLib.idle_add(wait_for_ever)
    GLib.MainLoop().run()


def glib_loop_in_poll():
    context = Gaio.Context.get_default()
    GLib.idle_add(ready)  # not before that loop runs
    context.invoke(lambda: GLib.MainLoop().run())
    while True:
        context.poll(True)


def read_in_poll():
    context = Gaio.Context.get_default()
    context.invoke(read_pipe)
    while True:
        context.poll(True)


def in_a_forked_child():
    context = Gaio.Context.get_default()

    def fork():
        pid = os.fork()
        if pid != 0:
            # What is to be said is the child's.
            os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    context.poll_ns(1)
    context.invoke(fork)
    context.poll(True)
    wait_for_ever()


def of_the_program(call):
    def handle(signo, frame):
        raise Mine

    signal.signal(signal.SIGINT, handle)
    call()


def poll_with_handler():
    of_the_program(wait_for_ever)


def wait_while_with_handler():
    of_the_program(wait_while)


ENDED_BY_HANDLER = (poll_with_handler, wait_while_with_handler)
CALLS = (wait_for_ever, poll_ns, wait_while, main_loop, main_loop_iterate,
         main_loop_of_another_context, read_pipe, read_pipe_with_cancellable, read_batch_of_pipe,
         write_pipe, load_pipe, lock, within_a_callback, poll_in_poll, poll_in_glib_loop,
         glib_loop_in_poll, read_in_poll, in_a_forked_child)


def run_child(name):
    """Says how the call ended, and whether all is as it was."""
    call = globals()[name]
    handler = signal.getsignal(signal.SIGINT)
    try:
        call()
        print("returned")
    except KeyboardInterrupt:
        print("interrupted")
    except Mine:
        handler = signal.getsignal(signal.SIGINT)
        print("mine")
    print(signal.getsignal(signal.SIGINT) is handler and signal.set_wakeup_fd(-1) == -1)


def runs(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] == "R"


class Process(unittest.TestCase):
    def interrupt(self, name):
        child = subprocess.Popen([sys.executable, __file__, "--child", name],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        with child:
            pid = int(child.stdout.readline())  # its own child's, perhaps
            while runs(pid):
                os.sched_yield()
            if name != within_a_callback.__name__:  # it does so itself
                os.kill(pid, signal.SIGINT)
            self.assertEqual(child.stdout.read().splitlines(),
                             ["mine" if name in map(_name, ENDED_BY_HANDLER) else "interrupted",
                              "True"])
            self.assertEqual(child.wait(), 0)


def _name(function):
    return function.__name__


def _add_tests():
    for call in CALLS + ENDED_BY_HANDLER:
        setattr(Process, f"test_{call.__name__}",
                lambda self, name=call.__name__: self.interrupt(name))


_add_tests()


class Race(Case):
    """The interrupt comes at any time."""

    def setUp(self):
        self.context = Gaio.Context.get_default()

    def interrupted(self, call):
        for _ in range(200):
            thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
            with self.assertRaises(KeyboardInterrupt):
                thread.start()
                while True:
                    call()
            thread.join()
        self.assertIs(signal.getsignal(signal.SIGINT), signal.default_int_handler)
        self.assertEqual(signal.set_wakeup_fd(-1), -1)

    def test_poll(self):
        self.interrupted(lambda: self.context.poll(True))

    def test_main_loop(self):
        self.interrupted(Gaio.MainLoop.new().run)

    def test_read(self):
        reader, writer = open_pipe()
        self.interrupted(lambda: reader.read_bytes_sync(0, 1))
        writer.write_bytes_sync(0, b"x")
        self.assertEqual(reader.read_bytes_sync(0, 1), b"x")

    def test_load(self):
        self.interrupted(lambda: Gaio.load_bytes_sync(self.path))
        # Of the last one nothing is left that would cancel another.
        for _ in range(100):
            self.assertEqual(Gaio.load_bytes_sync(self.path), self.data)


class Others(Case):
    def test_wakeup_fd_of_the_program(self):
        """It is told of the signals all the same, and has its descriptor back."""
        reader, writer = os.pipe2(os.O_NONBLOCK)
        seen = []
        before = signal.signal(signal.SIGUSR1, lambda signo, frame: seen.append(signo))
        signal.set_wakeup_fd(writer)
        thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
        Gaio.Context.get_default().invoke(thread.start)
        while not seen:
            Gaio.Context.get_default().poll(True)
        thread.join()
        self.assertEqual(signal.set_wakeup_fd(-1), writer)
        os.set_blocking(reader, True)
        self.assertEqual(os.read(reader, 10), bytes((signal.SIGUSR1,)))
        signal.signal(signal.SIGUSR1, before)
        os.close(reader)
        os.close(writer)

    def test_a_signal_that_raises_nothing_does_not_end_a_read(self):
        reader, writer = open_pipe()
        seen = []

        def handle(signo, frame):
            seen.append(signo)

        def run():
            os.kill(os.getpid(), signal.SIGUSR1)
            writer.write_bytes_sync(0, b"x")

        before = signal.signal(signal.SIGUSR1, handle)
        thread = threading.Thread(target=run)
        thread.start()
        self.assertEqual(reader.read_bytes_sync(0, 1), b"x")
        thread.join()
        self.assertEqual(seen, [signal.SIGUSR1])
        signal.signal(signal.SIGUSR1, before)

    def test_cancelled_by_the_program(self):
        reader, writer = open_pipe()
        cancellable = Gio.Cancellable.new()
        thread = threading.Thread(target=cancellable.cancel)
        thread.start()
        with self.assertRaises(OSError):
            reader.read_bytes_sync(0, 1, cancellable=cancellable)
        thread.join()
        with self.assertRaises(OSError):
            reader.read_bytes_sync(0, 1, cancellable=cancellable)

    def test_another_thread(self):
        """Nothing of signals is done there."""
        ended = []

        def run():
            GLib.MainContext.new().push_thread_default()
            context = Gaio.Context.ref_thread_default()
            context.invoke(ended.append, 1)
            while not ended:
                context.poll(True)
            ended.append(Gaio.load_bytes_sync(self.path) == self.data)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual(ended, [1, True])
        settle()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        with tempfile.TemporaryFile() as STORE:
            run_child(sys.argv[2])
    else:
        tap.main()
