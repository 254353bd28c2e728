"""Every test that SECURITY.md names is there."""

import pathlib
import re
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def sources(pattern):
    folders = (PROJECT / name for name in ("conformance", "tests", "cmake", "scripts"))
    return "\n".join(path.read_text() for folder in folders for path in folder.rglob(pattern))


class SecurityPage(unittest.TestCase):
    def setUp(self):
        self.page = (PROJECT / "SECURITY.md").read_text()

    def assert_there(self, pattern, known):
        named = set(re.findall(pattern, self.page))
        self.assertTrue(named)
        self.assertEqual(named - set(known), set())

    def test_its_requirements_are_in_the_specification(self):
        self.assert_there(r"GFPQ-[A-Z]+-\d\d", re.findall(r"GFPQ-[A-Z]+-\d\d",
                                                          (PROJECT / "conformance/SPECIFICATION.md").read_text()))

    def test_its_tests_are_in_the_sources(self):
        self.assert_there(r"`([A-Z]\w+\.[A-Z]\w+)`",
                          (f"{suite}.{name}" for suite, name in re.findall(r"TEST\w*\((\w+), (\w+)\)", sources("*.cpp"))))

    def test_its_ctest_names_are_registered(self):
        self.assert_there(r"ctest `(\w+)`", re.findall(r"add_\w*test\((?:NAME )?(\w+)", sources("CMakeLists.txt")))


if __name__ == "__main__":
    unittest.main()
