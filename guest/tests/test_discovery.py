import json
import os
import sys
import tempfile
import unittest

import made
import paths  # noqa: F401

import discovery
import modules


@unittest.skipIf(sys.version_info < (3, 11), "tomllib")
class Discovery(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pyti-discovery-"))
        self.root = f"{self.folder}/tests"
        os.mkdir(self.root)

    def prepare(self, files, tops=("pkg",), installed=(), links=()):
        archive = made.sdist(self.folder, "pkg", files, links)
        return json.loads(discovery.prepare(archive, self.root, f"{self.folder}/site", list(tops), list(installed)))

    def test_src_layout(self):
        plan = self.prepare({"src/pkg/__init__.py": "", "tests/test_a.py": "", "src/helper.py": ""})
        self.assertEqual((plan["found"], plan["arguments"]), ("tests", ["tests"]))
        self.assertFalse(os.path.exists(f"{self.root}/src/pkg"))
        self.assertTrue(os.path.exists(f"{self.root}/src/helper.py"))

    def test_module_with_its_test_beside(self):
        plan = self.prepare({"pkg.py": "", "test_pkg.py": ""})
        self.assertEqual(plan["arguments"], ["test_pkg.py"])
        self.assertFalse(os.path.exists(f"{self.root}/pkg.py"))

    def test_tests_inside_an_installed_package(self):
        plan = self.prepare({"pkg/__init__.py": "", "pkg/tests/test_a.py": ""}, installed=["pkg/__init__.py", "pkg/tests/test_a.py"])
        self.assertEqual((plan["arguments"], plan["rootdir"]), ([f"{self.folder}/site/pkg"], f"{self.folder}/site"))

    def test_tests_inside_the_package_that_were_not_installed(self):
        plan = self.prepare({"pkg/__init__.py": "", "pkg/tests/test_a.py": ""}, installed=["pkg/__init__.py"])
        self.assertEqual(plan["arguments"], ["pkg/tests"])
        self.assertTrue(os.path.exists(f"{self.root}/pkg/__init__.py"))

    def test_more_tests_than_can_be_named(self):
        many = {f"pkg/{'d' * 200}{at}/tests/test_a.py": "" for at in range(200)}
        self.assertEqual(self.prepare({"pkg/__init__.py": "", **many})["arguments"], ["pkg"])
        self.setUp()
        self.assertEqual(self.prepare({"pkg.py": "", **{f"test_{'d' * 200}{at}.py": "" for at in range(200)}})["arguments"], ["."])

    def test_none_and_unknown(self):
        self.assertEqual(self.prepare({"pkg.py": ""})["found"], "none")

    def test_unknown_runner(self):
        self.assertEqual(self.prepare({"pkg.py": "", "tests/runtests.py": "print(1)"})["found"], "unknown")

    def test_old_unittest_names(self):
        plan = self.prepare({"pkg.py": "", "tests/alltests.py": "class A(unittest.TestCase): pass"})
        self.assertIn("-o", plan["options"])

    def test_addopts_keep_only_what_needs_no_plugin(self):
        ini = "[tool.pytest.ini_options]\naddopts = '-n auto --cov=pkg -p evil -p no:x --import-mode=importlib -m \"not slow\" --doctest-modules'\ntestpaths = ['t1', '/etc', '../..']\n"
        plan = self.prepare({"pyproject.toml": ini, "t1/test_a.py": ""})
        self.assertEqual(plan["options"], ["-p", "no:x", "--import-mode=importlib", "-m", "not slow", "--doctest-modules"])
        self.assertEqual(plan["arguments"], ["t1"])

    def test_broken_configuration(self):
        plan = self.prepare({"pytest.ini": "[[[", "pyproject.toml": "=", "tests/test_a.py": ""})
        self.assertEqual(plan["arguments"], ["tests"])

    def test_configuration_that_is_no_table(self):
        for name, text in (("pyproject.toml", "[tool.pytest]\nini_options = 'x'\n"), ("pytest.toml", "pytest = 2\n")):
            self.setUp()
            self.assertEqual(self.prepare({name: text, "tests/test_a.py": ""})["found"], "tests")

    def test_escaping_links_are_left_out(self):
        self.prepare({"tests/test_a.py": ""}, links=[("tests/test_b.py", "/etc/passwd"), ("up", "../../..")])
        self.assertFalse(os.path.lexists(f"{self.root}/tests/test_b.py") or os.path.lexists(f"{self.root}/up"))


class Modules(unittest.TestCase):
    def test_names(self):
        files = ["a/__init__.py", "a/b.py", "a/tests/c.py", "a/__main__.py", "a/x-y.py", "a/class.py", "d.cpython-313-x86_64-linux-gnu.so", "ns/e/f.py", "g.txt"]
        found = modules.of_files([f"/s/{name}" for name in files], "/s")
        self.assertLessEqual({"a", "a.b", "ns.e.f"}, set(found))
        self.assertNotIn("a.tests.c", found)
        self.assertFalse([name for name in found if "main" in name or "-" in name or "class" in name])
        self.assertEqual([name for name in modules.top_level(found) if name != "d"], ["a", "ns.e.f"])


if __name__ == "__main__":
    unittest.main()
