"""Tables and text in GitHub's Markdown."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Characters that reorder the text around them."""


def markdown_table(heads: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table.

    Args:
        heads: Heads of the columns.
        align: One letter per column: `r` for numbers, any other for text.
        rows: The cells of each line, already escaped.
    """
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---:' if side == 'r' else '---' for side in align)}|"
    yield from (f"| {' | '.join(cells)} |" for cells in rows)


def markdown_text(text: str) -> str:
    """Return text escaped for Markdown and for HTML in it, on one line."""
    text = BIDI.sub("", " ".join(text.split()))
    return re.sub(r"([\\`*_{}\[\]<>#|~&@])", r"\\\1", text)


def versions(packages: Mapping[str, str], names: Sequence[str]) -> str:
    """Return the names and versions of those of the named packages that are installed, separated by commas."""
    return ", ".join(f"{name} {packages[name]}" for name in names if name in packages)
