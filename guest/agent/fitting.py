"""
The last fence on what a package can make a record grow to: raw data that is too large would be refused, and its package would
go without a report. Each list has a ceiling of its own; this one holds for all of them together.
"""

import json

#: Of all lists of all tasks but the events, which have theirs. Raw data may have 16 MiB.
LISTS_BYTES = 7 * 1024 * 1024


def fit(records, room=LISTS_BYTES):
    """Cuts the largest list by half until all fit; a list `names` counts in `namesOmitted` where there is such a field."""
    lists = [[_size(container[key]), place, container, key] for place, container, key in _lists(records, "")]
    while sum(entry[0] for entry in lists) > room:
        largest = max(lists, key=lambda entry: entry[:2])
        _, _, container, key = largest
        whole = container[key]
        kept = len(whole) // 2
        container[key] = whole[:kept] if isinstance(whole, list) else dict(sorted(whole.items())[:kept])
        if f"{key}Omitted" in container:
            container[f"{key}Omitted"] += len(whole) - kept
        largest[0] = _size(container[key])


def _lists(value, place):
    """(place, container, key) of every list, and of `tests`, which are a list by name; none within another."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("events", "tools", "shifts"):
                for row in inner if key != "events" else ():
                    yield from _lists(row, f"{place}/{key}")
            elif isinstance(inner, list) or key == "tests":
                yield f"{place}/{key}", value, key
            else:
                yield from _lists(inner, f"{place}/{key}")


def _size(value):
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
