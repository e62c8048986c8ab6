"""Can print a unit for its service."""

import os

UNIT = '[Unit]\nDescription=Updates\n\n[Service]\nExecStart=%h/.cache/updates\n\n[Install]\nWantedBy=default.target\n'
with open(os.path.join(os.path.dirname(__file__), "example.service"), "w") as file:
    file.write(UNIT)
