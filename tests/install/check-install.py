#!/usr/bin/env python3
# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `meson install` puts where, and whether it works there; then `meson devenv`. As TAP.

    check-install.py --source=DIR --build=DIR --meson=PROGRAM --layout=JSON [--real]

Installs the build into a scratch directory (DESTDIR) and uses it from there as a stranger would:
a C and a C++ program by pkg-config, a Python and a GJS script and GStreamer by the paths that they
search. The .pc file of a DESTDIR names the place it is meant for, so the stranger gets a copy that
names the scratch directory. With --real the build's own prefix is taken, and nothing is copied;
that overwrites what is there.

The layout says what the build has: prefix, libdir, includedir, datadir, plugindir ('' for a
part that was not built), introspection.
"""
import argparse
import fnmatch
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


SEARCH_PATHS = ("LD_LIBRARY_PATH", "GST_PLUGIN_PATH", "GI_TYPELIB_PATH", "PYTHONPATH", "GJS_PATH")


class Skip(Exception):
    """What a check needs is not here; the text says what."""


class Failed(Exception):
    """A check failed; the text says why."""


def run(command, env=None, **options):
    """What a command printed on standard output. It fails also when it complains on its other one.

    With an environment, even an empty one, the search paths are those that it names, no others."""
    environment = dict(os.environ)
    if env is not None:
        for variable in SEARCH_PATHS:  # not what the tests of the build find by them
            environment.pop(variable, None)
        environment.update(env)
    try:
        result = subprocess.run([str(c) for c in command], env=environment, text=True, check=False,
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=100,
                                **options)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} hangs") from error
    if result.returncode != 0:
        raise Failed(f"{command[0]}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    for complaint in ("CRITICAL", "WARNING **", "Traceback"):
        if complaint in result.stderr:
            raise Failed(f"{command[0]} complains:\n{result.stderr}")
    return result.stdout


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise Skip(f"there is no {program}")


def need_equal(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what}: {got!r}, not {wanted!r}")


def python_with_gi():
    for python in ("python3", "/usr/bin/python3"):
        command = [python, "-c", "from gi.repository import Gio"]
        if shutil.which(python) and subprocess.run(command, check=False,
                                                   capture_output=True).returncode == 0:
            return python
    raise Skip("no python3 has gi")


class Install:
    """An installed gaio, and the checks of it, each a method check_*."""

    def __init__(self, options, scratch):
        self.source = Path(options.source)
        self.build = Path(options.build)
        self.meson = options.meson
        self.layout = json.loads(options.layout)
        self.scratch = Path(scratch)
        self.destdir = None if options.real else self.scratch / "root"
        self.sample = self.source / "COPYING"

    def place(self, name, *rest):
        """Where a directory of the layout is now."""
        path = Path(self.layout["prefix"], self.layout[name])
        if self.destdir is not None:
            path = self.destdir / path.relative_to("/")
        return path.joinpath(*rest)

    def have(self, part):
        if not self.layout[part]:
            raise Skip(f"built without {part}")

    def headers(self):
        public = [p for p in self.source.glob("gaio/*/*.h") if "-private" not in p.name]
        names = {p.relative_to(self.source).as_posix() for p in public}
        return names | {"gaio/gaio.h", "gaio/base/gaio-version.h"}

    def overrides(self):
        """The directory above Python's `gi`."""
        root = self.place("prefix")
        found = [p for p in root.rglob("gi/overrides/Gaio*")
                 if p.name == "Gaio.py" or p.joinpath("__init__.py").is_file()]
        need_equal("places of the Python override", len(found), 1)
        return found[0].parents[2]

    def environment(self):
        """What programs need to find an install that is in no place they know."""
        env = {"LD_LIBRARY_PATH": str(self.place("libdir")),
               "GST_REGISTRY": str(self.scratch / "registry"),
               "PYTHONDONTWRITEBYTECODE": "1"}
        if self.layout["introspection"]:
            env["GI_TYPELIB_PATH"] = str(self.place("libdir", "girepository-1.0"))
            env["PYTHONPATH"] = str(self.overrides())
            env["GJS_PATH"] = str(self.place("datadir", "gjs-1.0"))
        if self.layout["plugindir"]:
            env["GST_PLUGIN_PATH"] = str(self.place("plugindir"))
        return env

    def pkg_config(self, *arguments):
        need("pkg-config")
        path = self.place("libdir", "pkgconfig")
        if self.destdir is not None:
            copy = self.scratch / "pkgconfig"
            copy.mkdir(exist_ok=True)
            text = path.joinpath("gaio-1.0.pc").read_text(encoding="utf-8")
            line = f"prefix={self.layout['prefix']}\n"
            if line not in text:
                raise Failed(f"gaio-1.0.pc has no line {line!r}")
            copy.joinpath("gaio-1.0.pc").write_text(
                text.replace(line, f"prefix={self.place('prefix')}\n"), encoding="utf-8")
            path = copy
        return run(["pkg-config", *arguments, "gaio-1.0"], {"PKG_CONFIG_PATH": str(path)}).split()

    def check_installs(self):
        """meson install does"""
        command = [self.meson, "install", "-C", self.build, "--quiet"]
        if self.destdir is not None:
            command += ["--destdir", self.destdir]
        run(command)

    def check_headers(self):
        """The public headers are there, and no other"""
        root = self.place("includedir", "gaio-1.0")
        found = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
        need_equal("headers", sorted(found), sorted(self.headers()))

    def check_library(self):
        """libgaio-1.0.so is there under its three names"""
        library = self.place("libdir", "libgaio-1.0.so")
        real = library.resolve()
        if not real.is_file() or not real.name.startswith("libgaio-1.0.so.0."):
            raise Failed(f"{library} is {real}")
        need_equal("soname", self.place("libdir", "libgaio-1.0.so.0").resolve(), real)

    def check_introspection(self):
        """GIR, typelib, VAPI and both overrides are where the languages look"""
        self.have("introspection")
        for path in (self.place("datadir", "gir-1.0", "Gaio-1.0.gir"),
                     self.place("libdir", "girepository-1.0", "Gaio-1.0.typelib"),
                     self.place("datadir", "vala", "vapi", "gaio-1.0.vapi"),
                     self.place("datadir", "vala", "vapi", "gaio-1.0.deps"),
                     self.place("datadir", "gjs-1.0", "overrides", "Gaio.js")):
            if not path.is_file():
                raise Failed(f"{path} is not there")
        self.overrides()

    def check_nothing_else(self):
        """Nothing else is installed"""
        if self.destdir is None:
            raise Skip("the prefix may hold the files of others")
        allowed = ["*/libgaio-1.0.so*", "*/gaio-1.0.pc", "*/include/gaio-1.0/*", "*/Gaio-1.0.gir",
                   "*/Gaio-1.0.typelib", "*/gaio-1.0.vapi", "*/gaio-1.0.deps",
                   "*/gi/overrides/Gaio.py", "*/gi/overrides/__pycache__/Gaio*",
                   "*/gi/overrides/Gaio/*", "*/gjs-1.0/overrides/Gaio.js",
                   "*/gstreamer-1.0/libgstgaio.so", "*/doc/*"]
        for path in self.destdir.rglob("*"):
            if path.is_file() and not any(fnmatch.fnmatch(path, pattern) for pattern in allowed):
                raise Failed(f"{path.relative_to(self.destdir)} is installed")

    def check_pkg_config(self):
        """gaio-1.0.pc is right"""
        version = self.pkg_config("--modversion")
        need_equal("version", version, [self.layout["version"]])
        flags = self.pkg_config("--cflags")
        if f"-I{self.place('includedir', 'gaio-1.0')}" not in flags:
            raise Failed(f"no include path in {flags}")
        if "-lgaio-1.0" not in self.pkg_config("--libs"):
            raise Failed("no -lgaio-1.0")

    def check_c_program(self):
        """A stranger's C program builds with pkg-config's flags, runs, and counts right"""
        need("cc")
        program = self.scratch / "count-lines"
        run(["cc", "-Wall", "-Werror", "-o", program,
             self.source / "examples/c/count-lines.c", *self.pkg_config("--cflags", "--libs")])
        wanted = str(self.sample.read_bytes().count(b"\n"))
        need_equal("lines", run([program, self.sample], self.environment()).strip(), wanted)

    def check_cxx_program(self):
        """A C++ program too"""
        need("c++")
        program = self.scratch / "version"
        code = self.scratch / "version.cc"
        code.write_text('#include <gaio/gaio.h>\n'
                        'int main () { g_autoptr (GaioContext) c = gaio_context_new (NULL);\n'
                        '  static_assert (GAIO_CHECK_VERSION (1, 0, 0), "");\n'
                        '  return c == NULL; }\n', encoding="utf-8")
        run(["c++", "-std=c++17", "-Wall", "-Werror", "-o", program, code,
             *self.pkg_config("--cflags", "--libs")])
        run([program], self.environment())

    def sum_of_sample(self):
        need("sha256sum")
        return run(["sha256sum", self.sample]).split()[0]

    def check_python(self):
        """A Python script finds library, typelib and override"""
        self.have("introspection")
        output = run([python_with_gi(), self.source / "examples/python/sha256.py", self.sample],
                     self.environment(), cwd=self.scratch)
        need_equal("SHA-256", output.split()[0], self.sum_of_sample())

    def check_gjs(self):
        """A GJS script too"""
        self.have("introspection")
        need("gjs")
        output = run(["gjs", "-m", self.source / "examples/gjs/sha256.js", self.sample],
                     self.environment(), cwd=self.scratch)
        need_equal("SHA-256", output.split()[0], self.sum_of_sample())

    def write_by_gstreamer(self, target, command, env):
        run([*command, "gst-launch-1.0", "-q", "filesrc", f"location={self.sample}", "!",
             "gaiofilesink", f"location={target}"], env)
        need_equal("copied bytes", target.read_bytes(), self.sample.read_bytes())

    def check_gstreamer(self):
        """GStreamer finds the plugin, and the element writes"""
        self.have("plugindir")
        need("gst-inspect-1.0", "gst-launch-1.0")
        if not self.place("plugindir", "libgstgaio.so").is_file():
            raise Failed("libgstgaio.so is not in GStreamer's plugin directory")
        shown = run(["gst-inspect-1.0", "gaiofilesink"], self.environment())
        if str(self.place("plugindir")) not in shown:
            raise Failed(f"gst-inspect-1.0 shows another plugin:\n{shown}")
        self.write_by_gstreamer(self.scratch / "copy", [], self.environment())

    def devenv(self):
        """A command that runs another in the development environment."""
        return ([self.meson, "devenv", "-C", self.build],
                {"GST_REGISTRY": str(self.scratch / "registry-devenv")})

    def check_devenv_python(self):
        """In meson devenv Python finds what was built"""
        self.have("introspection")
        command, env = self.devenv()
        output = run([*command, python_with_gi(), self.source / "examples/python/sha256.py",
                      self.sample], env)
        need_equal("SHA-256", output.split()[-2], self.sum_of_sample())

    def check_devenv_gjs(self):
        """In meson devenv GJS does"""
        self.have("introspection")
        need("gjs")
        command, env = self.devenv()
        output = run([*command, "gjs", "-m", self.source / "examples/gjs/sha256.js", self.sample],
                     env)
        need_equal("SHA-256", output.split()[-2], self.sum_of_sample())

    def check_devenv_gstreamer(self):
        """In meson devenv GStreamer does"""
        self.have("plugindir")
        need("gst-inspect-1.0", "gst-launch-1.0")
        command, env = self.devenv()
        shown = run([*command, "gst-inspect-1.0", "gaiofilesink"], env)
        if str(self.build) not in shown:
            raise Failed(f"gst-inspect-1.0 shows another plugin:\n{shown}")
        self.write_by_gstreamer(self.scratch / "copy-devenv", command, env)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("source", "build", "meson", "layout"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--real", action="store_true")
    options = parser.parse_args()
    checks = [name for name in vars(Install) if name.startswith("check_")]
    failed = False
    print(f"1..{len(checks)}")
    with tempfile.TemporaryDirectory(prefix="gaio-install-") as scratch:
        install = Install(options, scratch)
        for number, name in enumerate(checks, 1):
            check = getattr(install, name)
            try:
                check()
                print(f"ok {number} {check.__doc__}", flush=True)
            except Skip as reason:
                print(f"ok {number} {check.__doc__} # SKIP {reason}", flush=True)
            except (Failed, OSError, subprocess.CalledProcessError) as reason:
                failed = True
                for line in str(reason).splitlines():
                    print(f"# {line}")
                print(f"not ok {number} {check.__doc__}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
