"""Box files of detectors."""

from pathlib import Path

import numpy as np
import pytest

from harness.datasets.inspect.people import Rules
from harness.datasets.inspection import DataFiles, inspect_data
from harness.datasets.people import load_people
from harness.metrics.box_ap import person_ap
from harness.suites.schema import Counts

from . import seeds
from .fuzzing import TIMEOUT, Target, damage_text, fuzz
from .readers import check_people

pytestmark = TIMEOUT


def write(folder: Path) -> None:
    seeds.write_json(folder / "annotations.json", seeds.annotations(17))
    seeds.write_json(folder / "boxes.json", seeds.detections())


def people(folder: Path, threshold: float | None) -> None:
    found = load_people("CocoDataset", folder / "annotations.json", folder / "images", folder / "boxes.json", threshold)
    check_people(found)
    assert (found.scores >= (threshold or -np.inf)).all()
    assert set(found.image_ids.tolist()) <= {6, 7}


def ap(folder: Path) -> None:
    found = person_ap(folder / "boxes.json", folder / "annotations.json")
    values = (found.ap, found.ap50, found.ap75, found.ap_of_corners)
    assert all(value is None or 0 <= value <= 1 for value in values)


def inspect(folder: Path) -> None:
    files = DataFiles(
        "CocoDataset", "annotations.json", "images", (("boxes.json", 0.2),), False, Rules(17, True, False, False)
    )
    inspection = inspect_data(files, folder, Counts())
    assert inspection.there
    assert all(str(problem) for problem in inspection.problems)


@pytest.mark.parametrize("threshold", [None, 0.2])
def test_box_files(tmp_path: Path, threshold: float | None) -> None:
    read = (lambda folder: people(folder, threshold), ap, inspect)
    fuzz(Target(write, read, ("boxes.json",), damage_text), tmp_path)
