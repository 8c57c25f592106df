# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""A GTK window with an animation, while the default context of gaio is kept busy.

    window.py STORM_LIBRARY FILE [--drive] SECONDS:KIND:BUDGET...

Each of the last arguments is a phase: for so many seconds the storm of that kind ("none" for
peace), with that dispatch-budget-us. Says in JSON, one line each, when a phase begins and what was
seen in it: frames, the intervals between them, completions, clicks, and calls of a GLib timeout of
10 ms. FILE is what the reads read. With --drive the context does the waiting of the main loop.
"""

import ctypes
import json
import sys
import time

import gi

gi.require_version("Gaio", "1.0")
gi.require_version("Gdk", "4.0")
gi.require_version("Graphene", "1.0")
gi.require_version("Gtk", "4.0")
from gi.repository import Gaio, Gdk, Gio, GLib, Graphene, Gtk  # noqa: E402

WARM_UP_FRAMES = 30


class Animation(Gtk.Widget):
    """A bar that goes one step to the right in each frame, over a colour that changes."""

    def __init__(self):
        super().__init__(hexpand=True, vexpand=True)
        self.times = []
        self.add_tick_callback(lambda *_: self.queue_draw() or True)

    def do_snapshot(self, snapshot):
        self.times.append(time.monotonic())
        number = len(self.times)
        width, height = self.get_width(), self.get_height()
        shade = number % 60 / 60
        back, bar = Gdk.RGBA(), Gdk.RGBA()
        back.red, back.green, back.blue, back.alpha = shade, 0.2, 1 - shade, 1
        bar.red = bar.green = bar.blue = bar.alpha = 1
        snapshot.append_color(back, Graphene.Rect().init(0, 0, width, height))
        snapshot.append_color(
            bar, Graphene.Rect().init(number * 4 % max(width - 40, 1), height / 4, 40, height / 2))


class Program:
    def __init__(self, library, path, phases):
        self.storm = ctypes.CDLL(library)
        self.storm.storm_end.restype = ctypes.c_uint64
        self.path = path.encode()
        self.phases = phases
        self.context = Gaio.Context.get_default()
        self.clicks = self.beats = 0
        # What a program needs no bus for works without one.
        self.app = Gtk.Application(flags=Gio.ApplicationFlags.NON_UNIQUE)
        self.app.connect("activate", self.on_activate)

    def on_activate(self, app):
        self.animation = Animation()
        click = Gtk.GestureClick()
        click.connect("pressed", self.on_click)
        self.animation.add_controller(click)
        window = Gtk.ApplicationWindow(application=app, child=self.animation, decorated=False,
                                       default_width=640, default_height=480)
        window.present()
        GLib.timeout_add(10, self.on_beat)

    def on_click(self, *_):
        self.clicks += 1

    def on_beat(self):
        self.beats += 1
        if self.phases and len(self.animation.times) >= WARM_UP_FRAMES:
            self.begin(self.phases.pop(0))
            self.animation.times.clear()
        return True

    def begin(self, phase):
        seconds, self.kind, self.budget = phase.split(":")
        self.context.set_dispatch_budget_us(int(self.budget))
        if self.kind != "none" and not self.storm.storm_begin(self.kind.encode(), self.path):
            sys.exit(f"no storm of {self.kind}")
        self.say(event="begin")
        self.remaining, self.phases = self.phases, []
        self.clicks = self.beats = 0
        self.since = time.monotonic()
        GLib.timeout_add(int(float(seconds) * 1000), self.end)

    def end(self):
        seconds = time.monotonic() - self.since
        times = [t for t in self.animation.times if t >= self.since]
        clicks, beats = self.clicks, self.beats
        completions = self.storm.storm_end() if self.kind != "none" else 0
        gaps = sorted(1000 * (b - a) for a, b in zip(times, times[1:])) or [1000 * seconds]
        self.say(event="end", seconds=seconds, frames=len(times), p50_ms=gaps[len(gaps) // 2],
                 p99_ms=gaps[len(gaps) * 99 // 100], max_ms=gaps[-1], completions=completions,
                 clicks=clicks, beats=beats)
        self.phases = self.remaining
        if not self.phases:
            self.app.quit()
        return False

    def say(self, **what):
        print(json.dumps({"kind": self.kind, "budget": int(self.budget), **what}), flush=True)


def main():
    library, path, *phases = [word for word in sys.argv[1:] if word != "--drive"]
    program = Program(library, path, phases)
    if "--drive" in sys.argv:
        program.context.drive(None)
    program.app.run([])


if __name__ == "__main__":
    main()
