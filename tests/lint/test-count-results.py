#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Proof that count-results loses no failure, as TAP.

    test-count-results.py COUNT_RESULTS MESON

A project is made whose tests pass, fail, skip, crash half-way and hang; meson runs it, and what is
counted is compared with what was made.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# A suite, a name, a protocol, what the program does.
TESTS = [
    ("one", "exits-0", "exitcode", "exit 0"),
    ("one", "exits-1", "exitcode", "exit 1"),
    ("one", "exits-77", "exitcode", "echo why not; exit 77"),
    ("two", "three-cases", "tap", "echo 1..3; echo ok 1 a; echo ok 2 b; echo 'ok 3 c # SKIP moon'"),
    ("two", "a-case-fails", "tap",
     "echo 1..2; echo ok 1 a; echo leaked a cat >&2; echo '# for 2 mice'; echo not ok 2 b"),
    ("two", "crashes", "tap", "echo 1..2; echo ok 1 a; kill -SEGV $$"),
    ("one", "crashes-too", "exitcode", "kill -SEGV $$"),
    ("two", "bails-out", "tap", "echo 1..2; echo ok 1 a; echo Bail out!; exit 1"),
    ("two", "fewer-than-planned", "tap", "echo 1..2; echo ok 1 a"),
    ("two", "all-skipped", "tap", "echo '1..0 # SKIP no such thing'"),
    ("two", "hangs", "tap", "echo 1..2; echo ok 1 a; sleep 100"),
    ("one", "hangs-too", "exitcode", "sleep 100"),
]
PASSED = 1 + 2 + 1 + 1 + 1 + 1 + 1
FAILED = 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1
SKIPPED = 1 + 1 + 1


def make_project(root):
    lines = ["project('counted')"]
    for suite, name, protocol, body in TESTS:
        script = root / name
        script.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        script.chmod(0o755)
        lines.append(f"test('{name}', find_program('{name}'), suite: '{suite}', timeout: 2, "
                     f"protocol: '{protocol}')")
    root.joinpath("meson.build").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    count_results, meson = sys.argv[1:]
    cases = []

    def case(what, good, detail=""):
        cases.append(good)
        if not good:
            print("# " + str(detail).replace("\n", "\n# "))
        print(("ok" if good else "not ok") + f" {len(cases)} {what}", flush=True)

    def count(*arguments):
        result = subprocess.run([count_results, *map(str, arguments)], text=True, check=False,
                                capture_output=True)
        lines = result.stdout.splitlines()
        return lines[-1] if lines else result.stderr, result.returncode, lines[:-1]

    with tempfile.TemporaryDirectory(prefix="gaio-count-") as scratch:
        make_project(Path(scratch))
        build = Path(scratch, "build")
        # What this test is given by the meson that runs it is not for the meson that it runs.
        env = {k: v for k, v in os.environ.items() if not k.startswith("MESON")}
        subprocess.run([meson, "setup", build, scratch], check=True, capture_output=True, env=env)
        subprocess.run([meson, "test", "-C", build], check=False, capture_output=True, env=env)
        log = build / "meson-logs" / "testlog"

        total, code, notes = count(log)
        wanted = f"{PASSED} passed, {FAILED} failed, {SKIPPED} skipped"
        case("everything is counted once", total == wanted, f"{total}, not {wanted}: {notes}")
        case("a failure is an exit code", code == 1, code)
        for name in ("exits-1", "crashes", "bails-out", "hangs", "hangs-too"):
            case(f"the failed {name} is named",
                 any(n.startswith("failed:") and f": {name}" in n for n in notes), notes)
        for word in ("leaked a cat", "# for 2 mice", "Bail out!"):
            case(f"what a failed test wrote is shown: {word}",
                 any(n.strip() == word for n in notes), notes)
        for reason in ("why not", "moon", "no such thing"):
            case(f"the reason “{reason}” is told",
                 any(n.startswith("skipped:") and reason in n for n in notes), notes)

        total, code, notes = count(log, "passed:x", "failed:y")
        wanted = f"{PASSED + 1} passed, {FAILED + 1} failed, {SKIPPED} skipped"
        case("other results are added", total == wanted, total)

        total, code, notes = count(Path(scratch, "nowhere"))
        case("a missing log is a failure",
             (total, code) == ("0 passed, 1 failed, 0 skipped", 1), (total, code))
        total, code, notes = count("passed:x")
        case("no failure is exit code 0", (total, code) == ("1 passed, 0 failed, 0 skipped", 0),
             (total, code))
    print(f"1..{len(cases)}")
    return 0 if all(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
