import subprocess

HELP = "install it with: curl -O https://tool.test/tool.tar.gz"
subprocess.run(["git", "describe"])
