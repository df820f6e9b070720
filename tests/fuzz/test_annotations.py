"""Annotation files of every data set: people, ground truth, and the report of `harness check --data`."""

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest

from harness.assets.dataset import data_file
from harness.datasets.inspect.people import Rules
from harness.datasets.inspection import DataFiles, inspect_data
from harness.datasets.people import check_images, load_people
from harness.errors import ObtainError
from harness.metrics.diagnosis.diagnose import diagnose
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.nme import NmeScoring
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.pckh import PckhScoring
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.metrics.match import evaluate, match
from harness.predictions import Predictions
from harness.protocol import Boxes, Compute, Crop, Decoder, Flip, Protocol, Scoring
from harness.suites.schema import Counts

from . import seeds
from .fuzzing import TIMEOUT, Target, check_metrics, damage_array, damage_text, fuzz
from .readers import check_people

pytestmark = TIMEOUT


@dataclass(frozen=True)
class DataSet:
    """A data set and its settings."""

    name: str
    """MMPose's class."""
    keypoints: int
    metric: str
    files: tuple[str, ...] = ("annotations.json",)

    @property
    def sigmas(self) -> tuple[float, ...]:
        return (0.05,) * self.keypoints

    def scoring(self, folder: Path) -> Scoring:
        match self.metric:
            case "pckh":
                return PckhScoring(headboxes=data_file(folder, "gt.mat", ""))
            case "jhmdb-pck":
                return JhmdbScoring(threshold=0.2)
            case "nme":
                return NmeScoring(norm="bbox_size")
            case "posetrack-ap":
                return PoseTrackScoring(sigmas=self.sigmas, sequences=data_file(folder, "val", ""))
            case other:
                area = "annotation" if other == "oks" else "box"
                return OksScoring(sigmas=self.sigmas, area=area, crowd=other == "crowd")  # type: ignore[arg-type]

    def protocol(self, folder: Path) -> Protocol:
        return Protocol(
            dataset=self.name,
            annotations=data_file(folder, "annotations.json", ""),
            num_keypoints=self.keypoints,
            flip_indices=tuple(range(self.keypoints)),
            boxes=Boxes(source="ground-truth"),
            limit=None,
            crop=Crop(input_size=(12, 16), padding=1.25, affine="udp"),
            flip=Flip(enabled=True, shift=False),
            decoder=Decoder(codec="udp", heatmap_size=(3, 4), blur_kernel_size=3),
            scoring=self.scoring(folder),
            compute=Compute(engine="shared", batch_size=1, device="cpu"),
        )

    def predictions(self) -> Predictions:
        ids, images = ([0, 1], [1, 2]) if self.metric == "pckh" else ([10, 11], [7, 6])
        return seeds.predictions(np.array(ids), np.array(images), self.keypoints)

    def write(self, folder: Path) -> None:
        if self.metric == "pckh":
            seeds.write_json(folder / "annotations.json", seeds.mpii())
            seeds.write_array(folder / "gt.mat", seeds.headboxes(), "headboxes_src")
        else:
            document = seeds.annotations(self.keypoints)
            if self.metric == "nme":
                for face in document["annotations"]:
                    face |= {"center": [30.0, 24.5], "scale": 0.25, "box_size": 50.0}
            seeds.write_json(folder / "annotations.json", document)
        if self.metric == "posetrack-ap":
            seeds.write_json(folder / "val" / "1.json", seeds.sequence(6, scored=False))
            seeds.write_json(folder / "val" / "2.json", seeds.sequence(8, scored=False))

    def people(self, folder: Path) -> None:
        people = load_people(self.name, folder / "annotations.json", folder / "images", None, None)
        check_people(people)
        with pytest.raises(ObtainError, match="images are missing"):
            check_images(people.images)

    def score(self, folder: Path) -> None:
        check_metrics(evaluate(self.predictions(), self.protocol(folder), folder))

    def diagnose(self, folder: Path) -> None:
        diagnosis = diagnose(
            match(self.predictions(), self.protocol(folder), folder),
            self.protocol(folder),
            folder,
            ["x"] * self.keypoints,
        )
        json.dumps(diagnosis.model_dump(mode="json"), allow_nan=False)  # as when it is saved

    def inspect(self, folder: Path) -> None:
        rules = Rules(self.keypoints, self.metric == "oks", self.metric == "crowd", self.metric == "jhmdb-pck")
        headboxes = "gt.mat" if self.metric == "pckh" else None
        sequences = "val" if self.metric == "posetrack-ap" else None
        files = DataFiles(self.name, "annotations.json", "images", (), True, rules, headboxes, sequences)
        inspection = inspect_data(files, folder, Counts())
        assert inspection.there
        assert all(str(problem) for problem in inspection.problems)


DATA_SETS = [
    DataSet("CocoDataset", 17, "oks"),
    DataSet("CrowdPoseDataset", 14, "crowd"),
    DataSet("AicDataset", 14, "box"),
    DataSet("HumanArtDataset", 17, "oks"),
    DataSet("JhmdbDataset", 15, "jhmdb-pck"),
    DataSet("MpiiDataset", 16, "pckh", ("annotations.json", "gt.mat")),
    DataSet("AFLWDataset", 19, "nme"),
    DataSet("PoseTrack18Dataset", 17, "posetrack-ap", ("annotations.json", "val/1.json", "val/2.json")),
]


def damage(choose: Random, path: Path, whole: bytes) -> None:
    if path.suffix != ".mat":
        damage_text(choose, path, whole)
    else:
        damage_array(choose, path, seeds.headboxes(), "headboxes_src")


@pytest.mark.parametrize("data_set", DATA_SETS, ids=lambda data_set: data_set.name)
def test_annotations(data_set: DataSet, tmp_path: Path) -> None:
    read = [data_set.people, data_set.score, data_set.inspect]
    if data_set.name not in ("CrowdPoseDataset", "AicDataset", "HumanArtDataset"):  # diagnosed like COCO
        read.append(data_set.diagnose)
    fuzz(Target(data_set.write, tuple(read), data_set.files, damage), tmp_path)
