"""Writes a drafted suite as YAML: a paragraph for each row, claims with the printed digits."""

import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import yaml

from harness.suites.draft import Draft

_WIDTH = 120


class _Dumper(yaml.SafeDumper):
    """Writes repeated values in full, without YAML aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True, so that no value gets an alias."""
        return True


def _number(dumper: _Dumper, value: Decimal) -> yaml.Node:
    """Return a number with all its digits; a number without a point is an integer, which claims may have."""
    text = f"{value:f}"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Dumper.add_representer(Decimal, _number)


def to_yaml(draft: Draft, metafile: str) -> str:
    """Return the text of a suite's file, which begins with the models left out and the values to complete.

    Args:
        draft: The suite.
        metafile: The source of the draft, for the first line.
    """
    lines = [f"# Drafted from {metafile}."]
    headed = {"Models without a row:": draft.left_out, "Complete or check these values:": draft.remarks}
    for heading, remarks in headed.items():
        lines += [f"# {heading}"] if remarks else []
        for remark in remarks:
            text = " ".join(remark.split())
            lines += textwrap.wrap(
                text, _WIDTH, initial_indent="# - ", subsequent_indent="#   ", break_on_hyphens=False
            )
    for key, value in draft.suite.items():
        if key in ("dataset", "metrics", "rows"):
            lines.append("")
        lines += [f"{key}:", *_rows(value)] if key == "rows" else _entry(key, value, "")
    return "\n".join(lines) + "\n"


def _rows(rows: list[dict[str, Any]]) -> Iterator[str]:
    for index, row in enumerate(rows):
        first, *others = [line for key, value in row.items() for line in _entry(key, value, "    ")]
        yield from ([""] if index else []) + [f"  - {first.strip()}", *others]


def _entry(key: str, value: Any, indent: str) -> Iterator[str]:
    """Yield the lines of a key: a single line if it is short enough and not a mapping of mappings."""
    line = f"{indent}{_in_one_line(key)}: {_in_one_line(value)}"
    nested = isinstance(value, Mapping) and any(isinstance(item, Mapping) for item in value.values())
    if not value or not isinstance(value, Mapping | list) or not (nested or len(line) > _WIDTH):
        yield line
        return
    yield f"{indent}{_in_one_line(key)}:"
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _entry(name, item, indent + "  ")
    else:
        yield from (f"{indent}  - {_in_one_line(item)}" for item in value)


def _in_one_line(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=True
    )
    return text.removesuffix("\n").removesuffix("\n...")
