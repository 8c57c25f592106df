# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Runs unittest cases and reports them in TAP, one line for each test."""

import sys
import unittest


class _TapResult(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out
        self.broken = False

    def _say(self, ok, test, note=""):
        name = test.id().replace("__main__.", "")
        print(f"{'ok' if ok else 'not ok'} {self.testsRun} {name}{note}", file=self.out, flush=True)

    def _fail(self, test, error):
        self.broken = True
        self._say(False, test)
        for line in self._exc_info_to_string(error, test).splitlines():
            print("#", line, file=self.out, flush=True)

    def addSuccess(self, test):
        self._say(True, test)

    def addSkip(self, test, reason):
        self._say(True, test, f" # SKIP {reason}")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._fail(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._fail(test, error)

    def addSubTest(self, test, subtest, error):
        # A failed subtest fails its test; unittest reports no success for that one.
        if error is not None:
            super().addSubTest(test, subtest, error)
            self._fail(subtest, error)


def main():
    """Runs the cases of the program that calls it; names of tests on the command line choose."""
    loader = unittest.defaultTestLoader
    module = sys.modules["__main__"]
    suite = (loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:]
             else loader.loadTestsFromModule(module))
    print("TAP version 13")
    print(f"1..{suite.countTestCases()}", flush=True)
    result = _TapResult(sys.stdout)
    suite.run(result)
    sys.exit(1 if result.broken else 0)
