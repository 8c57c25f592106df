# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""The examples in Python and JavaScript, checked against what does the same."""

import gzip
import hashlib
import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys
import unittest

from common import Case
import tap

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
PYTHON = EXAMPLES / "python"


def run(*command):
    return subprocess.run([os.fspath(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)


class OneFile(Case):
    def commands(self):
        yield sys.executable, PYTHON / "sha256.py"
        if shutil.which("gjs"):
            yield "gjs", "-m", EXAMPLES / "gjs" / "sha256.js"

    def test_sum(self):
        empty = os.path.join(self.dir, "empty")
        open(empty, "wb").close()
        for command in self.commands():
            for path in (self.path, empty):
                with self.subTest(command=command, path=path):
                    expected = run("sha256sum", path)
                    got = run(*command, path)
                    self.assertEqual(got.stderr, b"")
                    self.assertEqual(got.stdout, expected.stdout)
                    self.assertEqual(got.returncode, 0)

    def test_missing(self):
        missing = os.path.join(self.dir, "missing")
        for command in self.commands():
            with self.subTest(command=command):
                got = run(*command, missing)
                self.assertEqual(got.stdout, b"")
                self.assertIn(b"missing", got.stderr)
                self.assertNotIn(b"Traceback", got.stderr)
                self.assertNotEqual(got.returncode, 0)


class Tree(Case):
    program = PYTHON / "checksum-tree.py"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tree = os.path.join(cls.dir, "tree")
        for number in range(300):
            directory = os.path.join(cls.tree, str(number % 7), str(number % 3))
            os.makedirs(directory, exist_ok=True)
            with open(os.path.join(directory, f"file {number}"), "wb") as file:
                file.write(hashlib.sha256(b"%d" % number).digest() * (number * number // 16))
        with open(os.path.join(cls.tree, "big"), "wb") as file:
            file.write(cls.data * 5 + b"end")
        with open(os.fsencode(cls.tree) + b"/odd \\ \n \r \xff", "wb") as file:
            file.write(b"odd")
        os.symlink("big", os.path.join(cls.tree, "link"))
        os.symlink(cls.dir, os.path.join(cls.tree, "link to a directory"))
        os.mkfifo(os.path.join(cls.tree, "fifo"))

    def expected(self):
        found = subprocess.run(["find", self.tree, "-type", "f", "-print0"], check=True,
                               stdout=subprocess.PIPE).stdout
        sums = subprocess.run(["xargs", "-0", "sha256sum"], input=found, check=True,
                              stdout=subprocess.PIPE).stdout
        return sorted(sums.splitlines())

    def test_agrees_with_sha256sum(self):
        report_path = os.path.join(self.dir, "report")
        for through in ("gaio", "gio"):
            for in_flight in ("1", "256"):
                with self.subTest(through=through, in_flight=in_flight):
                    got = run(sys.executable, self.program, self.tree, "--through", through,
                              "--in-flight", in_flight, "--report", report_path)
                    self.assertEqual(sorted(got.stdout.splitlines()), self.expected())
                    self.assertEqual(got.returncode, 0)
                    self.assertIn(b"302/302 files", got.stderr)
                    with open(report_path, encoding="utf-8") as file:
                        report = json.load(file)
                    self.assertEqual((report["files"], report["failed"]), (302, 0))
                    self.assertEqual(report["through"], through)
                    if through == "gaio" and os.environ.get("GAIO_ENGINE") == "threads":
                        self.assertEqual(report["engine"], "threads")
                    if through == "gaio":
                        self.assertIn(report["engine"], ("io-uring", "threads"))
                        self.assertTrue(report["engine_reason"])

    def test_copy(self):
        copy = os.path.join(self.dir, "copy")
        got = run(sys.executable, PYTHON / "copy-tree.py", self.tree, copy)
        self.assertEqual(got.returncode, 0)
        self.assertIn(b"] 100 %", got.stderr)
        same = run("diff", "-r", "--no-dereference", self.tree, copy)
        self.assertEqual(same.stdout, f"Only in {self.tree}: fifo\n".encode())

    def test_bar_on_a_terminal(self):
        outer, inner = pty.openpty()
        with subprocess.Popen([sys.executable, os.fspath(self.program), self.tree],
                              stdout=subprocess.DEVNULL, stderr=inner) as process:
            os.close(inner)
            shown = b""
            while True:
                try:
                    data = os.read(outer, 4096)
                except OSError:
                    break  # the other end is closed
                if not data:
                    break
                shown += data
        os.close(outer)
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"\r[" + b"#" * 30 + b"] 302/302 files", shown)

    def test_failures(self):
        directory = os.path.join(self.dir, "failing")
        os.mkdir(directory)
        with open(os.path.join(directory, "good"), "wb") as file:
            file.write(b"good")
        missing = os.path.join(self.dir, "missing")
        got = run(sys.executable, self.program, "--quiet", missing, directory)
        self.assertEqual(got.returncode, 1)
        self.assertEqual(got.stdout.split()[0], hashlib.sha256(b"good").hexdigest().encode())
        self.assertEqual(got.stderr.decode().strip(),
                         f"checksum-tree.py: {missing}: No such file or directory")

        if os.geteuid() == 0:
            return  # root may read everything
        os.chmod(os.path.join(directory, "good"), 0)
        for through in ("gaio", "gio"):
            got = run(sys.executable, self.program, "--quiet", "--through", through, directory)
            self.assertEqual(got.returncode, 1)
            self.assertIn(b"ermission denied", got.stderr)


class Gzip(Case):
    @unittest.skipUnless(shutil.which("gjs"), "no gjs")
    def test_packs(self):
        got = run("gjs", "-m", EXAMPLES / "gjs" / "gzip.js", self.path)
        self.assertEqual(got.stderr, b"")
        self.assertEqual(got.returncode, 0)
        with gzip.open(self.path + ".gz") as file:
            self.assertEqual(file.read(), self.data)


if __name__ == "__main__":
    tap.main()
