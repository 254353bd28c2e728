"""Finds the place in a C++ text that a mutant changes, whatever the text's line breaks, spaces and comments."""

from __future__ import annotations

import re

# A comment, or a literal whose quotes, slashes and braces are none.
_COMMENT_OR_LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|(?<!\w)'(?:\\.|[^'\\\n])*'""", re.DOTALL)
_TOKEN = re.compile(r"\w+|[^\w\s]")


class AnchorError(Exception):
    """A place was not found, or found more than once."""


def _blank(text: str) -> str:
    return re.sub(r"[^\n]", " ", text)


def without_comments(text: str) -> str:
    """The text with spaces for comments: every position stays what it is."""
    return _COMMENT_OR_LITERAL.sub(lambda found: _blank(found[0]) if found[0][0] == "/" else found[0], text)


def pattern_of(fragment: str) -> re.Pattern:
    """Matches a fragment of C++, token by token, with any spaces between."""
    tokens = _TOKEN.findall(fragment)
    if not tokens:
        raise AnchorError("an anchor is empty")
    pattern = ""
    for left, right in zip(["", *tokens], tokens):
        both_words = re.match(r"\w", right) and re.search(r"\w$", left)
        pattern += (r"\s+" if both_words else r"\s*" if left else "") + re.escape(right)
    begin = r"\b" if re.match(r"\w", tokens[0]) else ""
    end = r"\b" if re.match(r"\w", tokens[-1]) else ""
    return re.compile(begin + pattern + end)


def regions(text: str, head: str) -> list[tuple[int, int, int]]:
    """Where each thing is defined whose definition begins with `head`: its first character, that after the `{` of its
    body, and its `}`. `class A :: f` is the `f` within the class `A`.
    """
    code = without_comments(text)
    braces = _COMMENT_OR_LITERAL.sub(lambda found: _blank(found[0]), text)
    found = [(0, 0, len(text))]
    for part in head.split(" :: "):
        found = [region for _, first, last in found for region in _regions_within(code, braces, part, first, last)]
    return found


def _regions_within(code: str, braces: str, head: str, first: int, last: int) -> list[tuple[int, int, int]]:
    found = []
    for match in pattern_of(head).finditer(code, first, last):
        opening = re.compile(r"[;{]").search(braces, match.start(), last)
        if opening is None or opening[0] == ";":  # a declaration, or a use
            continue
        depth = 0
        for brace in re.compile(r"[{}]").finditer(braces, opening.start(), last):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                found.append((match.start(), opening.end(), brace.start()))
                break
    return found


def places(text: str, fragment: str, within: str | None = None) -> list[tuple[int, int]]:
    """First and last position of each occurrence of a fragment, in what is defined by `within` alone where given."""
    allowed = [(first, last) for first, _, last in regions(text, within)] if within else [(0, len(text))]
    return [match.span() for match in pattern_of(fragment).finditer(without_comments(text))
            if any(first <= match.start() and match.end() <= last for first, last in allowed)]
