"""Adds an attribute to what it needs, in memory."""

import pyti_sample_pure

pyti_sample_pure.PATCHED = True
