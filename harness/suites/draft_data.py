"""Finds the data of a metafile's result for a draft: the data set, the file of a subset, another config's data.

A metafile has only the name of a data set, and a config has only files. The project's suites have both, and provide the
files of a result on another data set than its config's.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from harness.errors import SpecError
from harness.suites.configs import annotation_file, config_path, in_data, normal, read_config
from harness.suites.data_paths import in_data_folder
from harness.suites.ledger import image_folder, protocol_without_files
from harness.suites.load import load_suite, published_suites
from harness.suites.metafile import MetafileModel
from harness.suites.schema import Dataset, Suite

UNKNOWN_FOLDER = "to-be-completed"
"""Under the data folder, for files that neither metafile nor config name."""


class EvaluatedData:
    """Finds the data of results.

    Args:
        remarks: Remarks about values that the user must complete are appended to it.
    """

    def __init__(self, remarks: list[str]) -> None:
        self.remarks = remarks

    def dataset(self, model: MetafileModel, config: Config, name: str) -> dict[str, Any]:
        """Return the data set of a result: the one of that name in the project's suites, or the config's."""
        tested = config.test_dataloader.dataset
        annotations = in_data_folder(annotation_file(tested) or "")
        of_config = [one for known in self._known.values() for one in known if one.annotations == annotations]
        of_name = self._known.get(name, [])
        box_file = normal(tested.get("bbox_file"))
        for one in of_config:
            if one in of_name:
                found = one.model_dump(exclude_defaults=True, exclude_none=True)
                return found | ({"boxes": in_data_folder(box_file)} if box_file and "boxes" not in found else {})
        if of_config and of_name:  # a result on another data set than the config's
            return of_name[0].model_dump(exclude_defaults=True, exclude_none=True)
        dataset = {
            "name": name,
            "num_keypoints": config.model.head.get("out_channels") or 1,
            "annotations": annotations,
            "images": image_folder(config),
        }
        if box_file:
            dataset["boxes"] = in_data_folder(box_file)
        try:
            protocol = protocol_without_files(config)
            dataset["num_keypoints"] = protocol.num_keypoints
            if extra := {field: file.path for field, file in protocol.scoring.files.items()}:
                dataset["extra"] = extra
        except SpecError as error:
            self.remarks.append(f"{model.name}: its config cannot be evaluated without changes: {error}")
        return dataset

    @cached_property
    def _suites(self) -> list[Suite]:
        return [load_suite(name) for name in published_suites()]

    @cached_property
    def _known(self) -> Mapping[str, list[Dataset]]:
        """The data sets of the project's suites by name."""
        known: dict[str, list[Dataset]] = defaultdict(list)
        for suite in self._suites:
            for dataset in (suite.dataset, *(row.dataset for row in suite.rows if row.dataset)):
                known[dataset.name].append(dataset)
        return known

    def subset(self, model: MetafileModel, config: Config, dataset: Mapping[str, Any], run: str) -> str:
        """Return the annotation file of a run that is a subset of the data set."""
        tested = in_data_folder(annotation_file(config.test_dataloader.dataset) or "")
        known = (
            other.runs[run].annotations
            for suite in self._suites
            for other in suite.rows
            if run in other.runs and suite.dataset_of(other).name == dataset["name"]
        )
        path = next(filter(None, known), tested if Path(tested).stem.endswith(run) else None)
        if path is None:
            self.remarks.append(f"{model.name}: runs.{run}: neither metafile nor config names its annotation file")
        return path or f"{UNKNOWN_FOLDER}/{run}.json"

    def evaluated_like(self, model: MetafileModel, config: Config, dataset: Mapping[str, Any], name: str) -> str | None:
        """Return the config of a row of the project's suites that evaluates a result's data set with equal crops.

        Returns:
            None if the model's own config evaluates it, or if no such config exists.
        """
        tested = config.test_dataloader.dataset
        if annotation_file(tested) == in_data(dataset["annotations"]):
            return None
        for suite in self._suites:
            for row in suite.rows:
                for run in row.runs.values() if row.evaluated_like is None else ():
                    if suite.annotations(row, run) == dataset["annotations"]:
                        other = read_config(config_path(suite, run)).test_dataloader.dataset
                        if other.pipeline == tested.pipeline:
                            return run.config
        self.remarks.append(
            f"{model.name}: evaluated_like: its config does not evaluate {name}; name a config that does, with equal "
            "crops"
        )
        return None


def boxes_overrides(config: Config, boxes: str, reason: str) -> list[dict[str, Any]]:
    """Return the overrides of a config's data set that a result on ground-truth boxes needs."""
    tested = config.test_dataloader.dataset
    changed = [field for field in ("bbox_file", "filter_cfg") if boxes == "ground-truth" and tested.get(field)]
    return [{"field": field, "value": None, "reason": reason} for field in changed]
