#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Proof that each check of lint.py fails when it should, as TAP.

    test-lint.py --root=SOURCES [--version-dir=DIR] [--library=libgaio-1.0.so]

Each plant is made in a private copy of the sources: it edits or adds a file, and the check it is
for must then report something about that file that it did not report before. A check that no plant
is for fails too, so that none can be added without proof.
"""
import argparse
import shutil
import sys
import tempfile
from pathlib import Path

# Before lint is imported, which would leave its compiled form among the sources.
sys.dont_write_bytecode = True

import lint  # pylint: disable=wrong-import-position

HEAD = f"/* {lint.COPYRIGHT}\n * {lint.LICENCE} */\n\n"
GUARD = '#if !defined(GAIO_INSIDE) && !defined(GAIO_COMPILATION)\n' \
        '#error "Only <gaio/gaio.h> can be included directly."\n#endif\n'
MARK = "TO" + "DO"


def add(name, text):
    """A new file."""
    def plant(root):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return plant


def append(name, text):
    """Text at the end of a file."""
    def plant(root):
        with open(root / name, "a", encoding="utf-8") as file:
            file.write(text)
    return plant


def replace(name, old, new):
    """The first `old` in a file becomes `new`."""
    def plant(root):
        path = root / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise LookupError(f"{name} has no “{old}”")
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return plant


def both(*plants):
    """Several plants that make one violation."""
    def plant(root):
        for part in plants:
            part(root)
    return plant


# (check, what is planted, how, a part of what must be reported)
PLANTS = [
    ("floors", "base includes loop", append("gaio/base/gaio-waker.c",
     "#include <gaio/loop/gaio-timer.h>\n"), "gaio/base/gaio-waker.c"),
    ("floors", "a private header from above", append("gaio/loop/gaio-clock.h",
     "# include <gaio/pool/gaio-thread-pool-private.h>\n"), "gaio/loop/gaio-clock.h"),
    ("floors", "the umbrella inside", append("gaio/file/gaio-load.h",
     "#include <gaio/gaio.h>\n"), "umbrella"),
    ("floors", "a short name", append("gaio/file/gaio-load.h",
     '#include "gaio-file.h"\n'), "full name"),
    ("floors", "the plugin looks inside", add("gst-plugin/gstplanted.c",
     HEAD + "#include <gaio/file/gaio-file-private.h>\n"), "gst-plugin/gstplanted.c"),
    ("cycles", "two headers", both(
        add("gaio/loop/gaio-one.h", HEAD + "#include <gaio/loop/gaio-two-private.h>\n"),
        add("gaio/loop/gaio-two.h", HEAD + "#include <gaio/loop/gaio-one.h>\n")), "gaio-one"),
    ("cycles", "through a third", both(
        add("gaio/loop/gaio-one.h", HEAD + "#include <gaio/loop/gaio-two.h>\n"),
        add("gaio/loop/gaio-two.h", HEAD + "#include <gaio/loop/gaio-three.h>\n"),
        add("gaio/loop/gaio-three-private.h", HEAD + "#include <gaio/loop/gaio-one.h>\n")),
     "gaio-three"),
    ("context", "a monitor knows the context", append("gaio/loop/gaio-fd-monitor-private.h",
     "#include <gaio/loop/gaio-context-private.h>\n"), "gaio-fd-monitor-private.h"),
    ("owners", "liburing in a timer", append("gaio/loop/gaio-timer.h",
     "#include <liburing.h>\n"), "gaio-timer.h: includes"),
    ("owners", "epoll beside its monitor", append("gaio/base/gaio-waker.c",
     "#include <sys/epoll.h>\n"), "gaio-waker.c: includes"),
    ("owners", "an eventfd made elsewhere", append("gaio/base/gaio-waker.c",
     "int made_here (void) { return eventfd (0, 0); }\n"), "gaio-waker.c: calls eventfd"),
    ("owners", "a poll made elsewhere", append("gaio/base/gaio-waker.c",
     "int wait_here (void) { return poll (0, 0, -1); }\n"), "gaio-waker.c: calls poll"),
    ("umbrella", "a header left out", replace("gaio/gaio.h",
     "#include <gaio/file/gaio-load.h>\n", ""), "<gaio/file/gaio-load.h>"),
    ("umbrella", "a private header", append("gaio/gaio.h",
     "#include <gaio/base/gaio-ring-private.h>\n"), "private"),
    ("umbrella", "a public header that leaks one", append("gaio/loop/gaio-timer.h",
     "#include <gaio/base/gaio-ring-private.h>\n"), "gaio-timer.h"),
    ("umbrella", "a header that is not there", append("gaio/gaio.h",
     "#include <gaio/base/gaio-nothing.h>\n"), "not there"),
    ("listed", "a source nobody builds", add("gaio/pool/gaio-planted.c", HEAD), "gaio-planted.c"),
    ("listed", "a header nobody installs", add("gaio/pool/gaio-planted.h", HEAD), "gaio-planted.h"),
    ("headers", "a type from nowhere", append("gaio/loop/gaio-timer.h",
     "void gaio_planted (struct planted_t { int x; } y, Unknown z);\n"), "gaio-timer.h"),
    ("headers", "a C++ keyword", append("gaio/loop/gaio-timer.h",
     "void gaio_planted (int class);\n"), "g++"),
    ("headers", "a private header that needs another", append("gaio/base/gaio-debug-private.h",
     "void gaio_planted (GaioContext *context);\n"), "gaio-debug-private.h"),
    ("guard", "a header without the guard", add("gaio/base/gaio-planted.h",
     HEAD + "#include <gio/gio.h>\n"), "gaio-planted.h"),
    ("heads", "no licence", replace("gaio/base/gaio-waker.c", lint.LICENCE, ""), "gaio-waker.c"),
    ("heads", "a script without a head", add("tests/planted.py", "#!/usr/bin/env python3\n"),
     "tests/planted.py"),
    ("marks", "a thing to do", append("gaio/base/gaio-waker.c", f"/* {MARK}: later */\n"),
     "gaio-waker.c"),
    ("marks", "a thing to do in a script", add("tests/planted", f"#!/bin/sh\n# {MARK}\n"),
     "tests/planted"),
    ("form", "a tab", append("gaio/base/gaio-waker.c", "\tint x;\n"), "a tab"),
    ("form", "a blank at the end", append("gaio/base/gaio-waker.c", "int x; \n"), "blanks"),
    ("form", "a long line", append("gaio/base/gaio-waker.c", "/*" + "-" * 99 + "*/\n"), "columns"),
    ("form", "no last newline", append("gaio/base/gaio-waker.c", "/* */"), "newline"),
    ("symbols", "a function that is not there", append("gaio/loop/gaio-timer.h",
     "GAIO_AVAILABLE_IN_1_0\nvoid gaio_planted (int x);\n"), "gaio_planted"),
    ("symbols", "an exported secret", replace("gaio/loop/gaio-timer.h",
     "GAIO_AVAILABLE_IN_1_0\n", ""), "no public header declares"),
    ("documented", "no doc comment", append("gaio/loop/gaio-timer.h",
     "GAIO_AVAILABLE_IN_1_0\nvoid gaio_planted (int x);\n"), "gaio_planted has no doc comment"),
    ("documented", "no thread", append("gaio/loop/gaio-timer.h",
     "/**\n * gaio_planted:\n *\n * Plants.\n */\n"
     "GAIO_AVAILABLE_IN_1_0\nvoid gaio_planted (int x);\n"), "has no “Thread:”"),
    ("readme", "an example that changed", append("examples/c/count-lines.c", "/* new */\n"),
     "count-lines.c"),
    ("readme", "a snippet that is no file", append("README.md", "\n```c\nint x;\n```\n"), "int x;"),
    ("top", "another folder", add("contrib/planted.txt", "\n"), "contrib"),
    ("top", "an options file", add("meson_options.txt", "\n"), "meson_options.txt"),
]


def changed(clean, planted):
    """The files that a plant is in."""
    names = set(lint.Tree(clean).files) | set(lint.Tree(planted).files)
    return {n for n in names if not (clean / n).exists() or not (planted / n).exists()
            or (clean / n).read_bytes() != (planted / n).read_bytes()}


def report(check, root, options, limit):
    """What the check says about a tree; None when it cannot run here."""
    tree = lint.Tree(root, options.version_dir, options.library, limit)
    try:
        return list(lint.CHECKS[check](tree)), None
    except lint.Skip as reason:
        return None, reason


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True)
    parser.add_argument("--version-dir")
    parser.add_argument("--library")
    options = parser.parse_args()
    failed = False
    number = 0

    with tempfile.TemporaryDirectory(prefix="gaio-lint-") as scratch:
        clean = Path(scratch, "clean")
        origin = lint.Tree(options.root)
        for name in origin.files:
            clean.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin.root / name, clean / name)

        print(f"1..{len(PLANTS) + 1}")
        for check, what, plant, expected in PLANTS:
            number += 1
            planted = Path(scratch, f"planted-{number}")
            shutil.copytree(clean, planted)
            plant(planted)
            limit = changed(clean, planted)
            before, _reason = report(check, clean, options, limit)
            after, reason = report(check, planted, options, limit)
            shutil.rmtree(planted)
            if after is None:
                print(f"ok {number} {check}: {what} # SKIP {reason}")
                continue
            new = [line for line in after if line not in before]
            seen = any(expected in line for line in new)
            if not seen:
                print(f"# expected “{expected}”, new reports: {new}")
                failed = True
            print(("ok" if seen else "not ok") + f" {number} {check}: {what}", flush=True)

    unproved = sorted(set(lint.CHECKS) - {plant[0] for plant in PLANTS})
    print(("not ok" if unproved else "ok") + f" {number + 1} every check has a plant")
    if unproved:
        print(f"# none for {', '.join(unproved)}")
    return 1 if failed or unproved else 0


if __name__ == "__main__":
    sys.exit(main())
