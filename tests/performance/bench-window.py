#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Frames of a GTK window while the default context is under a storm, by dispatch-budget-us.

    bench-window.py STORM_LIBRARY [--seconds=N] [--budgets=US,...]

The first row of each budget is the window in peace: GLib and GTK alone. A budget of 0 is none.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

WINDOW = pathlib.Path(__file__).resolve().parents[1] / "window"
sys.path.insert(0, os.fspath(WINDOW))

from screen import Screen, Unavailable  # noqa: E402

KINDS = ("none", "bottom halves", "reads", "long turns")


def measure(screen, library, phases, *options):
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(16 << 20))
        file.flush()
        program = subprocess.run(
            [sys.executable, WINDOW / "window.py", library, file.name, *options, *phases],
            env=screen.environment(), stdout=subprocess.PIPE, text=True, check=True)
    events = [json.loads(line) for line in program.stdout.splitlines()]
    return [event for event in events if event["event"] == "end"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--budgets", default="0,1000,4000,16000")
    options = parser.parse_args()
    print(f"{'budget us':>9}  {'storm':14} {'frames/s':>8} {'p50 ms':>7} {'p99 ms':>7} "
          f"{'max ms':>7} {'M completions/s':>16}")
    with Screen() as screen:
        for drive in ([], ["--drive"]):
            if drive:
                print("with the context driving the main loop")
            for budget in options.budgets.split(","):
                phases = [f"{options.seconds}:{kind}:{budget}" for kind in KINDS]
                for row in measure(screen, options.library, phases, *drive):
                    print(f"{budget:>9}  {row['kind']:14} {row['frames'] / row['seconds']:8.1f} "
                          f"{row['p50_ms']:7.1f} {row['p99_ms']:7.1f} {row['max_ms']:7.1f} "
                          f"{row['completions'] / row['seconds'] / 1e6:16.2f}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Unavailable as reason:
        print(f"not available here: {reason}")
