r"""Groups of recordings (speakers, sessions) taken from the names of their files.

The pattern is a regular expression of a kind that cannot take long, whoever wrote it: text, classes
such as ``\d`` and ``[a-z]``, at most two repetitions (``+ * ?``), and one parenthesis, which is not
repeated: what it matches is the group.
"""

from __future__ import annotations

import re
import warnings

from kipuka.errors import KipukaError

LENGTH_MAX, REPETITIONS_MAX = 64, 2
"""Characters and repetitions of a pattern: the time to match grows with a power of the latter."""

FORBIDDEN = re.compile(r"[|{}]|\(\?|\)[*+?]|\\[^dwsDWS\W]")
"""Alternatives, counts, extensions, repeated groups, and escapes such as those of groups."""


def group_pattern(text: str) -> re.Pattern[str]:
    r"""Return the compiled pattern of a group in a file's name.

    Raises
    ------
    KipukaError
        If it is no pattern with one parenthesis, or could take long.

    Examples
    --------
    >>> group_of("person07_0032", group_pattern(r"person(\d+)"), "x")
    '07'
    """
    repetitions = sum(text.count(sign) for sign in "*+?")
    plain = len(text) <= LENGTH_MAX and repetitions <= REPETITIONS_MAX
    if plain and text.count("(") == text.count(")") == 1 and not FORBIDDEN.search(text):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # of sets that may mean something else some day
                pattern = re.compile(text)
            if pattern.groups == 1:
                return pattern
        except (re.error, FutureWarning):
            pass  # refused with all others
    raise KipukaError(
        "the pattern of groups cannot be used",
        where="setting groups_from",
        limit=f"a regular expression of up to {LENGTH_MAX} characters with one parenthesis, at "
        f"most {REPETITIONS_MAX} of + * ?, and no |, {{}}, (?...) or repeated parenthesis",
        value=text or "an empty pattern",
        remedy=r"write the text before the group and what the group is made of: person(\d+)",
    )


def group_of(name: str, pattern: re.Pattern[str], where: str) -> str:
    """Return the group that a file's name tells.

    Raises
    ------
    KipukaError
        If the name does not match, or only with an empty group.
    """
    found = pattern.search(name)
    if found is None or not found[1]:
        raise KipukaError(
            "the name of a file does not tell its group",
            where=where,
            limit=f"a name that matches groups_from={pattern.pattern}",
            value=name,
            remedy="rename the file, or choose a pattern that all names match",
        )
    return found[1]
