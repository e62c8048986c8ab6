"""
Task `static`: looks at the subject's files and, for a source distribution, at the wheel built from it. Nothing of the package is
run, imported or unpacked to the disk. Meant to run as the unprivileged user, inside `sandboxed.run`.
"""

import re
import sys

import metadata_grade
import static_declared
import static_examine
import static_metadata
import static_names
import static_rules
import text
import wheel_contents
from static_findings import Findings

SCHEMA = "pyti.static/2"
TOPS = 100


def static_scan(subject_path, wheel_path, subject, rules_dir):
    """
    `subject`: {project, version, kind: 'sdist' | 'wheel', ...}; `wheel_path`: the wheel built from an sdist, or None.
    Returns {schema, ruleSet, findings, findingsOmitted, facts, declared, tools, grades}; equal for equal inputs and image.
    """
    findings, seen = Findings(), set()
    rules, names = static_rules.Rules(rules_dir), static_names.load(rules_dir)
    is_wheel = subject["kind"] == "wheel"
    first = static_examine.examine(subject_path, "{wheel}" if is_wheel else "{sdist}", is_wheel, findings, rules, seen)
    built = static_examine.examine(wheel_path, "{built}", True, findings, rules, seen) if wheel_path and not is_wheel else None
    wheel, sdist = (first, None) if is_wheel else (built, first)
    metadata = static_metadata.parse(_metadata_of(first))
    _check_identity(first, metadata, subject, findings)
    tops = sorted(wheel_tops(wheel))[:TOPS] if wheel else []
    facts = {
        "archives": {part.label.strip("{}"): part.facts for part in (first, built) if part},
        "names": _check_names(names, subject["project"], tops, first.label, findings),
        "difference": _compare(sdist, wheel, findings) if sdist and wheel else None,
    }
    declared = static_declared.declared(metadata, first, wheel or first)
    grade = metadata_grade.grade(metadata, declared["typed"] != "none", bool(static_declared.license_files(first)))
    if any(code == "requirement-direct-url" for code, _ in grade["messages"]):
        findings.add("direct-url", first.label)
    rows, omitted = findings.rows()
    return {
        "schema": SCHEMA,
        "ruleSet": {"version": rules.version, "sha256": rules.digest, "engine": rules.engine or "none"},
        "findings": rows,
        "findingsOmitted": omitted,
        "facts": facts,
        "declared": declared,
        "tools": _tools(),
        "grades": {
            "metadata": grade,
            "description": metadata_grade.check_description(metadata),
            "wheelContents": _contents(wheel, sdist) if wheel else None,
        },
    }


def _tools():
    """What judges, with versions; sorted."""
    found = {"metadata-grade": metadata_grade.VERSION, "wheel-contents": wheel_contents.VERSION}
    library = static_metadata.packaging()
    if library:
        package = sys.modules.get(library[0].__name__.rpartition(".")[0])
        found["packaging"] = text.clip(str(getattr(package, "__version__", "unknown")), 100)
    return [{"tool": tool, "version": version} for tool, version in sorted(found.items())]


def wheel_tops(wheel):
    """Top-level modules a wheel brings."""
    found = set()
    for name in wheel.files:
        path = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name)
        top, _, rest = path.partition("/")
        if top.endswith((".dist-info", ".data")):
            continue
        module = top if rest else top.split(".")[0]
        if module.isidentifier() and path.endswith((".py", ".so", ".pyd")):
            found.add(module)
    return found


def _metadata_of(found):
    return found.kept.get(f"{found.info_folder}/METADATA" if found.is_wheel else "PKG-INFO", b"")


def _check_identity(found, metadata, subject, findings):
    """The archive's own metadata must name what the index says it is."""
    if not metadata.headers:
        findings.add("metadata-missing", found.label)
        return
    if text.canonical_name(metadata.one("name")) != text.canonical_name(subject["project"]):
        findings.add("name-differs", found.label)
    tools = static_metadata.packaging()
    if tools and _version(tools[0], metadata.one("version")) != _version(tools[0], subject["version"]):
        findings.add("version-differs", found.label)
    if found.is_wheel and found.info_folder:
        name = found.info_folder.removesuffix(".dist-info").rpartition("-")[0]
        if text.canonical_name(name) != text.canonical_name(subject["project"]):
            findings.add("dist-info-name-differs", found.label)


def _version(tool, value):
    try:
        return tool.Version(value)
    except tool.InvalidVersion:
        return value


def _check_names(names, project, tops, label, findings):
    near = static_names.close(names, project)
    foreign = static_names.foreign_modules(names, project, tops)
    for _, how in near:
        findings.add(f"name-{how}", label)
    for module, _ in foreign:
        findings.add("module-of-other", f"{label}/{module}")
    return {"near": [list(row) for row in near], "modulesOfOthers": [list(row) for row in foreign], "topLevel": tops}


def _compare(sdist, wheel, findings):
    """Python files of the built wheel that the source has nowhere, by content and by path."""
    contents = {digest for digest, _ in sdist.files.values() if digest}
    suffixes = {"/".join(parts[at:]) for path in sdist.files for parts in [path.split("/")] for at in range(len(parts))}
    only, changed = [], []
    for name, (digest, size) in sorted(wheel.files.items()):
        path = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name)
        if not path.endswith((".py", ".pth", ".start")) or ".dist-info/" in path or digest in contents or not size:
            continue
        (changed if path in suffixes else only).append(name)
    for name in only:
        findings.add("module-not-in-sdist", f"{wheel.label}/{name}")
    for name in changed:
        findings.add("module-differs-from-sdist", f"{wheel.label}/{name}")
    return {"onlyInWheel": len(only), "changed": len(changed)}


def _contents(wheel, sdist):
    rows = wheel.kept.get(f"{wheel.info_folder}/top_level.txt", b"").decode("utf-8", "replace").split()
    return wheel_contents.check(wheel.files, rows[:TOPS], list(sdist.files) if sdist else None)
