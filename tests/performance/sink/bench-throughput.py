#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""gaiofilesink beside filesink: throughput, and CPU time for each GiB.

    bench-throughput.py [--size=MIB] [--rounds=N] [--dir=DIRECTORY] [--buffers=BYTES,...]

Each sink takes the same bytes from the same source, in buffers of each size, into a new file on
the disk. The rounds are interleaved, so that what else the machine does hits all alike, and the
table has medians, and the ratios of the fastest rounds, which are steadier. A gst-launch-1.0 that
writes nothing is measured too, and subtracted. A virtual machine gets memory slowly that it has not
had for a second or two, so a scratch file is written and removed before each run; it is worth
looking at the spread all the same.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SINKS = {
    "filesink": "filesink location={file}",
    "queue ! filesink": "queue ! filesink location={file}",
    "gaiofilesink": "gaiofilesink location={file}",
    "gaiofilesink, threads": "gaiofilesink location={file}",
    "gaiofilesink, direct": "gaiofilesink location={file} direct=auto",
}

AIMS = {4096: 0.7}  # of filesink's processor time; of others:
AIM, AIM_DIRECT = 1.0, 0.5


def warm(directory, mib):
    """Has the host give the memory that the page cache will take."""
    with open(directory / "scratch", "wb") as scratch:
        for _ in range(mib):
            scratch.write(bytes(1024 * 1024))
    (directory / "scratch").unlink()


def measure(name, file, buffer_size, count):
    """Seconds of wall clock and of CPU of one run."""
    env = dict(os.environ)
    if name.endswith("threads"):
        env["GAIO_ENGINE"] = "threads"
    command = (f"gst-launch-1.0 -q fakesrc num-buffers={count} sizetype=fixed "
               f"sizemax={buffer_size} filltype=nothing ! " + SINKS[name].format(file=file))
    begin = time.monotonic()
    process = subprocess.Popen(command.split(), env=env, stdin=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench-throughput: exit code {process.returncode} of: {command}")
    if file.stat().st_size != buffer_size * count:
        sys.exit(f"bench-throughput: {name} has written {file.stat().st_size} bytes")
    file.unlink()
    return wall, usage.ru_utime + usage.ru_stime


def spread(runs):
    """The CPU times of a sink's rounds, sorted."""
    return " ".join(f"{cpu:.2f}" for cpu in sorted(cpu for _, cpu in runs))


def bench(args, directory, buffer_size):
    """The table for one size of buffers."""
    count = args.size * 1024 * 1024 // buffer_size
    file = directory / "out"
    runs = {name: [] for name in SINKS}
    idle = {name: [] for name in SINKS}
    for number in range(args.rounds + 1):
        for name in SINKS:
            nothing = measure(name, file, buffer_size, 0)
            warm(directory, args.size + 256)
            run = measure(name, file, buffer_size, count)
            if number > 0:  # the first one is for the caches
                idle[name].append(nothing)
                runs[name].append(run)

    gib = count * buffer_size / 1024 ** 3
    print(f"\n{buffer_size} bytes a buffer, {gib:.1f} GiB, median of {args.rounds}\n")
    print(f"{'sink':24} {'MiB/s':>9} {'ratio':>7} {'CPU s/GiB':>10} {'ratio':>7} {'of least':>9}  "
          "CPU s, all rounds")
    first = None
    for name in SINKS:
        wall, cpu = (statistics.median(run[i] for run in runs[name]) -
                     statistics.median(run[i] for run in idle[name]) for i in range(2))
        least = min(run[1] for run in runs[name]) - min(run[1] for run in idle[name])
        row = gib * 1024 / wall, cpu / gib, least
        first = first or row
        print(f"{name:24} {row[0]:9.0f} {row[0] / first[0]:7.2f} {row[1]:10.3f} "
              f"{row[1] / first[1]:7.2f} {least / first[2]:9.2f}  {spread(runs[name])}", flush=True)
        if name.startswith("gaio"):
            aim = AIM_DIRECT if name.endswith("direct") else AIMS.get(buffer_size, AIM)
            if row[1] / first[1] > aim:
                print(f"    falls short: processor time {row[1] / first[1]:.2f} of filesink's, "
                      f"aim {aim}")


def main():
    """A table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512, help="MiB in each run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dir", default="/var/tmp", help="where to write")
    parser.add_argument("--buffers", default="4096,65536,1048576", help="sizes of buffers")
    args = parser.parse_args()

    directory = Path(tempfile.mkdtemp(prefix="bench-throughput-", dir=args.dir))
    try:
        if shutil.disk_usage(directory).free < 3 * args.size * 1024 * 1024:
            sys.exit(f"bench-throughput: less than {3 * args.size} MiB free in {args.dir}")
        for buffer_size in args.buffers.split(","):
            bench(args, directory, int(buffer_size))
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
