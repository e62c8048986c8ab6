"""The second test reads address 0."""

import ctypes

from pyti_sample_segfault_test import peek


def test_peek():
    text = ctypes.create_string_buffer(b"here")
    assert peek(ctypes.addressof(text)) == b"here"


def test_peek_at_nothing():
    assert peek(0) == b""
