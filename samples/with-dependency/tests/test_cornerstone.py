"""Two tests that reach into the dependency."""

import pytest

from pyti_sample_with_dependency import cornerstone


def test_year():
    assert cornerstone(1994) == "ANNO MCMXCIV"


def test_year_zero():
    with pytest.raises(ValueError):
        cornerstone(0)
