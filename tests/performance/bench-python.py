# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""4 KiB cached reads from Python, 32 in flight: gaio in its forms, GIO, and what pread() does.

Rounds of all are interleaved, so that a busy moment of the machine hits all alike; the medians are
printed, and their ratio to GIO's.

    bench-python.py [ROUNDS]
"""

import asyncio
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
            for first in range(0, len(places), BATCH):
                for data in await file.read_batch(places[first:first + BATCH], BLOCK):
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


def asyncio_executor(path, places):
    remaining = iter(places)
    fd = os.open(path, os.O_RDONLY)

    async def reader(loop):
        for offset in remaining:
            await loop.run_in_executor(None, os.pread, fd, BLOCK, offset)

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.gather(*[reader(loop) for _ in range(IN_FLIGHT)])

    asyncio.run(main())
    os.close(fd)


PEERS = (
    # name, function, reads a round
    ("gio-callback", gio_callback, 10000),
    ("gaio-callback", gaio_callback, 60000),
    ("gaio-await", gaio_await, 40000),
    ("gaio-await-on-glib", gaio_await_on_glib, 40000),
    ("gaio-batch", gaio_batch, 200000),
    ("asyncio-executor", asyncio_executor, 8000),
    ("sync-pread", sync_pread, 200000),
)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    rates = {name: [] for name, _, _ in PEERS}
    with tempfile.NamedTemporaryFile(dir=os.environ.get("GAIO_BENCH_DIR")) as file:
        file.write(random.Random(0).randbytes(1024 * 1024) * (SIZE // 1024 // 1024))
        file.flush()
        for _ in range(rounds + 1):
            for name, function, count in PEERS:
                places = offsets(count)
                began = time.perf_counter()
                function(file.name, places)
                rates[name].append(count / (time.perf_counter() - began))
    engine = Gaio.Context.ref_thread_default().get_engine().value_nick
    print(f"4 KiB cached reads, {IN_FLIGHT} in flight, engine {engine}, "
          f"median of {rounds} rounds")
    base = statistics.median(rates["gio-callback"][1:])
    for name in rates:
        rate = statistics.median(rates[name][1:])  # the first round warms up
        print(f"  {name:20} {rate / 1000:9.1f} k/s {rate / base:8.2f} x GIO")


main()
