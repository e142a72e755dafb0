"""The words of a page with their definitions, out of the glossary that the documentation shows."""

from __future__ import annotations

import re
from functools import cache
from html import unescape
from importlib import resources

GLOSSARY = "glossary.md"
"""The same as docs/glossary.md, which is not installed; a test compares them."""

READING = "## Energy and time"
"""Heading of the paragraphs that say how to read a cost."""

_ENTRY = re.compile(r"\*\*(?P<word>[^*]+)\*\* (?P<meaning>.+)")


@cache
def definitions() -> tuple[tuple[str, str], ...]:
    """Return each word of the glossary with its meaning, in the glossary's order."""
    entries = map(_ENTRY.fullmatch, _paragraphs(_text().partition(READING)[0]))
    return tuple((one["word"], _plain(one["meaning"])) for one in entries if one is not None)


@cache
def how_to_read() -> tuple[str, ...]:
    """Return the paragraphs on which energy and time to quote."""
    return tuple(map(_plain, _paragraphs(_text().partition(READING)[2])))


def words_on(page: str) -> list[tuple[str, str]]:
    """Return the words of the glossary that a page uses, with their meanings.

    Parameters
    ----------
    page : str
        HTML; what stands in tags and style sheets does not count.

    Examples
    --------
    >>> [word for word, _ in words_on("<p title='gate'>Two cores are <b>fused</b>.</p>")]
    ['core', 'fused']
    """
    shown = unescape(re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL))
    text = re.sub(r"\s+", " ", shown)
    return [(word, meaning) for word, meaning in definitions() if _uses(text, word)]


def _uses(text: str, word: str) -> bool:
    """Whether a text has a word, alone or in the plural; those with capitals as written."""
    case = re.IGNORECASE if word.islower() else 0
    return re.search(rf"(?<![\w.]){re.escape(word)}s?(?!\.?\w)", text, case) is not None


def _text() -> str:
    return resources.files(__package__).joinpath(GLOSSARY).read_text(encoding="utf-8")


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def _plain(text: str) -> str:
    return re.sub("[*`]", "", text)
