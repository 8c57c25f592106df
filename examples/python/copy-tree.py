#!/usr/bin/env python3
"""Copy a directory with all that is in it, many files at a time, and show how far it is."""
import asyncio
import os
import sys

import gi
gi.require_version("Gaio", "1.0")
from gi.repository import Gaio, Gio

AT_ONCE = 64
WANTED = "standard::name,standard::type,standard::size"


async def find(source, target):
    """Makes the directories, and yields (source, target, size) of what is to be copied."""
    directory = await Gaio.enumerate(source, WANTED, Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS)
    await Gaio.make_directory(target)
    async for info in directory:
        inner = os.path.join(source, info.get_name()), os.path.join(target, info.get_name())
        if info.get_file_type() == Gio.FileType.DIRECTORY:
            async for found in find(*inner):
                yield found
        elif info.get_file_type() in (Gio.FileType.REGULAR, Gio.FileType.SYMBOLIC_LINK):
            yield *inner, info.get_size()


class Bar:
    def __init__(self, total):
        self.total = total
        self.done = 0
        self.shown = -1

    def add(self, size):
        self.done += size
        percent = 100 * self.done // self.total if self.total else 100
        if percent != self.shown:
            self.shown = percent
            print(f"\r[{'#' * (percent // 3):33}] {percent} %", end="", file=sys.stderr, flush=True)


async def copy_tree(source, target):
    files = [found async for found in find(source, target)]
    bar = Bar(sum(size for _, _, size in files))
    places = asyncio.Semaphore(AT_ONCE)

    async def copy(source, target, size):
        before = 0

        def progress(done, _):
            nonlocal before
            bar.add(done - before)
            before = done

        async with places:
            await Gaio.copy(source, target, Gaio.CopyFlags.NOFOLLOW_SYMLINKS, progress)
        progress(size, size)  # of a link nothing is told

    try:
        await asyncio.gather(*(copy(*file) for file in files))
    finally:
        print(file=sys.stderr)


try:
    asyncio.run(copy_tree(*sys.argv[1:]))
except OSError as error:
    sys.exit(f"copy-tree.py: {error}")
