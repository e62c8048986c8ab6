"""
Grade of a distribution's metadata, 0 to 10, by named checks (the idea of pyroma), and of its long description (that of
`twine check`). Raise VERSION whenever a check changes what it says.
"""

import re

import static_metadata
import text

VERSION = "1"
KNOWN_METADATA = re.compile(r"(1\.[012]|2\.[0-5])$")
CONTENT_TYPES = ("text/plain", "text/x-rst", "text/markdown")
DESCRIPTION_CHARACTERS = 100
SPDX_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*\+?$")
SPHINX_ONLY = re.compile(r"^\.\. (toctree|automodule|autoclass|autofunction|literalinclude|versionadded|deprecated|seealso)::|:(ref|doc|class|func|meth|mod|py:[a-z]+):`", re.M)
RAW_OR_INCLUDE = re.compile(r"^\.\. (raw|include)::", re.M)
TITLE = re.compile(r"^(?!\s)(.{4,200})\n([=\-~^\"'#*+])\2{2,}[ \t]*$", re.M)
CLASSIFIER_PYTHON = re.compile(r"Programming Language :: Python :: (\d+)\.(\d+)$")


def grade(metadata, typed, has_license_file):
    """
    {score, version, checks: [[code, weight, ok]], messages: [[code, field]]}. `typed`: has a py.typed or stubs.
    A field is a header's name, never its value.
    """
    tools = static_metadata.packaging()
    messages = sorted(_faults(metadata, tools))
    codes = {code for code, _ in messages}
    one, every = metadata.one, metadata.all
    links = every("project-url") + every("home-page") + every("download-url")
    people = [one(name) for name in ("author", "author-email", "maintainer", "maintainer-email")]
    classifiers = every("classifier")
    license_said = one("license-expression") or one("license") or any(c.startswith("License ::") for c in classifiers)
    checks = [
        ("name", 5, bool(one("name")) and "name-invalid" not in codes),
        ("version", 5, bool(one("version")) and "version-invalid" not in codes),
        ("requirements", 5, not codes & {"requirement-invalid", "requirement-direct-url", "provides-extra-invalid"}),
        ("summary", 3, len(one("summary")) >= 10),
        ("description", 5, len(metadata.description.strip()) >= DESCRIPTION_CHARACTERS),
        ("description-type", 1, bool(one("description-content-type")) and "description-type-invalid" not in codes),
        ("author", 3, any(people)),
        ("email", 2, any("@" in value for value in people)),
        ("license", 4, bool(license_said) and not codes & {"license-expression-invalid", "license-twice"}),
        ("license-file", 1, has_license_file),
        ("classifiers", 3, len(classifiers) >= 3),
        ("python-classifiers", 1, any(CLASSIFIER_PYTHON.match(value) for value in classifiers)),
        ("development-status", 1, any(value.startswith("Development Status ::") for value in classifiers)),
        ("requires-python", 4, bool(one("requires-python")) and not codes & {"requires-python-invalid", "requires-python-classifiers"}),
        ("links", 2, any(re.search(r"https?://", value) for value in links)),
        ("keywords", 1, bool(one("keywords"))),
        ("typed", 2, typed),
    ]
    total = sum(weight for _, weight, _ in checks)
    reached = sum(weight for _, weight, ok in checks if ok)
    # Whole numbers only: a float's last digit is no thing to vote on.
    score = (20 * reached + total) // (2 * total)
    return {"version": VERSION, "score": score, "checks": [list(check) for check in checks], "messages": [list(m) for m in messages]}


def _faults(metadata, tools):
    """{(code, header)}."""
    found, one, every = set(), metadata.one, metadata.all
    if not KNOWN_METADATA.match(one("metadata-version")):
        found.add(("metadata-version-unknown", "Metadata-Version"))
    if not re.fullmatch(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", one("name")):
        found.add(("name-invalid", "Name"))
    for header in ("name", "version", "summary", "requires-python", "license-expression", "description-content-type"):
        if len(every(header)) > 1:
            found.add(("header-twice", header.title()))
    if "\n" in one("summary") or len(one("summary")) > 512:
        found.add(("summary-too-long", "Summary"))
    found |= _license_faults(metadata)
    if one("description-content-type") and not _is_content_type(one("description-content-type")):
        found.add(("description-type-invalid", "Description-Content-Type"))
    if any(re.fullmatch(r"UNKNOWN", value) for values in metadata.headers.values() for value in values):
        found.add(("unknown-as-value", "METADATA"))
    for value in every("author-email") + every("maintainer-email"):
        if "@" not in value:
            found.add(("email-invalid", "Author-Email"))
    for value in every("provides-extra"):
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
            # PEP 685 wants them normalised; older tools wrote what they were given.
            invalid = not re.fullmatch(r"[A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]", value)
            found.add(("provides-extra-invalid" if invalid else "provides-extra-not-normal", "Provides-Extra"))
    return found | (_tool_faults(metadata, *tools) if tools else set())


def _tool_faults(metadata, version, specifiers, requirements):
    """PEP 440 and PEP 508, as `packaging` reads them."""
    found, one = set(), metadata.one
    try:
        if str(version.Version(one("version"))) != one("version"):
            found.add(("version-not-normal", "Version"))
    except version.InvalidVersion:
        found.add(("version-invalid", "Version"))
    for value in metadata.all("requires-dist"):
        try:
            if requirements.Requirement(value).url:
                found.add(("requirement-direct-url", "Requires-Dist"))
        except (requirements.InvalidRequirement, RecursionError):
            found.add(("requirement-invalid", "Requires-Dist"))
    if one("requires-python"):
        try:
            allowed = specifiers.SpecifierSet(one("requires-python"))
        except specifiers.InvalidSpecifier:
            return found | {("requires-python-invalid", "Requires-Python")}
        said = [match.groups() for value in metadata.all("classifier") if (match := CLASSIFIER_PYTHON.match(value))]
        # A late patch release stands for its series: `>=3.8.1` is no contradiction to "3.8".
        if any(not allowed.contains(f"{major}.{minor}.99") for major, minor in said):
            found.add(("requires-python-classifiers", "Classifier"))
        if any(spec.operator in ("<", "<=") for spec in allowed) and re.search(r"<=?\s*[34]", one("requires-python")):
            found.add(("requires-python-upper-bound", "Requires-Python"))
    return found


def _license_faults(metadata):
    """PEP 639."""
    found, expression = set(), metadata.one("license-expression")
    if expression and not is_expression(expression):
        found.add(("license-expression-invalid", "License-Expression"))
    if expression and any(value.startswith("License ::") for value in metadata.all("classifier")):
        found.add(("license-twice", "Classifier"))
    if expression and metadata.one("license"):
        found.add(("license-twice", "License"))
    if any(value.startswith(("/", "\\")) or ".." in value.split("/") for value in metadata.all("license-file")):
        found.add(("license-file-escapes", "License-File"))
    return found


def is_expression(value):
    """Whether a licence expression has SPDX's syntax; identifiers are not looked up."""
    words = re.findall(r"\(|\)|[^\s()]+", value)
    depth, want_name = 0, True
    for word in words:
        if word == "(":
            if not want_name:
                return False
            depth += 1
        elif word == ")":
            if want_name or depth == 0:
                return False
            depth -= 1
        elif word.upper() in ("AND", "OR", "WITH"):
            if want_name:
                return False
            want_name = True
        else:
            if not want_name or not SPDX_WORD.match(word):
                return False
            want_name = False
    return bool(words) and depth == 0 and not want_name


def _is_content_type(value):
    kind, *parameters = [part.strip() for part in value.split(";")]
    for parameter in parameters:
        name, _, said = parameter.partition("=")
        said = said.strip().strip('"').lower()
        if name.strip().lower() == "charset" and said not in ("utf-8", "us-ascii", "ascii"):
            return False
        if name.strip().lower() == "variant" and said not in ("gfm", "commonmark"):
            return False
    return kind.lower() in CONTENT_TYPES


def check_description(metadata):
    """{version, messages: [[code, "Description"]]}: what keeps a long description from being shown as meant."""
    body, kind = metadata.description, metadata.one("description-content-type").split(";")[0].strip().lower()
    codes = set()
    if not body.strip():
        codes.add("description-missing")
    elif not kind:
        codes.add("description-type-missing")
    if body.strip() in ("UNKNOWN", "TODO", "Description"):
        codes.add("description-placeholder")
    if kind in ("", "text/x-rst"):
        if SPHINX_ONLY.search(body):
            codes.add("description-sphinx-markup")
        if RAW_OR_INCLUDE.search(body):
            codes.add("description-raw-or-include")
        if kind and any(_columns(match[1]) > len(match[0].rsplit("\n", 1)[1].rstrip()) for match in TITLE.finditer(body)):
            codes.add("description-short-underline")
        if not kind and re.search(r"^(#{1,3} \S|```)", body, re.M) and not re.search(r"^\.\. ", body, re.M):
            codes.add("description-markdown-as-rst")
    if kind == "text/markdown" and re.search(r"^\.\. [a-z-]+::", body, re.M) and not re.search(r"^#|```", body, re.M):
        codes.add("description-rst-as-markdown")
    return {"version": VERSION, "messages": [[code, "Description"] for code in sorted(codes)]}


def _columns(title):
    return text.units(title.rstrip())
