"""Tables of plain text."""

from collections.abc import Sequence

Rows = Sequence[Sequence[str]]


def format_table(rows: Rows) -> str:
    """Align the cells of rows of equal length in columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)
