"""Measures coverage when asked to."""

import sys

seen = set()


def start():
    sys.settrace(lambda frame, event, argument: seen.add(frame.f_code.co_filename))
