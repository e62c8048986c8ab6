"""What the task `static` found: (rule, file, line) tuples, each once, in a fixed order, and no text of the package but paths."""

import text

FINDINGS = 2000
#: One rule that matches everywhere must not push the others out.
PER_RULE = 100
PATH = 1000


def visible(name):
    """A path as it may be shown: what would not be seen, or change how the rest is seen, is escaped."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text.readable(name))
    return text.clip(shown, PATH)


class Findings:
    """Collects findings; `rows` are sorted, and `omitted` says how many did not fit."""

    def __init__(self):
        self._found = {}

    def add(self, rule, file, line=None):
        """`line` counts from 1. The first line of a rule in a file is kept."""
        key = (rule, visible(file))
        old = self._found.get(key)
        if key not in self._found or (line is not None and (old is None or line < old)):
            self._found[key] = line

    def rules(self):
        return sorted({rule for rule, _ in self._found})

    def rows(self):
        """(rows, omitted)."""
        kept, counts = [], {}
        for (rule, file), line in sorted(self._found.items(), key=lambda item: item[0]):
            counts[rule] = counts.get(rule, 0) + 1
            if counts[rule] <= PER_RULE and len(kept) < FINDINGS:
                kept.append({"rule": rule, "file": file, **({"line": line} if line is not None else {})})
        return kept, len(self._found) - len(kept)
