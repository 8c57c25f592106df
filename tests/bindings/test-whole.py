# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Saving, copying and moving whole files, from Python."""

import asyncio
import errno
import gc
import os
import shutil
import stat
import sys
import tempfile
import threading
import weakref

from common import Case, Gaio, open_fds, settle
from gi.repository import Gio
import tap

LARGE = 64 * 1024 * 1024


class WholeTest(Case):
    def setUp(self):
        self.at_dir = tempfile.mkdtemp(prefix="gaio-whole-")

    def tearDown(self):
        shutil.rmtree(self.at_dir, ignore_errors=True)
        settle()

    def at(self, name):
        return os.path.join(self.at_dir, name)

    def read(self, name):
        with open(self.at(name), "rb") as file:
            return file.read()

    def large(self, name="large"):
        """A file that takes a while."""
        with open(self.at(name), "wb") as file:
            file.write(bytes(range(256)) * (LARGE // 256))
        return self.at(name)

    def test_save(self):
        async def main():
            await Gaio.save_bytes(self.at("a"), b"one")
            self.assertEqual(self.read("a"), b"one")
            os.chmod(self.at("a"), 0o604)
            await Gaio.save_bytes(self.at("a"), bytearray(b"two"), Gaio.Durability.FULL)
            self.assertEqual(self.read("a"), b"two")
            self.assertEqual(stat.S_IMODE(os.stat(self.at("a")).st_mode), 0o604)
            await Gaio.save_bytes(os.fsencode(self.at("a")), memoryview(b""), durability=1)
            self.assertEqual(self.read("a"), b"")
            Gaio.save_bytes_sync(self.at("a"), b"three")
            self.assertEqual(self.read("a"), b"three")
            with self.assertRaises(IsADirectoryError) as raised:
                await Gaio.save_bytes(self.at_dir, b"x")
            self.assertEqual(raised.exception.filename, self.at_dir)
            with self.assertRaises(FileNotFoundError) as raised:
                Gaio.save_bytes_sync(os.fsencode(self.at("no/file")), b"x")
            self.assertEqual(raised.exception.filename, self.at("no/file"))
            for bad in "text", None, 7:
                with self.assertRaises(TypeError):
                    await Gaio.save_bytes(self.at("a"), bad)
            await asyncio.gather(*[Gaio.save_bytes(self.at(f"{i % 10}"), b"%d" % (i % 10))
                                   for i in range(200)])
            for i in range(10):
                self.assertEqual(self.read(f"{i}"), b"%d" % i)

        asyncio.run(main())
        self.assertEqual(len(os.listdir(self.at_dir)), 11)

    def test_save_cancel(self):
        async def main():
            os.mkfifo(self.at("fifo"))
            waiting = asyncio.ensure_future(Gaio.save_bytes(self.at("fifo"), b"x"))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await waiting

        asyncio.run(main())

    def test_copy(self):
        async def main():
            home = threading.get_ident()
            told = []

            def progress(done, total):
                self.assertEqual(threading.get_ident(), home)
                told.append((done, total))

            await Gaio.copy(self.path, self.at("a"))
            self.assertEqual(self.read("a"), self.data)
            with self.assertRaises(FileExistsError) as raised:
                await Gaio.copy(self.path, self.at("a"))
            self.assertEqual(raised.exception.filename, self.path)
            self.assertEqual(raised.exception.filename2, self.at("a"))
            await Gaio.copy(self.path, self.at("a"),
                            Gaio.CopyFlags.OVERWRITE | Gaio.CopyFlags.ALL_METADATA, progress)
            self.assertEqual(told[-1], (len(self.data), len(self.data)))
            self.assertEqual(told, sorted(told))
            Gaio.copy_sync(self.path, self.at("b"), 0, progress)
            self.assertEqual(self.read("b"), self.data)
            with self.assertRaises(OSError):
                await Gaio.copy(self.at_dir, self.at("c"))
            # It is let go of.
            gone = weakref.ref(progress)
            del progress
            settle()
            self.assertIsNone(gone())

        asyncio.run(main())

    def test_copy_cancel(self):
        """From the progress function: all of a copy, or nothing of it."""
        source = self.large()

        async def main():
            for _ in range(5):
                cancellable = Gio.Cancellable()
                copy = Gaio.copy(source, self.at("copy"), progress=lambda *_: cancellable.cancel(),
                                 cancellable=cancellable)
                try:
                    await copy
                    os.unlink(self.at("copy"))
                except OSError as error:
                    self.assert_errno(error, errno.ECANCELED)
                self.assertEqual(os.listdir(self.at_dir), ["large"])
            for i in range(5):
                task = asyncio.ensure_future(Gaio.copy(source, self.at("copy")))
                await asyncio.sleep(0.001 * i)
                if task.cancel():
                    with self.assertRaises(asyncio.CancelledError):
                        await task
                # It may have been too late, but it is over.
                while any(name.startswith(".") for name in os.listdir(self.at_dir)):
                    await asyncio.sleep(0.001)
                if os.path.exists(self.at("copy")):
                    self.assertEqual(os.stat(self.at("copy")).st_size, LARGE)
                    os.unlink(self.at("copy"))

        asyncio.run(main())

    def test_progress_raises(self):
        """What a progress function raises is its own matter; the copy goes on."""
        source = self.large()
        seen = []
        hook, sys.excepthook = sys.excepthook, lambda *args: seen.append(args[0])

        def progress(done, total):
            raise ValueError("on purpose")

        async def main():
            await Gaio.copy(source, self.at("a"), progress=progress)
            Gaio.copy_sync(source, self.at("b"), progress=progress)

        try:
            asyncio.run(main())
        finally:
            sys.excepthook = hook
        self.assertEqual(os.stat(self.at("a")).st_size, LARGE)
        self.assertEqual(os.stat(self.at("b")).st_size, LARGE)
        self.assertTrue(seen)
        self.assertEqual(set(seen), {ValueError})

    def test_nobody_waits(self):
        """The loop ends, and the program drops all, while files are copied."""
        source = self.large()
        fds = len(open_fds())

        async def main():
            for i in range(8):
                Gaio.copy(source, self.at(f"{i}"), progress=lambda *_: None)
            await asyncio.sleep(0)

        asyncio.run(main())
        gc.collect()
        # Also those that no worker has come to yet.
        while sorted(os.listdir(self.at_dir)) != [f"{i}" for i in range(8)] + ["large"]:
            settle()
        settle()
        self.assertLessEqual(len(open_fds()), fds + 8)

    def test_move(self):
        async def main():
            await Gaio.save_bytes(self.at("a"), b"one")
            await Gaio.save_bytes(self.at("other"), b"other")
            await Gaio.move(self.at("a"), self.at("b"))
            self.assertEqual(self.read("b"), b"one")
            with self.assertRaises(FileNotFoundError):
                await Gaio.move(self.at("a"), self.at("b"), Gaio.CopyFlags.OVERWRITE)
            with self.assertRaises(FileExistsError):
                await Gaio.move(self.at("b"), self.at("other"))
            await Gaio.move(self.at("b"), self.at("other"), flags=Gaio.CopyFlags.OVERWRITE)
            Gaio.move_sync(self.at("other"), self.at("a"))
            self.assertEqual(os.listdir(self.at_dir), ["a"])

        asyncio.run(main())

    def test_move_away(self):
        """To another file system."""
        try:
            away = tempfile.mkdtemp(prefix="gaio-whole-", dir="/dev/shm")
        except OSError as error:
            self.skipTest(str(error))
        self.addCleanup(shutil.rmtree, away)
        if os.stat(away).st_dev == os.stat(self.at_dir).st_dev:
            self.skipTest("no second file system")
        source = self.large()

        async def main():
            told = []
            with self.assertRaises(OSError):
                await Gaio.move(source, f"{away}/a", Gaio.CopyFlags.NO_FALLBACK)
            await Gaio.move(source, f"{away}/a", progress=lambda *args: told.append(args))
            self.assertEqual(told[-1], (LARGE, LARGE))
            self.assertFalse(os.path.exists(source))
            self.assertEqual(os.stat(f"{away}/a").st_size, LARGE)

        asyncio.run(main())


if __name__ == "__main__":
    tap.main()
