# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""await under plain asyncio: the context works through its one descriptor, and nobody runs GLib."""

import asyncio
import errno
import gc
import os
import pathlib
import selectors
import subprocess
import sys
import threading

from common import Case, Gaio, open_fds
from gi.repository import Gio, GLib
import tap


async def cancelled_while_waiting(test, awaitable):
    """Cancels a task while it waits for `awaitable`, and checks that it notices."""
    async def wait():
        await awaitable

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    test.assertFalse(task.done())
    task.cancel()
    with test.assertRaises(asyncio.CancelledError):
        await task
    test.assertTrue(task.cancelled())


class Reading(Case):
    def test_open_read_close(self):
        async def main():
            async with await Gaio.open(self.path, "r") as file:
                self.assertIsInstance(file, Gaio.File)
                self.assertFalse(file.is_closed())
                data = await file.read_bytes(4096, 100)
                self.assertIs(type(data), bytes)
                self.assertEqual(data, self.data[4096:4196])
            self.assertTrue(file.is_closed())

        asyncio.run(main())

    def test_keywords_and_defaults(self):
        async def main():
            file = await Gaio.open(path=self.path)
            self.assertEqual(await file.read_bytes(length=8, offset=16), self.data[16:24])
            self.assertEqual(await file.read_bytes(16, length=8, io_priority=GLib.PRIORITY_LOW),
                             self.data[16:24])
            info = await file.query_info()
            self.assertEqual(info.get_size(), len(self.data))
            info = await file.query_info("standard::size")
            self.assertEqual(info.get_size(), len(self.data))
            await file.close()

        asyncio.run(main())

    def test_wrong_arguments_start_nothing(self):
        async def main():
            file = await Gaio.open(self.path)
            for arguments, keywords in (((), {}), ((1,), {}), ((1, 2, 3), {}), ((1,), {"size": 3}),
                                        ((1, 2), {"offset": 1}), (("x", 2), {})):
                with self.assertRaises(TypeError, msg=str((arguments, keywords))):
                    file.read_bytes(*arguments, **keywords)
            with self.assertRaises(TypeError):
                file.write_bytes(0, "text")
            with self.assertRaises(ValueError):
                Gaio.open("a\0b")
            self.assertEqual(await file.read_bytes(0, 4), self.data[:4])
            await file.close()

        asyncio.run(main())

    def test_end_of_file(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                size = len(self.data)
                self.assertEqual(await file.read_bytes(size - 10, 100), self.data[-10:])
                self.assertEqual(await file.read_bytes(size, 100), b"")
                self.assertEqual(await file.read_bytes(size + 5000, 100), b"")
                self.assertEqual(await file.read_bytes(0, 0), b"")

        asyncio.run(main())

    def test_paths(self):
        odd = os.fsencode(self.dir) + b"/not utf-8 \xff\xfe"
        with open(odd, "wb") as file:
            file.write(b"odd")

        async def main():
            for path in (odd, os.fsdecode(odd), pathlib.Path(os.fsdecode(odd))):
                self.assertEqual(await Gaio.load_bytes(path), b"odd")
                async with await Gaio.open(path) as file:
                    self.assertEqual(await file.read_bytes(0, 10), b"odd")

        asyncio.run(main())

    def test_flags(self):
        flags = Gaio.OpenFlags
        path = os.path.join(self.dir, "made")

        async def main():
            async with await Gaio.open_full(path, flags.READ | flags.WRITE | flags.CREATE,
                                            0o600) as file:
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                await file.write_bytes(0, b"made")
            async with await Gaio.open_full(path, flags.READ) as file:
                self.assertEqual(await file.read_bytes(0, 10), b"made")
            for bad in (0, flags.CREATE, flags.READ | flags.EXCLUSIVE):
                with self.assertRaises(OSError) as caught:
                    await Gaio.open_full(path, bad)
                self.assert_errno(caught.exception, errno.EINVAL)
            os.symlink("made", path + "-link")
            with self.assertRaises(OSError) as caught:
                await Gaio.open_full(path + "-link", flags.READ | flags.NOFOLLOW)
            self.assert_errno(caught.exception, errno.ELOOP)
            self.assertIn("symbolic link is not followed", str(caught.exception.__cause__))

        asyncio.run(main())

    def test_gio_file(self):
        gfile = Gio.File.new_for_path(self.path)
        remote = Gio.File.new_for_uri("http://example.org/a")

        async def main():
            for file in (await Gaio.open(gfile), await Gaio.open_gfile(gfile, Gaio.OpenFlags.READ),
                         Gaio.open_sync(gfile, "r"),
                         Gaio.open_full_sync(gfile, Gaio.OpenFlags.READ),
                         Gaio.open_gfile_sync(gfile, Gaio.OpenFlags.READ),
                         Gaio.File.new_for_path(Gaio.Context.ref_thread_default(), gfile, "r"),
                         Gaio.File.new_for_path(Gaio.Context.ref_thread_default(),
                                                pathlib.Path(self.path), mode="r")):
                self.assertEqual(file.get_path(), self.path)
                self.assertEqual(await file.read_bytes(0, 10), self.data[:10])
                await file.close()
            self.assertEqual(await Gaio.load_bytes(gfile), self.data)
            for make in (Gaio.open, lambda file: Gaio.open_gfile(file, Gaio.OpenFlags.READ),
                         Gaio.load_bytes):
                with self.assertRaises(OSError) as caught:
                    await make(remote)
                self.assert_errno(caught.exception, errno.ENOTSUP)
            with self.assertRaises(OSError) as caught:
                await Gaio.open(remote)
            self.assertEqual(caught.exception.filename, "http://example.org/a")

        asyncio.run(main())

    def test_load_bytes(self):
        async def main():
            self.assertEqual(await Gaio.load_bytes(self.path), self.data)
            self.assertEqual(await Gaio.load_bytes("/dev/null"), b"")
            with open("/proc/version", "rb") as file:
                self.assertEqual(await Gaio.load_bytes("/proc/version"), file.read())

        asyncio.run(main())

    def test_gather_thousands(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                reads = [file.read_bytes(i * 64, 64) for i in range(5000)]
                for i, data in enumerate(await asyncio.gather(*reads)):
                    self.assertEqual(data, self.data[i * 64:i * 64 + 64])

        asyncio.run(main())

    def test_order_of_waiting_does_not_matter(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                reads = [file.read_bytes(i * 4, 4) for i in range(50)]
                for i in reversed(range(50)):
                    self.assertEqual(await reads[i], self.data[i * 4:i * 4 + 4])

        asyncio.run(main())

    def test_chunks(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                for size in (1000, 65536, len(self.data), len(self.data) + 1):
                    chunks = [chunk async for chunk in file.chunks(size=size)]
                    self.assertEqual(b"".join(chunks), self.data)
                    self.assertTrue(all(len(chunk) == size for chunk in chunks[:-1]))
                self.assertEqual(b"".join([chunk async for chunk in file]), self.data)
                self.assertEqual(
                    b"".join([chunk async for chunk in file.chunks(4096, offset=5000, ahead=1)]),
                    self.data[5000:])
                async for chunk in file.chunks(size=4096):
                    break  # what was read ahead is dropped
                self.assertEqual(chunk, self.data[:4096])
                for bad in ({"size": 0}, {"size": -1}, {"ahead": 0}):
                    with self.assertRaises(ValueError):
                        async for chunk in file.chunks(**bad):
                            pass

        asyncio.run(main())

    def test_chunks_of_a_pipe(self):
        async def main():
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            os.write(writer, b"first")
            got = []
            async for chunk in file.chunks(size=100):
                got.append(chunk)
                if len(got) == 1:
                    os.write(writer, b"second")
                    os.close(writer)
            self.assertEqual(got, [b"first", b"second"])
            await file.close()

        asyncio.run(main())


class Writing(Case):
    def test_bytes_like(self):
        path = os.path.join(self.dir, "written")

        async def main():
            async with await Gaio.open(path, "w") as file:
                position = 0
                for data in (b"bytes", bytearray(b"bytearray"), memoryview(b"--view--")[2:6],
                             memoryview(b"e-v-e-r-y")[::2], GLib.Bytes.new(b"GLib.Bytes"), b""):
                    written = await file.write_bytes(position, data)
                    position += written
                self.assertEqual(position, 5 + 9 + 4 + 5 + 10)
                self.assertTrue(await file.sync())
                self.assertTrue(await file.sync(True))

        asyncio.run(main())
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"bytesbytearrayvieweveryGLib.Bytes")

    def test_glib_bytes(self):
        async def main():
            data = GLib.Bytes.new(b"abc")
            async with await Gaio.open(os.path.join(self.dir, "glib-bytes"), "w+") as f:
                self.assertEqual(await f.write(0, data), 3)
                self.assertEqual(await f.write(0, GLib.Bytes.new(b"")), 0)
                pool = Gaio.BufferPool(buffer_bytes=4096, n_buffers=1)
                self.assertEqual(await f.write_bytes(3, pool.copy_bytes(memoryview(b"def"))), 3)
                self.assertEqual(await f.read_bytes(0, 9), b"abcdef")

        asyncio.run(main())

    def test_pieces_and_room(self):
        path = os.path.join(self.dir, "pieces")
        shared, exclusive = Gaio.LockType.SHARED, Gaio.LockType.EXCLUSIVE

        async def main():
            async with await Gaio.open(path, "w+") as file, await Gaio.open(path, "r+") as other:
                self.assertEqual(await file.write(0, bytearray(b"hello ")), 6)
                self.assertEqual(await file.writev_bytes(6, [b"wor", GLib.Bytes.new(b"ld")]), 5)
                self.assertEqual(await other.append_bytes(memoryview(b"!")), 1)
                self.assertEqual(await file.readv_bytes(0, [5, 1, 100, 3]),
                                 [b"hello", b" ", b"world!", b""])
                self.assertEqual(file.readv_bytes_sync(2, [1, 2]), [b"l", b"lo"])
                self.assertEqual(await file.copy_range(0, other, 20, 5), 5)
                self.assertEqual(await file.zero_range(0, 3), True)
                self.assertEqual(await file.read_bytes(0, 30),
                                 b"\0\0\0lo world!" + b"\0" * 8 + b"hello")
                self.assertTrue(await file.advise(Gaio.Advice.WILL_NEED))
                with self.assertRaises(OSError) as caught:
                    await file.allocate(-1, 10)
                self.assert_errno(caught.exception, errno.EINVAL)

                self.assertTrue(await file.lock(exclusive))
                with self.assertRaises(BlockingIOError):
                    await other.try_lock(shared)
                waiting = asyncio.ensure_future(other.lock(shared, 0, 10))
                await asyncio.sleep(0.01)
                self.assertFalse(waiting.done())
                self.assertTrue(await file.unlock())
                self.assertTrue(await waiting)

        asyncio.run(main())

    def test_the_caller_may_change_the_buffer(self):
        path = os.path.join(self.dir, "changed")

        async def main():
            async with await Gaio.open(path, "w") as file:
                buffer = bytearray(b"x" * 300000)
                writing = file.write_bytes(0, buffer)
                buffer[:] = b"y" * 300000
                await writing

        asyncio.run(main())
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"x" * 300000)

    def test_truncate(self):
        path = os.path.join(self.dir, "truncated")

        async def main():
            async with await Gaio.open(path, "w+") as file:
                await file.write_bytes(0, b"0123456789")
                await file.truncate(4)
                self.assertEqual(await file.read_bytes(0, 100), b"0123")
                await file.truncate(6)
                self.assertEqual(await file.read_bytes(0, 100), b"0123\0\0")

        asyncio.run(main())


class Errors(Case):
    def check(self, make, kind, errnum, filename=None, reason=None):
        """Checks what awaiting make() raises, and what its blocking form raises."""
        async def main():
            with self.assertRaises(kind) as caught:
                await make("")
            return caught.exception

        for error in (asyncio.run(main()), self.raised_by(lambda: make("_sync"))):
            self.assertIsInstance(error, kind)
            self.assert_errno(error, errnum)
            self.assertTrue(error.strerror.startswith(reason or os.strerror(errnum)), error)
            self.assertNotIn("“", error.strerror.replace("mode “", ""))
            self.assertEqual(error.filename, filename)
            self.assertIsInstance(error.__cause__, GLib.Error)
            self.assertEqual(Gaio.error_get_errno(error.__cause__), errnum)

    def raised_by(self, function):
        try:
            function()
        except Exception as error:
            return error
        self.fail("nothing was raised")

    def test_reason(self):
        """The text says what the library knows besides."""
        path = os.path.join(self.dir, "a”, b: c (EIO)")
        self.check(lambda form: getattr(Gaio, "open" + form)(path, "rr"), OSError, errno.EINVAL,
                   path, f"{os.strerror(errno.EINVAL)} (mode “rr”)")
        file = Gaio.open_sync(path, "w")
        self.check(lambda form: getattr(file, "read_bytes" + form)(-5, 1), OSError, errno.EINVAL,
                   path, f"{os.strerror(errno.EINVAL)} (offset -5)")
        file.close_sync()
        self.check(lambda form: getattr(file, "read_bytes" + form)(0, 1), OSError, errno.EBADF,
                   path, "The file is closed")

    def test_missing_file(self):
        path = os.path.join(self.dir, "missing")
        self.check(lambda form: getattr(Gaio, "open" + form)(path), FileNotFoundError,
                   errno.ENOENT, path)
        self.check(lambda form: getattr(Gaio, "load_bytes" + form)(path), FileNotFoundError,
                   errno.ENOENT, path)

    def test_directory(self):
        self.check(lambda form: getattr(Gaio, "open" + form)(self.dir), IsADirectoryError,
                   errno.EISDIR, self.dir)
        self.check(lambda form: getattr(Gaio, "load_bytes" + form)(self.dir), IsADirectoryError,
                   errno.EISDIR, self.dir)

    def test_permission(self):
        if os.geteuid() == 0:
            self.skipTest("root may open everything")
        path = os.path.join(self.dir, "forbidden")
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0))
        self.check(lambda form: getattr(Gaio, "open" + form)(path), PermissionError,
                   errno.EACCES, path)

    def test_below_a_file(self):
        path = self.path + "/below"
        self.check(lambda form: getattr(Gaio, "open" + form)(path), NotADirectoryError,
                   errno.ENOTDIR, path)

    def test_bad_mode(self):
        self.check(lambda form: getattr(Gaio, "open" + form)(self.path, "q"), OSError,
                   errno.EINVAL, self.path)

    def test_exclusive(self):
        self.check(lambda form: getattr(Gaio, "open" + form)(self.path, "wx"), FileExistsError,
                   errno.EEXIST, self.path)

    def test_full_disk(self):
        file = Gaio.open_sync("/dev/full", "w")
        self.check(lambda form: getattr(file, "write_bytes" + form)(0, b"x"), OSError,
                   errno.ENOSPC, "/dev/full")

    def test_negative_offset(self):
        file = Gaio.open_sync(self.path, "r+")
        for offset in (-1, -2, -2**63):
            self.check(lambda form: getattr(file, "read_bytes" + form)(offset, 10), OSError,
                       errno.EINVAL, self.path)
            self.check(lambda form: getattr(file, "write_bytes" + form)(offset, b"x"), OSError,
                       errno.EINVAL, self.path)
        self.check(lambda form: getattr(file, "truncate" + form)(-1), OSError, errno.EINVAL,
                   self.path)

    def test_overflow(self):
        file = Gaio.open_sync(self.path)
        self.check(lambda form: getattr(file, "read_bytes" + form)(2**63 - 1, 10), OSError,
                   errno.EINVAL, self.path)

    def test_not_open_for_this(self):
        file = Gaio.open_sync(self.path, "r")
        self.check(lambda form: getattr(file, "write_bytes" + form)(0, b"x"), OSError,
                   errno.EBADF, self.path)

    def test_closed_file(self):
        file = Gaio.open_sync(self.path)
        file.close_sync()
        self.check(lambda form: getattr(file, "read_bytes" + form)(0, 10), OSError, errno.EBADF,
                   self.path, "The file is closed")

    def test_error_in_the_body_wins(self):
        async def main():
            with self.assertRaises(ZeroDivisionError):
                async with await Gaio.open(self.path) as file:
                    1 / 0
            self.assertTrue(file.is_closed())

        asyncio.run(main())

    def test_error_of_the_close(self):
        def broken(*_):
            raise OSError(errno.EIO, "close")

        async def broken_async():
            broken()

        async def main(fail):
            async with await Gaio.open(self.path) as file:
                file.close = broken_async
                fail()

        def main_sync(fail):
            with Gaio.open_sync(self.path) as file:
                file.close_sync = broken
                fail()

        for run in (lambda fail: asyncio.run(main(fail)), main_sync):
            with self.assertRaises(OSError):
                run(lambda: None)
            with self.assertRaises(ZeroDivisionError):
                run(lambda: 1 / 0)

    def test_constructors(self):
        context = Gaio.Context.ref_thread_default()
        with self.assertRaises(FileNotFoundError):
            Gaio.File.new_for_path(context, os.path.join(self.dir, "missing"), "r")
        with self.assertRaises(OSError) as caught:
            Gaio.File.new_for_fd(context, -1, None)
        self.assert_errno(caught.exception, errno.EBADF)


class Cancelling(Case):
    def test_while_in_flight(self):
        async def main():
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            await cancelled_while_waiting(self, file.read_bytes(0, 100))
            if Gaio.Context.ref_thread_default().get_engine() == Gaio.Engine.THREADS:
                os.write(writer, b"x" * 10)  # a thread can be let go only this way
            await file.close()  # waits until the kernel has let go of the read
            os.close(writer)

        asyncio.run(main())

    def test_before_the_start(self):
        async def main():
            cancellable = Gio.Cancellable()
            cancellable.cancel()
            path = os.path.join(self.dir, "untouched")
            with self.assertRaises(OSError) as caught:
                await Gaio.open(path, "w", cancellable=cancellable)
            self.assert_errno(caught.exception, errno.ECANCELED)
            self.assertFalse(os.path.exists(path))

        asyncio.run(main())

    def test_by_cancellable(self):
        async def main():
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            cancellable = Gio.Cancellable()
            read = file.read_bytes(0, 100, cancellable=cancellable)
            asyncio.get_running_loop().call_later(0.05, cancellable.cancel)
            if Gaio.Context.ref_thread_default().get_engine() == Gaio.Engine.THREADS:
                # A read in a thread cannot be stopped: it ends as it ends.
                asyncio.get_running_loop().call_later(0.1, os.write, writer, b"x")
            try:
                self.assertEqual(await read, b"x")
            except OSError as error:
                self.assert_errno(error, errno.ECANCELED)
            os.close(writer)
            await file.close()

        asyncio.run(main())

    def test_timeout(self):
        async def main():
            reader, writer = os.pipe()
            file = self.file_of_fd(reader)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(file.read_bytes(0, 100), 0.05)
            os.close(writer)
            await file.close()

        asyncio.run(main())

    def test_many_at_once(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                async def one(i):
                    return await file.read_bytes(i * 16, 16)

                tasks = [asyncio.create_task(one(i)) for i in range(500)]
                await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            for i, result in enumerate(results):
                if i % 2 == 0:
                    self.assertIsInstance(result, asyncio.CancelledError)
                else:
                    self.assertEqual(result, self.data[i * 16:i * 16 + 16])

        asyncio.run(main())

    def test_one_cancellable_for_many(self):
        async def main():
            pipes = [os.pipe() for _ in range(20)]
            files = [self.file_of_fd(reader) for reader, _ in pipes]
            cancellable, other = Gio.Cancellable(), Gio.Cancellable()
            reads = [file.read_bytes(0, 100, cancellable=cancellable) for file in files]
            spared = self.file_of_fd(os.dup(pipes[0][0]))
            kept = spared.read_bytes(0, 100, cancellable=other)
            await asyncio.sleep(0.01)
            cancellable.cancel()
            if Gaio.Context.ref_thread_default().get_engine() == Gaio.Engine.THREADS:
                # A read in a thread may have to be let go.
                for _, writer in pipes:
                    os.write(writer, b"x")
            for result in await asyncio.gather(*reads, return_exceptions=True):
                if result != b"x":
                    self.assertIsInstance(result, OSError)
                    self.assert_errno(result, errno.ECANCELED)
            os.write(pipes[0][1], b"y")
            self.assertIn(await kept, (b"x", b"y", b"xy"))
            for file in files + [spared]:
                await file.close()
            for _, writer in pipes:
                os.close(writer)

        asyncio.run(main())

    def test_end_of_the_loop_with_reads_in_flight(self):
        pipes = []

        async def main():
            for _ in range(3):
                reader, writer = os.pipe()
                pipes.append((self.file_of_fd(reader), writer))
                asyncio.ensure_future(pipes[-1][0].read_bytes(0, 10))

        async def afterwards():
            for file, writer in pipes:
                os.close(writer)
                await file.close()
            self.assertEqual(await Gaio.load_bytes(self.path), self.data)

        asyncio.run(main())
        asyncio.run(afterwards())


class Loops(Case):
    def test_one_loop_after_another(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                return await file.read_bytes(0, 100)

        for _ in range(3):
            self.assertEqual(asyncio.run(main()), self.data[:100])

    def test_file_outlives_its_loop(self):
        async def start():
            return await Gaio.open(self.path)

        async def go_on(file):
            data = await file.read_bytes(0, 100)
            await file.close()
            return data

        file = asyncio.run(start())
        self.assertEqual(asyncio.run(go_on(file)), self.data[:100])

    def test_nothing_is_left_behind(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                await asyncio.gather(*[file.read_bytes(i, 10) for i in range(100)])

        asyncio.run(main())  # what the process keeps is made once
        gc.collect()
        before = open_fds()
        for _ in range(5):
            asyncio.run(main())
        gc.collect()
        # Not by number: what is kept for the loop that was last is another one's now.
        self.assertEqual(sorted(open_fds().values()), sorted(before.values()))

    def test_the_context_may_have_a_reader_of_the_programs_own(self):
        async def main():
            loop = asyncio.get_running_loop()
            async with await Gaio.open(self.path) as file:
                context = Gaio.Context.ref_thread_default()
                loop.add_reader(context.get_fd(), context.iterate)
                await file.read_bytes(0, 10)
                loop.remove_reader(context.get_fd())
                return await asyncio.wait_for(file.read_bytes(0, 10), 60)

        self.assertEqual(len(asyncio.run(main())), 10)

    def test_another_thread_may_use_a_file_while_the_loop_is_idle(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                got = []

                def elsewhere():
                    async def read():
                        got.append(await file.read_bytes(0, 10))

                    asyncio.run(read())

                thread = threading.Thread(target=elsewhere)
                thread.start()
                while thread.is_alive():
                    await asyncio.sleep(0.01)
                thread.join()
                self.assertEqual(got, [self.data[:10]])

        asyncio.run(main())

    def test_started_outside_awaited_inside(self):
        operation = Gaio.load_bytes(self.path)

        async def main():
            return await operation

        self.assertEqual(asyncio.run(main()), self.data)

    def test_plain_loop_inside_a_glib_dispatch(self):
        async def main():
            return await Gaio.load_bytes(self.path)

        results = []
        main_loop = GLib.MainLoop()

        def dispatch():
            results.append(asyncio.run(main()))
            main_loop.quit()
            return False

        GLib.idle_add(dispatch)
        main_loop.run()
        self.assertEqual(results, [self.data])

    def test_loop_that_nobody_knows(self):
        class Selector(selectors.EpollSelector):
            pass

        async def main():
            return await Gaio.load_bytes(self.path)

        loop = asyncio.SelectorEventLoop(Selector())
        self.assertEqual(loop.run_until_complete(main()), self.data)
        loop.close()

    def test_in_threads(self):
        async def main():
            async with await Gaio.open(self.path) as file:
                for _ in range(20):
                    reads = [file.read_bytes(i * 16, 16) for i in range(20)]
                    data = b"".join(await asyncio.gather(*reads))
            return data

        results = []

        def thread():
            try:
                results.append(asyncio.run(main()))
            except BaseException as error:
                results.append(error)

        before = open_fds()
        for _ in range(3):
            threads = [threading.Thread(target=thread) for _ in range(4)]
            for each in threads:
                each.start()
            thread()
            for each in threads:
                each.join()
        self.assertEqual(results, [self.data[:320]] * 15)
        gc.collect()
        left = set(open_fds().values()) - set(before.values())
        self.assertFalse([name for name in left if "anon_inode" not in name], "files left open")

    def test_event_loop_of_pygobject(self):
        try:
            from gi.events import GLibEventLoopPolicy
        except ImportError:
            self.skipTest("this PyGObject has no gi.events")

        async def main():
            async with await Gaio.open(self.path) as file:
                return b"".join([chunk async for chunk in file.chunks(10000)])

        loop = GLibEventLoopPolicy().get_event_loop()
        self.assertEqual(loop.run_until_complete(main()), self.data)

    def test_gbulb(self):
        try:
            import gbulb
        except ImportError:
            self.skipTest("gbulb is not there")

        async def main():
            async with await Gaio.open(self.path) as file:
                return b"".join([chunk async for chunk in file.chunks(10000)])

        loop = gbulb.GLibEventLoop()
        self.assertEqual(loop.run_until_complete(main()), self.data)
        loop.close()


class Forms(Case):
    def test_blocking(self):
        with Gaio.open_sync(self.path, "r+") as file:
            self.assertEqual(file.read_bytes_sync(0, 16), self.data[:16])
            self.assertEqual(file.read_bytes_sync(offset=4, length=4), self.data[4:8])
            self.assertEqual(file.write_bytes_sync(0, self.data[:4]), 4)
            self.assertTrue(file.sync_sync())
            self.assertEqual(file.query_info_sync("standard::size").get_size(), len(self.data))
        self.assertTrue(file.is_closed())
        self.assertEqual(Gaio.load_bytes_sync(self.path), self.data)

    def test_callback_is_raw(self):
        results = []
        main_loop = GLib.MainLoop()
        file = Gaio.open_sync(self.path)

        def on_read(source, result, extra):
            self.assertIs(source, file)
            results.append((source.read_bytes_finish(result), extra))
            main_loop.quit()

        file.read_bytes_async(0, 10, GLib.PRIORITY_DEFAULT, None, on_read, "extra")
        main_loop.run()
        (data, extra), = results
        self.assertIsInstance(data, GLib.Bytes)
        self.assertEqual((data.get_data(), extra), (self.data[:10], "extra"))

    def test_callback_gets_a_glib_error(self):
        errors = []
        main_loop = GLib.MainLoop()

        def on_open(source, result):
            try:
                Gaio.open_finish(result)
            except GLib.Error as error:
                errors.append(error)
            main_loop.quit()

        Gaio.open_async(os.path.join(self.dir, "missing"), "r", 0, None, on_open)
        main_loop.run()
        self.assertTrue(errors[0].matches(Gio.io_error_quark(), Gio.IOErrorEnum.NOT_FOUND))

    def test_callbacks_come_under_asyncio(self):
        async def main():
            loop = asyncio.get_running_loop()
            context = Gaio.Context.ref_thread_default()
            done = loop.create_future()

            def on_load(source, result):
                done.set_result(Gaio.load_bytes_finish(result).get_data())

            loop.add_reader(context.get_fd(), context.iterate)
            Gaio.load_bytes_async(self.path, 0, None, on_load)
            self.assertEqual(await done, self.data)
            loop.remove_reader(context.get_fd())

        asyncio.run(main())

    def test_thread_pool(self):
        async def main():
            pool = Gaio.ThreadPool.get_default()
            here = threading.get_ident()
            there = await pool.run(threading.get_ident)
            self.assertNotEqual(here, there)
            self.assertEqual(await pool.run(divmod, 17, 5), (3, 2))
            self.assertEqual(await asyncio.gather(*[pool.run(abs, -i) for i in range(100)]),
                             list(range(100)))
            with self.assertRaises(ZeroDivisionError):
                await pool.run(divmod, 1, 0)

        asyncio.run(main())

    def test_exit_with_operations_in_flight(self):
        program = (
            "import asyncio, os, sys, gi\n"
            "gi.require_version('Gaio', '1.0')\n"
            "from gi.repository import Gaio\n"
            "kept = []\n"
            "async def main():\n"
            "    reader, writer = os.pipe()\n"
            "    pipe = Gaio.File.new_for_fd(Gaio.Context.ref_thread_default(), reader, None)\n"
            "    file = await Gaio.open(sys.argv[1])\n"
            "    kept.extend([file, pipe, pipe.read_bytes(0, 10)])\n"
            "    kept.extend(file.read_bytes(i, 10) for i in range(200))\n"
            "asyncio.run(main())\n"
            "print('end')\n")
        ended = subprocess.run([sys.executable, "-c", program, self.path], timeout=60, check=False,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (0, b"end\n", b""))

    def test_construction(self):
        context = Gaio.Context(engine=Gaio.Engine.THREADS)
        self.assertEqual(context.get_engine(), Gaio.Engine.THREADS)
        self.assertGreaterEqual(context.get_fd(), 0)
        for kind in (Gaio.File, Gaio.Timer, Gaio.BottomHalf, Gaio.IOThread, Gaio.EventNotifier):
            with self.assertRaisesRegex(TypeError, kind.__name__):
                kind()

    def test_signatures(self):
        import inspect
        self.assertEqual(str(inspect.signature(Gaio.open)),
                         "(path, mode='r', *, io_priority=0, cancellable=None)")
        self.assertEqual(str(inspect.signature(Gaio.File.read_bytes)),
                         "(self, offset, length, *, io_priority=0, cancellable=None)")
        self.assertEqual(Gaio.File.read_bytes.__qualname__, "File.read_bytes")


if __name__ == "__main__":
    tap.main()
