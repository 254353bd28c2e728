"""The pages: both languages have the same commands, links lead somewhere, figures are measured ones."""

import pathlib
import re
import sys
import unittest

PROJECT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT / "scripts"))

import run_docs  # noqa: E402

PAIRS = {"README.md": "README.zh-CN.md", "docs/install.md": "docs/zh/quick-start.md", "docs/errors.md": "docs/zh/errors.md",
         "docs/migration.md": "docs/zh/migration.md", "docs/nnie.md": "docs/zh/nnie.md"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def read(page):
    return (PROJECT / page).read_text(encoding="utf-8")


def without_comments(content):
    """A block without what differs in the languages: comments, and the blanks before them."""
    return re.sub(r"[ \t]*(?:#(?!include)|//).*", "", content)


def code_spans(page):
    """The commands, names and messages in the running text and the tables, in no order."""
    text = run_docs.BLOCK.sub("", read(page))
    return sorted(span for span in re.findall(r"``.+?``|`[^`\n]+`", text) if not CHINESE.search(span) and ".md" not in span)


class LanguagesTest(unittest.TestCase):
    def test_the_same_blocks(self):
        for english, chinese in PAIRS.items():
            with self.subTest(english):
                of_each = [[(needs, language, without_comments(content))
                            for needs, language, content in run_docs.blocks(read(page))] for page in (english, chinese)]
                self.assertEqual(*of_each)

    def test_the_same_names_and_messages(self):
        ignored = {"`[ERR][function][line] text`", "`[ERR][函数][行号] 文本`"}
        for english, chinese in PAIRS.items():
            with self.subTest(english):
                of_each = [set(code_spans(page)) - ignored for page in (english, chinese)]
                self.assertEqual(*of_each)

    def test_the_page_of_python_shows_what_the_package_does(self):
        """It is shorter than the English one: its code and names are from there."""
        english, chinese = read("integrations/python/README.md"), read("docs/zh/python.md")
        blocks = [[without_comments(content) for _, _, content in run_docs.blocks(text)] for text in (english, chinese)]
        self.assertEqual(len(blocks[1]), 3)
        for block in blocks[1]:
            self.assertIn(block, blocks[0])
        for line in re.findall(r"^    (python .+)$", chinese, re.MULTILINE):
            self.assertTrue(f"    {line}" in english, line)
        known = english + read("README.md") + read("include/gfpq_jobs.hpp")
        for span in code_spans("docs/zh/python.md"):
            for name in re.findall(r"[A-Za-z_]\w+", span):
                self.assertTrue(name in known, f"{name} of {span}")

    def test_they_lead_to_each_other(self):
        for english, chinese in PAIRS.items():
            self.assertRegex(read(chinese), r"\[English\]\((\.\./)*" + re.escape(english.removeprefix("docs/")))
            self.assertGreater(len(CHINESE.findall(read(chinese))), 200, chinese)


class PagesTest(unittest.TestCase):
    def test_links(self):
        folders = ("bench", "cmake", "conformance", "docs", "golden", "integrations", "kernels", "samples", "tests")
        pages = [*PROJECT.glob("*.md"), *(page for folder in folders for page in (PROJECT / folder).rglob("*.md"))]
        self.assertGreater(len(pages), 30)
        for page in pages:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
                if "://" not in target:
                    self.assertTrue((page.parent / target).resolve().exists(), f"{page}: {target}")

    def test_a_readme_is_short(self):
        for page in ("README.md", "README.zh-CN.md"):
            self.assertLess(read(page).count("\n"), 150)

    def test_figures_are_those_of_the_report(self):
        report = read("bench/results/report.md")
        for page in ("README.md", "README.zh-CN.md"):
            rows = re.findall(r"^\| (?:AVX|NVIDIA).*\|$", read(page), re.MULTILINE)
            self.assertEqual(len(rows), 6)
            for row in rows:
                _, _, milliseconds, share, ratio = (cell.strip() for cell in row.strip("|").split("|"))
                bits = "8" if " 8 " in row else "16"
                wanted = re.compile(rf"\| APPLY \| {bits} bit \| (?:1|GPU) \| {re.escape(milliseconds)} \(.*"
                                    rf"\| {re.escape(share)} \([^|]*\| {re.escape(ratio)}( \(|$| \|)")
                self.assertRegex(report, wanted)

    def test_each_message_is_the_librarys(self):
        """What the page of errors says of this library's messages, the library says."""
        source = read("src/errors.hpp")
        for message in ("Empty pointer", "Invalid bit width", "Invalid mode", "Get quantization param failed(0x",
                        "Not Support GPU mode", "The data are in host memory", "The data are on CUDA device",
                        "Please check GPU(CUDA) version",
                        "A stream that is being captured allows GFPQ_MODE_APPLY_ONLY only", "Invalid operation", "Invalid type",
                        "takes more bytes than there are", "codes do not tell their range", "has a code beyond the largest"):
            self.assertIn(message, source)
            self.assertIn(message, read("docs/errors.md"))


if __name__ == "__main__":
    unittest.main()
