"""Says hello."""


def hello(name):
    """Greet someone."""
    return f"Hello, {name}"
