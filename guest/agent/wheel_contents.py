"""
What a wheel holds that it should not, or lacks: the checks of check-wheel-contents with its codes (W001 ... W201), written anew.
Raise VERSION whenever a check changes what it says.
"""

import posixpath
import re

VERSION = "1"
MESSAGES = 500
#: Names that belong to a repository and collide in site-packages.
COMMON = frozenset(
    ".eggs .nox .tox .venv app build cgi-bin data dist doc docs example examples htmlcov lib node_modules scripts src test tests tools utils venv".split()
)
NATIVE = (".so", ".pyd")
MODULES = (".py", ".pyi", *NATIVE)


def check(members, metadata_top=(), sdist=None):
    """
    {version, messages: [[code, file]], messagesOmitted}, sorted. `members`: path -> (sha256, size) of the wheel's files;
    `metadata_top`: rows of top_level.txt; `sdist`: paths in the source distribution without its top folder, or None.
    """
    library = {_library(name): name for name in members}
    library.pop(None, None)
    found = {("W001", name) for name in library.values() if name.endswith((".pyc", ".pyo"))}
    found |= _duplicates(members, library)
    tops = _tops(library)
    for top, paths in sorted(tops.items()):
        found |= _check_top(top, paths, library)
    packages = {top for top, paths in tops.items() if any(path.endswith(MODULES) for path in paths) and not top.endswith((".pth", ".start"))}
    if not members or all(".dist-info/" in name for name in members):
        found.add(("W008", "."))
    elif not library:
        found.add(("W007", "."))
    if len(packages - {top for top in packages if top.startswith("_")}) > 1:
        found |= {("W009", top) for top in packages if not top.startswith("_")}
    for row in metadata_top:
        if row and not row.startswith("_") and not any(_module(top) == row.split("/")[0] for top in tops):
            found.add(("W201", row))
    if sdist is not None:
        found |= _against(sdist, library, packages)
    rows = sorted(found)
    return {"version": VERSION, "messages": [list(row) for row in rows[:MESSAGES]], "messagesOmitted": max(0, len(rows) - MESSAGES)}


def _library(name):
    """Path below site-packages, None for what goes elsewhere."""
    first, _, rest = name.partition("/")
    if first.endswith(".dist-info"):
        return None
    if first.endswith(".data"):
        scheme, _, path = rest.partition("/")
        return path if scheme in ("purelib", "platlib") and path else None
    return name


def _tops(library):
    tops = {}
    for path in library:
        tops.setdefault(path.split("/")[0], []).append(path)
    return tops


def _module(top):
    return top.split(".")[0]


def _check_top(top, paths, library):
    """W003 to W006 and W010 for one entry of site-packages."""
    is_folder = paths != [top]
    if not is_folder:
        if top == "__init__.py":
            return {("W006", library[top])}
        if top.endswith((".pth", ".start")) or top.endswith((".pyc", ".pyo")):
            return set()
        if not top.endswith(MODULES):
            return {("W003", library[top])}
        return {("W005", library[top])} if _module(top) in COMMON else set()
    found = {("W005", top)} if top in COMMON or top.endswith(".egg-info") else set()
    modules = [path for path in paths if path.endswith(MODULES)]
    if not modules and not top.endswith("-stubs"):
        return found | {("W010", top)}
    for path in modules:
        folders = path.split("/")[:-1]
        # PEP 561 names stub folders with a dash.
        if any(not re.fullmatch(r"[^\W\d]\w*", folder) for folder in [folders[0].removesuffix("-stubs"), *folders[1:]]):
            found.add(("W004", library[path]))
    return found


def _duplicates(members, library):
    """W002: non-empty files of the same content."""
    first, found = {}, set()
    for name in sorted(library.values()):
        digest, size = members[name]
        if not size or digest is None:
            continue
        if digest in first:
            found |= {("W002", name), ("W002", first[digest])}
        first.setdefault(digest, name)
    return found


def _against(sdist, library, packages):
    """W101: files of the source's packages the wheel lacks; W102: modules of the wheel that the source has nowhere."""
    found = set()
    sources = {}
    for path in sdist:
        for root in ("", "src/", "lib/"):
            if path.startswith(root) and path[len(root) :].split("/")[0] in packages and path.endswith(".py"):
                sources[path[len(root) :]] = path
    for path in sorted(sources):
        inside = {"test", "tests"} & set(path.split("/")[:-1])
        if path not in library and not inside and posixpath.dirname(path) and _package_in(path, library):
            found.add(("W101", path))
    known = {"/".join(parts[at:]) for path in sdist for parts in [path.split("/")] for at in range(len(parts))}
    found |= {("W102", name) for path, name in library.items() if path.endswith(".py") and path not in known}
    return found


def _package_in(path, library):
    return f"{posixpath.dirname(path)}/__init__.py" in library

