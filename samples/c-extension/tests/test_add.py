"""Two tests of compiled code."""

import pytest

from pyti_sample_c import add


def test_adds():
    assert add(2, 3) == 5


def test_wants_numbers():
    with pytest.raises(TypeError):
        add("2", 3)
