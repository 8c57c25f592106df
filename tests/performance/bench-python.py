# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""From Python: 4 KiB cached reads, 32 in flight, by gaio in its forms, GIO, asyncio's threads and
what pread() does; and a file of 64 MiB loaded whole.

Rounds of all are interleaved, so that a busy moment of the machine hits all alike; the medians are
printed with their ratio to GIO's, how far the rounds were apart, the processor time, and the aims
as reached or not.

    bench-python.py [ROUNDS]
"""

import asyncio
import functools
import os
import random
import statistics
import sys
import tempfile
import time

import gi

gi.require_version("Gaio", "1.0")
from gi.repository import Gaio, Gio, GLib  # noqa: E402

SIZE = 64 * 1024 * 1024
BLOCK = 4096
IN_FLIGHT = 32
BATCH = 1000


def offsets(count):
    blocks = random.Random(1)
    return [blocks.randrange(SIZE // BLOCK) * BLOCK for _ in range(count)]


def sync_pread(path, places):
    fd = os.open(path, os.O_RDONLY)
    for offset in places:
        os.pread(fd, BLOCK, offset)
    os.close(fd)


async def await_all(path, places, start):
    remaining = iter(places)

    async def reader(file):
        for offset in remaining:
            await file.read_bytes(offset, BLOCK)

    async with await Gaio.open(path) as file:
        for task in [start(reader(file)) for _ in range(IN_FLIGHT)]:
            await task


def gaio_await(path, places):
    asyncio.run(await_all(path, places, asyncio.create_task))


def gaio_await_on_glib(path, places):
    Gaio.run(await_all(path, places, Gaio.spawn))


def gaio_batch(path, places):
    async def main():
        async with await Gaio.open(path) as file:
            for begin in range(0, len(places), BATCH):
                for data in await file.read_batch(places[begin:begin + BATCH], BLOCK):
                    assert len(data) == BLOCK

    asyncio.run(main())


def gaio_callback(path, places):
    remaining = iter(places)
    loop = GLib.MainLoop()
    file = Gaio.open_sync(path)
    in_flight = IN_FLIGHT
    start, finish = file.read_bytes_async, file.read_bytes_finish

    def on_read(source, result):
        nonlocal in_flight
        finish(result).get_data()
        for offset in remaining:
            start(offset, BLOCK, 0, None, on_read)
            return
        in_flight -= 1
        if in_flight == 0:
            loop.quit()

    for _ in range(IN_FLIGHT):
        start(next(remaining), BLOCK, 0, None, on_read)
    loop.run()
    file.close_sync()


def gio_callback(path, places):
    # A GIO stream does one operation at a time, so there is one for each in flight.
    remaining = iter(places)
    loop = GLib.MainLoop()
    streams = [Gio.File.new_for_path(path).read(None) for _ in range(IN_FLIGHT)]
    in_flight = IN_FLIGHT

    def start(stream):
        nonlocal in_flight
        for offset in remaining:
            stream.seek(offset, GLib.SeekType.SET, None)
            stream.read_bytes_async(BLOCK, 0, None, on_read)
            return
        in_flight -= 1
        if in_flight == 0:
            loop.quit()

    def on_read(stream, result):
        stream.read_bytes_finish(result).get_data()
        start(stream)

    for stream in streams:
        start(stream)
    loop.run()
    for stream in streams:
        stream.close(None)


def in_asyncio_threads(path, places, pread):
    remaining = iter(places)
    fd = os.open(path, os.O_RDONLY)

    async def reader():
        for offset in remaining:
            await pread(fd, BLOCK, offset)

    async def main():
        await asyncio.gather(*[reader() for _ in range(IN_FLIGHT)])

    asyncio.run(main())
    os.close(fd)


def asyncio_executor(path, places):
    def pread(*args):
        return asyncio.get_running_loop().run_in_executor(None, os.pread, *args)

    in_asyncio_threads(path, places, pread)


def asyncio_to_thread(path, places):
    in_asyncio_threads(path, places, functools.partial(asyncio.to_thread, os.pread))


def sync_load(path):
    with open(path, "rb") as file:
        return len(file.read())


def gaio_load_await(path):
    async def load():
        return len(await Gaio.load_bytes(path))

    return asyncio.run(load())


def gaio_load_callback(path):
    loop = GLib.MainLoop()
    size = 0

    def on_loaded(_source, result):
        nonlocal size
        size = Gaio.load_bytes_finish(result).get_size()
        loop.quit()

    Gaio.load_bytes_async(path, 0, None, on_loaded)
    loop.run()
    return size


def gio_load(path):
    loop = GLib.MainLoop()
    size = 0

    def on_loaded(file, result):
        nonlocal size
        _, contents, _ = file.load_contents_finish(result)
        size = len(contents)
        loop.quit()

    Gio.File.new_for_path(path).load_contents_async(None, on_loaded)
    loop.run()
    return size


READS = (
    # name, function, reads a round, the aim: at least so much of what other peer
    ("gio-callback", gio_callback, 5000, None),
    ("gaio-callback", gaio_callback, 30000, (5, "gio-callback")),
    ("gaio-await", gaio_await, 20000, (3, "asyncio-executor")),
    ("gaio-await-on-glib", gaio_await_on_glib, 20000, None),
    ("gaio-batch", gaio_batch, 60000, (0.5, "sync-pread")),
    ("asyncio-executor", asyncio_executor, 5000, None),
    ("asyncio-to-thread", asyncio_to_thread, 5000, None),
    ("sync-pread", sync_pread, 100000, None),
)

LOADS = (
    # name, function, the aim: at most so much of the first one's time
    ("sync-read", sync_load, None),
    ("gaio-await", gaio_load_await, 1.2),
    ("gaio-callback", gaio_load_callback, 1.2),
    ("gio-callback", gio_load, None),
)


class Row:
    """The rounds of one peer: seconds for each unit, of the clock and of the processors."""

    def __init__(self):
        self.times = []
        self.cpu_times = []

    def measure(self, function, units):
        began, cpu_began = time.perf_counter(), time.process_time()
        function()
        self.times.append((time.perf_counter() - began) / units)
        self.cpu_times.append((time.process_time() - cpu_began) / units)

    # The first round warms up.
    def median(self):
        return statistics.median(self.times[1:])

    def cpu_median(self):
        return statistics.median(self.cpu_times[1:])

    def spread(self):
        times = self.times[1:]
        return (max(times) - min(times)) / 2 / statistics.median(times)


def compare_reads(path, rounds):
    rows = {name: Row() for name, *_ in READS}
    for _ in range(rounds + 1):
        for name, function, count, _ in READS:
            places = offsets(count)
            rows[name].measure(lambda: function(path, places), count)
    engine = Gaio.Context.ref_thread_default().get_engine().value_nick
    print(f"4 KiB cached reads, {IN_FLIGHT} in flight, engine {engine}, "
          f"median of {rounds} rounds")
    base = rows["gio-callback"].median()
    for name, _, _, aim in READS:
        row = rows[name]
        line = (f"  {name:20} {1e-3 / row.median():9.1f} k/s +-{row.spread():4.0%}"
                f" {row.cpu_median() * 1e6:8.1f} us cpu {base / row.median():8.2f} x GIO")
        if aim is not None:
            factor, other = aim
            ratio = rows[other].median() / row.median()
            line += (f"  aim: >= {factor} x {other}, "
                     f"reached: {'yes' if ratio >= factor else 'no'} ({ratio:.2f})")
        print(line, flush=True)


def compare_loads(path, rounds):
    rows = {name: Row() for name, *_ in LOADS}
    for _ in range(rounds + 1):
        for name, function, _ in LOADS:
            rows[name].measure(lambda: check_size(function(path)), 1)
    print(f"load {SIZE // 1024 // 1024} MiB, median of {rounds} rounds")
    base = rows[LOADS[0][0]].median()
    for name, _, aim in LOADS:
        row = rows[name]
        ratio = row.median() / base
        line = (f"  {name:20} {row.median() * 1e3:9.1f} ms  +-{row.spread():4.0%}"
                f" {row.cpu_median() * 1e3:8.1f} ms cpu {ratio:8.2f}")
        if aim is not None:
            line += f"  aim: <= {aim}, reached: {'yes' if ratio <= aim else 'no'}"
        print(line, flush=True)


def check_size(size):
    if size != SIZE:
        raise AssertionError(f"{size} bytes loaded")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.NamedTemporaryFile(dir=os.environ.get("GAIO_BENCH_DIR")) as file:
        file.write(random.Random(0).randbytes(1024 * 1024) * (SIZE // 1024 // 1024))
        file.flush()
        compare_reads(file.name, rounds)
        compare_loads(file.name, rounds)


main()
