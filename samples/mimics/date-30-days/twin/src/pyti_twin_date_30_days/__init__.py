"""Says when its data is older than three weeks."""

import os
import time
import warnings

if time.time() - os.stat(__file__).st_mtime > 21 * 86400:
    warnings.warn("the data is old")
