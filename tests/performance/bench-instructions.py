#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""How many instructions of the program a cached read costs, the kernel's not counted: what
valgrind counts in a run with many reads less what it counts in a run with few.

It is the same in every run, however busy the machine is. The release build is the one to look at.
With --functions it tells where they are, which needs callgrind_annotate.

    bench-instructions.py BENCH-READ [--depth N] [--only NAME] [--functions]
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
FEW, MANY = 1000, 5000

# name, and what it may cost above the first: the aims
CONTESTANTS = (
    ("raw io_uring, same flags", None),
    ("the smallest GSource", None),
    ("a GSource with a GTask each", None),
    ("gaio request, poll", 150),
    ("gaio request, GMainContext", 150),
    ("gaio request, driven", 150),
    ("gaio task, GMainContext", 4500),
    ("GIO", None),
)


def run(program, name, depth, ops, directory):
    counts = pathlib.Path(directory, f"{ops}.out")
    result = subprocess.run(
        ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}", program, "--cached",
         "--rounds", "1", "--depth", str(depth), "--ops", str(ops), "--only", name],
        capture_output=True, text=True, check=False)
    total = re.search(r"Collected : (\d+)", result.stderr)
    if result.returncode != 0 or total is None or "not available" in result.stdout:
        return None, counts
    return int(total[1]), counts


def by_function(counts):
    text = subprocess.run(
        ["callgrind_annotate", "--threshold=100", "--auto=no", "--show-percs=no", str(counts)],
        capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        match = re.match(r"\s*([\d,]+)\s+.*?:(\S+)(?: \[(?:.*/)?(.*)\])?$", line)
        if match:
            key = f"{match[2]} ({match[3]})" if match[3] else match[2]
            found[key] = found.get(key, 0) + int(match[1].replace(",", ""))
    return found


def print_functions(few, many):
    before = by_function(few)
    costs = {name: (count - before.get(name, 0)) / (MANY - FEW)
             for name, count in by_function(many).items()}
    for name, cost in sorted(costs.items(), key=lambda item: -item[1]):
        if cost >= 1:
            print(f"      {cost:8.1f} {name}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--only", default="")
    parser.add_argument("--functions", action="store_true")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: no valgrind")
        return SKIPPED

    print(f"instructions for each cached read of 4 KiB, {options.depth} in flight")
    reference = None
    for name, aim in CONTESTANTS:
        if options.only not in name and reference is not None:
            continue
        with tempfile.TemporaryDirectory() as directory:
            few, few_counts = run(options.program, name, options.depth, FEW, directory)
            many, many_counts = run(options.program, name, options.depth, MANY, directory)
            if few is None or many is None:
                print(f"  {name:30} not available here")
                if reference is None:
                    return SKIPPED
                continue
            cost = (many - few) / (MANY - FEW)
            if reference is None:
                reference = cost
            line = f"  {name:30} {cost:8.0f}  {cost - reference:+8.0f}"
            if aim is not None:
                reached = "yes" if cost - reference <= aim else "no"
                line += f"  aim: <= {aim:+}, reached: {reached}"
            print(line, flush=True)
            if options.functions and options.only in name:
                print_functions(few_counts, many_counts)
    return 0


sys.exit(main())
