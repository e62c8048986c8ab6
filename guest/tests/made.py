"""Makes small distributions for the tests."""

import hashlib
import io
import os
import tarfile
import zipfile

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"


def wheel(folder, name, files, extra_record=(), requires=()):
    """A wheel with the given files (path -> text or bytes) and a RECORD; returns its path."""
    info = f"{name}-1.0.dist-info"
    metadata = METADATA.format(name=name) + "".join(f"Requires-Dist: {line}\n" for line in requires)
    members = {**files, f"{info}/METADATA": metadata}
    members[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = [f"{path},," for path in members] + [f"{path},," for path in extra_record] + [f"{info}/RECORD,,"]
    members[f"{info}/RECORD"] = "\n".join(rows) + "\n"
    path = os.path.join(folder, f"{name}-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for member, content in members.items():
            file.writestr(zipfile.ZipInfo(member, (2020, 1, 1, 0, 0, 0)), content)
    return path


def sdist(folder, name, files, links=()):
    """An sdist with a fixed order and time; `links`: (path, target) symbolic links."""
    path = os.path.join(folder, f"{name}-1.0.tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for member, content in {"PKG-INFO": METADATA.format(name=name), **files}.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(f"{name}-1.0/{member}")
            info.size = len(data)
            info.mode = 0o644
            archive.addfile(info, io.BytesIO(data))
        for member, target in links:
            info = tarfile.TarInfo(f"{name}-1.0/{member}")
            info.type = tarfile.SYMTYPE
            info.linkname = target
            archive.addfile(info)
    return path


def digest(data):
    return hashlib.sha256(data).hexdigest()
