import pyti_twin_pytest_plugin


def test_name():
    assert pyti_twin_pytest_plugin.__name__ == "pyti_twin_pytest_plugin"
