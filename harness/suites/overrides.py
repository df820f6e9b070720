"""Applies a row's overrides to its config."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config

from harness.errors import SpecError, brief
from harness.suites.schema import Override


def evaluated_datasets(config: Config) -> dict[str, Any]:
    """Return the data sets of the validation and the test loader, by the loader's name; they are separate objects."""
    return {loader: config[loader].dataset for loader in ("val_dataloader", "test_dataloader")}


def override(config: Config, overrides: list[Override]) -> None:
    """Apply a row's overrides to a config, in place: to both loaders, to both evaluators, to the model.

    Raises:
        SpecError: The config lacks a field on the path of an override, or an override would remove an entry of a list.
    """
    for change in overrides:
        for place, key in _places(config, change):
            if change.value is not None:
                place[key] = copy.deepcopy(change.value)
            elif isinstance(place, list):
                raise _lost(config, change, f"an entry of a list, {key}, cannot be removed")
            else:
                place.pop(key, None)


def stated(overrides: list[Override]) -> tuple[str, ...] | None:
    """Return overrides in the protocol's form, `field = value` in JSON; None if there are none."""
    lines = tuple(f"{change.field} = {json.dumps(change.value, ensure_ascii=False)}" for change in overrides)
    return lines or None


def changes_nothing(config: Config, change: Override) -> bool:
    """Return whether a config already has the value of an override in all places.

    Raises:
        SpecError: As in `override`.
    """
    return all(_value(place, key) == change.value for place, key in _places(config, change))


def _value(place: Any, key: Any) -> Any:
    return place[key] if isinstance(place, list) else place.get(key)


def _places(config: Config, change: Override) -> Iterator[tuple[Any, Any]]:
    """Yield the dicts and lists that an override changes, each with the changed key or index."""
    if change.of_data:
        yield from ((dataset, change.field) for dataset in evaluated_datasets(config).values())
        return
    first, *path = change.field.split(".")
    if not path:
        yield config, first
        return
    yield _walk(config, change, config.get(first), path)
    validation = first.replace("test_", "val_")
    # An evaluator or a pool of data sets of validation that has other classes than the test's may lack the field.
    if validation != first and _classes(config.get(validation)) == _classes(config.get(first)):
        yield _walk(config, change, config.get(validation), path)


def _classes(config: Any) -> list[Any]:
    """Return the classes of an evaluator, of several, or of the data sets of a loader's pool."""
    if isinstance(config, dict) and "dataset" in config:
        config = config["dataset"].get("datasets")
    listed = config if isinstance(config, list) else [config]
    return [one.get("type") if isinstance(one, dict) else None for one in listed]


def _walk(config: Config, change: Override, place: Any, path: list[str]) -> tuple[Any, Any]:
    for number, name in enumerate(path):
        key: Any = int(name) if isinstance(place, list) and name.isdecimal() else name
        if not isinstance(place, dict) and not (isinstance(place, list) and key in range(len(place))):
            raise _lost(config, change, f"{brief(place)} has no entry {name}")
        if number == len(path) - 1:
            return place, key
        place = _value(place, key)
    raise AssertionError("a path has a name")


def _lost(config: Config, change: Override, problem: str) -> SpecError:
    return SpecError(
        f"the row's override of {change.field} does not match config {config.filename}: {problem}",
        "name an existing field of the config, or a new field beside an existing one",
    )
