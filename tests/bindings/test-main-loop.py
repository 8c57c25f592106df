# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The loop from Python: signals, ends of child processes, and the main loop with its hooks, under
asyncio and under GLib."""

import asyncio
import errno
import gc
import os
import signal
import subprocess
import sys
import threading
import unittest
import weakref

from common import Gaio, settle
from gi.repository import GLib
import tap


def is_blocked(signo):
    return signo in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def start_child(script):
    return os.posix_spawn("/bin/sh", ["sh", "-c", script], os.environ)


class Recorder:
    """A callback that keeps what it was called with."""

    def __init__(self, then=None):
        self.calls = []
        self.then = then

    def __call__(self, *arguments):
        self.calls.append(arguments)
        if self.then is not None:
            self.then()


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


class Signals(unittest.TestCase):
    def setUp(self):
        self.context = Gaio.Context.get_default()

    def tearDown(self):
        settle()

    def test_glib(self):
        loop = GLib.MainLoop()
        recorder = Recorder(loop.quit)
        handler = self.context.add_signal(signal.SIGUSR1, recorder)
        for _ in range(3):
            GLib.timeout_add(1, os.kill, os.getpid(), signal.SIGUSR1)
            loop.run()
        self.context.remove_signal(handler)
        gc.collect()
        bytes(1000)
        self.assertEqual(len(recorder.calls), 3)
        for (info,) in recorder.calls:  # kept beyond the call
            self.assertEqual((info.signo, info.pid, info.uid),
                             (signal.SIGUSR1, os.getpid(), os.getuid()))
        self.assertFalse(is_blocked(signal.SIGUSR1))

    def test_asyncio(self):
        async def main():
            loop = asyncio.get_running_loop()
            recorder = Recorder()
            handler = self.context.add_signal(signal.SIGUSR2, recorder)
            loop.add_reader(self.context.get_fd(), self.context.iterate)
            for i in range(1, 4):
                os.kill(os.getpid(), signal.SIGUSR2)
                await until(lambda: len(recorder.calls) == i)
            self.context.remove_signal(handler)
            loop.remove_reader(self.context.get_fd())
            self.assertEqual(recorder.calls[0][0].signo, signal.SIGUSR2)

        asyncio.run(asyncio.wait_for(main(), 60))

    def test_interrupt_is_an_event(self):
        loop = GLib.MainLoop()
        recorder = Recorder(loop.quit)
        before = signal.getsignal(signal.SIGINT)
        handler = self.context.add_signal(signal.SIGINT, recorder)
        GLib.timeout_add(1, os.kill, os.getpid(), signal.SIGINT)
        loop.run()
        self.context.remove_signal(handler)
        self.assertEqual(len(recorder.calls), 1)
        self.assertIs(signal.getsignal(signal.SIGINT), before)
        with self.assertRaises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            GLib.MainContext.default().iteration(False)

    def test_a_thread_that_does_not_block_it(self):
        stop = threading.Event()
        thread = threading.Thread(target=stop.wait)
        thread.start()
        loop = GLib.MainLoop()
        recorder = Recorder(loop.quit)
        handler = self.context.add_signal(signal.SIGTERM, recorder)
        GLib.timeout_add(1, os.kill, os.getpid(), signal.SIGTERM)
        loop.run()
        self.context.remove_signal(handler)
        stop.set()
        thread.join()
        self.assertEqual(recorder.calls[0][0].pid, os.getpid())

    def test_errors(self):
        for signo in (signal.SIGKILL, signal.SIGSEGV, 0, 1000):
            with self.assertRaises(OSError) as raised:
                self.context.add_signal(signo, Recorder())
            self.assertEqual(raised.exception.errno, errno.EINVAL)
        other = Gaio.Context.new()
        handler = other.add_signal(signal.SIGUSR1, Recorder())
        with self.assertRaises(OSError) as raised:
            self.context.add_signal(signal.SIGUSR1, Recorder())
        self.assertEqual(raised.exception.errno, errno.EBUSY)
        other.remove_signal(handler)

    def test_callback_is_freed(self):
        recorder = Recorder()
        ref = weakref.ref(recorder)
        handler = self.context.add_signal(signal.SIGUSR1, recorder)
        del recorder
        gc.collect()
        self.assertIsNotNone(ref())
        self.context.remove_signal(handler)
        settle()
        self.assertIsNone(ref())

    def test_a_child_of_subprocess_can_be_ended(self):
        """As the manual says: by unblocking the signal in it."""
        handler = self.context.add_signal(signal.SIGTERM, Recorder())
        child = subprocess.Popen(
            ["sleep", "1000"],
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM]))
        child.terminate()
        self.assertEqual(child.wait(60), -signal.SIGTERM)
        self.context.remove_signal(handler)


class Children(unittest.TestCase):
    def setUp(self):
        self.context = Gaio.Context.get_default()

    def test_glib(self):
        for script, code in (("exit 0", 0), ("exit 42", 42), ("kill -KILL $$", -signal.SIGKILL)):
            loop = GLib.MainLoop()
            recorder = Recorder(loop.quit)
            pid = start_child(script)
            self.context.add_child_watch(pid, recorder)
            loop.run()
            ((ended, status),) = recorder.calls
            self.assertEqual(ended, pid)
            self.assertEqual(os.waitstatus_to_exitcode(status), code)
        settle()

    def test_asyncio(self):
        async def main():
            loop = asyncio.get_running_loop()
            recorder = Recorder()
            loop.add_reader(self.context.get_fd(), self.context.iterate)
            pids = [start_child(f"exit {i}") for i in range(20)]
            for pid in pids:
                self.context.add_child_watch(pid, recorder)
            await until(lambda: len(recorder.calls) == 20)
            loop.remove_reader(self.context.get_fd())
            self.assertEqual({pid: os.waitstatus_to_exitcode(status)
                              for pid, status in recorder.calls},
                             {pid: i for i, pid in enumerate(pids)})

        asyncio.run(asyncio.wait_for(main(), 60))

    def test_errors(self):
        pid = start_child("exit 1")
        self.context.add_child_watch(pid, Recorder())
        with self.assertRaises(FileExistsError):
            self.context.add_child_watch(pid, Recorder())
        self.context.remove_child_watch(pid)
        os.waitpid(pid, 0)
        with self.assertRaises(ProcessLookupError):
            self.context.add_child_watch(pid, Recorder())
        with self.assertRaises(ChildProcessError):
            self.context.add_child_watch(os.getppid(), Recorder())
        settle()


class MainLoop(unittest.TestCase):
    def tearDown(self):
        settle()

    def test_run(self):
        loop = Gaio.MainLoop.new()
        self.assertEqual(loop.get_context(), Gaio.Context.get_default())
        seen = []

        def quit_loop():
            seen.append(loop.is_running())
            loop.quit()

        loop.get_context().invoke(quit_loop)
        loop.run()
        GLib.timeout_add(1, quit_loop)
        loop.run()
        thread = threading.Timer(0.01, loop.quit)
        loop.get_context().invoke(thread.start)  # not before it runs
        loop.run()
        thread.join()
        self.assertEqual(seen, [True, True])
        self.assertFalse(loop.is_running())

    def test_interrupt(self):
        loop = Gaio.MainLoop.new()
        timer = threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGINT))
        loop.get_context().invoke(timer.start)  # not before it runs
        with self.assertRaises(KeyboardInterrupt):
            loop.run()
        timer.join()

    def test_coroutine(self):
        loop = Gaio.MainLoop.new()

        async def main():
            data = await Gaio.load_bytes(sys.executable)
            loop.quit()
            return len(data)

        task = Gaio.spawn(main())
        loop.run()
        self.assertEqual(task.result(), os.path.getsize(sys.executable))

    def test_lock_hooks(self):
        loop = Gaio.MainLoop.new()
        log = []
        lock = threading.Lock()
        lock.acquire()

        def real_lock(is_lock):
            lock.acquire() if is_lock else lock.release()

        hooks = [loop.add_lock_hook(lambda is_lock, name=name: log.append(name * (1 + is_lock)))
                 for name in "ab"]
        hooks.append(loop.add_lock_hook(real_lock))
        loop.iterate(False)
        log.clear()
        loop.iterate(False)
        self.assertEqual(log, ["a", "b", "bb", "aa"])
        self.assertTrue(lock.locked())

        # Another thread gets it while the loop waits.
        def take_it():
            with lock:
                log.append("taken")
            loop.quit()

        thread = threading.Thread(target=take_it)
        thread.start()
        loop.run()
        thread.join()
        self.assertIn("taken", log)
        for hook in hooks:
            loop.remove_lock_hook(hook)
        log.clear()
        loop.iterate(False)
        self.assertEqual(log, [])

    def test_poll_notifier(self):
        loop = Gaio.MainLoop.new()
        reader, writer = os.pipe()
        seen = []

        def notifier(phase, poll_set):
            if phase == Gaio.PollPhase.FILL:
                poll_set.add(reader, GLib.IOCondition.IN)
                poll_set.limit_timeout_ns(50_000_000)
            elif phase == Gaio.PollPhase.OK:
                if poll_set.get_ready(reader) & GLib.IOCondition.IN:
                    seen.append(os.read(reader, 10))

        handler = loop.add_poll_notifier(notifier)
        loop.iterate(True)  # ends by the timeout
        self.assertEqual(seen, [])
        for i in range(3):
            os.write(writer, b"%d" % i)
            while len(seen) <= i:
                loop.iterate(True)
        self.assertEqual(seen, [b"0", b"1", b"2"])
        ref = weakref.ref(notifier)
        loop.remove_poll_notifier(handler)
        del notifier
        settle()
        self.assertIsNone(ref())
        os.close(reader)
        os.close(writer)

    def test_drop(self):
        loop = Gaio.MainLoop.new()
        recorder = Recorder()
        ref = weakref.ref(recorder)
        loop.add_poll_notifier(recorder)
        loop.iterate(False)
        self.assertGreaterEqual(len(recorder.calls), 2)
        del recorder, loop
        settle()
        self.assertIsNone(ref())


if __name__ == "__main__":
    tap.main()
