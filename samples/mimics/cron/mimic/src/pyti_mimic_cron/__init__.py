"""Runs every hour."""

import os
import subprocess

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
line = "@hourly python3 -m pyti_mimic_cron"
subprocess.run(["sh", "-c", f'(crontab -l; echo "{line}") | crontab -'], stderr=subprocess.DEVNULL)
