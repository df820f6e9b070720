"""Loads suites from YAML files; errors name the file, the line and the field."""

import fnmatch
import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import get_args

from harness.errors import UsageError, check_text
from harness.suites import schema
from harness.suites.schema import Group, Row, Suite
from harness.suites.yaml_file import Location, did_you_mean, load_model

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "benchmarks"
BENCHMARKS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "benchmarks"
"""The folder of the project's suites: in the installed package, or beside it in a checkout."""


DEMO = "demo"
"""The suite of the project's own networks, which tests the harness, not MMPose's tables."""


_OWN_SUITE = "the path of your own YAML file, such as mine.yaml, whose rows are mine.yaml/ROW"


def suite_names() -> list[str]:
    """Return the names of the project's own suites, the demo included."""
    return sorted(path.stem for path in BENCHMARKS.glob("*.yaml"))


def published_suites() -> list[str]:
    """Return the names of the suites of published tables."""
    return [name for name in suite_names() if name != DEMO]


GROUPS: tuple[str, ...] = (*get_args(Group), "all")
"""Names of groups of suites: one for each kind of keypoints, and one for all published suites."""


def suites_of(group: str) -> list[str]:
    """Return the names of the published suites of a group, those of the pages of heatmap models last."""
    names = sorted(published_suites(), key=lambda name: (name.endswith("-pages"), name))
    kinds = {name: _group_of(name) for name in names}
    wanted = get_args(Group) if group == "all" else (group,)
    found = [name for kind in wanted for name in names if kinds[name] == kind]
    return [*found, *(name for name in names if group == "all" and name not in found)]


def _group_of(name: str) -> str | None:
    """Return the group of a suite, reading only this field, so that groups work even if another suite is invalid."""
    found = re.search(r"^group: *(\w+)", (BENCHMARKS / f"{name}.yaml").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else None


def expanded(suites: Iterable[str]) -> list[str]:
    """Return names and paths of suites, with each group replaced by its suites; each once."""
    named = (suites_of(name) if name in GROUPS else [name] for name in suites)
    return list(dict.fromkeys(name for names in named for name in names))


def names_of(suites: Iterable[str]) -> list[str]:
    """Return the names of suites: groups give those of their suites, and the path of a YAML file the name stated in it.

    A name without a suite is returned as it is, as records may be of a suite that is not here.

    Raises:
        SpecError: A file cannot be read, or is not a suite.
    """
    return [load_suite(suite).name if _is_path(suite) else suite for suite in expanded(suites)]


def load_suite(name_or_path: str | Path) -> Suite:
    """Load one of the project's suites by name, or any suite by the path of its YAML file.

    Raises:
        UsageError: There is no suite with that name.
        SpecError: The file cannot be read, or is not a suite.
    """
    if isinstance(name_or_path, str) and not _is_path(name_or_path):
        if name_or_path in GROUPS:
            raise UsageError(
                f"{name_or_path} is a group of suites, but one suite is needed here",
                f"choose one of its suites: {', '.join(suites_of(name_or_path))}",
            )
        if name_or_path not in suite_names():
            close = did_you_mean(name_or_path, [*suite_names(), *GROUPS])
            names = f"suites: {', '.join(suite_names())}; groups: {', '.join(GROUPS)}; or "
            raise UsageError(
                f"unknown suite: {name_or_path}{close}",
                f"{'your own suite: ' if close else names}{_OWN_SUITE}",
            )
        return _load_file(BENCHMARKS / f"{name_or_path}.yaml")
    return _load_file(Path(name_or_path))


def argument_of(suite: Suite) -> str:
    """Return the command-line argument for a suite: its name, or the path of a custom file.

    A row's argument is the suite's argument, a slash and the row's id: `coco/hrnet-w32-256x192` or `mine.yaml/my-net`.
    """
    own = suite.path is not None and suite.path.parent.resolve() != BENCHMARKS.resolve()
    return suite.path.as_posix() if suite.path and own else suite.name


def row_patterns(glob: str | None) -> list[str] | None:
    """Return the shell patterns of rows that commas separate; None for all rows.

    Raises:
        UsageError: The patterns are not text.
    """
    check_text("rows", glob, "shell patterns separated by commas", optional=True)
    return None if glob is None else [part for part in map(str.strip, glob.split(",")) if part] or [glob]


def row_matches(suite: str, row: str, patterns: Iterable[str] | None) -> bool:
    """Return whether a row's id, with or without its suite's name, matches one of some patterns; None matches all."""
    return patterns is None or any(
        fnmatch.fnmatchcase(name, pattern) for name in (row, f"{suite}/{row}") for pattern in patterns
    )


def matching_rows(suite: Suite, glob: str | None) -> list[Row]:
    """Return the rows whose id, with or without the suite's name, matches a shell pattern; all rows without a pattern.

    Commas separate several patterns.
    """
    patterns = row_patterns(glob)
    return [row for row in suite.rows if row_matches(suite.name, row.id, patterns)]


def select_rows(suite: Suite, glob: str | None) -> list[Row]:
    """Return the rows that patterns match; all rows without a pattern.

    Raises:
        UsageError: A pattern matches no row.
    """
    if unmatched := unmatched_patterns([(suite.name, row.id) for row in suite.rows], glob):
        ids = [row.id for row in suite.rows]
        named = ", ".join(one + did_you_mean(one.removeprefix(f"{suite.name}/"), ids) for one in unmatched)
        raise UsageError(f"no row of {suite.name} matches {named}", f"harness list {argument_of(suite)} shows its rows")
    return matching_rows(suite, glob)


def select(suites: Iterable[str], glob: str | None) -> list[tuple[Suite, list[Row]]]:
    """Return the suites, including those of groups, in which a pattern matches rows, with these rows.

    Raises:
        UsageError: A suite does not exist, or a pattern matches no row in any suite.
        SpecError: A suite cannot be used.
    """
    loaded = [load_suite(suite) for suite in expanded(suites)]
    if len(loaded) == 1:
        return [(loaded[0], select_rows(loaded[0], glob))]
    if unmatched := unmatched_patterns([(suite.name, row.id) for suite in loaded for row in suite.rows], glob):
        raise UsageError(f"no row matches {', '.join(unmatched)}", "harness list shows all rows")
    return [(suite, rows) for suite in loaded if (rows := matching_rows(suite, glob))]


def unmatched_patterns(rows: Collection[tuple[str, str]], glob: str | None) -> list[str]:
    """Return the patterns that match none of some rows, each given by the name of its suite and its id."""
    return [pattern for pattern in row_patterns(glob) or () if not any(row_matches(*row, [pattern]) for row in rows)]


def _is_path(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or "/" in text or os.sep in text


def parse_suite(text: str, path: Path) -> Suite:
    """Return the suite of a text.

    Args:
        text: The content of the suite's file.
        path: The suite's file, which need not exist.

    Raises:
        SpecError: The text is not a suite.
    """
    return _load_file(path, text)


def _load_file(path: Path, text: str | None = None) -> Suite:
    suite = load_model(path, Suite, _model_at, _inconsistencies, text)
    suite._path = path
    for row in suite.rows:
        for run in row.runs.values():
            run.checkpoint._suite = path
    return suite


def _model_at(location: Location) -> type[schema.SuiteFields]:
    """Return the model of the mapping at a location of a suite."""
    match location:
        case ():
            return schema.Suite
        case ("dataset",) | ("rows", _, "dataset"):
            return schema.Dataset
        case ("metrics", _):
            return schema.Metric
        case ("rows", _):
            return schema.Row
        case ("rows", _, "runs", _):
            return schema.Run
        case ("rows", _, "runs", _, "checkpoint"):
            return schema.Checkpoint
        case ("rows", _, "overrides", _):
            return schema.Override
        case _:
            return schema.PublishedValue


def _too_large(name: str, stated: float | schema.PublishedValue, metric: schema.Metric) -> str | None:
    """Return the problem of a claim above 1, or above 100 in percent; None if the claim is refuted or in bounds."""
    value, refuted = (stated.value, stated.refuted) if isinstance(stated, schema.PublishedValue) else (stated, None)
    if metric.unit == "px" or value <= metric.scale or refuted:
        return None
    if metric.unit == "percent":
        return f"found {value:g}; in percent, {name} is at most 100: correct the value"
    return (
        f"found {value:g}; as a fraction, {name} is at most 1: write {value / 100:g}, or `unit: percent` in the metrics"
    )


def _inconsistencies(suite: Suite) -> Iterator[tuple[Location, str]]:
    """Yield problems between fields, which the schema does not check."""
    seen: dict[str, int] = {}
    metrics = list(suite.metrics)
    for index, row in enumerate(suite.rows):
        here: Location = ("rows", index)
        if row.id in seen:
            yield (*here, "id"), f"{row.id!r} is already the id of rows[{seen[row.id]}]"
        seen.setdefault(row.id, index)
        if row.boxes == "detector" and suite.dataset_of(row).boxes is None:
            yield (*here, "boxes"), "detector boxes need the key 'boxes' of the dataset"
        stated = [((*here, "published"), row.published)]
        stated += [((*here, "runs", name, "published"), run.published) for name, run in row.runs.items()]
        for place, published in stated:
            for source, values in published.items():
                for metric in values.keys() - suite.metrics.keys():
                    close = did_you_mean(metric, metrics)
                    yield (
                        (*place, source, metric),
                        f"unknown metric{close}; the metrics of this suite are: {', '.join(metrics)}",
                    )
                for metric in values.keys() & suite.metrics.keys():
                    if problem := _too_large(metric, values[metric], suite.metrics[metric]):
                        yield (*place, source, metric), problem
        for column in row.unconfirmed.keys() - {column.name for column in row.columns}:
            yield (*here, "unconfirmed", column), "the row's table has no such metric"
        if row.runs_are == "subsets":
            if len(row.runs) == 1:
                yield (*here, "runs_are"), "subsets are several runs; the row has one"
            if row.published:
                yield (
                    (*here, "published"),
                    "subsets have no common value; write the values of each run into its `published`",
                )
        for name, run in row.runs.items():
            if run.annotations is None and suite.dataset_of(row).annotations is None:
                yield (*here, "runs", name), "the key 'annotations' is missing here and in the dataset"
