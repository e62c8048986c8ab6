"""Which modules a distribution offers, by the files it installed."""

import importlib.machinery
import keyword

SKIPPED_FOLDERS = frozenset({"test", "tests"})
SKIPPED_NAMES = frozenset({"__main__", "conftest"})
LIMIT = 5000


def of_files(paths, site):
    """Dotted names of all importable modules among the installed files, sorted."""
    names = set()
    for path in paths:
        if path.startswith(site + "/"):
            name = _module(path[len(site) + 1 :])
            if name:
                names.add(name)
    return sorted(names)


def top_level(names):
    """The modules that stand for the project: those not inside another of its packages."""
    known = set(names)
    return [name for name in names if not any(parent in known for parent in _parents(name))]


def _module(relative):
    parts = relative.split("/")
    stem = _stem(parts[-1])
    if stem is None or stem in SKIPPED_NAMES:
        return None
    names = parts[:-1] if stem == "__init__" else [*parts[:-1], stem]
    folders = names if stem == "__init__" else names[:-1]
    if not names or any(not name.isidentifier() or keyword.iskeyword(name) for name in names):
        return None
    return None if SKIPPED_FOLDERS.intersection(folders) else ".".join(names)


def _stem(filename):
    for suffix in (".py", *importlib.machinery.EXTENSION_SUFFIXES):
        if filename.endswith(suffix):
            return filename[: -len(suffix)]
    return None


def _parents(name):
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts)))
