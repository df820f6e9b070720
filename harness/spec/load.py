"""Suites from YAML files, with errors that name the file, the line and the field."""

import difflib
import fnmatch
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from harness.errors import SpecError, UsageError
from harness.spec import schema
from harness.spec.schema import Row, Suite

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "benchmarks"
BENCHMARKS = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "benchmarks"
"""The project's own suites: inside the package where it is installed, beside it in a checkout."""

_SHOWN_AT_ONCE = 20

Location = tuple[str | int, ...]


def suite_names() -> list[str]:
    """Return the names of the project's own suites."""
    return sorted(path.stem for path in BENCHMARKS.glob("*.yaml"))


def load_suite(name_or_path: str | Path) -> Suite:
    """Load one of the project's suites by name, or any suite by the path of its YAML file.

    Raises:
        UsageError: There is no suite of that name.
        SpecError: The file cannot be read, or does not hold a suite.
    """
    if isinstance(name_or_path, str) and not _is_path(name_or_path):
        if name_or_path not in suite_names():
            raise UsageError(
                f"unknown suite: {name_or_path}{_did_you_mean(name_or_path, suite_names())}",
                f"suites: {', '.join(suite_names())}; or the path of a YAML file of your own",
            )
        return _load_file(BENCHMARKS / f"{name_or_path}.yaml")
    return _load_file(Path(name_or_path))


def matching_rows(suite: Suite, glob: str | None) -> list[Row]:
    """Return the rows whose id, with or without the suite's name, matches one of the shell patterns; all without one.

    Several patterns are separated by commas.
    """
    if glob is None:
        return list(suite.rows)
    patterns = glob.split(",")
    return [
        row
        for row in suite.rows
        if any(fnmatch.fnmatchcase(name, pattern) for name in (row.id, suite.row_id(row)) for pattern in patterns)
    ]


def select_rows(suite: Suite, glob: str | None) -> list[Row]:
    """Return the rows that a pattern matches, all without one.

    Raises:
        UsageError: No row matches.
    """
    rows = matching_rows(suite, glob)
    if glob is not None and not rows:
        close = _did_you_mean(glob.removeprefix(f"{suite.name}/"), [row.id for row in suite.rows])
        raise UsageError(f"no row of {suite.name} matches {glob}{close}", f"harness list {suite.name} shows its rows")
    return rows


def select(suites: Iterable[str], glob: str | None) -> list[tuple[Suite, list[Row]]]:
    """Load suites and return those in which a pattern matches rows, with the rows.

    Raises:
        UsageError: There is no such suite, or no row matches in any.
        SpecError: A suite cannot be used.
    """
    loaded = [load_suite(suite) for suite in suites]
    if len(loaded) == 1:
        return [(loaded[0], select_rows(loaded[0], glob))]
    found = [(suite, rows) for suite in loaded if (rows := matching_rows(suite, glob))]
    if not found:
        raise UsageError(f"no row matches {glob}", "harness list shows all rows")
    return found


def _is_path(text: str) -> bool:
    return text.endswith((".yaml", ".yml")) or "/" in text or os.sep in text


def _load_file(path: Path) -> Suite:
    node, data = _read_yaml(path)
    try:
        suite = Suite.model_validate(data)
    except ValidationError as error:
        problems = [_describe(details) for details in error.errors(include_url=False)]
        raise _spec_error(path, node, problems) from None
    if problems := list(_inconsistencies(suite)):
        raise _spec_error(path, node, problems)
    suite._path = path
    return suite


# Reading YAML


class _UniqueKeyLoader(yaml.CSafeLoader):
    """A safe loader that refuses a key given twice, of which YAML itself would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse repeated keys, then construct as usual."""
        first_lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in first_lines:
                problem = f"the key {key.value!r} is given twice, first in line {first_lines[key.value]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            first_lines[key.value] = _line(key)
        return super().construct_mapping(node, deep)


def _read_yaml(path: Path) -> tuple[yaml.Node, Any]:
    """Return a YAML file as nodes, which know their lines, and as values."""
    if path.is_dir():
        raise SpecError(f"{_shown(path)} is a folder; a suite is a YAML file")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"there is no suite file {_shown(path)}", f"suites: {', '.join(suite_names())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{_shown(path)} cannot be read: {error}") from error
    try:
        loader = _UniqueKeyLoader(text)
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SpecError(f"{_shown(path)}:{line}: {error.problem}{_yaml_advice(error)}") from error
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise SpecError(f"{_shown(path)}:{line}: {error.reason}") from error
    if node is None:
        raise SpecError(f"{_shown(path)} is empty; a suite begins with `schema_version: 1`")
    if not isinstance(node, yaml.MappingNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a text"
        raise SpecError(f"{_shown(path)}:{_line(node)}: found {kind}; a suite is a mapping with a key `rows`")
    return node, data


def _yaml_advice(error: yaml.MarkedYAMLError) -> str:
    advice = {
        "cannot start any token": "; indent with spaces, and quote text that begins with a special character",
        "mapping values are not allowed": "; quote text that contains a colon and a space",
    }
    return next((words for part, words in advice.items() if part in (error.problem or "")), "")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(path: Path) -> str:
    """Return a path as short as it can be from here."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


# Saying what is wrong, and where


def _spec_error(path: Path, root: yaml.Node, problems: Iterable[tuple[Location, str]]) -> SpecError:
    located = sorted((_find(root, location), message) for location, message in problems)
    lines = [f"{_shown(path)}:{line}: {field}: {message}" for (line, field), message in located[:_SHOWN_AT_ONCE]]
    if len(located) > _SHOWN_AT_ONCE:
        lines.append(f"and {len(located) - _SHOWN_AT_ONCE} more")
    return SpecError("\n".join(lines))


def _find(root: yaml.Node, location: Location) -> tuple[int, str]:
    """Return the line of a location and its name; parts of it that are not in the file lead to what surrounds them."""
    node, line, name = root, _line(root), ""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = _line(node)
            name += f"[{part}]"
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    node, line = value, _line(key)
                    name += f".{part}" if str(part).isprintable() else f".{part!r}"
                    break
    return line, name.lstrip(".") or "the suite"


_LOOKS = {
    "id": "hrnet-w32-256x192: small letters and digits, joined by hyphens",
    "name": "coco: small letters and digits, joined by hyphens",
    "[key]": "val: small letters and digits, joined by hyphens",
    "input_size": "256x192: height x width",
    "sha256": "81c58e40: eight or more hexadecimal digits, in quotes",
    "url": "https://host/path/file.pth",
}


def _describe(error: ErrorDetails) -> tuple[Location, str]:
    """Put pydantic's error into the words of the file."""
    location, context, found = error["loc"], error.get("ctx", {}), error["input"]
    match error["type"]:
        case "extra_forbidden":
            allowed = list(_model_at(location[:-1]).model_fields)
            return location, f"unknown key{_did_you_mean(str(location[-1]), allowed)}; allowed: {', '.join(allowed)}"
        case "missing":
            return location[:-1], f"the key {location[-1]!r} is missing"
        case "literal_error":
            allowed = [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")]
            return location, f"found {_brief(found)}{_did_you_mean(str(found), allowed)}; allowed: {', '.join(allowed)}"
        case "string_type" if isinstance(found, int | float):
            return location, f"found {found!r}, a number; it must be text: put it in quotes"
        case "float_type" | "int_type" if isinstance(found, str):
            return location, f"found {found!r}, a text; it must be a number, without quotes"
        case "string_pattern_mismatch":
            return location, f"found {found!r}; it must look like {_LOOKS[str(location[-1])]}"
        case "model_type" | "dict_type":
            return location, f"found {_brief(found)}; it must be a mapping"
        case "too_short":
            return location, "it must not be empty"
        case "value_error":
            return location, str(context["error"])
        case _:
            return location, f"found {_brief(found)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _did_you_mean(found: str, allowed: Iterable[str]) -> str:
    close = difflib.get_close_matches(found, list(allowed), n=3)
    return f" (did you mean {' or '.join(close)}?)" if close else ""


def _model_at(location: Location) -> type[schema.Part]:
    """Return the model of the mapping at a location of a suite."""
    match location:
        case ():
            return schema.Suite
        case ("dataset",):
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


# What a schema of one field at a time cannot see


def _inconsistencies(suite: Suite) -> Iterator[tuple[Location, str]]:
    seen: dict[str, int] = {}
    metrics = list(suite.metrics)
    for index, row in enumerate(suite.rows):
        here: Location = ("rows", index)
        if row.id in seen:
            yield (*here, "id"), f"{row.id!r} is already the id of rows[{seen[row.id]}]"
        seen.setdefault(row.id, index)
        if row.boxes == "detector" and suite.dataset.boxes is None:
            yield (*here, "boxes"), "detector boxes need the key 'boxes' of the dataset"
        stated = [((*here, "published"), row.published)]
        stated += [((*here, "runs", name, "published"), run.published) for name, run in row.runs.items()]
        for place, published in stated:
            for source, values in published.items():
                for metric in values.keys() - suite.metrics.keys():
                    close = _did_you_mean(metric, metrics)
                    yield (*place, source, metric), f"unknown metric{close}; this suite's: {', '.join(metrics)}"
        for metric in row.unconfirmed.keys() - row.published.get("table", {}).keys():
            yield (*here, "unconfirmed", metric), "the row's table has no such metric"
        for name, run in row.runs.items():
            if run.annotations is None and suite.dataset.annotations is None:
                yield (*here, "runs", name), "the key 'annotations' is missing, and the dataset has none either"
