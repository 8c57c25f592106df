# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The work that a thread pool does by itself, from Python."""

import asyncio
import errno
import gzip
import hashlib
import os

from common import Case, Gaio, settle
from gi.repository import Gio, GLib, GObject
import tap


class Script(GObject.Object, Gio.Converter):
    """A converter in Python."""

    ran = 0

    def do_convert(self, *arguments):
        Script.ran += 1
        return Gio.ConverterResult.FINISHED, 1, 1

    def do_reset(self):
        pass


class PoolTest(Case):
    def setUp(self):
        self.pool = Gaio.ThreadPool()

    def tearDown(self):
        self.pool = None
        settle()

    def test_checksum(self):
        async def main():
            for data in b"", b"abc", self.data, bytearray(b"abc"), memoryview(b"abc"), \
                    GLib.Bytes.new(b"abc"):
                plain = data.get_data() if isinstance(data, GLib.Bytes) else data
                expected = hashlib.sha256(plain).hexdigest()
                self.assertEqual(await self.pool.checksum(GLib.ChecksumType.SHA256, data), expected)
                self.assertEqual(self.pool.checksum_sync(GLib.ChecksumType.SHA256, data), expected)
            sums = await asyncio.gather(*[self.pool.checksum(GLib.ChecksumType.MD5, b"%d" % i)
                                          for i in range(100)])
            self.assertEqual(sums, [hashlib.md5(b"%d" % i).hexdigest() for i in range(100)])

        asyncio.run(main())
        Gaio.run(main_of_glib(self.pool))

    def test_convert(self):
        async def main():
            pack = Gio.ZlibCompressor.new(Gio.ZlibCompressorFormat.GZIP, 1)
            unpack = Gio.ZlibDecompressor.new(Gio.ZlibCompressorFormat.GZIP)
            for data in b"", b"abc", self.data:
                packed = await self.pool.convert(pack, data)
                self.assertEqual(gzip.decompress(packed), data)
                self.assertEqual(await self.pool.convert(unpack, packed), data)
                self.assertEqual(self.pool.convert_sync(unpack, packed), data)
            for broken in packed[:-1], b"no gzip":
                with self.assertRaises(OSError) as raised:
                    await self.pool.convert(unpack, broken)
                self.assert_errno(raised.exception, errno.EBADMSG)

            # One conversion at a time.
            first = self.pool.convert(pack, os.urandom(1 << 20))
            with self.assertRaises(OSError) as raised:
                await self.pool.convert(pack, b"abc")
            self.assert_errno(raised.exception, errno.EBUSY)
            await first

        asyncio.run(main())

    def test_cancel(self):
        async def main():
            pack = Gio.ZlibCompressor.new(Gio.ZlibCompressorFormat.GZIP, 9)
            started = self.pool.convert(pack, os.urandom(8 << 20))
            started.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await started

        asyncio.run(main())

    def test_converter_of_python(self):
        async def main():
            converter = Script()
            with self.assertRaises(OSError) as raised:
                await self.pool.convert(converter, b"abc")
            self.assert_errno(raised.exception, errno.ENOTSUP)
            self.assertEqual(Script.ran, 0)
            self.assertEqual(len(self.pool.convert_sync(converter, b"abc")), 1)
            self.assertEqual(Script.ran, 1)

        asyncio.run(main())


async def main_of_glib(pool):
    if await pool.checksum(GLib.ChecksumType.SHA1, b"abc") != hashlib.sha1(b"abc").hexdigest():
        raise AssertionError("in a GLib main loop")


if __name__ == "__main__":
    tap.main()
