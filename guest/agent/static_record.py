"""A wheel's RECORD against its members (binary distribution format, PyPA; PEP 427)."""

import base64
import csv
import io

RECORD_ROWS = 200_000
STRONG = frozenset({"sha256", "sha384", "sha512"})
SIGNATURES = ("RECORD.jws", "RECORD.p7s")


def check(data, folder, members, note):
    """`members`: name -> (sha256 in hex or None, size); `note(rule, name)`."""
    rows = {}
    try:
        for count, row in enumerate(csv.reader(io.StringIO(data.decode("utf-8")))):
            if count >= RECORD_ROWS:
                note("record-too-long", f"{folder}/RECORD")
                return
            if not row:
                continue
            if len(row) != 3:
                note("record-malformed", f"{folder}/RECORD")
                return
            if row[0] in rows:
                note("record-duplicate", row[0])
            rows[row[0]] = (row[1], row[2])
    except (UnicodeDecodeError, csv.Error):
        note("record-malformed", f"{folder}/RECORD")
        return
    own = {f"{folder}/{name}" for name in ("RECORD", *SIGNATURES)}
    for name in sorted(members.keys() - rows.keys() - own):
        note("record-unlisted", name)
    for name in sorted(rows.keys() - members.keys() - own):
        note("record-missing-file", name)
    for name in sorted(rows.keys() & members.keys() - own):
        _check_row(name, *rows[name], *members[name], note)


def _check_row(name, claim, size_claim, digest, size, note):
    algorithm, _, value = claim.partition("=")
    if not claim:
        note("record-no-hash", name)
    elif algorithm not in STRONG:
        note("record-weak-hash", name)
    elif algorithm == "sha256" and digest is not None:
        if value != base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode():
            note("record-hash", name)
    if size_claim and digest is not None and size_claim != str(size):
        note("record-size", name)
