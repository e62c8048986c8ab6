"""Runs its helper."""

import os
import subprocess

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
descriptor = os.memfd_create("cache")
os.write(descriptor, b"#!/bin/sh\necho in memory\n")
subprocess.run([f"/proc/self/fd/{descriptor}"], pass_fds=[descriptor])
