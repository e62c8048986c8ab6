import pyti_mimic_conftest


def test_name():
    assert pyti_mimic_conftest.__name__ == "pyti_mimic_conftest"
