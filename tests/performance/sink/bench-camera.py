#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a camera sees of the sink behind it while the disk misbehaves.

    bench-camera.py PROGRAM [--slow-fs=PROGRAM] [--rounds=N] [--seconds=S] [--dir=DIRECTORY]
                    [--only=PART,...] [--json=FILE] [--plot=FILE]

PROGRAM is bench-camera, which is one camera before one writer. Writers and rounds are interleaved
and the tables have medians. For each frame dropped it does not matter whether the push before it
had not returned or whether all buffers of the camera were with the sink. Those that the camera
itself missed, because the machine had no time for it, are told apart.

It takes root to freeze and to slow down a file system; what cannot be had is said and left out. A
missed aim is printed at the end and is no failure: no machine is like another.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

import disturb
import plot_camera

UNLIMITED = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0 ! filesink"
IMPATIENT = "gaiofilesink, given 0.2 s"
WRITERS = {  # pipeline, environment, what it needs
    "filesink": ("filesink", {}, None),
    "queue ! filesink": ("queue ! filesink", {}, None),
    "unlimited queue ! filesink": (UNLIMITED, {}, None),
    "gaiofilesink": ("gaiofilesink", {}, "gaiofilesink"),
    "gaiofilesink, threads": ("gaiofilesink", {"GAIO_ENGINE": "threads"}, "gaiofilesink"),
    "gaiofilesink, direct": ("gaiofilesink direct=yes", {}, "gaiofilesink.direct"),
    IMPATIENT: ("gaiofilesink drain-timeout=200000000", {}, "gaiofilesink.drain-timeout"),
    "raw io_uring, direct": ("raw", {}, None),
}
ALWAYS = [name for name in WRITERS if name != IMPATIENT]
POOL = 8
VIDEO = {"frame-bytes": 1920 * 1080 * 3 // 2, "period": 1000 / 60}
BLOCKS = {"frame-bytes": 256 * 1024, "period": 10}
COLUMNS = (  # title, key, format, width
    ("p50", "p50_ms", "{:.3f}", 8), ("p99", "p99_ms", "{:.3f}", 8),
    ("p99.9", "p999_ms", "{:.2f}", 8), ("max ms", "max_ms", "{:.2f}", 8),
    ("dropped", "dropped", "{:.0f}", 8), ("late", "late", "{:.0f}", 5),
    ("missed", "missed", "{:.0f}", 7), ("gap ms", "gap_ms", "{:.0f}", 7),
    ("EOS ms", "eos_ms", "{:.0f}", 7), ("NULL ms", "null_ms", "{:.1f}", 8),
    ("peak MiB", "peak_mib", "{:.0f}", 9), ("threads", "threads", "{:.0f}", 8),
    ("+kernel", "workers", "{:.0f}", 8), ("CPU s/GiB", "cpu_s_per_gib", "{:.2f}", 10),
)


class Bench:
    """The runs, and what has come of them."""

    def __init__(self, args):
        self.args = args
        self.results = {}
        self.skipped = []
        self.picture = None  # of which part there is to be one
        self.writers = {name: writer for name, writer in WRITERS.items() if self.has(writer[2])}

    def has(self, needed):
        """Whether the element, or the property of it, is there."""
        if needed is None:
            return True
        done = subprocess.run([self.args.program, f"--has={needed}"], check=False)
        if done.returncode != 0:
            self.skipped.append(f"{needed}: not there")
        return done.returncode == 0

    def run(self, disturbance, name, options, trace):
        """One run: what bench-camera prints."""
        pipeline, env, _ = self.writers[name]
        path = disturbance.dir / "out"
        command = [self.args.program, f"--location={path}", pipeline]
        command += [f"--{key}={value}" for key, value in options.items()]
        command += ["--trace"] if trace else []
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                              env=dict(os.environ, **env)) as process:
            try:
                if process.stdout.readline() == "started\n":
                    disturbance.begin()
                out = process.communicate()[0]
            finally:
                process.kill()
                disturbance.end()
        for number in range(options.get("sinks", 1)):
            Path(f"{path}.{number}" if number else path).unlink(missing_ok=True)
        disturb.settle(disturbance.dir)
        if process.returncode != 0:
            sys.exit(f"bench-camera: exit code {process.returncode} of: {' '.join(command)}")
        result = json.loads(out)
        result["span"] = disturbance.span
        if not result["whole"] and result["eos_ms"] >= 0:
            print(f"  {name}: WRONG FILE: {result['missing']}")
        if result["error"] and name != IMPATIENT:  # who says that there was not enough time
            print(f"  {name}: {result['error']}")
        return result

    def part(self, title, disturbance, options, rounds=None, names=None, trace=False):
        """All writers in one situation; the key of the results is the title."""
        names = [name for name in names or ALWAYS if name in self.writers]
        runs = {name: [] for name in names}
        print(f"\n{title}", flush=True)
        try:
            with disturbance:
                for _ in range(rounds or self.args.rounds):
                    for name in names:
                        runs[name].append(self.run(disturbance, name, options, trace))
        except disturb.Missing as missing:
            print(f"  left out: {missing}")
            self.skipped.append(f"{title}: {missing}")
            return {}
        self.results[title] = runs
        return runs

    def table(self, runs, columns=COLUMNS):
        """Medians, a writer a line."""
        if not runs:
            return
        print(f"{'':27}" + "".join(f"{title:>{width}}" for title, _, _, width in columns))
        for name, row in runs.items():
            cells = (fmt.format(median(row, key)).rjust(width) for _, key, fmt, width in columns)
            print(f"{name:27}" + "".join(cells), flush=True)


def median(runs, key):
    """Of the runs of a writer."""
    return statistics.median(run[key] for run in runs)


def size_of(options):
    """The memory that the page cache needs for a run, in MiB."""
    return int(options["frame-bytes"] * options["frames"] / 2**20) + 64


def camera(kind, seconds, **more):
    """The options of a run of so many seconds."""
    options = dict(kind, frames=round(seconds * 1000 / kind["period"]) + 1, **more)
    options["warm"] = size_of(options)
    return options


def freeze(bench):
    """1.5 s of a disk that does nothing."""
    for pool, words in ((POOL, f"a camera with {POOL} buffers"), (0, "a camera with any number")):
        disturbance = disturb.Freeze(bench.args.dir)
        title = f"{disturbance.name}; {words}, 256 KiB each 10 ms, 601 frames"
        options = camera(BLOCKS, 6, pool=pool)
        runs = bench.part(title, disturbance, options, trace=True)
        bench.table(runs)
        if runs and pool == POOL:
            bench.picture = options, title


def busy(bench):
    """1080p60 beside others, with the least there can be for comparison."""
    for make in (disturb.Quiet, disturb.direct_neighbour, disturb.fsync_neighbour):
        disturbance = make(bench.args.dir)
        title = f"{disturbance.name}; 1080p60, a camera with {POOL} buffers"
        options = camera(VIDEO, bench.args.seconds, pool=POOL)
        bench.table(bench.part(title, disturbance, options))


def slow(bench):
    """A disk that is slower than the camera for a while."""
    disturbance = disturb.Throttle(bench.args.dir)
    bench.table(bench.part(f"{disturbance.name}; 256 KiB each 10 ms, 301 frames", disturbance,
                           camera(BLOCKS, 3, pool=POOL)))


def fuse(bench):
    """A file system that is a program."""
    disturbance = disturb.Fuse(bench.args.dir, bench.args.slow_fs)
    bench.table(bench.part(f"{disturbance.name}; 256 KiB each 10 ms, 601 frames", disturbance,
                           camera(BLOCKS, 6, pool=POOL)))


def stop(bench):
    """To NULL while the disk stands still."""
    disturbance = disturb.Freeze(bench.args.dir, at=0.5)
    options = camera(BLOCKS, 6, pool=POOL)
    options["null-at"] = 1.0
    bench.table(bench.part("to NULL half a second into a freeze of 1.5 s", disturbance, options,
                           names=[name for name in WRITERS if not name.startswith("raw")]),
                (("NULL ms", "null_ms", "{:.0f}", 8), ("taken", "taken", "{:.0f}", 8)))


def many(bench):
    """What a sink costs in threads."""
    names = [name for name in ALWAYS if not name.startswith("raw")]
    for sinks in (1, 16, 64):
        options = {"frame-bytes": 65536, "period": 50, "frames": 20, "sinks": sinks}
        bench.table(bench.part(f"{sinks} sinks at once", disturb.Quiet(bench.args.dir), options,
                               rounds=1, names=names),
                    (("threads", "threads", "{:.0f}", 8), ("+kernel", "workers", "{:.0f}", 8),
                     ("p50 ms", "p50_ms", "{:.3f}", 8), ("peak MiB", "peak_mib", "{:.0f}", 9)))


def draw(bench):
    """The picture of the freeze, from the round in which the machine was in the way least."""
    options, title = bench.picture
    runs = {name: min(row, key=lambda run: run["missed"])
            for name, row in bench.results[title].items()}
    if plot_camera.draw(bench.args.plot, runs, options["period"], title):
        print(f"\nThe picture of the freeze: {bench.args.plot}")
    else:
        print("\nno picture: matplotlib is not installed (python3-matplotlib)")


PARTS = {"freeze": freeze, "busy": busy, "slow": slow, "fuse": fuse, "stop": stop, "many": many}


def aims(bench):
    """The rows of the sink among what gaio is measured against, and what falls short of them."""
    print("\nAims")
    for title, runs in bench.results.items():
        ours = [name for name in runs if name.startswith("gaiofilesink")]
        for name in ours:
            if "frozen" in title:
                say(title, name, "dropped", median(runs[name], "dropped"), 0)
            if "raw io_uring, direct" in runs and "1080p60" in title:
                raw = runs["raw io_uring, direct"]
                for key, factor in (("p99_ms", 1.2), ("p999_ms", 1.5)):
                    say(title, name, key, median(runs[name], key), factor * median(raw, key))
                say(title, name, "late", median(runs[name], "late"), 0)
                factor = 0.5 if name.endswith("direct") else 1.0
                say(title, name, "cpu_s_per_gib", median(runs[name], "cpu_s_per_gib"),
                    factor * median(runs["filesink"], "cpu_s_per_gib"))


def say(title, name, key, value, limit):
    """One aim."""
    met = "met  " if value <= limit else "SHORT"
    print(f"  {met} {name:22} {key:14} {value:9.3f}, aim {limit:9.3f}   ({title.split(';')[0]})")


def main():
    """The parts that are asked for, and the aims."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="bench-camera")
    parser.add_argument("--slow-fs", help="slow-fs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of 1080p60 in each run")
    parser.add_argument("--dir", default="/var/tmp", help="where to write")
    parser.add_argument("--only", default=",".join(PARTS), help="parts: " + ", ".join(PARTS))
    parser.add_argument("--json", type=Path, help="where to leave all the numbers")
    parser.add_argument("--plot", type=Path, help="where to leave the picture of the freeze")
    args = parser.parse_args()

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-camera: terminated"))
    try:
        disturb.own_mounts()
    except disturb.Missing as missing:
        print(f"without file systems of its own: {missing}")
    bench = Bench(args)
    for part in args.only.split(","):
        PARTS[part](bench)
    aims(bench)
    for reason in bench.skipped:
        print(f"left out: {reason}")
    if args.json:
        args.json.write_text(json.dumps(bench.results, indent=1), encoding="utf-8")
    if args.plot and bench.picture:
        draw(bench)


if __name__ == "__main__":
    main()
