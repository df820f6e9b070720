"""Exports a suite's table as CSV, JSON, Markdown and LaTeX; text from outside is escaped in each of them."""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.report.markdown import BIDI, markdown_table, markdown_text
from harness.report.standings import Cell, Standing, table_columns
from harness.suites.schema import Suite

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
PARTS = ("published", "source", "measured", "difference", "low", "high", "verdict")


def as_csv(suite: Suite, standings: Sequence[Standing]) -> str:
    """Return one line per row, with seven columns per metric; measured values have one decimal more than published."""
    heads = ["suite", "row", "boxes", "label", "input_size"]
    heads += [f"{name} {part}" for name in table_columns(suite) for part in PARTS]
    heads += ["verdict", "reason", "parameters", "gflop", "people_per_s", "device", "precision", "checkpoint_sha256"]
    lines = []
    for standing in standings:
        row, speed = standing.row, standing.speed
        line: list[Any] = [suite.name, row.id, row.boxes, row.label, row.input_size]
        for cell in standing.cells:
            low, high = cell.interval or (None, None)
            claim = cell.held.claim if cell.held else cell.printed
            line += [_plain(claim.value if claim else None, cell, 0), claim.source if claim else None]
            line += [_plain(value, cell, 1) for value in (cell.measured, cell.difference, low, high)]
            line.append(cell.held.verdict if cell.held else standing.verdict)
        line += [standing.verdict, " ".join(standing.reasons), standing.size.parameters, standing.size.gflop]
        line += [f"{speed.people_per_s:.1f}", speed.device, speed.precision] if speed else [None, None, None]
        line.append(" ".join(standing.checkpoints))
        lines.append([_spreadsheet(value) for value in line])
    return _frame(heads, lines).to_csv(index=False, lineterminator="\n")


class _Number(str):
    """Digits that a spreadsheet may read as a number."""


def _plain(value: float | None, cell: Cell, more: int) -> _Number | None:
    if value is None:
        return None
    text = f"{value:.{cell.metric.decimals + more}f}"
    return _Number(text if float(text) else text.lstrip("-"))


def _spreadsheet(value: Any) -> Any:
    """Escape text that a spreadsheet would run as a formula (OWASP: CSV injection); line breaks become spaces."""
    if not isinstance(value, str) or isinstance(value, _Number):
        return value
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def as_json(suite: Suite, standings: Sequence[Standing]) -> str:
    """Return all values of the suite's page in full precision, in the metrics' units."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "suite": suite.name,
        "title": suite.title,
        "metrics": {name: metric.model_dump(mode="json", exclude_none=True) for name, metric in suite.metrics.items()},
        "rows": [
            {
                "id": standing.id,
                "label": standing.row.label,
                "boxes": standing.row.boxes,
                "input_size": standing.row.input_size,
                "verdict": standing.verdict,
                "reasons": standing.reasons,
                "claims": [claim.model_dump(mode="json", exclude_none=True) for claim in standing.row.claims],
                "metrics": {
                    cell.name: {
                        "measured": cell.measured,
                        "difference": cell.difference,
                        "interval": cell.interval,
                        "verdict": cell.held.verdict if cell.held else standing.verdict,
                    }
                    for cell in standing.cells
                },
                "parameters": standing.size.parameters,
                "gflop": standing.size.gflop,
                "people_per_s": standing.speed.people_per_s if standing.speed else None,
                "device": standing.speed.device if standing.speed else None,
                "precision": standing.speed.precision if standing.speed else None,
                "checkpoint_sha256": standing.checkpoints,
            }
            for standing in standings
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_markdown(suite: Suite, standings: Sequence[Standing]) -> str:
    """Return the table in GitHub's Markdown."""
    heads, lines = _short(suite, standings)
    cells = [[markdown_text(cell) for cell in line] for line in lines]
    table = markdown_table([markdown_text(head) for head in heads], _alignment(heads), cells)
    return "\n".join([f"**{markdown_text(suite.title)}**", "", *table, ""])


def as_latex(suite: Suite, standings: Sequence[Standing]) -> str:
    r"""Return the table as LaTeX; it needs the package booktabs."""
    heads, lines = _short(suite, standings)
    cells = [[latex_text(cell) for cell in line] for line in lines]
    table = _frame([latex_text(head) for head in heads], cells).style.hide(axis="index")
    latex = table.to_latex(column_format=_alignment(heads), caption=latex_text(suite.title), hrules=True)
    return f"% \\usepackage{{booktabs}}\n{latex}"


def _frame(heads: Sequence[str], lines: Sequence[Sequence[Any]]) -> "pd.DataFrame":
    import pandas as pd  # here, because its import takes half a second

    return pd.DataFrame(lines, columns=list(heads), dtype=object)


def _alignment(heads: Sequence[str]) -> str:
    """Return the alignment of each column of the short table: `r` for metrics."""
    return "".join("r" if " " in head else "l" for head in heads)


def _short(suite: Suite, standings: Sequence[Standing]) -> tuple[list[str], list[list[str]]]:
    """Return heads and lines of the short table, for Markdown and LaTeX."""
    heads = ["boxes", "model", "input"]
    heads += [f"{name} {part}" for name in table_columns(suite) for part in ("published", "measured")]
    lines = []
    for standing in standings:
        line = [standing.row.boxes, standing.row.label, standing.row.input_size]
        for cell in standing.cells:
            claim = cell.held.claim if cell.held else cell.printed
            line += [_plain(claim.value if claim else None, cell, 0) or "-", _plain(cell.measured, cell, 1) or "-"]
        lines.append([*line, standing.verdict])
    return [*heads, "verdict"], lines


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
} | {sign: f"\\{sign}" for sign in "$&#_%"}


def latex_text(text: str) -> str:
    """Return text escaped for LaTeX, on one line, without characters that LaTeX cannot print."""
    text = BIDI.sub("", " ".join(text.split()))
    return "".join(_LATEX.get(sign, sign) for sign in text if sign.isprintable())


FORMS: dict[str, Callable[[Suite, Sequence[Standing]], str]] = {
    "csv": as_csv,
    "json": as_json,
    "md": as_markdown,
    "tex": as_latex,
}
"""The exports by file name extension."""
