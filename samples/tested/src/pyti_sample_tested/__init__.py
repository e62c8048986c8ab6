"""Text in columns; `shorten` is wrong on purpose."""


def left(text, width):
    """Pad on the right."""
    return text + " " * max(0, width - len(text))


def right(text, width):
    """Pad on the left."""
    return " " * max(0, width - len(text)) + text


def shorten(text, width):
    """Cut a text to a width: forgets to count the dots."""
    return text if len(text) <= width else text[:width] + "..."
