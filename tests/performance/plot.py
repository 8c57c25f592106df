#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws what bench-loop, bench-callback, bench-timer and bench-lateness have found.

    plot.py DIRECTORY

reads the .tsv files that they were given as --data and writes loop.svg and loop.png beside them.
Without matplotlib it says so and exits with 77, which meson takes for skipped.
"""
import csv
import sys
from collections import defaultdict
from pathlib import Path

try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    print("matplotlib is not installed (python3-matplotlib)")
    sys.exit(77)

IDLE = "an event beside {} idle descriptors"
LATE = "how late a timer fires, in microseconds"
BARS = [
    ("a trip to another loop and back, one processor", "Ping-pong, one processor"),
    ("a trip to another loop and back", "Ping-pong, two processors"),
    ("a callback from another thread, one processor", "Callback from a thread, one processor"),
    ("a callback from another thread", "Callback from a thread, two processors"),
    ("a callback from the same thread", "Callback from the same thread"),
    ("arming one of 100000 timers", "Arming one of 100,000 timers"),
    ("cancelling one of 100000 timers", "Cancelling one of 100,000 timers"),
    ("firing one of 100000 timers", "Firing one of 100,000 timers"),
]
REFERENCES = ("epoll", "io_uring, one-shot polls", "a list", "a list and an eventfd", "a heap")


def read(directory):
    """The medians by title and name, and the percentiles in the same way."""
    medians = defaultdict(dict)
    percentiles = defaultdict(lambda: defaultdict(list))
    for path in sorted(directory.glob("*.tsv")):
        with path.open(newline="", encoding="utf-8") as file:
            for title, name, value, *percent in csv.reader(file, delimiter="\t"):
                if percent:
                    percentiles[title][name].append((float(value), int(percent[0])))
                else:
                    medians[title][name] = float(value)
    return medians, percentiles


def colour(name):
    """One for each loop, the same in all plots; gaio's are of one kind."""
    if name in REFERENCES:
        return "#555555" if name != "io_uring, one-shot polls" else "#999999"
    return {
        "gaio": "#08519c",
        "gaio poll": "#9ecae1",
        "gaio epoll": "#4292c6",
        "gaio io_uring": "#08519c",
        "gaio epoll, GMainContext": "#74c476",
        "gaio io_uring, GMainContext": "#238b45",
        "gaio, GMainContext": "#238b45",
        "gaio epoll, driven": "#fa9fb5",
        "gaio io_uring, driven": "#c51b8a",
        "GLib": "#d94801",
        "libuv": "#fdae6b",
        "libevent": "#9e9ac8",
    }.get(name, "#de2d26")


def in_words(ns):
    if ns < 1000:
        return f"{ns:.0f} ns" if ns >= 10 else f"{ns:.1f} ns"
    if ns < 1e6:
        return f"{ns / 1e3:.1f} µs"
    return f"{ns / 1e6:.1f} ms"


def draw_idle(axes, medians):
    sizes = [n for n in (10, 100, 1000, 10000) if IDLE.format(n) in medians]
    names = dict.fromkeys(name for n in sizes for name in medians[IDLE.format(n)])
    for name in names:
        points = [(n, medians[IDLE.format(n)].get(name)) for n in sizes]
        points = [(n, value) for n, value in points if value is not None]
        axes.plot(*zip(*points), marker="o", markersize=3, label=name, color=colour(name),
                  linestyle="--" if name in REFERENCES else "-")
    axes.set(xscale="log", yscale="log", xlabel="idle descriptors", ylabel="ns an event",
             title="An event beside idle descriptors")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=6)


def draw_bars(axes, title, rows):
    names = list(rows)
    values = list(rows.values())
    axes.barh(names, values, color=[colour(name) for name in names])
    axes.invert_yaxis()
    axes.set(title=title)
    # One that is far behind leaves nothing to see of the others.
    limit = min(max(values), 6 * sorted(values)[len(values) // 2]) * 1.25
    axes.set_xlim(0, limit)
    axes.set_xticks([])
    for place, value in enumerate(values):
        axes.text(min(value, limit * 0.8), place, " " + in_words(value), va="center", fontsize=7,
                  bbox={"facecolor": "white", "alpha": 0.6, "edgecolor": "none", "pad": 0.5}
                  if value > limit * 0.8 else None)
    axes.tick_params(axis="y", labelsize=7)
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def draw_lateness(axes, rows):
    for name, points in rows.items():
        axes.plot(*zip(*points), label=name, color=colour(name),
                  linestyle="--" if name in REFERENCES else "-")
    axes.set(xscale="symlog", xlabel="µs after the deadline", ylabel="% of timers",
             title="How late a timer fires")
    axes.grid(True, which="major", alpha=0.3)
    axes.legend(fontsize=6)


def main(directory):
    medians, percentiles = read(directory)
    panels = []
    if any(IDLE.format(n) in medians for n in (10, 100, 1000, 10000)):
        panels.append(lambda axes: draw_idle(axes, medians))
    for key, title in BARS:
        if medians.get(key):
            panels.append(lambda axes, k=key, t=title: draw_bars(axes, t, medians[k]))
    if percentiles.get(LATE):
        panels.append(lambda axes: draw_lateness(axes, percentiles[LATE]))
    if not panels:
        print(f"no results in {directory}")
        return 77

    columns = 2
    rows = (len(panels) + columns - 1) // columns
    figure, grid = pyplot.subplots(rows, columns, figsize=(12, 3.4 * rows), squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place < len(panels):
            panels[place](axes)
        else:
            axes.set_visible(False)
    figure.tight_layout()
    for ending in ("svg", "png"):
        path = directory / f"loop.{ending}"
        figure.savefig(path, dpi=110)
        print(path)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
