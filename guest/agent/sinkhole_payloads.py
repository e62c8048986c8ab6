"""What downloaders get: harmless things that leave a mark when they are run."""

import base64
import struct

MARK = "pyti-marker"
MARK_FILE = f"/tmp/{MARK}"

#: A shell script and a Python program at once: the shell stops at its `exit`, Python sees a string.
SCRIPT = f"""#!/bin/sh
''':'
echo {MARK} >{MARK_FILE}
echo {MARK}
exit 0
':'''
with open("{MARK_FILE}", "w") as file:
    file.write("{MARK}\\n")
print("{MARK}")
""".encode()

POWERSHELL = f"Set-Content -Path {MARK_FILE} -Value {MARK}\nWrite-Output {MARK}\n".encode()
JAVASCRIPT = f"require('fs').writeFileSync('{MARK_FILE}', '{MARK}\\n');\nconsole.log('{MARK}');\n".encode()
PAGE = b"<!DOCTYPE html>\n<html><head><title>Index</title></head><body><p>It works.</p></body></html>\n"
EMPTY_ZIP = b"PK\5\6" + bytes(18)
PIXEL = base64.b64decode(b"R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def program():
    """A static x86-64 program: makes the mark file, prints the mark, ends with 0."""
    base, head = 0x400000, 64 + 56
    path, text = MARK_FILE.encode() + b"\0", MARK.encode() + b"\n"
    length = 80
    path_at, text_at = base + head + length, base + head + length + len(path)
    code = b"\xb8\x02\0\0\0" + b"\xbf" + struct.pack("<I", path_at) + b"\xbe\x41\x02\0\0" + b"\xba\xa4\x01\0\0" + b"\x0f\x05"
    code += b"\x89\xc7" + _write(text_at, len(text))
    code += b"\xbf\x01\0\0\0" + _write(text_at, len(text))
    code += b"\x31\xff\xb8\x3c\0\0\0\x0f\x05"
    code += b"\x90" * (length - len(code))
    body = code + path + text
    size = head + len(body)
    elf = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096) + body


def _write(address, length):
    return b"\xb8\x01\0\0\0\xbe" + struct.pack("<I", address) + b"\xba" + struct.pack("<I", length) + b"\x0f\x05"
