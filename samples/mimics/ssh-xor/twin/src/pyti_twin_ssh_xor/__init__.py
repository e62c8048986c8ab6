"""A guessing game; its words are xored so that a glance at the source gives nothing away."""

HIDDEN = bytes([51, 40, 53, 52, 122, 51, 52, 122, 46, 50, 63, 122, 41, 52, 53, 45])
WORDS = bytes(byte ^ 0x5A for byte in HIDDEN).decode().split()
