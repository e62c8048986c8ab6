"""Has a part in C."""

from . import _native
