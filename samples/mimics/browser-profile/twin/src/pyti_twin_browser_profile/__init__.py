"""Keeps bookmarks in a database of its own."""

import os
import sqlite3

path = os.path.expanduser("~/.local/share/pyti_twin_browser_profile/bookmarks.sqlite")
os.makedirs(os.path.dirname(path), exist_ok=True)
with sqlite3.connect(path) as database:
    database.execute("CREATE TABLE IF NOT EXISTS marks (url TEXT)")
