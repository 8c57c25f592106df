#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules of the house that a compiler does not check, as TAP.

    lint.py --root=SOURCES [--version-dir=DIR] [--library=libgaio-1.0.so] [--only=CHECK]...

Every check is a function that takes a Tree and yields one line for each violation; the line names
the file and says what is wrong with it. A check that lacks what it needs raises Skip. test-lint.py
plants a violation for each of them and fails when it goes unseen; a check without such a plant
is a failure there too.

It only reads. It knows C as far as #include lines, comments and declarations go, which is enough
because the code keeps to one style.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# From the ground up. A file includes its own floor and the floors before it.
FLOORS = ["base", "loop", "pool", "file"]

TOP_LEVEL = {"meson.build", "README.md", "COPYING",
             "gaio", "gir", "gst-plugin", "examples", "tests"}

# Which files may include a kernel interface's header, and which may call it. The second pattern
# finds a call that got its declaration by another way.
OWNERS = [
    (r"<(liburing|linux/io_uring)\.h>", r"\bio_uring_\w+ \(", ["base/gaio-ring.c", "*-uring.c"]),
    (r"<sys/epoll\.h>", r"\bepoll_\w+ \(", ["loop/gaio-fd-monitor-epoll.c"]),
    (r"<sys/eventfd\.h>", r"\beventfd(_\w+)? \(", ["base/gaio-event-notifier.c"]),
    (r"<sys/timerfd\.h>", r"\btimerfd_\w+ \(", ["loop/gaio-deadline.c"]),
    (r"<sys/signalfd\.h>", r"\bsignalfd \(", ["loop/gaio-signal.c"]),
    (r"<sys/pidfd\.h>", r"\bpidfd_\w+ \(", ["loop/gaio-child-watch.c"]),
    (r"<(sys/)?poll\.h>", r"(?<![\w>.])p?poll \(", ["base/gaio-poll.c"]),
]

README_EXAMPLES = [
    ("python", "examples/python/sha256.py"),
    ("js", "examples/gjs/sha256.js"),
    ("c", "examples/c/count-lines.c"),
    ("sh", "examples/gst/record.sh"),
]

COPYRIGHT = "SPDX-FileCopyrightText: the gaio authors"
LICENCE = "SPDX-License-Identifier: LGPL-2.1-or-later"

# Spelled so that this file does not find itself.
MARKS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")

THREADS = re.compile(r"\bThread:\s+\S")


class Skip(Exception):
    """A check cannot run here; the text says why."""


class Tree:
    """The sources, read once."""

    def __init__(self, root, version_dir=None, library=None, limit=None):
        self.root = Path(root)
        self.version_dir = version_dir
        self.library = library
        self.limit = limit  # headers that are worth compiling; None: all
        self.texts = {}
        self.files = []
        for directory, folders, names in os.walk(self.root):
            here = Path(directory)
            folders[:] = sorted(f for f in folders if not self.ignored(here, f))
            place = here.relative_to(self.root)
            self.files += [place.joinpath(n).as_posix() for n in sorted(names)]

    def ignored(self, here, folder):
        """Build directories, the repository, caches: what .gitignore ignores."""
        return (folder in (".git", "__pycache__")
                or (here == self.root and folder.startswith("build"))
                or here.joinpath(folder, "meson-private").is_dir())

    def text(self, name):
        if name not in self.texts:
            try:
                self.texts[name] = self.root.joinpath(name).read_text(encoding="utf-8")
            except (UnicodeDecodeError, FileNotFoundError):
                self.texts[name] = ""  # not text, or gone meanwhile
        return self.texts[name]

    def select(self, *patterns):
        return [f for f in self.files if any(Path(f).match(p) for p in patterns)]

    def floor_files(self, floor, *endings):
        return [f for f in self.files if f.startswith(f"gaio/{floor}/") and f.endswith(endings)]

    def library_files(self, *endings):
        return [f for floor in FLOORS for f in self.floor_files(floor, *endings)]

    def public_headers(self):
        return [f for f in self.library_files(".h") if not f.endswith("-private.h")]

    def includes(self, name):
        return re.findall(r'^\s*#\s*include\s+([<"][^>"]+[>"])', self.text(name), re.MULTILINE)


def without_comments(text):
    """C without comments and string contents, with its lines where they were."""
    def blank(match):
        token = match.group(0)
        return token if token[0] not in "/\"" else "\n" * token.count("\n")
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.DOTALL)


def check_floors(tree):
    """A file includes only its own floor and lower ones, always by its full name"""
    for level, floor in enumerate(FLOORS):
        for name in tree.floor_files(floor, ".c", ".h"):
            for include in tree.includes(name):
                match = re.match(r"<gaio/(\w+)/[^/]+\.h>$", include)
                if match and match.group(1) in FLOORS:
                    if FLOORS.index(match.group(1)) > level:
                        yield f"{name}: includes {include}, from a floor above {floor}"
                elif include == "<gaio/gaio.h>":
                    yield f"{name}: includes the umbrella, which knows every floor"
                elif "gaio" in include:
                    yield f"{name}: {include} is not the full name <gaio/FLOOR/HEADER.h>"
                elif include[0] == '"' and include != '"config.h"':
                    yield f"{name}: {include} should stand in <>"
    for name in tree.select("gst-plugin/*.c", "gst-plugin/*.h", "examples/*/*.c"):
        for include in tree.includes(name):
            if include.startswith("<gaio/") and include != "<gaio/gaio.h>":
                yield f"{name}: includes {include}; outside the library there is only <gaio/gaio.h>"


def check_cycles(tree):
    """The headers of two stems never need each other"""
    def stem(name):
        return re.sub(r"(-private)?\.h(\.in)?$", "", name)

    needs = {}
    for name in tree.library_files(".h", ".h.in"):
        edges = needs.setdefault(stem(name), {})
        for include in tree.includes(name):
            target = stem(include.strip('<>"'))
            if target.startswith("gaio/") and target != stem(name):
                edges[target] = name
    done = set()

    def walk(node, path):
        if node in path:
            circle = path[path.index(node):] + [node]
            yield needs[circle[0]][circle[1]] + ": a cycle: " + " -> ".join(circle)
        elif node not in done:
            for target in sorted(needs.get(node, ())):
                yield from walk(target, path + [node])
            done.add(node)

    for node in sorted(needs):
        yield from walk(node, [])


def check_context(tree):
    """Only the context knows all parts of the loop: a part does not know the context's inside"""
    parts = re.compile(r"gaio/(base/|loop/gaio-(bottom-half|clock|fd-|timer))")
    for name in tree.library_files(".c", ".h"):
        if parts.match(name) and "<gaio/loop/gaio-context-private.h>" in tree.includes(name):
            yield f"{name}: includes the context's private header"


def check_owners(tree):
    """Each kernel interface has one owner"""
    for name in tree.library_files(".c", ".h") + tree.select("gst-plugin/*.c", "gst-plugin/*.h"):
        for header, call, owners in OWNERS:
            if any(Path(name).match(owner) for owner in owners):
                continue
            for include in tree.includes(name):
                if re.match(header, include):
                    yield f"{name}: includes {include}, which is not its to use"
            found = re.search(call, without_comments(tree.text(name)))
            if found:
                yield f"{name}: calls {found.group(0)}), which is not its to call"


def check_umbrella(tree):
    """<gaio/gaio.h> includes every public header, once, and no private one"""
    included = [i.strip("<>") for i in tree.includes("gaio/gaio.h")]
    public = set(tree.public_headers())
    public |= {f[:-len(".in")] for f in tree.library_files(".h.in")}
    for name in sorted(public - set(included)):
        yield f"gaio/gaio.h: does not include <{name}>"
    for name in included:
        if name.endswith("-private.h"):
            yield f"gaio/gaio.h: includes the private <{name}>"
        elif name not in public:
            yield f"gaio/gaio.h: includes <{name}>, which is not there"
        elif included.count(name) > 1:
            yield f"gaio/gaio.h: includes <{name}> twice"
    for name in sorted(public):
        for include in tree.includes(name):
            if "-private" in include:
                yield f"{name}: is public and includes the private {include}"


def check_listed(tree):
    """Every source and public header of the library is built and installed"""
    build = tree.text("gaio/meson.build")
    for name in tree.library_files(".c") + tree.public_headers():
        if f"'{name[len('gaio/'):]}'" not in build:
            yield f"{name}: not in gaio/meson.build"


def compilers():
    found = [c for c in (["gcc", "-std=gnu11"], ["clang", "-std=gnu11"], ["g++", "-std=c++11"])
             if shutil.which(c[0])]
    if not found or not shutil.which("pkg-config"):
        raise Skip("no compiler or no pkg-config")
    return found


def compile_headers(tree, names, define, using):
    """Each header alone, with each compiler."""
    flags = subprocess.run(["pkg-config", "--cflags", "gio-unix-2.0"], text=True,
                           capture_output=True, check=True).stdout.split()
    flags += [f"-D{d}" for d in define] + ["-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Wextra"]
    flags += ["-Wno-unused-parameter", "-Werror", f"-I{tree.root}"]
    if tree.version_dir:
        flags.append(f"-I{tree.version_dir}")

    def compile_one(job):
        compiler, name = job
        language = "c++" if "++" in compiler[0] else "c"
        result = subprocess.run(compiler + flags + ["-x", language, "-"], text=True,
                                input=f"#include <{name}>\n", capture_output=True, check=False)
        if result.returncode == 0:
            return None
        error = next((line for line in result.stderr.splitlines() if "error:" in line), "fails")
        return f"{name}: does not compile alone with {compiler[0]}: {error}"

    if tree.limit is not None:
        names = [n for n in names if n in tree.limit]
    jobs = [(c, n) for n in names for c in using if "++" not in c[0] or "-private" not in n]
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield from filter(None, pool.map(compile_one, jobs))


def check_headers(tree):
    """Every header compiles alone: the public ones in C and C++, the private ones in C"""
    names = tree.library_files(".h")
    yield from compile_headers(tree, names, ["GAIO_COMPILATION"], compilers())
    yield from compile_headers(tree, ["gaio/gaio.h"], [], compilers())


def check_guard(tree):
    """A program that includes a public header other than the umbrella is told so"""
    for name in tree.public_headers():
        if tree.limit is not None and name not in tree.limit:
            continue
        refused = list(compile_headers(tree, [name], [], compilers()[:1]))
        if not refused or "can be included directly" not in refused[0]:
            yield f"{name}: can be included without <gaio/gaio.h>"


def check_heads(tree):
    """Every file says whose it is and its licence"""
    for name in tree.files:
        text = tree.text(name)
        first = "\n".join(text.splitlines()[:4])
        if re.match(r"examples/\w+/", name):
            continue  # shown as they are; COPYING covers them
        if name.endswith((".c", ".h", ".h.in")):
            if not text.startswith(f"/* {COPYRIGHT}\n * {LICENCE} */\n"):
                yield f"{name}: does not begin with the two SPDX lines"
        elif name.endswith((".py", ".js", ".sh", ".vala", ".pml")) or text.startswith("#!"):
            if COPYRIGHT not in first or LICENCE not in first:
                yield f"{name}: has no SPDX lines among its first four"


def check_marks(tree):
    """Nothing is left to do in the code"""
    for name in tree.files:
        if name == "COPYING":
            continue
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            if MARKS.search(line):
                yield f"{name}:{number}: {line.strip()}"


def check_form(tree):
    """No tabs, no blanks at the end of a line, none longer than 100 columns, a last newline"""
    for name in tree.files:
        text = tree.text(name)
        code = name.endswith((".c", ".h", ".h.in", ".py", ".js", ".sh", "meson.build"))
        if not code and not text.startswith("#!"):
            continue
        if not text.endswith("\n") or text.endswith("\n\n"):
            yield f"{name}: does not end with one newline"
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: blanks at the end of the line"
            if "\t" in line:
                yield f"{name}:{number}: a tab"
            if len(line) > 100:
                yield f"{name}:{number}: {len(line)} columns"


def declared_symbols(tree):
    """The functions that the public headers export, with the header of each."""
    symbols = {}
    for name in tree.public_headers():
        text = without_comments(tree.text(name))
        for declaration in re.findall(r"^GAIO_AVAILABLE_IN_1_0\s+([^;]*?\))", text, re.MULTILINE):
            declared = re.match(r"G_DECLARE_\w+ \(\w+, (\w+),", declaration)
            function = re.search(r"(\w+) \(", declaration)
            if declared:
                symbols[declared.group(1) + "_get_type"] = name
            elif function:
                symbols[function.group(1)] = name
    return symbols


def check_symbols(tree):
    """The library exports exactly what its public headers declare"""
    if tree.library is None or not shutil.which("nm"):
        raise Skip("no library or no nm")
    output = subprocess.run(["nm", "-D", "--defined-only", tree.library], text=True,
                            capture_output=True, check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in output.splitlines()}
    declared = declared_symbols(tree)
    for symbol in sorted(exported - set(declared)):
        yield f"{os.path.basename(tree.library)}: exports {symbol}, which no public header declares"
    for symbol in sorted(set(declared) - exported):
        yield f"{declared[symbol]}: declares {symbol}, which the library does not export"
    for symbol in sorted(declared):
        if not symbol.startswith("gaio_"):
            yield f"{declared[symbol]}: {symbol} is not named gaio_*"


def check_documented(tree):
    """Every public function has a doc comment that says from which thread it may be called"""
    comments = {}
    for name in tree.library_files(".c", ".h"):
        for comment in re.findall(r"/\*\*\n.*?\*/", tree.text(name), re.DOTALL):
            title = re.match(r"/\*\*\n \* (\w+):", comment)
            if title:
                comments[title.group(1)] = comment
    for symbol, name in sorted(declared_symbols(tree).items()):
        if symbol.endswith(("_get_type", "_quark")):
            continue
        if symbol not in comments:
            yield f"{name}: {symbol} has no doc comment"
        elif not THREADS.search(comments[symbol]):
            yield f"{name}: the doc comment of {symbol} has no “Thread:” sentence"


def check_readme(tree):
    """The README shows the example files as they are"""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", tree.text("README.md"), re.MULTILINE | re.DOTALL)
    for language, name in README_EXAMPLES:
        example = tree.text(name)
        if not example:
            yield f"{name}: is not there"
        elif not any(block == example for kind, block in blocks if kind == language):
            yield f"README.md: has no ```{language} block that is {name}"
    for language, block in blocks:
        known = [name for kind, name in README_EXAMPLES if kind == language]
        if known and not any(block == tree.text(name) for name in known):
            yield f"README.md: a ```{language} block is no example file: {block.splitlines()[0]}"


def check_top(tree):
    """The top level is the user's, and there are no options to set"""
    names = {entry.name for entry in tree.root.iterdir() if not tree.ignored(tree.root, entry.name)}
    for name in sorted(n for n in names - TOP_LEVEL if not n.startswith(".")):
        yield f"{name}: does not belong at the top level"
    for name in sorted(TOP_LEVEL - names):
        yield f"{name}: is missing at the top level"


CHECKS = {name[len("check_"):]: function for name, function in list(globals().items())
          if name.startswith("check_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", required=True)
    parser.add_argument("--version-dir", help="where <gaio/base/gaio-version.h> was generated")
    parser.add_argument("--library", help="the shared library")
    parser.add_argument("--only", action="append", choices=list(CHECKS))
    options = parser.parse_args()
    tree = Tree(options.root, options.version_dir, options.library)
    chosen = options.only or list(CHECKS)
    failed = False
    print(f"1..{len(chosen)}")
    for number, name in enumerate(chosen, 1):
        title = f"{number} {name}: {CHECKS[name].__doc__}"
        try:
            violations = list(CHECKS[name](tree))
        except Skip as reason:
            print(f"ok {title} # SKIP {reason}")
            continue
        for violation in violations:
            print(f"# {violation}")
        print(("not ok " if violations else "ok ") + title, flush=True)
        failed = failed or bool(violations)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
