"""Has settings of its own below .config."""

import os

path = os.path.expanduser("~/.config/pyti_twin_autostart/settings.ini")
os.makedirs(os.path.dirname(path), exist_ok=True)
with open(path, "a") as file:
    file.write("[Desktop Entry]\nType=Application\n")
