"""A project's name against popular ones. The list and what it is worth: guest/rules/popular-names.txt."""

import os
import unicodedata
from dataclasses import dataclass, field

import text

POPULAR = 5
SHORTEST = 5
#: From this length on two edits may be a slip of the finger.
LONG = 10
AFFIXES = ("python", "py", "python3", "py3", "lib", "official", "dev", "tool", "tools", "utils", "api", "client", "sdk", "cli", "core", "new", "2", "3")
#: Characters that look like others in many fonts, to one of them.
LOOKS_LIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "q": "g", "u": "v"})
PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@dataclass
class Names:
    """`popular`: names; `known`: all names; `modules`: top-level module in lower case -> the popular project it belongs to."""

    popular: list = field(default_factory=list)
    known: frozenset = frozenset()
    modules: dict = field(default_factory=dict)


def load(folder):
    rows = []
    with open(os.path.join(folder, "popular-names.txt"), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                rows.append(line.rstrip("\n").split("\t"))
    popular = [(name, module) for name, module, uses in rows if uses == "*" or int(uses) >= POPULAR]
    return Names(
        sorted(name for name, _ in popular),
        frozenset(name for name, _, _ in rows),
        {module: name for name, module in popular if module != "-"},
    )


def close(names, project):
    """[(popular project, how)], sorted: how a name that is no known project's comes near. At most 10."""
    name = text.canonical_name(unicodedata.normalize("NFKC", project))
    if name in names.known:
        return []
    found = [(other, how) for other in names.popular if (how := _how(name, other))]
    return sorted(found)[:10]


def foreign_modules(names, project, tops):
    """[(top-level module, popular project it belongs to)], sorted. A project whose name extends the owner's is a variant of it."""
    name = text.canonical_name(project)
    found = []
    for top in tops:
        owner = names.modules.get(top.lower())
        if owner and owner != name and not name.startswith(owner + "-") and not (name in names.known and "-" not in owner and owner in name):
            found.append((top, owner))
    return sorted(found)


def _how(name, other):
    bare, bare_other = name.replace("-", ""), other.replace("-", "")
    if len(bare_other) < 4:
        return None
    if bare == bare_other:
        return "separators"
    if _shape(bare) == _shape(bare_other):
        return "look-alike"
    words, words_other = name.split("-"), other.split("-")
    if len(words) > 1 and sorted(words) == sorted(words_other):
        return "swapped-words"
    if len(bare_other) >= SHORTEST and abs(len(bare) - len(bare_other)) <= 2:
        allowed = 2 if len(bare_other) >= LONG else 1
        if _distance(bare, bare_other, allowed) <= allowed:
            return "edits"
    if len(bare_other) >= SHORTEST and any(bare in (bare_other + affix, affix + bare_other) for affix in AFFIXES):
        return "affix"
    return None


def _shape(name):
    for pair, one in PAIRS:
        name = name.replace(pair, one)
    return name.translate(LOOKS_LIKE)


def _distance(one, two, limit):
    """Edits (insert, delete, replace, swap of neighbours), or more than `limit` when there are more."""
    before, row = None, list(range(len(two) + 1))
    for i, a in enumerate(one, 1):
        last, row, older = row, [i], before
        for j, b in enumerate(two, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == two[j - 2] and one[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = last
        if min(row) > limit:
            return limit + 1
    return row[-1]
