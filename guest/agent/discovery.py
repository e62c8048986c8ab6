"""Finds a project's tests by looking, never by running. Meant for the unprivileged user inside `sandboxed.run`."""

import configparser
import fnmatch
import json
import os
import shlex
import shutil
import tomllib

import archives

TEXT_BYTES = 4 * 1024 * 1024
FILES = 50_000
#: Of all arguments that name tests: a request to a fork server has 64 KiB for them and everything else.
ARGUMENTS_CHARACTERS = 32 * 1024
PATTERNS = ["test_*.py", "*_test.py"]
LOOSE_PATTERNS = ["test*.py", "*tests.py", "*test.py"]
SOURCE_FOLDERS = ("", "src", "lib", "python", "source")
TEST_FOLDERS = ("tests", "test", "testing", "unittests", "t")
#: Options of a project's `addopts` that mean something without plugins; True: takes a value.
KEPT_OPTIONS = {
    "--import-mode": True, "--doctest-modules": False, "--doctest-glob": True, "--ignore": True, "--ignore-glob": True,
    "--deselect": True, "--pyargs": False, "-m": True, "-k": True, "-W": True, "--runxfail": False,
    "--doctest-continue-on-failure": False, "--strict-markers": False,
}  # fmt: skip


def prepare(archive, root, site, top_names, installed):
    """
    Unpacks the source distribution into `root` (None for a wheel), takes the modules out that would hide the installed ones,
    and gives JSON `{"found": "tests" | "none" | "unknown", "arguments", "options", "rootdir"}`.
    """
    if archive is not None:
        archives.unpack_sdist(archive, root)
    config = read_config(root)
    patterns = config["python_files"] or PATTERNS
    names = [name for name in _walk(root)]
    inside = {f"{base}/{top}/".lstrip("/") for base in SOURCE_FOLDERS for top in top_names}
    outer = [name for name in names if not name.startswith(tuple(inside))]
    folders = _bounded(_folders(root, config, outer, top_names))
    plan = {"found": "tests", "arguments": folders, "options": config["options"], "rootdir": root}
    chosen = [name for name in outer if _below(name, folders)]
    if not _matching(chosen, patterns):
        loose = [name for name in _matching(chosen, LOOSE_PATTERNS) if _holds_tests(f"{root}/{name}")]
        if loose:
            plan["options"] = [*plan["options"], "-o", "python_files=" + " ".join([*patterns, *LOOSE_PATTERNS])]
        else:
            return _inner(plan, names, inside, patterns, installed, site, root, top_names)
    _remove_shadows(root, top_names)
    return json.dumps(plan).encode()


def _inner(plan, names, inside, patterns, installed, site, root, top_names):
    """Tests inside the package: the installed ones, else those of the source tree where they are."""
    shipped = _matching(installed, patterns)
    in_tests = [name for name in shipped if {"test", "tests"}.intersection(name.split("/")[:-1]) or "/" not in name]
    if in_tests or any(_holds_tests(f"{site}/{name}") for name in shipped[:50]):
        tops = sorted({name.split("/")[0] for name in in_tests or shipped})
        plan.update(arguments=[f"{site}/{top}" for top in tops], rootdir=site)
        _remove_shadows(root, top_names)
    else:
        own = [name for name in _matching(names, patterns) if name.startswith(tuple(inside))]
        if own:
            plan["arguments"] = _bounded(sorted({"/".join(name.split("/")[:-1]) for name in own}))
        else:
            plan["found"] = "unknown" if _has_runner(root, names) else "none"
    return json.dumps(plan).encode()


def read_config(root):
    """The pytest settings that matter, by pytest's own order of files."""
    for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
        section = _section(root, name)
        if section is not None:
            break
    else:
        section = {}
    return {
        "testpaths": _words(section.get("testpaths")),
        "python_files": _words(section.get("python_files")),
        "options": _kept_options(section.get("addopts")),
    }


def _section(root, name):
    text = _read(f"{root}/{name}")
    if text is None:
        return None
    try:
        if name.endswith(".toml"):
            data = tomllib.loads(text)
            if name != "pyproject.toml":
                return _table(data.get("pytest"))
            tool = data.get("tool", {}).get("pytest")
            if not isinstance(tool, dict):
                return None
            return _table(tool.get("ini_options", tool))
        parser = configparser.RawConfigParser(strict=False, interpolation=None)
        parser.read_string(text)
        section = "tool:pytest" if name == "setup.cfg" else "pytest"
        if parser.has_section(section):
            return dict(parser.items(section))
        return {} if name in ("pytest.ini", ".pytest.ini") else None
    except (tomllib.TOMLDecodeError, configparser.Error, AttributeError, RecursionError):
        return None


def _table(value):
    return value if isinstance(value, dict) else {}


def _words(value):
    if isinstance(value, str):
        try:
            return shlex.split(value, comments=False)
        except ValueError:
            return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _kept_options(value):
    kept, words = [], _words(value)
    index = 0
    while index < len(words):
        word = words[index]
        name, joined, _ = word.partition("=")
        index += 1
        if word in KEPT_OPTIONS and KEPT_OPTIONS[word] and index < len(words):
            kept += [word, words[index]]
            index += 1
        elif (joined and KEPT_OPTIONS.get(name)) or KEPT_OPTIONS.get(word) is False:
            kept.append(word)
        elif word == "-p" and index < len(words):
            if words[index] == "pytester" or words[index].startswith("no:"):
                kept += [word, words[index]]
            index += 1
        elif word[:2] in ("-m", "-k", "-W") and len(word) > 2 and not word.startswith("--"):
            kept.append(word)
    return kept


def _folders(root, config, names, top_names):
    """Where tests are, as pytest arguments: declared, else usual folders, else files at the top."""
    declared = [path for path in config["testpaths"] if not path.startswith(("/", "..")) and path not in ("", ".")]
    declared = [path for path in declared if "*" in path or any(_below(name, [path]) for name in names)]
    plain = [path.rstrip("/") for path in declared if "*" not in path]
    if plain:
        return plain
    usual = [name for name in TEST_FOLDERS if name not in top_names and any(other.startswith(name + "/") for other in names)]
    usual = [name for name in usual if any(_below(other, [name]) and other.endswith(".py") for other in names)]
    top = [name for name in _matching([name for name in names if "/" not in name], PATTERNS)]
    return usual + top if usual or top else ["."]


def _bounded(folders):
    """Folders or files, or what they are in when they are too many to be named."""
    tops = sorted({name.removeprefix("./").split("/")[0] for name in folders})
    return next((found for found in (folders, tops) if sum(map(len, found)) + len(found) <= ARGUMENTS_CHARACTERS), ["."])


def _below(name, folders):
    return any(folder == "." or name == folder or name.startswith(folder.removeprefix("./").rstrip("/") + "/") for folder in folders)


def _matching(names, patterns):
    return [
        name
        for name in names
        if name.endswith(".py")
        and any(fnmatch.fnmatch(name if "/" in pattern else name.rsplit("/", 1)[-1], pattern) for pattern in patterns)
    ]


def _holds_tests(path):
    text = _read(path) or ""
    return "TestCase" in text or "def test" in text or "import pytest" in text


def _has_runner(root, names):
    if any(name.rsplit("/", 1)[-1] in ("runtests.py", "run_tests.py", "test.sh", "manage.py") for name in names):
        return True
    return any(_below(name, list(TEST_FOLDERS)) and name.endswith((".py", ".sh", ".txt", ".t")) for name in names)


def _remove_shadows(root, top_names):
    for base in SOURCE_FOLDERS:
        for top in top_names:
            for path in (f"{root}/{base}/{top}", f"{root}/{base}/{top}.py"):
                if os.path.islink(path) or os.path.isfile(path):
                    os.unlink(path)
                elif os.path.isdir(path):
                    shutil.rmtree(path)


def _walk(root):
    count = 0
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in (".git", "node_modules", "__pycache__"))
        for name in sorted(files):
            count += 1
            if count > FILES:
                return
            yield os.path.relpath(f"{folder}/{name}", root)


def _read(path):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        try:
            return file.read(TEXT_BYTES).decode("utf-8", "replace")
        except OSError:
            return None
