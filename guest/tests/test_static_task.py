import unittest

import paths  # noqa: F401
import static_task


class Grades(unittest.TestCase):
    SAID = {
        "metadata": {"score": 7, "checks": [["name", 5, True], ["license", 4, False]], "messages": [["requirement-invalid", "requires-dist"]]},
        "description": {"messages": []},
        "wheelContents": {"messages": [["W002", "a.py"], ["W001", "a.pyc"], ["W001", "b.pyc"]]},
    }

    def test_each_check_has_a_name_and_passed_or_why_not(self):
        self.assertEqual(static_task.grades(self.SAID), {
            "description": "passed",
            "metadata license": "missing",
            "metadata name": "passed",
            "metadata requirement-invalid": "requires-dist",
            "wheel contents": "W001, W002",
        })  # fmt: skip

    def test_without_a_wheel(self):
        said = {**self.SAID, "wheelContents": None, "description": {"messages": [["description-missing", "Description"]] * 20}}
        found = static_task.grades(said)
        self.assertNotIn("wheel contents", found)
        self.assertEqual(len(found["description"]), static_task.GRADE_UNITS)


if __name__ == "__main__":
    unittest.main()
