"""Stands in for the pytest plugin where there is no pytest: `python unittest_recorder.py FOLDER`, same lines."""

import json
import os
import sys
import unittest

import pyti_coverage
import pyti_network


def _say(*row):
    os.write(3, (json.dumps(row) + "\n").encode())


def _say_lines():
    for row in lines.take() if lines is not None else ():
        _say("l", *row)


class Recorder(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.outcome = "passed"
        pyti_network.take()
        _say("s", test.id())

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._note(test, "failed")

    def addError(self, test, err):
        super().addError(test, err)
        self._note(test, "error")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note(test, "failed")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcome = "skipped"

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.outcome = "xfailed"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.outcome = "xpassed"

    def stopTest(self, test):
        super().stopTest(test)
        if pyti_network.take() and self.outcome in ("failed", "error"):
            self.outcome = "needs-network"
        _say_lines()
        _say("t", test.id(), self.outcome)

    def _note(self, test, outcome):
        self.outcome = outcome
        # A class or module set-up that failed has no start of its own.
        if type(test).__name__ == "_ErrorHolder":
            _say("t", str(test), outcome)


if __name__ == "__main__":
    folder = sys.argv[1]
    pyti_network.watch()
    lines = pyti_coverage.asked()
    sys.path.insert(0, os.getcwd())
    suite = unittest.defaultTestLoader.discover(folder, top_level_dir=None if folder == "." else os.getcwd())
    answer = unittest.TextTestRunner(resultclass=Recorder, verbosity=1).run(suite)
    _say_lines()
    _say("e", 0 if answer.wasSuccessful() else 1)
    sys.exit(0 if answer.wasSuccessful() else 1)
