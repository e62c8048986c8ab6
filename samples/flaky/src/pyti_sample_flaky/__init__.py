"""A cache in the temporary folder."""

import os
import tempfile

PATH = os.path.join(tempfile.gettempdir(), "pyti-sample-flaky.cache")


def is_warm():
    """Say whether an earlier run left the cache, and leave it."""
    warm = os.path.exists(PATH)
    with open(PATH, "w", encoding="utf-8") as file:
        file.write("warm")
    return warm
