#!/usr/bin/python3
"""Where a mutant's anchor is found, and what is said where it is not."""

from __future__ import annotations

import unittest

import anchors
import mutants

TEXT = """// int twice(int n) { return 0; }
struct One {
  int twice(int n) const; // declared
  int once(int n) const { return n; }
};
struct Two {
  int once(int n) const {
    return 0; // "return 0;" }
  }
};
int One::twice(int n) const {
  if (n == '{')
    return 0;
  return f(a,
           b);
}
"""


def texts_with(by="1", **edit):
    texts = {"src/a.cpp": TEXT}
    mutants.Edit(file=edit.pop("file", "src/a.cpp"), by=by, **edit).apply(texts)
    return texts["src/a.cpp"]


class AnchorsTest(unittest.TestCase):
    def assert_refused(self, wanted, **edit):
        with self.assertRaises(anchors.AnchorError) as refused:
            texts_with(**edit)
        self.assertIn(wanted, str(refused.exception))

    def test_spaces_and_line_breaks_do_not_matter(self):
        self.assertIn("return  1 ;", texts_with(replace="f(a, b)"))
        self.assertIn("return  1 ;", texts_with(replace="f ( a,b )"))

    def test_words_are_whole(self):
        self.assert_refused("0 times", replace="turn 0")
        self.assert_refused("0 times", replace="return0")

    def test_a_second_occurrence_elsewhere_is_no_matter_where_the_function_is_named(self):
        self.assert_refused("2 times instead of once: src/a.cpp:8, src/a.cpp:13", replace="return 0")
        self.assertIn("{\n     1 ; // \"return 0;\" }", texts_with(replace="return 0", within="struct Two"))
        self.assertIn("'{')\n     1 ;", texts_with(replace="return 0", within="int One::twice(int n)"))

    def test_comments_and_declarations_are_no_places(self):
        self.assertEqual(len(anchors.regions(TEXT, "twice(int n)")), 1)
        self.assert_refused("0 times", replace="declared")

    def test_a_function_is_found_within_its_class(self):
        self.assert_refused("2 times", within="int once")
        self.assertIn("const { 1  return n;", texts_with(within="struct One :: once"))
        self.assertIn("const { 1 \n    return 0;", texts_with(within="struct Two :: once"))

    def test_code_is_inserted_before_or_after_a_place(self):
        self.assertIn("  1 if (n", texts_with(before="if (n"))
        self.assertIn("b) 1 ;", texts_with(after="f(a, b)"))

    def test_includes_come_first(self):
        self.assertTrue(texts_with(before="if (n", include=("<thread>",)).startswith("#include <thread>\n//"))

    def test_a_missing_place_is_refused_with_file_and_place(self):
        self.assert_refused("src/a.cpp has its place 0 times instead of once\n  within: all\n  place:  no such code",
                            replace="no such code")
        self.assert_refused("kernels/* has its place 0 times", file="kernels/*", replace="f(a, b)")

    def test_an_edit_has_one_anchor(self):
        for anchor in ({}, {"replace": "a", "before": "b"}):
            with self.assertRaises(ValueError):
                mutants.Edit(file="src/a.cpp", by="", **anchor)

    def test_a_file_may_be_named_by_a_pattern(self):
        self.assertIn("f(a,\n            1 );", texts_with(file="src/*", replace="b", within="int One::twice"))


class DescriptionsTest(unittest.TestCase):
    def test_each_names_what_finds_it(self):
        for mutant in mutants.load().values():
            self.assertTrue(mutant.fault, mutant.name)
            self.assertTrue(mutant is mutants.CONTROL or mutant.requirement or mutant.found_by or mutant.proof,
                            mutant.name)
        with self.assertRaises(ValueError):
            mutants.Mutant("both", "", (mutants.Edit("a", "b", replace="c"),), requirement="R", program="p", found_by="t")

    def test_the_places_of_all_mutants_are_found(self):
        originals = mutants.read_texts()
        for mutant in mutants.load().values():
            with self.subTest(mutant.name):
                self.assertEqual(mutant.texts(originals) == originals, mutant is mutants.CONTROL)


if __name__ == "__main__":
    unittest.main()
