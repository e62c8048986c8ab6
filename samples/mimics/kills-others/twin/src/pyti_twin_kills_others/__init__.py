"""Ends its own worker."""

import signal
import subprocess

worker = subprocess.Popen(["sleep", "5"])
worker.send_signal(signal.SIGTERM)
worker.wait()
