"""`test_cache_is_warm` depends on an earlier run; the others do not."""

import os
import tempfile

import pyti_sample_flaky


def test_cache_is_warm():
    assert pyti_sample_flaky.is_warm()


def test_path_is_absolute():
    assert os.path.isabs(pyti_sample_flaky.PATH)


def test_path_is_temporary():
    assert pyti_sample_flaky.PATH.startswith(tempfile.gettempdir())
