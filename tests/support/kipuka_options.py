"""Command lines that nobody means: random values for every option, hostile names, odd encodings."""

from __future__ import annotations

import io
import sys

from kipuka.commands.app import main

NAMES = (
    "m{x}",
    "{}",
    "{0}",
    "{0!r:>{1}}",
    "%s%n",
    "[/b]",
    "[bold red]",
    "[link=x]",
    ":boom:",
    "$x_{1}$",
    "$\\frac$",
    "\x1b[31mred",
    "a\nb",
    "a\rb",
    "\x00",
    "\x7f\x9b",
    "\udcff",
    "\ud800",
    "µ×±é",
    "🔥",
    "\u202egnp",
    "n\u0303\u200b",
    "-",
    "--",
    "-x",
    " ",
    "",
    ".",
    "..",
    "/",
    "~",
    "a" * 300,
    "b/" * 3000,
    "nosuch/folder/x",
    "<b>&amp;",
    "'\"`;",
)
"""Names that are formats, markup, mathematics, control sequences, halves of letters, or none."""

NUMBERS = (
    "-5", "0", "1", "2", "3", "1e3", "1.5", "nan", "inf", "-0", "", "9" * 25, "-" + "9" * 25,
    "0x10",
    "\u0663", " 2 ", "1_0", "1048576", "1048577", "2147483648", "9223372036854775808",
)  # fmt: skip
"""Texts for an option that takes a whole number."""

SETTINGS = (
    "hidden=-5", "hidden=3", "hidden=1e400", "network=null", "network=[]", "data=3", "data_dir=x",
    "bin_ms=1e-320", "bin_ms=1e308", "bin_ms=.nan", "steps=0", "channels=null", "=", "=1", "x", "",
    "delays=1", "delays.rule=annealed", "delays.rule=x", "delays.rule.x=1", "delays={rule: x}",
    "delay_rule=annealed", "{x}=[/b]", "a.b.c=1", ".=1", "epochs=!!int x", "seed=&a [*a]",
    "learning_rate=\udcff", "label_smoothing=1", "selection=last", "train_on_validation=true",
    "blend=1", "seed=99999999999999999999", "hidden=2026-13-45", "hidden=[" + "[" * 100,
    "download=1",
)  # fmt: skip
"""Words behind ``--set``."""

ENCODINGS = ("ascii", "cp1252", "latin-1", "cp437", "utf-8", "utf-16", "koi8-r")


def pick(rng, values):
    """One of some values."""
    return values[int(rng.integers(len(values)))]


HOSTILE = 0.25
"""Chance of a value that is none."""


def words(rng, kinds, good, always=()):
    """Options with their values, each with the chance of a half.

    Parameters
    ----------
    rng : numpy.random.Generator
    kinds : mapping of str to str
        For each option ``flag``, or what its value is: a key of `good`.
    good : mapping of str to sequence of str
        Values by kind that can be used; hostile ones are drawn with the chance `HOSTILE`.
    always : sequence of str
        Options that a command cannot do without; they are left out seldom.
    """
    found = []
    for option, kind in kinds.items():
        if rng.random() < (0.05 if option in always else 0.5):
            continue
        pool = {"number": NUMBERS, "setting": SETTINGS}.get(kind, NAMES)
        if kind != "flag" and rng.random() >= HOSTILE:
            pool = good[kind]
        found += [option] if kind == "flag" else [option, pick(rng, pool)]
    return found


def run(arguments, encoding):
    """Exit status, and what went to standard output and error, of a command line."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, "strict") for _ in range(2)]
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams
    try:
        status = main(list(arguments))
    finally:
        sys.stdout, sys.stderr = before
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding))
    return status, *texts


def check(arguments, encoding):
    """Run a command line, which ends well or in one paragraph, and return its exit status."""
    status, out, err = run(arguments, encoding)
    told = f"{arguments!r} in {encoding}: {status}\n{err}"
    assert status in (0, 1, 2), told
    for text in (out, err):
        assert all(c.isprintable() or c in "\n\xa0\u202f" for c in text), told
    if status == 2:
        assert not out or "deploy" in arguments, told
        assert err.startswith("kipuka: "), told
        assert err.endswith(".\n"), told
        assert err.count("\n") == 1, told
    else:
        assert not err, told
    return status
