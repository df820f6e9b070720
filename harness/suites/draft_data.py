"""Finds the data of a metafile's result for a draft: the data set, the file of a subset, another config's data.

A metafile has only the name of a data set, and a config has only files. The project's suites have both, and provide the
files of a result on another data set than its config's.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from harness.errors import SpecError
from harness.suites.configs import annotation_file, config_path, configs_folder, normal, read_config
from harness.suites.data_paths import with_data_root, without_data_root
from harness.suites.ledger import image_folder, protocol_without_files
from harness.suites.load import load_suite, published_suites
from harness.suites.metafile import MetafileModel
from harness.suites.schema import Dataset, Suite

UNKNOWN_FOLDER = "to-be-completed"
"""Under the data folder, for files that neither metafile nor config name."""
UNKNOWN_HASH = "00000000"
"""The sha256 of weights whose address has no hash in its name."""


class EvaluatedData:
    """Finds the data of results.

    Args:
        remarks: Remarks about values that the user must complete are appended to it.
    """

    def __init__(self, remarks: list[str]) -> None:
        self.remarks = remarks

    def dataset(self, model: MetafileModel, config: Config, name: str, boxes: str) -> dict[str, Any]:
        """Return the data set of a result: the one of that name in the project's suites, or the config's.

        Args:
            model: The model.
            config: Its config, whose box file the data set has.
            name: The name of the data set.
            boxes: The boxes of the result: detector or ground-truth.
        """
        tested = config.test_dataloader.dataset
        annotations = without_data_root(annotation_file(tested) or "")
        of_config = [one for known in self._known.values() for one in known if one.annotations == annotations]
        of_name = self._known.get(name, [])
        stated = normal(tested.get("bbox_file"))
        box_file = without_data_root(stated) if stated else None
        if alike := [one for one in of_config if one in of_name]:
            return self._with_boxes(model, alike, box_file, boxes)
        if of_config and of_name:  # a result on another data set than the config's
            return of_name[0].model_dump(exclude_defaults=True, exclude_none=True)
        dataset = {
            "name": name,
            "num_keypoints": config.model.head.get("out_channels") or 1,
            "annotations": annotations,
            "images": image_folder(config),
        }
        if box_file:
            dataset["boxes"] = box_file
        try:
            protocol = protocol_without_files(config)
            dataset["num_keypoints"] = protocol.num_keypoints
            if extra := {field: file.path for field, file in protocol.scoring.files.items()}:
                dataset["extra"] = extra
        except SpecError as error:
            self.remarks.append(f"{model.name}: its config cannot be evaluated without changes: {error}")
        return dataset

    def _with_boxes(
        self, model: MetafileModel, known: Sequence[Dataset], box_file: str | None, boxes: str
    ) -> dict[str, Any]:
        """Return a known data set with a config's box file; facts about another box file are left out."""
        same = next((one for one in known if one.boxes == box_file), known[0])
        found = same.model_dump(exclude_defaults=True, exclude_none=True)
        if same.boxes != box_file and (box_file or boxes == "ground-truth"):
            found.pop("box_person_ap", None)
            found.get("counts", {}).pop("boxes", None)
            if not found.get("counts", True):
                del found["counts"]
            if box_file:
                found["boxes"] = box_file
                self._remark(f"dataset.box_person_ap: the person AP of the box file {box_file} is not known")
            else:
                found.pop("boxes", None)
        if model.config.is_relative_to(configs_folder()):
            return found
        if boxes == "detector" and not box_file:
            self._remark(f"dataset.boxes: the config names no box file; {same.boxes} is the one of published results")
        if published := [key for key in ("counts", "box_person_ap") if key in found]:
            self._remark(
                f"dataset.{' and dataset.'.join(published)}: the values of the published files; correct or remove them "
                f"if your {found.get('annotations', 'annotation file')} is another file"
            )
        return found

    def _remark(self, text: str) -> None:
        """Add a remark about a data set, which several models share."""
        if text not in self.remarks:
            self.remarks.append(text)

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
        tested = without_data_root(annotation_file(config.test_dataloader.dataset) or "")
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
        if annotation_file(tested) == with_data_root(dataset["annotations"]):
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
