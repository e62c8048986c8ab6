import collections
import json
import os
import tempfile
import unittest
from unittest import mock

import paths  # noqa: F401

import linter


class Cut(unittest.TestCase):
    def said(self, found, most):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"tool": "pyflakes", "site": "/site", "files": [], "most": most}, file)
            file.flush()
            written = []
            with (
                mock.patch.dict(linter.TOOLS, {"pyflakes": lambda files, site: ("1.0", found)}),
                mock.patch.object(os, "write", lambda _, data: written.append(bytes(data)) or len(data)),
                mock.patch.object(os, "chdir"),
            ):
                self.assertEqual(linter.run(file.name), 0)
        return json.loads(b"".join(written))

    def test_the_first_messages_and_the_number_of_all(self):
        found = [(code, f"/site/{name}.py", line, None) for line in (2, 1, None) for name in "ba" for code in ("E2", "E1")]
        said = self.said(found, 4)
        self.assertEqual(said["messages"], [["E1", "a.py", line, 0] for line in (0, 1, 2)] + [["E1", "b.py", 0, 0]])
        self.assertEqual((said["messagesOmitted"], said["counts"]), (8, collections.Counter(E1=6, E2=6)))


if __name__ == "__main__":
    unittest.main()
