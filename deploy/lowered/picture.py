"""The schedule of a lowered network as a picture: which population works in which hardware step."""

from __future__ import annotations

from collections.abc import Iterator

from kipuka.deploy.lowered.graph import CLOSING, LoweredGraph

CELL_WIDTH, CELL_HEIGHT, GAP = 34, 22, 3
NAMES_WIDTH, TOP, BOTTOM = 190, 46, 12
"""Sizes in pixels."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""One for each algorithmic step, told apart by colour-blind eyes too (Okabe and Ito 2008)."""


def schedule_svg(graph: LoweredGraph, n_steps: int = 3) -> str:
    """Draw when each population of a lowered network works on its first algorithmic steps.

    A row is a population in the order in which they work, a column a hardware step. A number is the
    algorithmic step whose messages are sent there.

    Parameters
    ----------
    graph : LoweredGraph
    n_steps : int
        Algorithmic steps that are drawn, at most as many as there are colours.

    Returns
    -------
    str
        An SVG image with a white background.
    """
    rows = sorted(
        (node for node in graph.nodes if node.name != CLOSING),
        key=lambda node: graph.phases[node.name],
    )
    columns = max(graph.phases[node.name] for node in rows) + (n_steps - 1) * graph.period + 1
    width = NAMES_WIDTH + columns * CELL_WIDTH + GAP
    height = TOP + len(rows) * CELL_HEIGHT + BOTTOM
    plural = "s" if graph.period > 1 else ""
    title = f"K = {graph.period}: a step takes {graph.period} hardware step{plural}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f"<title>{title}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{GAP}" y="16" font-weight="bold" fill="#222222">{title}</text>',
        f'<text x="{GAP}" y="36" fill="#222222">hardware step</text>',
        *(_text(_middle(column), 36, str(column), "#222222") for column in range(columns)),
    ]
    for row, node in enumerate(rows):
        y = TOP + row * CELL_HEIGHT
        lines.append(f'<text x="{GAP}" y="{y + 15}" fill="#222222">{node.name}</text>')
        lines += _cells(graph.phases[node.name], graph.period, n_steps, y)
    return "\n".join([*lines, "</svg>", ""])


def _cells(phase: int, period: int, n_steps: int, y: int) -> Iterator[str]:
    for step in range(n_steps):
        column = phase + step * period
        x = NAMES_WIDTH + column * CELL_WIDTH
        yield (
            f'<rect x="{x}" y="{y}" width="{CELL_WIDTH - GAP}" height="{CELL_HEIGHT - GAP}" '
            f'rx="3" fill="{COLOURS[step]}"/>'
        )
        yield _text(_middle(column), y + 14, str(step), "#ffffff")


def _middle(column: int) -> int:
    return NAMES_WIDTH + column * CELL_WIDTH + (CELL_WIDTH - GAP) // 2


def _text(x: int, y: int, text: str, colour: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="middle" fill="{colour}">{text}</text>'
