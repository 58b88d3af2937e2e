"""HTML for notebooks: tables whose cells are escaped, with nothing that runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Cell = str | int


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str = "") -> str:
    """A table of text and numbers; numbers stand to the right."""
    cells = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{said}<thead><tr>{names}</tr></thead><tbody>{cells}</tbody></table>"


def _cell(cell: Cell) -> str:
    align = "right" if isinstance(cell, int) else "left"
    return f'<td style="text-align: {align}">{escape(str(cell))}</td>'
