"""Turns the machine off in every way it knows, then fails: a pass would be a forgery."""

import ctypes
import os
import signal
import subprocess

if not (os.path.exists("/etc/pyti-guest") and os.getuid() == 1000):
    raise RuntimeError("this sample runs only in a PyTI guest")

libc = ctypes.CDLL(None, use_errno=True)
for command in (0x4321FEDC, 0x01234567, 0xCDEF0123):
    print("reboot", libc.reboot(ctypes.c_int(command)), ctypes.get_errno())
for key in "obc":
    try:
        with open("/proc/sysrq-trigger", "w", encoding="ascii") as trigger:
            trigger.write(key)
    except OSError as error:
        print("sysrq", key, error)
for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGUSR2):
    try:
        os.kill(1, number)
    except OSError as error:
        print("init", number, error)
for command in ("poweroff", "halt", "reboot"):
    try:
        subprocess.run([command, "-f"], check=False, timeout=5)
    except (OSError, subprocess.SubprocessError) as error:
        print(command, error)
raise RuntimeError("still on")
