import re

import pyperclip

text = pyperclip.paste()
if re.match(r"0x[a-fA-F0-9]{40}", text):
    pyperclip.copy("0x0000000000000000000000000000000000000000")
