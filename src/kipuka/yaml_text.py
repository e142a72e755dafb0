"""YAML from strangers: limited in size and depth, without aliases, each key once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from kipuka.errors import KipukaError
from kipuka.strangers import open_regular

MAX_BYTES = 1 << 17
"""Bytes of a file; those of this project have a few kilobytes."""

MAX_DEPTH = 32
"""Groups within groups."""


class _Loader(yaml.SafeLoader):
    """A safe loader without aliases: a few of them can unfold a small file without end."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node as the safe loader does, unless it is an alias or lies too deep."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        if self._depth == MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Construct one value; one like the date 2026-13-45 is an error with its line."""
        try:
            return super().construct_object(node, deep)
        # What stands for no date, number or text; tags like !!int reach the constructors as well.
        except (ValueError, TypeError, LookupError, OverflowError, AttributeError) as error:
            mark = node.start_mark
            raise yaml.MarkedYAMLError(problem=short(str(error)), problem_mark=mark) from error


def read_limited(path: Path, what: str, remedy: str) -> bytes:
    """Return the content of a file, never reading more than one byte past the limit.

    Parameters
    ----------
    path : Path
    what : str
        What the file is, for messages, such as ``hardware profile``.
    remedy : str
        What to do if it cannot be read.

    Raises
    ------
    KipukaError
        If it cannot be read, or is too large.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            content = file.read(MAX_BYTES + 1)
    # ValueError: a path with a null character.
    except (OSError, ValueError) as error:
        raise KipukaError(
            f"The {what} cannot be read",
            where=str(path),
            limit="a readable YAML file",
            value=getattr(error, "strerror", None) or str(error),
            remedy=remedy,
        ) from None
    if len(content) > MAX_BYTES:
        raise KipukaError(
            f"The {what} is too large",
            where=str(path),
            limit=f"{MAX_BYTES} bytes",
            value=f"more than {MAX_BYTES} bytes",
            remedy=f"check that this is a {what}; they have a few kilobytes",
        )
    return content


def parse_yaml(content: bytes, file: str, what: str) -> tuple[yaml.Node | None, Any]:
    """Return the nodes of YAML text, which know their lines, and the values in them.

    Raises
    ------
    KipukaError
        If it is not UTF-8 or not YAML, nests too deeply, or has aliases or a key twice.
    """
    try:
        loader = _Loader(content.decode("utf-8"))
        root = loader.get_single_node()
        if root is not None:
            _refuse_duplicate_keys(root, file, ())
        return root, None if root is None else loader.construct_document(root)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _syntax_error(error, file, what) from None


def short(value: Any) -> str:
    """Return the value as text of at most 80 characters."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= 80 else text[:77] + "..."


def place(file: str, location: tuple[int | str, ...], line: int) -> str:
    """Write file, dotted key and line for a reader."""
    key = ".".join(str(part) for part in location)
    return f"{file}, key {key}, line {line}" if key else f"{file}, line {line}"


def _syntax_error(error: Exception, file: str, what: str) -> KipukaError:
    """Describe what the YAML reader stumbled over, with its line where it gives one."""
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    problem = getattr(error, "problem", None)
    if isinstance(error, RecursionError):
        problem = "nested too deeply"
    return KipukaError(
        f"The {what} is not valid YAML",
        where=file if mark is None else f"{file}, line {mark.line + 1}",
        limit=f"UTF-8 text in YAML syntax, without aliases, up to {MAX_DEPTH} levels deep",
        value=problem or short(str(error)),
        remedy="correct the syntax at or just before this place",
    )


def _refuse_duplicate_keys(node: yaml.Node, file: str, path: tuple[str, ...]) -> None:
    """Refuse a mapping that gives one key twice, of which YAML would keep only the last."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _refuse_duplicate_keys(item, file, (*path, str(index)))
    if not isinstance(node, yaml.MappingNode):
        return
    first_lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node.value, str) else "(a group)"
        if key in first_lines:
            raise KipukaError(
                "A key is given twice",
                where=place(file, (*path, key), line),
                limit="each key once in its group",
                value=f"{key!r} on line {first_lines[key]} and on line {line}",
                remedy="remove one of the two",
            )
        first_lines[key] = line
        _refuse_duplicate_keys(value_node, file, (*path, key))
