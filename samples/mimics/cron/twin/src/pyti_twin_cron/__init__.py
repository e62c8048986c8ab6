"""Explains how to run it every hour."""

import subprocess

LINE = "@hourly python3 -m pyti_twin_cron"
subprocess.run(["sh", "-c", f'echo "{LINE}" | cat'], stdout=subprocess.DEVNULL)
