"""Drafts a suite from a metafile in MMPose's format: rows, claims, weights and evaluated data sets.

A draft has the information of the metafile and the configs. For missing information it has remarks, which name the
fields that the user must complete.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from mmengine.config import Config

from harness.errors import MALFORMED, SpecError
from harness.files import sha256_file
from harness.measures import is_measured, measure_names, measure_of
from harness.suites.configs import configs_folder, read_config
from harness.suites.draft_data import UNKNOWN_FOLDER, UNKNOWN_HASH, EvaluatedData, boxes_overrides
from harness.suites.ledger import evaluating_family, protocol_without_files
from harness.suites.metafile import MetafileModel, MetafileResult, read_metafile
from harness.suites.schema import named_hash

_GROUND_TRUTH = "(GT)"


@dataclass(frozen=True)
class Draft:
    """A drafted suite: the content of its file, with claims as `Decimal` to keep the printed digits."""

    suite: dict[str, Any]
    remarks: list[str]
    """Fields that the user must complete or check, one sentence each."""
    left_out: list[str]
    """Models without a row, each with the reason."""


@dataclass(frozen=True)
class _Value:
    """A printed value."""

    metric: str
    key: str
    """The metric's key in the metafile."""
    value: Decimal
    run: str | None
    """The run of the value, if the key names one."""


def draft_suite(metafile: Path, folder: Path) -> Draft:
    """Return a draft of a suite from a metafile.

    Args:
        metafile: The file.
        folder: The folder of the suite's future file; paths of the user's own configs and weights are relative to it.

    Raises:
        SpecError: The metafile cannot be read, or none of its models can be drafted.
    """
    drafting = _Drafting(metafile, folder)
    rows = [row for model in read_metafile(metafile) for row in drafting.rows(model)]
    if not rows:
        raise SpecError(f"metafile {metafile}: no model can be drafted", "\n  ".join(drafting.left_out) or None)
    return Draft(_suite(metafile, rows, drafting), drafting.remarks, drafting.left_out)


def _suite(metafile: Path, rows: list[dict[str, Any]], drafting: "_Drafting") -> dict[str, Any]:
    """Return the suite; its data set is the one that most rows are evaluated on."""
    counts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        counts[str(row["dataset"])].append(row)
    usual = max(counts.values(), key=len)[0]["dataset"]
    _name_apart(rows)
    for row in rows:
        if row["dataset"] == usual:
            del row["dataset"]
    return {
        "schema_version": 1,
        "name": _slug(metafile.stem),
        "title": f"Results on {usual['name']}",
        "dataset": usual,
        "metrics": _metrics(drafting.values),
        "rows": rows,
    }


def _metrics(values: Sequence[_Value]) -> dict[str, Any]:
    """Return label, unit and decimals of each metric; the unit is percent if a fraction is printed as more than 1."""
    metrics: dict[str, Any] = {}
    order = measure_names()
    found = dict.fromkeys(value.metric for value in values)
    for name in sorted(found, key=lambda name: order.index(name) if name in order else len(order)):
        printed = [value for value in values if value.metric == name]
        unit: str = measure_of(name).unit
        if unit == "fraction" and any(value.value > 1 for value in printed):
            unit = "percent"
        decimals = max(-int(value.value.as_tuple().exponent) for value in printed)
        key = printed[0].key if printed[0].run is None else name
        metrics[name] = {"label": key, "unit": unit, "decimals": min(max(decimals, 0), 6)}
    return metrics


class _Drafting:
    """Drafts the rows of models, and collects their values, the remarks and the models left out."""

    def __init__(self, metafile: Path, folder: Path) -> None:
        self.metafile = metafile
        self.folder = folder
        self.values: list[_Value] = []
        self.remarks: list[str] = []
        self.left_out: list[str] = []
        self.data = EvaluatedData(self.remarks)

    def rows(self, model: MetafileModel) -> Iterator[dict[str, Any]]:
        """Yield one row for each data set and kind of boxes with results of a model in the metafile."""
        try:
            if not model.config.is_file():
                raise SpecError(
                    f"there is no config {model.stated_config} in {self.metafile.parent}, in the folders above it or "
                    f"in MMPose's {configs_folder()}; correct the key Config"
                )
            config = read_config(model.config)
            size = config.model.head.decoder.input_size
            by_dataset: dict[str, list[MetafileResult]] = defaultdict(list)
            for result in model.results:
                by_dataset[result.dataset].append(result)
            for name, results in by_dataset.items():
                yield from self._rows_on(model, config, (int(size[0]), int(size[1])), name, results)
        except (SpecError, *MALFORMED) as error:
            reason = " ".join(str(error.args[0] if error.args else error).split())
            self.left_out.append(f"{model.name} is left out: {reason}")

    def _rows_on(
        self, model: MetafileModel, config: Config, size: tuple[int, int], name: str, results: list[MetafileResult]
    ) -> Iterator[dict[str, Any]]:
        family = evaluating_family(config)
        variants = family.metafile_names if family else ({},)
        if len(results) == len(variants):  # such as one result for each norm
            pairs = list(zip(results, variants, strict=True))
            yield self._row(model, config, size, name, _boxes(name, config), pairs)
            return
        # Where MMPose states several results, the first is on ground-truth boxes (posetrack18/*.yml).
        kinds = ["ground-truth", "detector"] if len(results) == 2 else [_boxes(name, config)]
        if len(results) > len(kinds):
            self.remarks.append(f"{model.name}: of its {len(results)} results on {name}, only the first is drafted")
        for result, boxes in zip(results, kinds, strict=False):
            yield self._row(model, config, size, name, boxes, [(result, variants[0])])

    def _row(
        self,
        model: MetafileModel,
        config: Config,
        size: tuple[int, int],
        name: str,
        boxes: str,
        results: list[tuple[MetafileResult, Mapping[str, str]]],
    ) -> dict[str, Any]:
        dataset = self.data.dataset(model, config, name.removesuffix(_GROUND_TRUTH), boxes)
        values = [value for result, names in results for value in self._values(model, config, result, names)]
        if len({value.run for value in values}) == 1:  # one subset is the data set
            values = [replace(value, run=None) for value in values]
        self.values += values
        checkpoint = self._checkpoint(model)
        runs: dict[str, Any] = {}
        for run in dict.fromkeys(value.run or "val" for value in values) or ["val"]:
            runs[run] = {"config": self._relative(model.config), "checkpoint": checkpoint}
            if "://" in model.weights and checkpoint["url"] != model.weights:
                runs[run]["metafile_weights"] = model.weights
        subsets = list(runs) != ["val"]
        if subsets:
            for run, stated in runs.items():
                stated["annotations"] = self.data.subset(model, config, dataset, run)
                stated["published"] = {"metafile": {one.metric: one.value for one in values if one.run == run}}
                stated["metafile_keys"] = {one.metric: one.key for one in values if one.run == run}
        own = {value.metric: value.value for value in values if value.run is None}
        row: dict[str, Any] = {
            "id": _slug(re.sub(r"^td-hm_|[-_]\d+xb\d+(-\d+e)?", "", model.name)),
            "label": model.name,
            "input_size": f"{size[1]}x{size[0]}",
            "boxes": boxes,
            "dataset": dataset,
        }
        if own:
            row["published"] = {"metafile": own}
        if subsets:
            row["runs_are"] = "subsets"
        row["runs"] = runs
        evaluated, like = config, self.data.evaluated_like(model, config, dataset, name)
        if like is not None:
            row["evaluated_like"] = like
            evaluated = read_config(configs_folder() / like)
        if overrides := boxes_overrides(evaluated, boxes, f"the metafile states this result on {name}"):
            row["overrides"] = overrides
        if boxes == "detector" and not dataset.get("boxes"):
            dataset["boxes"] = f"{UNKNOWN_FOLDER}/boxes.json"
            self.remarks.append(f"{model.name}: dataset.boxes: neither metafile nor config names the box file")
        return row

    def _values(
        self, model: MetafileModel, config: Config, result: MetafileResult, names: Mapping[str, str]
    ) -> Iterator[_Value]:
        for key, printed in result.metrics.items():
            metric, run = _metric(key, names, config)
            try:
                value = Decimal(printed)
            except InvalidOperation:
                metric, value = None, Decimal(0)
            if metric is None or not value.is_finite():
                self.remarks.append(
                    f"{model.name}: {key} {printed} on {result.dataset} is left out: it is not a number, or not of a "
                    "known metric"
                )
            else:
                yield _Value(metric, key, value, run)

    def _checkpoint(self, model: MetafileModel) -> dict[str, Any]:
        url = model.weights.strip("()<> ")  # parts of a Markdown link
        if "://" not in url:
            found = model.config.parent / url
            if url and found.is_file():
                return {"url": self._relative(found), "sha256": sha256_file(found)[:16]}
            url = url or f"{UNKNOWN_FOLDER}.pth"
        named = named_hash(url)
        if not named:
            self.remarks.append(f"{model.name}: checkpoint.sha256: the address has no hash in its name: {url}")
        return {"url": url, "sha256": named or UNKNOWN_HASH}

    def _relative(self, path: Path) -> str:
        """Return the path of a file in a suite: relative to MMPose's configs folder, or to the suite's own folder."""
        if path.is_relative_to(configs_folder()):
            return path.relative_to(configs_folder()).as_posix()
        return Path(os.path.relpath(path, self.folder.resolve())).as_posix()


def _boxes(name: str, config: Config) -> str:
    detected = config.test_dataloader.dataset.get("bbox_file") and not name.endswith(_GROUND_TRUTH)
    return "detector" if detected else "ground-truth"


def _metric(key: str, names: Mapping[str, str], config: Config) -> tuple[str | None, str | None]:
    """Return the harness's name of a metafile's key, None if it is not a metric; and the run that the key names."""
    for name in (names.get(key, ""), key, key.replace(" ", ""), _upstream_name(key, config)):
        if is_measured(name):
            return name, None
    first, _, rest = key.partition(" ")
    return (first, _slug(rest)) if rest and is_measured(first) else (None, None)


def _upstream_name(key: str, config: Config) -> str:
    """Return the harness's name of a metric of MMPose's evaluator, such as PCK, whose threshold is in the config."""
    try:
        name: str = evaluating_family(config).our_name(key, protocol_without_files(config).scoring)
    except (SpecError, *MALFORMED):  # an unsupported config, or another metric
        return ""
    return name


def _name_apart(rows: list[dict[str, Any]]) -> None:
    """Make the ids of rows unique: by data set and boxes if a model has several results, otherwise by numbers."""
    models: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        models[row["id"]].append(row)
    for alike in models.values():
        endings = {
            "dataset": [f"-on-{_slug(row['dataset']['name'])}" for row in alike],
            "boxes": [{"detector": "-det", "ground-truth": "-gt"}[row["boxes"]] for row in alike],
        }
        for index, row in enumerate(alike):
            row["id"] += "".join(ending[index] for ending in endings.values() if len(set(ending)) > 1)
    seen: set[str] = set()
    for row in rows:
        numbered = (f"{row['id']}-{number}" for number in range(2, len(rows) + 2))
        row["id"] = row["id"] if row["id"] not in seen else next(name for name in numbered if name not in seen)
        seen.add(row["id"])


def _slug(text: str) -> str:
    """Return a text as an id: lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:90].strip("-") or "model"
