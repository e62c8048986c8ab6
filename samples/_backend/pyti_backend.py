"""A PEP 517 backend for the samples: it has no requirements, so it builds without an index.

Like setuptools, it runs `setup.py` when there is one. `src/` is what the wheel holds; metadata is the sdist's PKG-INFO.
"""

import base64
import hashlib
import os
import runpy
import shlex
import subprocess
import sysconfig
import tomllib
import zipfile

FIXED_TIME = (2025, 1, 1, 0, 0, 0)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    if os.path.exists("setup.py"):
        runpy.run_path("setup.py", run_name="__main__")
    with open("pyproject.toml", "rb") as file:
        settings = tomllib.load(file)
    extensions = settings.get("tool", {}).get("pyti-backend", {}).get("extensions", {})
    built = {compile_extension(source, target): None for target, source in extensions.items()}
    project = settings["project"]
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    tag = platform_tag() if built else "py3-none-any"
    filename = f"{stem}-{tag}.whl"
    with open("PKG-INFO", "rb") as file:
        metadata = file.read()
    members = dict(source_files())
    members[f"{stem}.dist-info/METADATA"] = metadata
    members[f"{stem}.dist-info/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: pyti-backend 1\nRoot-Is-Purelib: {'false' if built else 'true'}\nTag: {tag}\n"
    ).encode()
    write_wheel(os.path.join(wheel_directory, filename), members, f"{stem}.dist-info/RECORD")
    return filename


def build_sdist(sdist_directory, config_settings=None):
    raise NotImplementedError("sdists of the samples are made by src/pypi/make-distribution.ts")


def source_files():
    for folder, _, names in os.walk("src"):
        for name in names:
            if name.endswith(".pyc"):
                continue
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                yield os.path.relpath(path, "src").replace(os.sep, "/"), file.read()


def compile_extension(source, target):
    output = os.path.join("src", target + sysconfig.get_config_var("EXT_SUFFIX"))
    compiler = shlex.split(sysconfig.get_config_var("CC") or "gcc")
    include = sysconfig.get_path("include")
    subprocess.run([*compiler, "-shared", "-fPIC", "-O2", f"-I{include}", source, "-o", output], check=True)
    return output


def platform_tag():
    version = "cp" + sysconfig.get_config_var("py_version_nodot")
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"{version}-{version}-{platform}"


def write_wheel(path, members, record):
    lines = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            archive.writestr(zip_info(name), members[name])
            digest = base64.urlsafe_b64encode(hashlib.sha256(members[name]).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(members[name])}\n")
        archive.writestr(zip_info(record), "".join([*lines, f"{record},,\n"]))


def zip_info(name):
    info = zipfile.ZipInfo(name, FIXED_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o100644 << 16
    return info
