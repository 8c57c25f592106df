# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""await where GLib is the loop: without asyncio (Gaio.run, Gaio.spawn), and with an asyncio loop
that lives in a GLib dispatch."""

import asyncio
import contextlib
import gc
import io
import os
import selectors
import signal
import threading

from common import Case, Gaio, open_fds, settle
from gi.repository import GLib
import tap


class Run(Case):
    def test_result(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                return await file.read_bytes(8, 8)

        self.assertEqual(Gaio.run(main()), self.data[8:16])
        self.assertEqual(Gaio.run(main()), self.data[8:16])

    def test_nothing_to_wait_for(self):
        async def main():
            return 7

        self.assertEqual(Gaio.run(main()), 7)

    def test_error(self):
        async def main():
            with self.assertRaises(FileNotFoundError):
                await Gaio.open(os.path.join(self.dir, "missing"))
            with self.assertRaises(IsADirectoryError):
                await Gaio.load_bytes(self.dir)
            raise KeyError("mine")

        with self.assertRaises(KeyError):
            Gaio.run(main())

    def test_many_in_flight(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                reads = [file.read_bytes(i * 64, 64) for i in range(5000)]
                for i, read in enumerate(reads):
                    self.assertEqual(await read, self.data[i * 64:i * 64 + 64])

        Gaio.run(main())

    def test_chunks(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                self.assertEqual(b"".join([chunk async for chunk in file.chunks(3000)]), self.data)
                async for chunk in file:
                    break
                self.assertEqual(chunk, self.data[:len(chunk)])

        Gaio.run(main())

    def test_deep_chain_of_results_that_are_there(self):
        async def main():
            read = Gaio.load_bytes(self.path)
            await read
            for _ in range(5000):
                self.assertEqual(len(await read), len(self.data))

        Gaio.run(main())

    def test_thread_pool(self):
        async def main():
            there = await Gaio.ThreadPool.get_default().run(threading.get_ident)
            self.assertNotEqual(there, threading.get_ident())

        Gaio.run(main())

    def test_refuses_what_it_cannot_wait_for(self):
        async def main():
            with self.assertRaisesRegex(RuntimeError, "asyncio"):
                await asyncio.sleep(0)
            return await Gaio.load_bytes(self.path)

        self.assertEqual(Gaio.run(main()), self.data)
        for wrong in (None, 3, self.test_result):
            with self.assertRaises(TypeError):
                Gaio.run(wrong)

    def test_refuses_to_run_inside_asyncio(self):
        async def main():
            async def inner():
                pass

            with self.assertRaisesRegex(RuntimeError, "asyncio"):
                Gaio.run(inner())

        asyncio.run(main())

    def test_interrupt(self):
        seen = []

        async def main():
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            # It comes when the loop runs, so when this waits.
            GLib.timeout_add(50, os.kill, os.getpid(), signal.SIGINT)
            try:
                await file.read_bytes(0, 10)
            except asyncio.CancelledError:
                seen.append("cancelled")
                os.close(writer)
                await file.close()
                raise

        with self.assertRaises(KeyboardInterrupt):
            Gaio.run(main())
        self.assertEqual(seen, ["cancelled"])

    def test_in_a_thread_with_its_own_main_context(self):
        results = []

        async def main():
            async with await Gaio.open(self.path) as file:
                return await file.read_bytes(0, 16)

        def thread():
            main_context = GLib.MainContext.new()
            main_context.push_thread_default()
            try:
                results.append(Gaio.run(main()))
            except BaseException as error:
                results.append(error)
            finally:
                main_context.pop_thread_default()

        worker = threading.Thread(target=thread)
        worker.start()
        worker.join()
        self.assertEqual(results, [self.data[:16]])

    def test_in_a_plain_thread_while_the_main_loop_runs(self):
        results = []
        main_loop = GLib.MainLoop()

        async def main():
            async with await Gaio.open(self.path) as file:
                return await file.read_bytes(0, 16)

        def thread():
            try:
                results.append(Gaio.run(main()))
            except BaseException as error:
                results.append(error)
            GLib.idle_add(main_loop.quit)

        worker = threading.Thread(target=thread)
        worker.start()
        main_loop.run()
        worker.join()
        self.assertEqual(results, [self.data[:16]])

    def test_nothing_is_left_behind(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                for read in [file.read_bytes(i, 10) for i in range(100)]:
                    await read

        Gaio.run(main())
        settle()
        before = open_fds()
        for _ in range(5):
            Gaio.run(main())
        settle()
        self.assertEqual(open_fds(), before)


class Spawn(Case):
    def test_tasks_run_side_by_side(self):
        order = []

        async def child(name, file):
            order.append(f"{name} begins")
            for i in range(3):
                await file.read_bytes(i, 10)
            order.append(f"{name} ends")
            return name

        async def main():
            async with await Gaio.open(self.path) as file:
                tasks = [Gaio.spawn(child(name, file)) for name in "abc"]
                self.assertEqual(order, ["a begins", "b begins", "c begins"])
                self.assertEqual([await task for task in tasks], ["a", "b", "c"])

        Gaio.run(main())

    def test_inside_a_running_main_loop(self):
        main_loop = GLib.MainLoop()

        async def handler():
            data = await Gaio.load_bytes(self.path)
            main_loop.quit()
            return len(data)

        tasks = []

        def on_idle():
            tasks.append(Gaio.spawn(handler()))
            self.assertFalse(tasks[0].done())
            return False

        GLib.idle_add(on_idle)
        main_loop.run()
        self.assertEqual(tasks[0].result(), len(self.data))

    def test_cancel(self):
        async def child(file, seen):
            try:
                await file.read_bytes(0, 10)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        async def main():
            seen = []
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            task = Gaio.spawn(child(file, seen))
            self.assertFalse(task.done())
            self.assertTrue(task.cancel())
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual(seen, ["cancelled"])
            self.assertTrue(task.cancelled())
            self.assertFalse(task.cancel())
            os.close(writer)
            await file.close()

        Gaio.run(main())

    def test_cancel_by_itself(self):
        tasks = []
        seen = []

        async def child():
            await Gaio.load_bytes(self.path)
            tasks[0].cancel()
            try:
                await Gaio.load_bytes(self.path)
            except asyncio.CancelledError:
                seen.append("cancelled")
            seen.append(len(await Gaio.load_bytes(self.path)))
            return "goes on"

        async def main():
            tasks.append(Gaio.spawn(child()))
            return await tasks[0]

        self.assertEqual(Gaio.run(main()), "goes on")
        self.assertEqual(seen, ["cancelled", len(self.data)])

    def test_cancel_goes_down(self):
        async def inner(file):
            await file.read_bytes(0, 10)

        async def outer(task):
            await task

        async def main():
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            below = Gaio.spawn(inner(file))
            above = Gaio.spawn(outer(below))
            above.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await above
            self.assertTrue(below.cancelled())
            os.close(writer)
            await file.close()

        Gaio.run(main())

    def test_done_callbacks(self):
        called = []

        async def child():
            return len(await Gaio.load_bytes(self.path))

        async def main():
            task = Gaio.spawn(child())
            with self.assertRaises(asyncio.InvalidStateError):
                task.result()
            task.add_done_callback(lambda t: called.append(t.result()))
            unwanted = called.append
            task.add_done_callback(unwanted)
            self.assertEqual(task.remove_done_callback(unwanted), 1)
            await task
            task.add_done_callback(lambda t: called.append("late"))

        Gaio.run(main())
        self.assertEqual(called, [len(self.data), "late"])

    def test_errors_nobody_asked_for_are_shown(self):
        async def child():
            await Gaio.open(os.path.join(self.dir, "missing"))

        async def main():
            Gaio.spawn(child())
            await Gaio.load_bytes(self.path)
            await Gaio.load_bytes(self.path)

        shown = io.StringIO()
        with contextlib.redirect_stderr(shown):
            Gaio.run(main())
            gc.collect()
        self.assertIn("child", shown.getvalue())
        self.assertIn("FileNotFoundError", shown.getvalue())

    def test_errors_that_were_taken_are_not(self):
        async def child():
            await Gaio.open(os.path.join(self.dir, "missing"))

        async def main():
            task = Gaio.spawn(child())
            with self.assertRaises(FileNotFoundError):
                await task

        shown = io.StringIO()
        with contextlib.redirect_stderr(shown):
            Gaio.run(main())
            gc.collect()
        self.assertEqual(shown.getvalue(), "")


class GLibDrivenLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in the manner of gi.events and gbulb: its turns are dispatches of GLib, and
    GLib does the waiting. Only as much of it as a test needs."""

    class Selector(selectors.EpollSelector):
        def select(self, timeout=None):
            return super().select(0)

    def __init__(self):
        super().__init__(self.Selector())

    def run_forever(self):
        main_loop = GLib.MainLoop()
        asyncio._set_running_loop(self)
        self._thread_id = threading.get_ident()

        def turn():
            self._run_once()
            if self._stopping:
                main_loop.quit()
            return not self._stopping

        source = GLib.timeout_source_new(1)
        source.set_callback(lambda _: turn())
        source.attach(None)
        try:
            main_loop.run()
        finally:
            source.destroy()
            self._stopping = False
            self._thread_id = None
            asyncio._set_running_loop(None)


class AsyncioOnGLib(Case):
    def test_glib_does_the_waiting(self):
        watched = []

        async def main():
            loop = asyncio.get_running_loop()
            async with await Gaio.open(self.path) as file:
                reads = [file.read_bytes(i * 16, 16) for i in range(200)]
                # The loop itself watches how other threads wake it.
                watched.extend(key.fd for key in loop._selector.get_map().values()
                               if key.fd != loop._ssock.fileno())
                for i, data in enumerate(await asyncio.gather(*reads)):
                    self.assertEqual(data, self.data[i * 16:i * 16 + 16])
            with self.assertRaises(FileNotFoundError):
                await Gaio.open(os.path.join(self.dir, "missing"))

        loop = GLibDrivenLoop()
        loop.run_until_complete(main())
        loop.close()
        self.assertEqual(watched, [])

    def test_spawn(self):
        async def child(file, i):
            await asyncio.sleep(0)
            return await file.read_bytes(i * 16, 16)

        async def main():
            async with await Gaio.open(self.path) as file:
                tasks = [Gaio.spawn(child(file, i)) for i in range(20)]
                return b"".join([await task for task in tasks])

        loop = GLibDrivenLoop()
        self.assertEqual(loop.run_until_complete(main()), self.data[:320])
        loop.close()

    def test_cancel(self):
        async def main():
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(file.read_bytes(0, 10), 0.05)
            os.close(writer)
            await file.close()

        loop = GLibDrivenLoop()
        loop.run_until_complete(main())
        loop.close()


if __name__ == "__main__":
    tap.main()
