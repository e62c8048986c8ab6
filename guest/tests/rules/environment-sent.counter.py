import os
import subprocess

environment = dict(os.environ, LANG="C")
subprocess.run(["make"], env=environment)
