"""A stack."""


class Stack:
    """Last in, first out."""

    def __init__(self):
        self.items = []

    def push(self, item):
        """Put an item on top."""
        self.items.append(item)

    def pop(self):
        """Take the top item."""
        return self.items.pop()

    def __len__(self):
        return len(self.items)
