"""How objects show themselves in a notebook: one small table each, without scripts or styles."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table as HTML; everything in it is text.

    Numbers are written in groups of three digits, and None as what nobody has published.

    Parameters
    ----------
    title : str
    columns : sequence of str
    rows : sequence of sequences
        As many cells each as there are columns.

    Examples
    --------
    >>> html_table("a < b", ["n"], [[3]])
    '<table><caption>a &lt; b</caption><tr><th>n</th></tr><tr><td>3</td></tr></table>'
    """

    def text(cell: object) -> str:
        if cell is None:
            return "not published"
        return f"{cell:,.15g}" if isinstance(cell, (int, float)) else str(cell)

    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(text(cell))}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"
