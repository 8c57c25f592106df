#!/usr/bin/env python3
"""Print the size of a file: asyncio waits for a context's one descriptor, and needs no GLib."""
import asyncio
import sys

import gi
gi.require_version("Gaio", "1.0")
from gi.repository import Gaio, GLib


async def size_of(path):
    loop = asyncio.get_running_loop()
    context = Gaio.Context.ref_thread_default()
    result = loop.create_future()

    def on_loaded(source, task):
        try:
            result.set_result(Gaio.load_bytes_finish(task).get_size())
        except GLib.Error as error:
            result.set_exception(error)

    loop.add_reader(context.get_fd(), context.iterate)
    Gaio.load_bytes_async(path, GLib.PRIORITY_DEFAULT, None, on_loaded)
    try:
        return await result
    finally:
        loop.remove_reader(context.get_fd())


try:
    print(asyncio.run(size_of(sys.argv[1])))
except GLib.Error as error:
    sys.exit(f"foreign-loop.py: {error.message}")
