"""Reads YAML files; errors name the file, the line and the field."""

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.errors import MALFORMED, SpecError, brief

_Model = TypeVar("_Model", bound=BaseModel)

_SHOWN_AT_ONCE = 20
_LISTED = 20
"""Largest number of allowed values that a message lists."""
_DEEPEST = 50
"""Largest depth of nested lists and mappings."""
_LARGEST = 1_000_000
"""Largest number of values in a file."""

Location = tuple[str | int, ...]
"""Keys and indices that lead to a value of a file."""


class _UniqueKeyLoader(yaml.CSafeLoader):
    """A safe loader that refuses repeated keys, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; raises an error for repeated keys."""
        first_lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
            if key.value in first_lines:
                problem = f"the key {key.value!r} is given twice, first in line {first_lines[key.value]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            first_lines[key.value] = _line(key)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Return a value; raises an error with the line for an invalid one, such as the date 2001-99-99."""
        try:
            return super().construct_object(node, deep)
        except MALFORMED as error:
            problem = f"this is not a valid {node.tag.rpartition(':')[2]}: {error}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


def load_model(
    path: Path,
    model: type[_Model],
    model_at: Callable[[Location], type[BaseModel]],
    inconsistencies: Callable[[_Model], Iterable[tuple[Location, str]]],
) -> _Model:
    """Return the content of a YAML file as a model.

    Args:
        path: The file.
        model: The model of the whole file.
        model_at: Returns the model of the mapping at a location, which has the allowed keys.
        inconsistencies: Returns problems that the model does not check, each with its location.

    Raises:
        SpecError: The file is missing or not valid; the message names the line and the field of each problem.
    """
    node, data = _read(path)
    try:
        loaded = model.model_validate(data)
    except ValidationError as error:
        problems = [_describe(details, model_at) for details in error.errors(include_url=False)]
        raise _spec_error(path, node, problems) from None
    if problems := list(inconsistencies(loaded)):
        raise _spec_error(path, node, problems)
    return loaded


def _read(path: Path) -> tuple[yaml.Node, Any]:
    """Return a YAML file as nodes, which have their line numbers, and as values.

    Raises:
        SpecError: The file is missing or unreadable, is not YAML, or is not a mapping.
    """
    if path.is_dir():
        raise SpecError(f"{_shown(path)} is a folder; a suite is a YAML file")
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"there is no suite file {_shown(path)}", "harness list shows the suites") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{_shown(path)} cannot be read: {error}") from error
    try:
        _check_nesting(text)
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


def _check_nesting(text: str) -> None:
    """Check that nesting and aliases cannot make the loader recurse without end or create too many values.

    Raises:
        yaml.MarkedYAMLError: They would; names the line.
    """
    sizes: dict[str | None, int] = {}  # number of values of each anchor, with all aliases expanded
    open_: list[tuple[str | None, int]] = []
    size = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        problem = None
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, size))
            if len(open_) > _DEEPEST:
                problem = f"nested more than {_DEEPEST} deep"
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = size - before
        elif isinstance(event, yaml.AliasEvent):
            size += sizes.get(event.anchor, 0)
            if any(anchor == event.anchor for anchor, _ in open_):
                problem = f"the alias {event.anchor!r} is inside its own anchor"
        size += isinstance(event, yaml.NodeEvent)
        if size > _LARGEST:
            problem = f"more than {_LARGEST} values, with all aliases expanded"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]


def _yaml_advice(error: yaml.MarkedYAMLError) -> str:
    advice = {
        "cannot start any token": "; indent with spaces, and quote text that begins with a special character",
        "mapping values are not allowed": "; quote text that contains a colon and a space",
    }
    return next((words for part, words in advice.items() if part in (error.problem or "")), "")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _shown(path: Path) -> str:
    """Return a path relative to the current folder if it is below it, else the absolute path."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _spec_error(path: Path, root: yaml.Node, problems: Iterable[tuple[Location, str]]) -> SpecError:
    """Return an error that names the file, the line and the field of each problem."""
    located = sorted((_find(root, location), message) for location, message in problems)
    lines = [f"{_shown(path)}:{line}: {field}: {message}" for (line, field), message in located[:_SHOWN_AT_ONCE]]
    if len(located) > _SHOWN_AT_ONCE:
        lines.append(f"and {len(located) - _SHOWN_AT_ONCE} more")
    return SpecError("\n".join(lines))


def _find(root: yaml.Node, location: Location) -> tuple[int, str]:
    """Return the line and the name of a location; for a missing part, those of the surrounding value."""
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
                    plain = str(part).isprintable() and len(str(part)) <= 60
                    name += f".{part}" if plain else f".{brief(part)}"
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


def _describe(error: ErrorDetails, model_at: Callable[[Location], type[BaseModel]]) -> tuple[Location, str]:
    """Return the location and the message of one of pydantic's errors, in terms of the file."""
    location, context, found = error["loc"], error.get("ctx", {}), error["input"]
    match error["type"]:
        case "extra_forbidden":
            allowed = list(model_at(location[:-1]).model_fields)
            return location, f"unknown key{did_you_mean(str(location[-1]), allowed)}; allowed: {', '.join(allowed)}"
        case "missing":
            return location[:-1], f"the key {location[-1]!r} is missing"
        case "literal_error":
            allowed = [part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")]
            many = "`harness check --json-schema` lists the allowed values"
            listed = f"allowed: {', '.join(allowed)}" if len(allowed) <= _LISTED else many
            return location, f"found {brief(found)}{did_you_mean(str(found), allowed)}; {listed}"
        case "string_type" if isinstance(found, int | float):
            return location, f"found {brief(found)}, a number; it must be text: put it in quotes"
        case "float_type" | "int_type" if isinstance(found, str):
            return location, f"found {brief(found)}, a text; it must be a number, without quotes"
        case "string_pattern_mismatch":
            return location, f"found {brief(found)}; it must look like {_LOOKS[str(location[-1])]}"
        case "model_type" | "dict_type":
            return location, f"found {brief(found)}; it must be a mapping"
        case "too_short":
            return location, "it must not be empty"
        case "value_error":
            return location, str(context["error"])
        case _:
            return location, f"found {brief(found)}: {error['msg'][0].lower()}{error['msg'][1:]}"


def did_you_mean(found: str, allowed: Iterable[str]) -> str:
    """Return a question with the allowed names most similar to the one found, or "" if none is similar."""
    close = difflib.get_close_matches(found, list(allowed), n=3)
    return f" (did you mean {' or '.join(close)}?)" if close else ""
