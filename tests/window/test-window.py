# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""A real window of GTK under a storm of completions is drawn, and hears its mouse, as in peace.

Nothing is said about times, which depend on the machine: the same window without a storm, in the
same run, is the measure. Without a budget for the storm there are no frames, which shows that this
test can fail. The pictures of the screen that it takes are left in the directory PICTURES.

    test-window.py STORM_LIBRARY PICTURES
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, os.fspath(HERE.parent / "bindings"))

import gi  # noqa: E402

gi.require_version("Gaio", "1.0")
from gi.repository import Gaio  # noqa: E402
from screen import HEIGHT, WIDTH, Mouse, Screen, Unavailable  # noqa: E402
import tap  # noqa: E402

SECONDS = 1.5
STORMS = ("bottom halves", "reads", "long turns")
CLICKS = 5
# Another program may take the processor in one phase and not in the next.
TRIES = 4

LIBRARY, PICTURES = sys.argv[1:3]
del sys.argv[1:3]


def run(screen, phases, *options, picture=None):
    """What the program saw in each phase; "pictures" are two of the screen."""
    results = []
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(4 << 20))
        file.flush()
        command = [sys.executable, HERE / "window.py", LIBRARY, file.name, *options,
                   *(f"{SECONDS}:{kind}:{budget}" for kind, budget in phases)]
        with subprocess.Popen(command, env=screen.environment(), stdout=subprocess.PIPE,
                              text=True) as program:
            for line in program.stdout:
                event = json.loads(line)
                if event["event"] == "begin":
                    pictures = watch(screen, picture and f"{picture}-{event['kind']}.png")
                else:
                    results.append(dict(event, pictures=pictures))
    if program.returncode != 0 or len(results) != len(phases):
        raise AssertionError(f"the program ended with {program.returncode}: {results}")
    return results


def watch(screen, picture):
    pictures = []
    mouse = Mouse(screen)
    for _ in range(CLICKS):
        time.sleep(SECONDS / (CLICKS + 3))
        mouse.click(WIDTH // 2, HEIGHT // 2)
        pictures.append(hash(b"".join(screen.pixels())))
    mouse.close()
    if picture:
        screen.save_png(os.path.join(PICTURES, picture.replace(" ", "-")))
    return len(set(pictures))


class Window(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not typelib_is_there():
            raise unittest.SkipTest("there is no GTK 4")
        try:
            cls.screen = Screen()
        except Unavailable as reason:
            raise unittest.SkipTest(str(reason)) from reason
        cls.addClassCleanup(cls.screen.close)

    def check(self, storms, budget, is_right, *options, picture=None):
        for left in reversed(range(TRIES)):
            phases = [("none", budget), *((kind, budget) for kind in storms), ("none", budget)]
            first, *storming, last = run(self.screen, phases, *options, picture=picture)
            peace = min(first["frames"], last["frames"])
            for result in (first, *storming, last):
                print("#", {key: round(value, 1) if isinstance(value, float) else value
                            for key, value in result.items()}, flush=True)
            wrong = [result for result in storming if not is_right(result, peace)]
            if not wrong and peace >= CLICKS:
                return
            if left == 0:
                self.fail(f"{peace} frames in peace, but {wrong}")

    def lives(self, result, peace):
        return (result["frames"] >= peace / 4 and result["clicks"] == CLICKS
                and result["beats"] >= CLICKS and result["pictures"] > 1
                and result["completions"] > 1000)

    def test_storm(self):
        budget = Gaio.Context.get_default().get_dispatch_budget_us()
        self.check(STORMS, budget, self.lives, picture="window")

    def test_storm_without_budget(self):
        self.check(("bottom halves", "long turns"), 0,
                   lambda result, peace: result["frames"] <= peace / 10)

    def test_driven(self):
        if not hasattr(Gaio.Context, "drive"):
            self.skipTest("contexts cannot drive")
        budget = Gaio.Context.get_default().get_dispatch_budget_us()
        self.check(STORMS, budget, self.lives, "--drive", picture="driven")


def typelib_is_there():
    try:
        gi.require_version("Gtk", "4.0")
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    tap.main()
