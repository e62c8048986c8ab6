"""Picks the fastest code by the processor's flags."""


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


FAST = " avx2" in read("/proc/cpuinfo")
