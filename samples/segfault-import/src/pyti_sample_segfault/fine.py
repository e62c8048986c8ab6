"""A neighbour of the crash."""

ANSWER = 42
