"""Renders the outcome of `harness compare` for a terminal, as Markdown for a pull request, and as JUnit XML."""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal
from xml.etree import ElementTree

from pydantic import JsonValue

from harness.errors import counted
from harness.judge.comparison import Change, Comparison, EnvironmentChange, Movement, RunComparison
from harness.report.markdown import markdown_table

HASH_DIGITS = 8


def comparison_text(comparison: Comparison) -> str:
    """Return a line for every run, details of runs that changed, and the verdict at the end."""
    width = max((len(run.id) for run in comparison.runs), default=0)
    lines = []
    for run in comparison.runs:
        lines.append(f"{_clean(run.id):<{width}}   {_headed(run)}")
        lines += [f"    {line}" for line in _details(run)]
    lines += [f"environment: {line}" for line in _environment(comparison)]
    return "\n".join([*lines, "", _verdict(comparison)])


def comparison_markdown(comparison: Comparison) -> str:
    """Return a page: the verdict, red runs, warnings, and details in sections that unfold."""
    runs = comparison.runs
    lines = ["## Comparison with the baseline", "", _verdict(comparison)]
    lines += _list(f"{run.id} {_headed(run)}" for run in runs if run.red and run.state != "moved")
    if moved := [run for run in runs if run.state == "moved"]:
        heads = ("run", "metric", "baseline", "new", "difference", "noise floor", "p", "changed metrics")
        lines += ["", *_table(heads, "llrrrrrr", map(_headline, moved))]
    lines += _list(f"Warning: {run.id}: {warning}" for run in runs for warning in run.warnings)
    lines += _list(f"{run.id} {_headed(run)}" for run in runs if not run.red and run.reason)
    lines += _folded("All changed metrics", _all_movements(runs))
    lines += _folded(
        "Protocol, weights and verdicts", _list(f"{run.id}: {line}" for run in runs for line in _protocol(run))
    )
    lines += _folded("Environment", _list(_environment(comparison)))
    return "\n".join(lines) + "\n"


def comparison_junit(comparison: Comparison) -> str:
    """Return JUnit XML with a test case for every run: a failure for red numbers, an error if there are no numbers.

    The format follows its common readers (Jenkins, GitLab, pytest): github.com/testmoapp/junitxml.
    """
    root = ElementTree.Element("testsuites", {"name": "harness compare", **_counts(comparison.runs)})
    for name, group in groupby(sorted(comparison.runs, key=_suite), key=_suite):
        runs = list(group)
        suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(name), **_counts(runs)})
        for run in runs:
            row = _clean(run.id.removeprefix(f"{name}/"))
            case = ElementTree.SubElement(suite, "testcase", {"classname": _clean(name), "name": row})
            result = ElementTree.SubElement(case, _junit_result(run))
            said = [_clean(run.label)]
            if result.tag == "system-out":
                said.append(_headed(run))
            else:
                result.attrib = {"type": run.state, "message": _clean(run.reason or "")}
            result.text = "\n".join([*said, *_details(run)])
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _verdict(comparison: Comparison) -> str:
    runs = comparison.runs
    red = Counter(run.state for run in runs if run.red)
    rest = Counter(run.state for run in runs if not run.red)
    others = ", ".join(f"{count} {state}" for state, count in rest.most_common())
    if not red:
        return f"Green: {counted(len(runs), 'run')}: {others}"
    bad = ", ".join(f"{count} {state}" for state, count in red.most_common())
    return f"Red: {red.total()} of {len(runs)} runs: {bad}{f'; {others}' if others else ''}"


def _headed(run: RunComparison) -> str:
    return f"{run.state}: {_clean(run.reason)}" if run.reason else run.state


def _details(run: RunComparison) -> Iterator[str]:
    """Yield a line for each changed metric, each changed field and each warning."""
    for movement in run.metrics:
        if movement.state != "same":
            difference, noise = _difference(movement), f"{movement.noise_floor:.3g} {movement.noise_source}"
            paired = f", paired {_paired(movement)}, p {_p_value(movement)}" if movement.paired else ""
            values = f"{_side(movement, 'baseline')} -> {_side(movement, 'new')}"
            yield f"{_clean(movement.metric)} {values} ({difference}), noise floor {noise}{paired}: {movement.state}"
    yield from map(_clean, _protocol(run))
    yield from (f"warning: {_clean(warning)}" for warning in run.warnings)


def _protocol(run: RunComparison) -> Iterator[str]:
    yield from map(_change, run.changes)
    if run.state == "moved" and all(change.field == "verdict" for change in run.changes):
        same = "protocol and weights" if run.environment_changed else "protocol, weights and environment"
        yield f"{same} did not change"


def _environment(comparison: Comparison) -> Iterator[str]:
    most = max((len(change.runs) for change in comparison.environment), default=0)
    for change in comparison.environment:
        where = "" if len(change.runs) == most else f" ({_some(change)})"
        yield _clean(_change(change) + where)


def _some(change: EnvironmentChange) -> str:
    return change.runs[0] if len(change.runs) == 1 else f"{len(change.runs)} runs, such as {change.runs[0]}"


def _change(change: Change) -> str:
    return f"{change.field}: {_value(change.field, change.baseline)} -> {_value(change.field, change.new)}"


def _value(field: str, value: JsonValue) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.4g}"
        case list():
            return " ".join(_value(field, item) for item in value)
        case str() if field.rpartition(".")[2] in ("sha256", "commit"):
            return value[:HASH_DIGITS]
        case _:
            return str(value)


def _headline(run: RunComparison) -> Sequence[str]:
    """Return the cells of a run's first red metric; suites list the most important metric first."""
    red = [movement for movement in run.metrics if movement.red]
    first = red[0]
    return (
        run.id,
        first.metric,
        _side(first, "baseline"),
        _side(first, "new"),
        _difference(first),
        f"{first.noise_floor:.3g}",
        _p_value(first),
        f"{len(red)} of {len(run.metrics)}",
    )


def _all_movements(runs: Iterable[RunComparison]) -> list[str]:
    rows = [
        (
            run.id,
            movement.metric,
            _with_interval(_side(movement, "baseline"), movement.baseline_interval),
            _with_interval(_side(movement, "new"), movement.new_interval),
            _difference(movement),
            f"{movement.noise_floor:.3g} {movement.noise_source}",
            _paired(movement),
            _p_value(movement),
            movement.state,
        )
        for run in runs
        for movement in run.metrics
        if movement.state != "same"
    ]
    heads = ("run", "metric", "baseline", "new", "difference", "noise floor", "paired difference, 95 %", "p", "")
    return ["", *_table(heads, "llrrrrrrl", rows)] if rows else []


def _side(movement: Movement, side: str) -> str:
    value = movement.new if side == "new" else movement.baseline
    if value is not None:
        return f"{value:.4f}"
    absent = {"vanished": "new", "appeared": "baseline"}
    return "-" if absent.get(movement.state) == side else "undefined"


def _with_interval(value: str, ends: tuple[float, float] | None) -> str:
    return f"{value} [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else value


def _difference(movement: Movement) -> str:
    return "-" if movement.difference is None else f"{movement.difference:+.3g}"


def _paired(movement: Movement) -> str:
    return f"[{movement.paired.low:+.3g}, {movement.paired.high:+.3g}]" if movement.paired else "-"


def _p_value(movement: Movement) -> str:
    return f"{movement.paired.p_value:.2g}" if movement.paired else "-"


def _suite(run: RunComparison) -> str:
    return run.id.partition("/")[0]


def _junit_result(run: RunComparison) -> Literal["system-out", "failure", "error", "skipped"]:
    if run.state == "broken":
        return "error" if run.red else "skipped"
    return "failure" if run.red else "system-out"


def _counts(runs: Sequence[RunComparison]) -> dict[str, str]:
    results = Counter(map(_junit_result, runs))
    return {
        "tests": f"{len(runs)}",
        "failures": f"{results['failure']}",
        "errors": f"{results['error']}",
        "skipped": f"{results['skipped']}",
    }


def _table(heads: Sequence[str], align: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    return markdown_table(heads, align, ([_escape(cell) for cell in cells] for cells in rows))


def _list(items: Iterable[str]) -> list[str]:
    lines = [f"- {_escape(item)}" for item in items]
    return ["", *lines] if lines else []


def _folded(summary: str, lines: list[str]) -> list[str]:
    return ["", "<details>", f"<summary>{summary}</summary>", *lines, "", "</details>"] if lines else []


def _escape(text: str) -> str:
    """Return text escaped for Markdown and for HTML in it."""
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(_clean(text), quote=False))


def _clean(text: str) -> str:
    """Return text in one line, without control characters, which terminals and XML do not accept."""
    return "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text.split()))
