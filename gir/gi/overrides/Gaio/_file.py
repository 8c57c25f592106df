# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What the objects of the file room have in Python besides their operations."""

import collections

from gi.module import get_introspection_module

from ._operations import make_awaitable, to_glib_bytes
from ._pump import watch_context

_Gaio = get_introspection_module("Gaio")


async def __aenter__(self):
    return self


async def __aexit__(self, exc_type, exc, tb):
    # An error of the body is the one to see; the file is closed in any case.
    try:
        await self.close()
    except OSError:
        if exc_type is None:
            raise


def __enter__(self):
    return self


def __exit__(self, exc_type, exc, tb):
    try:
        self.close_sync()
    except OSError:
        if exc_type is None:
            raise


async def chunks(self, size=256 * 1024, *, offset=0, ahead=4):
    """Yields the file from `offset` to its end, in pieces of `size` bytes, the last one shorter.

    While one piece is being used the next `ahead` are being read. A file without positions, such
    as a pipe, is read piece by piece, and each piece is as long as what was there.
    """
    if size <= 0 or ahead <= 0:
        raise ValueError("size and ahead must be positive")
    if not self.is_seekable():
        while True:
            data = await self.read_bytes(0, size)
            if not data:
                return
            yield data
    reads = collections.deque()
    try:
        while True:
            while len(reads) < ahead:
                reads.append(self.read_bytes(offset, size))
                offset += size
            data = await reads[0]
            reads.popleft()
            if data:
                yield data
            if len(data) < size:
                return
    finally:
        for read in reads:
            # Nobody will ask for the others, nor for their errors.
            if not read.cancel() and not read.cancelled():
                read.exception()


def __aiter__(self):
    return self.chunks()


_FILES_PER_BATCH = 256


async def _each_file(self):
    """Yields the files of a directory; while those of one batch are being used the next is read."""
    batch = self.next_files(_FILES_PER_BATCH)
    try:
        while files := await batch:
            batch = self.next_files(_FILES_PER_BATCH)
            for info in files:
                yield info
    finally:
        # Nobody will ask for it, nor for its error.
        if not batch.cancel() and not batch.cancelled():
            batch.exception()
    await self.close()


def _each_file_sync(self):
    """Yields the files of a directory."""
    while files := self.next_files_sync(_FILES_PER_BATCH):
        yield from files
    self.close_sync()


def _stream_with_file(stream):
    make = stream.__init__

    def __init__(self, file, **properties):
        if file is None:
            raise TypeError(f"a Gaio.{stream.__name__} needs a file")
        make(self, file=file, **properties)
        # Its operations are Gio's, and start no pump.
        watch_context()

    __init__.__qualname__ = f"{stream.__name__}.__init__"
    stream.__init__ = __init__
    stream.new = staticmethod(lambda file: stream(file))


# Those of Gio's methods with a callback whose arguments can be given in Python.
_ASYNC = ("close", "flush", "query_info", "read_bytes", "skip", "splice", "write_bytes")


def _make_awaitable(stream):
    for name in _ASYNC:
        start = getattr(stream, f"{name}_async", None)
        if start is not None and not (name == "splice" and stream is _Gaio.FileIOStream):
            function = make_awaitable(name, start, getattr(stream, f"{name}_finish"), stream)
            setattr(stream, function.__name__, function)


def _copy_bytes_of_any_kind(pool):
    copy_raw = pool.copy_bytes

    def copy_bytes(self, bytes):
        """Copies data into a buffer, and returns it as GLib.Bytes."""
        return copy_raw(self, to_glib_bytes(bytes))

    copy_bytes.__qualname__ = "BufferPool.copy_bytes"
    pool.copy_bytes = copy_bytes


def adapt():
    for function in (__aenter__, __aexit__, __enter__, __exit__):
        setattr(_Gaio.Enumerator, function.__name__, function)
    _Gaio.Enumerator.__aiter__ = _each_file
    _Gaio.Enumerator.__iter__ = _each_file_sync
    for stream in (_Gaio.FileInputStream, _Gaio.FileOutputStream, _Gaio.FileIOStream):
        _stream_with_file(stream)
        _make_awaitable(stream)
    _copy_bytes_of_any_kind(_Gaio.BufferPool)
    for function in (__aenter__, __aexit__, __enter__, __exit__, chunks, __aiter__):
        setattr(_Gaio.File, function.__name__, function)
        function.__qualname__ = f"File.{function.__name__}"
