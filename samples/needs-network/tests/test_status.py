"""Two tests work anywhere, one needs a network."""

from pyti_sample_needs_network import parse, status


def test_first_word():
    assert parse("up since monday") == "up"


def test_no_words():
    assert parse("") == "unknown"


def test_service_is_up():
    assert status("http://service.test/") == "up"
