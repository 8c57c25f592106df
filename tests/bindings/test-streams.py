# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Gaio's streams where Gio's are wanted: lines, converters, splices, pictures."""

import asyncio
import os
import struct
import zlib

import gi
from common import Case, Gaio
from gi.repository import Gio, GLib
import tap

def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


# Two pixels: red, green.
PNG = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0))
       + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0\0\xff\0")) + chunk(b"IEND", b""))


def call(function, finish, *args):
    """Calls an *_async function and turns the main context until its result is there."""
    results = []
    function(*args, lambda source, result: results.append(result))
    while not results:
        GLib.MainContext.default().iteration(True)
    return finish(results[0])


class Streams(Case):
    def open_input(self, path=None):
        return Gaio.FileInputStream.new(Gaio.open_sync(path or self.path, "r"))

    def open_output(self, name):
        path = os.path.join(self.dir, name)
        return path, Gaio.FileOutputStream.new(Gaio.open_sync(path, "w"))

    def read(self, path):
        with open(path, "rb") as file:
            return file.read()

    def test_read(self):
        stream = self.open_input()
        self.assertIsInstance(stream, Gio.FileInputStream)
        data = b""
        while True:
            part = call(stream.read_bytes_async, stream.read_bytes_finish, 4096, 0, None).get_data()
            if not part:
                break
            data += part
            if len(data) % 40960 == 0:
                data += stream.read_bytes(100, None).get_data()
        self.assertEqual(data, self.data)
        self.assertTrue(stream.seek(-8, GLib.SeekType.END, None))
        self.assertEqual(stream.read_bytes(100, None).get_data(), self.data[-8:])
        self.assertTrue(call(stream.close_async, stream.close_finish, 0, None))

    def test_write(self):
        path, stream = self.open_output("write")
        for i in range(0, len(self.data), 8192):
            count = call(stream.write_bytes_async, stream.write_bytes_finish,
                         GLib.Bytes.new(self.data[i:i + 8192]), 0, None)
            self.assertEqual(count, 8192)
        self.assertEqual(stream.tell(), len(self.data))
        self.assertTrue(call(stream.close_async, stream.close_finish, 0, None))
        self.assertEqual(self.read(path), self.data)

    def test_both(self):
        path = os.path.join(self.dir, "both")
        stream = Gaio.FileIOStream.new(Gaio.open_sync(path, "w+"))
        stream.get_output_stream().write(b"abcdef", None)
        stream.seek(2, GLib.SeekType.SET, None)
        self.assertEqual(stream.get_input_stream().read_bytes(3, None).get_data(), b"cde")
        stream.close(None)
        self.assertEqual(self.read(path), b"abcdef")

    def test_construction(self):
        file = Gaio.open_sync(self.path)
        stream = Gaio.FileInputStream(file, close_file=False, read_ahead=4096)
        self.assertEqual(stream.props.read_ahead, 4096)
        self.assertEqual(stream.read_bytes(4, None).get_data(), self.data[:4])
        stream.close(None)
        self.assertFalse(file.is_closed())
        Gaio.FileInputStream(file=file).close(None)
        self.assertTrue(file.is_closed())
        path = os.path.join(self.dir, "constructed")
        stream = Gaio.FileOutputStream(Gaio.open_sync(path, "w"), write_behind=0)
        stream.write(b"abc", None)
        self.assertEqual(self.read(path), b"abc")
        stream.close(None)
        for stream in (Gaio.FileInputStream, Gaio.FileOutputStream, Gaio.FileIOStream):
            for arguments in ((), (None,), (path,)):
                with self.assertRaises(TypeError):
                    stream(*arguments)

    def test_asyncio(self):
        async def read(stream):
            result = asyncio.get_running_loop().create_future()
            stream.read_bytes_async(4, 0, None, lambda stream, task: result.set_result(
                stream.read_bytes_finish(task).get_data()))
            return await asyncio.wait_for(result, 10)

        # Nothing else of Gaio's is awaited in either loop.
        for make in (Gaio.FileInputStream, Gaio.FileInputStream.new):
            async def main(make=make):
                return await read(make(Gaio.open_sync(self.path)))

            self.assertEqual(asyncio.run(main()), self.data[:4])

    async def use_streams(self):
        """All that can be awaited, with and without what may be left out."""
        path, output = self.open_output("awaited")
        self.assertEqual(await output.write_bytes_async(b"abc"), 3)
        self.assertEqual(await output.write_bytes_async(GLib.Bytes.new(b"def"), 0, None), 3)
        self.assertTrue(await output.flush_async())
        info = await output.query_info_async("standard::size")
        self.assertEqual(info.get_size(), 6)
        source = self.open_input()
        flags = Gio.OutputStreamSpliceFlags.CLOSE_SOURCE
        self.assertEqual(await output.splice_async(source, flags, io_priority=0), len(self.data))
        self.assertTrue(source.is_closed())
        self.assertTrue(await output.close_async())
        self.assertTrue(output.is_closed())

        stream = self.open_input(path)
        data = await stream.read_bytes_async(4)
        self.assertIsInstance(data, GLib.Bytes)
        self.assertEqual(data.get_data(), b"abcd")
        self.assertEqual(await stream.skip_async(2, GLib.PRIORITY_LOW), 2)
        self.assertEqual((await stream.read_bytes_async(count=9)).get_data(), self.data[:9])
        self.assertEqual((await stream.query_info_async("standard::size")).get_size(),
                         6 + len(self.data))
        cancellable = Gio.Cancellable.new()
        cancellable.cancel()
        for _ in range(2):
            with self.assertRaises(GLib.Error) as caught:
                await stream.read_bytes_async(4, cancellable=cancellable)
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(),
                                                     Gio.IOErrorEnum.CANCELLED))
        self.assertTrue(await stream.close_async())
        with self.assertRaises(GLib.Error):
            await stream.read_bytes_async(4)

        both = Gaio.FileIOStream.new(Gaio.open_sync(path, "r+"))
        self.assertEqual((await both.get_input_stream().read_bytes_async(3)).get_data(), b"abc")
        self.assertEqual((await both.query_info_async("standard::size")).get_size(),
                         6 + len(self.data))
        self.assertTrue(await both.close_async())

    def test_await_in_asyncio(self):
        asyncio.run(self.use_streams())

    def test_await_in_glib(self):
        Gaio.run(self.use_streams())

    def test_await_cancel(self):
        async def main():
            reader, writer = os.pipe()
            stream = Gaio.FileInputStream.new(self.file_of_fd(reader))
            read = stream.read_bytes_async(4)
            await asyncio.sleep(0)
            self.assertTrue(read.cancel())
            with self.assertRaises(asyncio.CancelledError):
                await read
            os.close(writer)

        asyncio.run(main())

    def test_callback_with_data(self):
        seen = []
        stream = self.open_input()
        self.assertIsNone(stream.read_bytes_async(
            4, 0, None, lambda stream, result, *data: seen.append((result, data)), "a"))
        while not seen:
            GLib.MainContext.default().iteration(True)
        ((result, data),) = seen
        self.assertEqual(stream.read_bytes_finish(result).get_data(), self.data[:4])
        self.assertEqual(data, ("a",))

    def test_lines(self):
        path = os.path.join(self.dir, "lines")
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"line {i}\n" for i in range(20000))
        stream = Gio.DataInputStream.new(self.open_input(path))
        for i in range(20000):
            line, _ = call(stream.read_line_async, stream.read_line_finish_utf8, 0, None)
            self.assertEqual(line, f"line {i}")

    def test_splice_converters(self):
        compressor = Gio.ZlibCompressor.new(Gio.ZlibCompressorFormat.GZIP, 1)
        path, target = self.open_output("data.gz")
        flags = (Gio.OutputStreamSpliceFlags.CLOSE_SOURCE
                 | Gio.OutputStreamSpliceFlags.CLOSE_TARGET)
        source = Gio.ConverterInputStream.new(self.open_input(), compressor)
        call(target.splice_async, target.splice_finish, source, flags, 0, None)
        decompressor = Gio.ZlibDecompressor.new(Gio.ZlibCompressorFormat.GZIP)
        source = Gio.ConverterInputStream.new(self.open_input(path), decompressor)
        path, target = self.open_output("back")
        count = call(target.splice_async, target.splice_finish, source, flags, 0, None)
        self.assertEqual(count, len(self.data))
        self.assertEqual(self.read(path), self.data)

    def test_picture(self):
        try:
            gi.require_version("GdkPixbuf", "2.0")
            from gi.repository import GdkPixbuf
        except (ValueError, ImportError):
            self.skipTest("no GdkPixbuf")
        path = os.path.join(self.dir, "picture.png")
        with open(path, "wb") as file:
            file.write(PNG)
        picture = GdkPixbuf.Pixbuf.new_from_stream(self.open_input(path), None)
        self.assertEqual((picture.get_width(), picture.get_height()), (2, 1))
        stream = self.open_input(path)
        again = call(lambda *args: GdkPixbuf.Pixbuf.new_from_stream_async(stream, *args),
                     GdkPixbuf.Pixbuf.new_from_stream_finish, None)
        self.assertEqual(again.get_pixels(), picture.get_pixels())
        saved, target = self.open_output("saved.png")
        picture.save_to_streamv(target, "png", [], [], None)
        target.close(None)
        self.assertEqual(GdkPixbuf.Pixbuf.new_from_file(saved).get_pixels(), picture.get_pixels())


if __name__ == "__main__":
    tap.main()
