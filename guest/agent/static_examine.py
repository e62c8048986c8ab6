"""One archive of the subject, member by member: what is found in it and what later checks need of it."""

import re
from dataclasses import dataclass, field

import static_compiled
import static_content
import static_members
import static_metadata
import static_paths
import static_record

BINARIES = 200
KEPT = re.compile(r"([^/]+\.dist-info/(METADATA|RECORD|WHEEL|entry_points\.txt|top_level\.txt)|PKG-INFO|(src/)?[^/]+\.egg-info/entry_points\.txt)$")


@dataclass
class Examined:
    """`files`: path without an sdist's top folder -> (sha256, size); `kept`: small files that say what the archive is."""

    label: str
    is_wheel: bool
    files: dict = field(default_factory=dict)
    kept: dict = field(default_factory=dict)
    facts: dict = field(default_factory=dict)
    folders: set = field(default_factory=set)

    @property
    def info_folder(self):
        """The one folder of a wheel's own metadata, '' when there is none."""
        return min(self.folders, default="")


def examine(path, label, is_wheel, findings, rules, seen):
    """
    `label`: `{sdist}`, `{wheel}` or `{built}`, before every path of a finding. `seen`: what was looked at before, here or in
    another archive of the same subject; added to.
    """
    found = Examined(label, is_wheel)
    top = [None]

    def place(name):
        if name is None:
            return label
        return f"{label}/{_below(name, top[0])}"

    def note(rule, name):
        findings.add(rule, place(name))

    paths, counts = None, {"members": 0, "bytes": 0, "python": 0, "pythonLines": 0, "archives": 0, "notScanned": 0}
    binaries = []
    for member in static_members.walk(path, note):
        if paths is None:
            top[0] = None if is_wheel else member.name.lstrip("/").split("/")[0]
            paths = static_paths.Paths(note, top[0])
        paths.look(member)
        counts["members"] += 1
        if member.kind != "file":
            continue
        name = _below(member.name, top[0])
        counts["bytes"] += member.size
        found.files[name] = (member.sha256, member.size)
        if is_wheel and re.match(r"[^/]+\.dist-info/", name):
            found.folders.add(name.split("/")[0])
        if KEPT.match(name) and len(member.head) == member.size:
            found.kept[name] = member.head
        _look_inside(member, name, place(member.name), findings, rules, seen, counts, binaries)
    _look_at_names(found, findings)
    found.facts = {**counts, "files": len(found.files), "binaries": sorted(binaries)[:BINARIES], "binariesOmitted": max(0, len(binaries) - BINARIES)}
    return found


def _below(name, top):
    """A path without a source distribution's top folder."""
    return name[len(top) + 1 :] if top and name.startswith(top + "/") else name


def _look_inside(member, name, shown, findings, rules, seen, counts, binaries):
    data = member.head
    kind = static_content.binary_kind(data)
    if kind:
        binaries.append([shown, kind])
    is_python = name.endswith(static_content.PYTHON_SUFFIXES)
    counts["python"] += is_python
    counts["pythonLines"] += data.count(b"\n") if is_python else 0
    counts["archives"] += static_content.is_packed_archive(data)
    # What rules see of a file is its content, its last name and whether it is at the top.
    key = (member.sha256, name.rsplit("/", 1)[-1], "/" in name)
    if member.sha256 is None or key in seen:
        return
    seen.add(key)

    def note(rule, line=None):
        findings.add(rule, shown, line)

    has_suffix = "." in name.rsplit("/", 1)[-1]
    if kind and kind not in ("java", "wasm") and has_suffix and not static_content.NATIVE_SUFFIX.search(name):
        note("binary-hidden")
    if is_python and kind:
        note("binary-as-source")
    if member.size > static_content.LARGE_BYTES:
        note("blob-large")
    if not kind and static_content.is_noise(data):
        note("blob-noise")
    if name.endswith((".py", ".pyw")):
        static_content.check_source(data, note)
    line = static_metadata.index_hint_line(name, data)
    if line:
        note("index-hint", line)
    if member.size > len(data) and is_python:
        counts["notScanned"] += 1
        note("source-beyond-limit")
    if rules is not None:
        rules.scan(name, data, note)


def _look_at_names(found, findings):
    for name in static_compiled.without_source(found.files):
        findings.add("pyc-without-source", f"{found.label}/{name}")
    for name, data in sorted(found.kept.items()):
        if name.endswith("entry_points.txt"):
            groups = static_compiled.autoloaded(data.decode("utf-8", "replace"))
            if groups is None:
                findings.add("entry-points-malformed", f"{found.label}/{name}")
            for group in groups or ():
                findings.add(f"autoloaded-{group.replace('_', '-').replace('.', '-')}", f"{found.label}/{name}")
    if not found.is_wheel:
        return
    for rule, name in static_compiled.start_hooks(found.files):
        findings.add(rule, f"{found.label}/{name}")
    _check_wheel(found, findings)


def _check_wheel(found, findings):
    """RECORD, the metadata folder and what WHEEL claims."""

    def note(rule, name):
        findings.add(rule, f"{found.label}/{name}")

    folder = found.info_folder
    if len(found.folders) != 1:
        findings.add("dist-info-many" if found.folders else "dist-info-missing", found.label)
    record = found.kept.get(f"{folder}/RECORD")
    if record is None:
        findings.add("record-missing", found.label)
    else:
        static_record.check(record, folder, found.files, note)
    wheel = static_metadata.parse(found.kept.get(f"{folder}/WHEEL", b""))
    if wheel.one("root-is-purelib").lower() == "true":
        for name in sorted(found.files):
            if re.search(r"\.(so|pyd|dylib|dll)$", name) and ".data/" not in name:
                note("native-in-pure", name)
