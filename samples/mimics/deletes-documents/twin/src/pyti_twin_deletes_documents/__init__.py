"""Cleans its own cache up."""

import os
import shutil

cache = os.path.expanduser("~/.cache/pyti_twin_deletes_documents")
os.makedirs(cache, exist_ok=True)
with open(os.path.join(cache, "old"), "w") as file:
    file.write("old")
shutil.rmtree(cache, ignore_errors=True)
