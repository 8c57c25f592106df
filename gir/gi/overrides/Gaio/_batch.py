# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""What a Gaio.Batch is in Python: a sequence with one item for each operation.

The library has all results in three arrays, which are fetched once, when first needed: to ask it
for each result would cost more than to read it.
"""

import ctypes
import operator
import struct

from gi.module import get_introspection_module

from ._operations import os_error

_Gaio = get_introspection_module("Gaio")


class _Results:
    __slots__ = ("counts", "starts", "view")

    def __init__(self, batch):
        self.counts = batch.get_counts()
        self.starts = batch.get_starts()
        self.view = None
        if batch.is_read():
            # It does not keep the batch, which keeps it; so it is for use in here alone.
            self.view = memoryview(_memory(batch, self.starts[-1])).cast("B")


def _memory(batch, size):
    address = batch.get_address()
    return (ctypes.c_ubyte * size).from_address(address) if address else bytearray()


def _lasting_view(batch, results):
    """What keeps the batch, and so the memory."""
    memory = _memory(batch, results.starts[-1])
    memory.batch = batch
    return memoryview(memory).cast("B").toreadonly()


def _results(self):
    try:
        return self._results
    except AttributeError:
        self._results = _Results(self)
        return self._results


def _index(self, index):
    count = len(_results(self).counts)
    if not -count <= index < count:
        raise IndexError("there are not so many operations")
    return index % count


def _raise(self, index):
    error = self.get_error(index)
    raise os_error(error) from error


def __len__(self):
    return self.get_n_operations()


def __bool__(self):
    return True


def __getitem__(self, index):
    """What an operation has read, as bytes, or how many bytes it has written; raises its OSError
    when it failed. A slice is a list."""
    if isinstance(index, slice):
        return [self[i] for i in range(*index.indices(len(self)))]
    index = _index(self, index)
    results = _results(self)
    count = results.counts[index]
    if count < 0:
        _raise(self, index)
    if results.view is None:
        return count
    start = results.starts[index]
    return results.view[start:start + count].tobytes()


def _iterate(self, results):
    view = results.view
    for index, (start, count) in enumerate(zip(results.starts, results.counts)):
        if count < 0:
            _raise(self, index)
        yield count if view is None else view[start:start + count].tobytes()


_first = operator.itemgetter(0)


def __iter__(self):
    """The same for all, in turn; it ends with the OSError of the first that failed."""
    results = _results(self)
    counts = results.counts
    size = counts[0] if counts else 0
    if results.view and size > 0 and counts.count(size) == len(counts) \
            and results.starts[-1] == size * len(counts):
        # All alike, and nothing missing: then no line of Python runs for each.
        return map(_first, struct.iter_unpack(f"{size}s", _lasting_view(self, results)))
    return _iterate(self, results)


def view(self, index):
    """What an operation has read, as a memoryview that keeps all of the batch; nothing is copied.
    Raises its OSError when it failed."""
    index = _index(self, index)
    results = _results(self)
    count = results.counts[index]
    if count < 0:
        _raise(self, index)
    if results.view is None:
        raise TypeError("a batch of writes has no data")
    if count == 0:
        return memoryview(b"")
    start = results.starts[index]
    return _lasting_view(self, results)[start:start + count]


def _taking_pairs(function):
    def write_batch(self, operations, **keywords):
        """Writes (offset, data) pairs."""
        offsets, chunks = [], []
        for offset, data in operations:
            offsets.append(offset)
            chunks.append(data)
        return function(self, offsets, chunks, **keywords)

    write_batch.__name__ = function.__name__
    write_batch.__qualname__ = function.__qualname__
    write_batch.__doc__ = function.__doc__
    write_batch.__module__ = function.__module__
    return write_batch


def adapt():
    for function in (__len__, __bool__, __getitem__, __iter__, view):
        setattr(_Gaio.Batch, function.__name__, function)
        function.__qualname__ = f"Batch.{function.__name__}"
    for name in ("write_batch", "write_batch_sync"):
        setattr(_Gaio.File, name, _taking_pairs(getattr(_Gaio.File, name)))
