# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Directories and whole files, from Python."""

import asyncio
import errno
import hashlib
import os
import pathlib
import shutil
import tempfile

from common import Case, Gaio, settle
from gi.repository import Gio, GLib
import tap

ODD_NAME = b"odd-\xff\xfe"


class TreeTest(Case):
    def setUp(self):
        self.tree = tempfile.mkdtemp(prefix="gaio-tree-")

    def tearDown(self):
        shutil.rmtree(self.tree, ignore_errors=True)
        settle()

    def at(self, name):
        return os.path.join(self.tree, name)

    def touch(self, name):
        with open(os.path.join(os.fsencode(self.tree), os.fsencode(name)), "wb"):
            pass

    def test_make_directory(self):
        async def main():
            await Gaio.make_directory(self.at("a"))
            with self.assertRaises(FileExistsError):
                await Gaio.make_directory(self.at("a"))
            with self.assertRaises(FileNotFoundError) as raised:
                await Gaio.make_directory(self.at("b/c"))
            self.assertEqual(raised.exception.filename, self.at("b/c"))
            await Gaio.make_directory(self.at("b/c"), True)
            await Gaio.make_directory(self.at("b/c"), with_parents=True)
            await Gaio.make_directory(self.at("private"), permissions=0o700)
            self.assertEqual(os.stat(self.at("private")).st_mode & 0o777, 0o700)
            Gaio.make_directory_sync(os.fsencode(self.at("bytes")))
            with self.assertRaises(OSError) as raised:
                await Gaio.make_directory(self.at("mistyped"), permissions=0o7770000)
            self.assert_errno(raised.exception, errno.EINVAL)

        asyncio.run(main())
        self.assertEqual(sorted(os.listdir(self.tree)), ["a", "b", "bytes", "private"])

    def test_query_info(self):
        with open(self.at("file"), "wb") as file:
            file.write(bytes(1234))
        os.symlink("file", self.at("link"))

        async def main():
            info = await Gaio.query_info(self.at("file"), "standard::size")
            self.assertEqual(info.list_attributes(None), ["standard::size"])
            self.assertEqual(info.get_size(), 1234)
            for path in (Gio.File.new_for_path(self.at("link")), pathlib.Path(self.at("link")),
                         os.fsencode(self.at("link"))):
                info = await Gaio.query_info(path)
                self.assertEqual(info.get_size(), 1234)
                self.assertEqual(info.get_symlink_target(), "file")
            info = await Gaio.query_info(self.at("link"), "standard::*",
                                         Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS)
            self.assertEqual(info.get_file_type(), Gio.FileType.SYMBOLIC_LINK)
            info = Gaio.query_info_sync(self.tree, flags=0)
            self.assertEqual(info.get_file_type(), Gio.FileType.DIRECTORY)
            with self.assertRaises(FileNotFoundError) as raised:
                await Gaio.query_info(self.at("none"))
            self.assertEqual(raised.exception.filename, self.at("none"))
            with self.assertRaises(OSError) as raised:
                await Gaio.query_info(Gio.File.new_for_uri("http://localhost/"))
            self.assertEqual(raised.exception.errno, errno.ENOTSUP)
            with self.assertRaises(ValueError):
                Gaio.query_info_sync("a\0b")

        asyncio.run(main())

    def test_remove(self):
        async def main():
            self.touch("file")
            await Gaio.remove(self.at("file"))
            with self.assertRaises(FileNotFoundError):
                await Gaio.remove(self.at("file"))
            os.makedirs(self.at("a/b/c"))
            with self.assertRaises(OSError) as raised:
                await Gaio.remove(self.at("a"))
            self.assert_errno(raised.exception, errno.ENOTEMPTY)
            told = []
            await Gaio.remove(self.at("a"), Gaio.RemoveFlags.RECURSIVE,
                              lambda done, total: told.append((done, total)))
            self.assertEqual(told[-1], (3, 3))
            os.makedirs(self.at("d/e"))
            Gaio.remove_sync(self.at("d"), Gaio.RemoveFlags.RECURSIVE)

        asyncio.run(main())
        self.assertEqual(os.listdir(self.tree), [])

    def test_scan_directory(self):
        async def main():
            os.makedirs(self.at("a/b"))
            self.touch("a/b/file")
            self.touch(ODD_NAME)
            odd = os.fsdecode(ODD_NAME)
            self.assertEqual(sorted(await Gaio.scan_directory(self.tree)), sorted(["a", odd]))
            names = await Gaio.scan_directory(self.tree, Gaio.ScanFlags.RECURSIVE)
            self.assertEqual(sorted(names), sorted(["a", "a/b", "a/b/file", odd]))
            self.assertEqual(Gaio.scan_directory_sync(self.at("a/b")), ["file"])
            with self.assertRaises(NotADirectoryError):
                await Gaio.scan_directory(self.at("a/b/file"))

        asyncio.run(main())

    def test_checksum(self):
        async def main():
            expected = hashlib.sha256(self.data).hexdigest()
            told = []
            self.assertEqual(
                await Gaio.checksum(self.path, GLib.ChecksumType.SHA256,
                                    lambda done, total: told.append((done, total))), expected)
            self.assertEqual(told[-1], (len(self.data), len(self.data)))
            self.assertEqual(Gaio.checksum_sync(self.path, GLib.ChecksumType.SHA256), expected)
            with self.assertRaises(IsADirectoryError):
                await Gaio.checksum(self.tree, GLib.ChecksumType.SHA256)

            os.mkfifo(self.at("fifo"))
            waiting = asyncio.ensure_future(Gaio.checksum(self.at("fifo"), GLib.ChecksumType.MD5))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await waiting

        asyncio.run(main())

    def test_enumerate(self):
        async def main():
            for i in range(600):
                self.touch(f"{i}")
            self.touch(ODD_NAME)
            expected = sorted([f"{i}" for i in range(600)] + [os.fsdecode(ODD_NAME)])
            names = []
            async for info in await Gaio.enumerate(self.tree):
                names.append(info.get_name())
                self.assertEqual(info.get_size(), 0)
            self.assertEqual(sorted(names), expected)

            async with await Gaio.enumerate(self.tree, "standard::name") as enumerator:
                self.assertEqual(len(await enumerator.next_files(10)), 10)
                pending = enumerator.next_files(10)
                with self.assertRaises(OSError) as raised:
                    await enumerator.next_files(10)
                self.assert_errno(raised.exception, errno.EBUSY)
                self.assertEqual(len(await pending), 10)
            with self.assertRaises(OSError) as raised:
                await enumerator.next_files(10)
            self.assert_errno(raised.exception, errno.EBADF)

            with Gaio.enumerate_sync(self.tree, "standard::name",
                                     Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS) as enumerator:
                self.assertEqual(len(enumerator.next_files_sync(1000)), 601)
                self.assertEqual(enumerator.next_files_sync(1000), [])

            with Gaio.enumerate_sync(self.tree) as enumerator:
                self.assertEqual(sorted(info.get_name() for info in enumerator), expected)

            # Left in the midst.
            async for info in await Gaio.enumerate(self.tree):
                break
            async with await Gaio.enumerate(self.tree) as enumerator:
                async for info in enumerator:
                    break
            for info in Gaio.enumerate_sync(self.tree):
                break
            with self.assertRaises(NotADirectoryError):
                await Gaio.enumerate(self.at("1"))
            with self.assertRaises(TypeError):
                Gaio.Enumerator()
            self.assertEqual(list(enumerate("a")), [(0, "a")])

        asyncio.run(main())
        settle()


if __name__ == "__main__":
    tap.main()
