#!/usr/bin/env python3
"""Print the SHA-256 of every regular file below some directories, as sha256sum does.

Hundreds of files are read at once: small ones as a whole, big ones in pieces, the next ones of
which are on their way while one is being digested. Symbolic links are not followed. With
--through gio the same is done with GIO's own functions, to compare.
"""
import argparse
import asyncio
import hashlib
import json
import os
import stat
import sys
import time

import gi
gi.require_version("Gaio", "1.0")
from gi.repository import Gaio, Gio, GLib

WHOLE = 1024 * 1024  # up to this size a file is read in one go
PIECE = 1024 * 1024  # of a bigger one


class ThroughGaio:
    """asyncio, and the library's own operations."""

    run = staticmethod(asyncio.run)
    start = staticmethod(asyncio.create_task)
    load = staticmethod(Gaio.load_bytes)

    @staticmethod
    async def pieces(path):
        async with await Gaio.open(path) as file:
            async for piece in file.chunks(PIECE):
                yield piece


class ThroughGio:
    """A GLib main loop, and GIO's operations: each one goes through a thread."""

    run = staticmethod(Gaio.run)
    start = staticmethod(Gaio.spawn)

    @staticmethod
    def call(begin, finish, *arguments):
        future = Gaio.Future()

        def on_done(source, result):
            try:
                future.set_result(finish(source, result))
            except GLib.Error as error:
                future.set_exception(error)

        begin(*arguments, None, on_done)
        return future

    @classmethod
    async def load(cls, path):
        file = Gio.File.new_for_path(path)
        data, _ = await cls.call(file.load_bytes_async, Gio.File.load_bytes_finish)
        return data.get_data() or b""

    @classmethod
    async def pieces(cls, path):
        file = Gio.File.new_for_path(path)
        stream = await cls.call(file.read_async, Gio.File.read_finish, GLib.PRIORITY_DEFAULT)
        while True:
            data = await cls.call(stream.read_bytes_async, Gio.InputStream.read_bytes_finish,
                                  PIECE, GLib.PRIORITY_DEFAULT)
            if data.get_size() == 0:
                break
            yield data.get_data()
        await cls.call(stream.close_async, Gio.InputStream.close_finish, GLib.PRIORITY_DEFAULT)


class Progress:
    """A bar on a terminal, a line for every tenth elsewhere."""

    def __init__(self, total_files, total_bytes, wanted):
        self.total_files, self.total_bytes = total_files, max(total_bytes, 1)
        self.files = self.bytes = 0
        self.began = self.drawn = time.monotonic()
        self.tenths = 0
        self.wanted = wanted
        self.terminal = sys.stderr.isatty()

    def add(self, n_files, n_bytes):
        self.files += n_files
        self.bytes += n_bytes
        if not self.wanted:
            return
        done = min(self.bytes / self.total_bytes, 1.0)
        if self.terminal:
            now = time.monotonic()
            if now - self.drawn >= 0.1:
                self.drawn = now
                self.show(done, "\r", "")
        elif self.tenths < int(done * 10) < 10:
            self.tenths = int(done * 10)
            self.show(done, "", "\n")

    def show(self, done, begin, end):
        rate = self.bytes / max(time.monotonic() - self.began, 1e-6) / 2**20
        bar = "#" * int(done * 30)
        print(f"{begin}[{bar:30}] {self.files}/{self.total_files} files, "
              f"{self.bytes / 2**20:.0f} MiB, {rate:.0f} MiB/s ", end=end, file=sys.stderr,
              flush=True)

    def end(self):
        if self.wanted:
            self.show(1.0, "\r" if self.terminal else "", "\n")


def complain(path, error):
    reason = getattr(error, "strerror", None) or getattr(error, "message", None) or error
    print(f"checksum-tree.py: {path}: {reason}".encode(errors="backslashreplace").decode(),
          file=sys.stderr)


def find_files(top, failed):
    """Yields (path, size) of the regular files, in the order of their names."""
    try:
        with os.scandir(top) as directory:
            entries = sorted(directory, key=lambda entry: os.fsencode(entry.name))
    except NotADirectoryError:
        info = os.stat(top)
        if stat.S_ISREG(info.st_mode):
            yield top, info.st_size
        else:
            failed.append((top, "not a regular file"))
        return
    except OSError as error:
        failed.append((top, error))
        return
    for entry in entries:
        try:
            info = entry.stat(follow_symlinks=False)
        except OSError as error:
            failed.append((entry.path, error))
            continue
        if stat.S_ISDIR(info.st_mode):
            yield from find_files(entry.path, failed)
        elif stat.S_ISREG(info.st_mode):
            yield entry.path, info.st_size


async def checksum(through, path, size, progress):
    digest = hashlib.sha256()
    if size <= WHOLE:
        data = await through.load(path)
        digest.update(data)
        progress.add(0, len(data))
    else:
        async for piece in through.pieces(path):
            digest.update(piece)
            progress.add(0, len(piece))
    progress.add(1, 0)
    return digest.hexdigest()


def print_line(out, path, hexdigest):
    """One line of sha256sum: a name with a line break is escaped, and says so in front."""
    name = os.fsencode(path)
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"\\" if escaped != name else b""
    out.write(b"%s%s  %s\n" % (mark, hexdigest.encode(), escaped))


async def checksum_all(through, files, in_flight, progress, failed):
    """Works on `in_flight` files at a time, and prints their sums in the order of the files."""
    remaining = iter(enumerate(files))
    results = {}
    printed = 0
    out = sys.stdout.buffer

    async def worker():
        nonlocal printed
        for number, (path, size) in remaining:
            try:
                results[number] = await checksum(through, path, size, progress)
            except (OSError, GLib.Error) as error:
                results[number] = None
                failed.append((path, error))
            while printed in results:
                hexdigest = results.pop(printed)
                if hexdigest is not None:
                    print_line(out, files[printed][0], hexdigest)
                printed += 1

    workers = [through.start(worker()) for _ in range(min(in_flight, len(files)))]
    for each in workers:
        await each
    out.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree", nargs="+", help="a directory, or a file")
    parser.add_argument("--through", choices=["gaio", "gio"], default="gaio",
                        help="the library that reads (default: gaio)")
    parser.add_argument("--in-flight", type=int, default=256, metavar="N",
                        help="how many files to work on at once (default: 256)")
    parser.add_argument("--report", metavar="FILE", help="write a summary in JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    arguments = parser.parse_args()
    if arguments.in_flight < 1:
        parser.error("--in-flight must be positive")

    failed = []
    began = time.monotonic()
    files = []
    for top in arguments.tree:
        try:
            files.extend(find_files(top, failed))
        except OSError as error:
            failed.append((top, error))
    progress = Progress(len(files), sum(size for _, size in files), not arguments.quiet)
    through = ThroughGaio if arguments.through == "gaio" else ThroughGio
    through.run(checksum_all(through, files, arguments.in_flight, progress, failed))
    progress.end()
    seconds = time.monotonic() - began

    for path, error in failed:
        complain(path, error)
    if arguments.report:
        context = Gaio.Context.ref_thread_default()
        engine = context.get_engine().value_nick if arguments.through == "gaio" else "gio"
        with open(arguments.report, "w", encoding="utf-8") as file:
            json.dump({
                "through": arguments.through,
                "engine": engine,
                "engine_reason": context.get_engine_reason() if engine != "gio" else "",
                "files": progress.files,
                "failed": len(failed),
                "bytes": progress.bytes,
                "seconds": round(seconds, 3),
                "files_in_flight": min(arguments.in_flight, len(files)),
            }, file, indent=2)
            file.write("\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
