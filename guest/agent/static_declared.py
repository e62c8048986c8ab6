"""
What a distribution declares of itself: licence (PEP 639 and before), types (PEP 561), versions of Python. Only values of a known
form; whatever else stands in a header stays out.
"""

import re

import metadata_grade
import text

TROVE_LICENSE = re.compile(r"License :: [A-Za-z0-9 .,:;/()+'&_-]{1,180}$")
PYTHON = re.compile(r"Programming Language :: Python :: ([0-9]{1,2}\.[0-9]{1,3})$")
SPECIFIER = re.compile(r"\s*(~=|===?|!=|<=?|>=?)?\s*[0-9][0-9a-z.*+!-]*\s*")
SPECIFIER_UNITS = 100
LICENSE_NAME = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)", re.I)
UNITS = 200
CLASSIFIERS, FILES, PYTHONS = 20, 50, 50


def declared(metadata, said, used):
    """
    `said`: the archive whose metadata it is (`static_examine.Examined`), `used`: that which gets installed. As `declared` of the
    raw data.
    """
    return {"license": _license(metadata, said), "typed": typed(used), "python": _python(metadata)}


def _license(metadata, said):
    expression = metadata.one("license-expression")
    classifiers = sorted({value for value in metadata.all("classifier") if TROVE_LICENSE.match(value)})
    told = "expression" if expression else "classifier" if classifiers else "text" if metadata.one("license") else "none"
    listed = [value for value in metadata.all("license-file") if value and text.readable(value) == value]
    found = {"from": told, "classifiers": classifiers[:CLASSIFIERS], "files": _few(license_files(said)), "missing": _few(_missing(listed, said))}
    if metadata_grade.is_expression(expression) and len(expression) <= UNITS:
        found["expression"] = expression
    return found


def license_files(said):
    """What is called like a licence where one belongs: at the top, or in the metadata's folder of licences."""
    return [
        name
        for name in said.files
        if LICENSE_NAME.search(name.rsplit("/", 1)[-1]) and (name.count("/") < 2 or "/licenses/" in name) and text.readable(name) == name
    ]


def _missing(listed, said):
    """Licence files that the metadata names and the archive lacks."""
    folders = [f"{said.info_folder}/licenses/", f"{said.info_folder}/"] if said.is_wheel else [""]
    return [name for name in listed if not any(folder + name in said.files for folder in folders)]


def _few(names):
    return sorted({text.clip(name, UNITS) for name in names})[:FILES]


def typed(used):
    """`marker`: a py.typed; `stub-package`: NAME-stubs; `stub-files`: .pyi files no checker looks for; `none`."""
    if any(name.split("/")[0].endswith("-stubs") and name.endswith(".pyi") for name in used.files):
        return "stub-package"
    if any(name.endswith("/py.typed") for name in used.files):
        return "marker"
    return "stub-files" if any(name.endswith(".pyi") for name in used.files) else "none"


def _python(metadata):
    said = {match[1] for value in metadata.all("classifier") if (match := PYTHON.match(value))}
    found = {"classifiers": sorted(said, key=lambda version: [int(part) for part in version.split(".")])[:PYTHONS]}
    requires = metadata.one("requires-python")
    if len(requires) <= SPECIFIER_UNITS and all(SPECIFIER.fullmatch(part) for part in requires.rstrip(",").split(",")):
        found["requires"] = requires
    return found
