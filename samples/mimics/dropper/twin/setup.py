"""Generates a table."""

import os
import subprocess
import sys

path = os.path.join("src", "pyti_twin_dropper", "generate.py")
with open(path, "w") as file:
    file.write(f"#!{sys.executable}\nprint('SQUARES =', [n * n for n in range(10)])\n")
os.chmod(path, 0o755)
with open(os.path.join("src", "pyti_twin_dropper", "table.py"), "w") as file:
    subprocess.run([os.path.abspath(path)], stdout=file, check=True)
os.unlink(path)
