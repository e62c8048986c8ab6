import os
import site

path = os.path.join(site.getusersitepackages(), "zz.pth")
open(path, "w").write("import zz_hook")
