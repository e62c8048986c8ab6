"""Installs dependency wheels without pip, which costs 1.5 s per start in a slow guest. Runs as the unprivileged user."""

import configparser
import os
import re
import zipfile

import archives

SCRIPT = """#!{python}
import sys
from {module} import {first}
if __name__ == '__main__':
    sys.argv[0] = sys.argv[0].removesuffix('.exe')
    sys.exit({call}())
"""


def install(wheels, venv, library):
    """Unpacks each wheel into the virtual environment (binary distribution format, PyPA specification)."""
    for path in wheels:
        with zipfile.ZipFile(path) as file:
            _install_one(file, venv, f"{venv}/{library}")


def _install_one(file, venv, site):
    infos = [info for info in file.infolist() if not info.is_dir()]
    archives.check_sizes(info.file_size for info in infos)
    made = set()
    for info in infos:
        target, is_script = _target(info.filename, venv, site)
        if target is None:
            continue
        folder = os.path.dirname(target)
        if folder not in made:
            os.makedirs(folder, exist_ok=True)
            made.add(folder)
        data = file.read(info)
        if is_script:
            data = re.sub(rb"\A#!pythonw?(?=[ \r\n])", f"#!{venv}/bin/python".encode(), data)
        _write(target, data, is_script or bool((info.external_attr >> 16) & 0o111))
    for info in infos:
        if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", info.filename):
            _write_scripts(file.read(info).decode("utf-8"), venv)


def _target(name, venv, site):
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        return None, False
    if len(parts) > 2 and parts[0].endswith(".data"):
        rest = "/".join(parts[2:])
        places = {"purelib": site, "platlib": site, "scripts": f"{venv}/bin", "data": venv, "headers": f"{venv}/include/site"}
        base = places.get(parts[1])
        return (f"{base}/{rest}" if base else None), parts[1] == "scripts"
    return f"{site}/{name}", False


def _write_scripts(text, venv):
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, interpolation=None)
    parser.optionxform = str
    parser.read_string(text)
    for section in ("console_scripts", "gui_scripts"):
        if not parser.has_section(section):
            continue
        for name, value in parser.items(section):
            module, _, call = value.split("[")[0].strip().partition(":")
            if not re.fullmatch(r"[\w.]+", module) or not re.fullmatch(r"[\w.]+", call) or "/" in name:
                continue
            script = SCRIPT.format(python=f"{venv}/bin/python", module=module, first=call.split(".")[0], call=call)
            _write(f"{venv}/bin/{name}", script.encode(), True)


def _write(target, data, executable):
    if os.path.lexists(target):
        os.unlink(target)
    with open(target, "wb") as file:
        file.write(data)
    if executable:
        os.chmod(target, 0o755)
