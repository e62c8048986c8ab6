import pyti_mimic_pytest_plugin


def test_name():
    assert pyti_mimic_pytest_plugin.__name__ == "pyti_mimic_pytest_plugin"
