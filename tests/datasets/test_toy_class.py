"""A data set class of another package consists of one file, which its entry point names."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.config import ConfigDict

from harness.datasets.inspect.people import Rules
from harness.datasets.inspection import DataFiles, inspect_data
from harness.datasets.lookup import file_names, videos
from harness.datasets.people import load_people
from harness.errors import ObtainError, SpecError
from harness.plugins import plugins
from harness.suites.metainfo import read_metainfo
from harness.suites.schema import Counts

CLASS = '''
import json

import numpy as np

from harness.datasets.inspect.images import ImageList
from harness.datasets.inspect.people import Annotated
from harness.datasets.inspect.problems import Problems
from harness.datasets.interface import DatasetClass
from harness.datasets.people import People
from harness.errors import ObtainError


class Toy(DatasetClass):
    """People in lines: image name, x1, y1, x2, y2."""

    def people(self, annotations, images, box_file, score_threshold):
        lines = self.lines(annotations)
        ids = [int(line[0].split(".")[0]) for line in lines]
        boxes = np.array([line[1:] for line in lines], np.float32) - 1
        files = {number: images / line[0] for number, line in zip(ids, lines)}
        return People.from_boxes(range(len(lines)), ids, boxes, np.ones(len(lines)), files)

    def file_names(self, annotations):
        return {int(line[0].split(".")[0]): line[0] for line in self.lines(annotations)}

    def inspect(self, data, files):
        lines = self.lines(data / files.annotations)
        names = tuple(dict.fromkeys(line[0] for line in lines))
        problems = Problems(files.annotations)
        flat = [n for n, line in enumerate(lines) if float(line[3]) <= float(line[1])]
        problems.add("error", "has no width", "correct it", field="x2", what="person", ids=flat)
        sizes, people = np.full((len(names), 2), np.nan), np.ones(len(names), bool)
        images = ImageList(tuple(range(len(names))), names, sizes, people)
        return Annotated(images, len(lines), len(lines), tuple(problems.found))

    def lines(self, annotations):
        found = [line.split() for line in annotations.read_text().splitlines()]
        if any(len(line) != 5 for line in found):
            raise ObtainError(f"{annotations}: a line is no image name and four numbers")
        return found


KEYPOINTS = {0: {"name": "left", "swap": "right"}, 1: {"name": "right", "swap": "left"}}
PLUGIN = Toy("ToyDataset", metainfo={"keypoint_info": KEYPOINTS, "sigmas": [0.5, 0.5]}, one_based=True)
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Install a package with one data set class; return a folder with annotations for it."""
    site = tmp_path / "site"
    (site / "toy-1.0.dist-info").mkdir(parents=True)
    (site / "toy-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (site / "toy-1.0.dist-info" / "entry_points.txt").write_text("[pose_harness.datasets]\ntoy = toy_dataset:PLUGIN\n")
    (site / "toy_dataset.py").write_text(CLASS)
    monkeypatch.syspath_prepend(site)
    plugins.cache_clear()
    data = tmp_path / "data"
    (data / "images").mkdir(parents=True)
    (data / "people.txt").write_text("7.jpg 1 1 31 61\n7.jpg 11 1 21 41\n9.jpg 1 1 11 11\n")
    yield data
    plugins.cache_clear()
    sys.modules.pop("toy_dataset", None)


def test_people_and_images(toy: Path) -> None:
    people = load_people("ToyDataset", toy / "people.txt", toy / "images", None, None)
    assert people.image_ids.tolist() == [7, 7, 9]
    assert people.boxes.tolist() == [[0, 0, 30, 60], [10, 0, 20, 40], [0, 0, 10, 10]]
    assert people.images == {7: toy / "images" / "7.jpg", 9: toy / "images" / "9.jpg"}
    assert file_names("ToyDataset", toy / "people.txt") == {7: "7.jpg", 9: "9.jpg"}
    assert videos("ToyDataset", toy / "people.txt") is None
    (toy / "people.txt").write_text("7.jpg 1 1 31 nan\n")
    with pytest.raises(ObtainError, match="a box has a coordinate that is not a finite number"):
        load_people("ToyDataset", toy / "people.txt", toy / "images", None, None)


def test_metainfo_of_its_own(toy: Path) -> None:
    found = read_metainfo(ConfigDict(type="ToyDataset"))
    assert (found.names, found.flip_indices, found.sigmas) == (("left", "right"), (1, 0), (0.5, 0.5))


def test_inspection(toy: Path) -> None:
    rules = Rules(num_keypoints=2, areas=False, crowd=False, one_based=True)
    files = DataFiles("ToyDataset", "people.txt", "images", (), ground_truth=True, rules=rules)
    (toy / "people.txt").write_text("7.jpg 1 1 31 61\n9.jpg 11 1 11 11\n")
    inspection = inspect_data(files, toy, Counts())
    assert (inspection.found.images, inspection.found.people, inspection.found.on_disk) == (2, 2, 0)
    assert [str(problem) for problem in inspection.problems] == [
        "people.txt: person 1: x2: has no width",
        "images: images 7.jpg, 9.jpg: missing, 2 of 2",
    ]
    (toy / "people.txt").write_text("7.jpg\n")
    (problem,) = inspect_data(files, toy, Counts()).problems
    assert problem.text == f"{toy / 'people.txt'}: a line is no image name and four numbers"


def test_a_class_that_no_package_adds() -> None:
    with pytest.raises(SpecError, match=r"ToyDataset is not supported; supported are .*AicDataset, .*CocoDataset"):
        load_people("ToyDataset", Path("people.txt"), Path(), None, None)


def test_the_datasets_package_needs_neither_torch_nor_mmpose() -> None:
    import subprocess

    code = (
        "import sys, harness.datasets.people, harness.plugins as p; p.plugins('datasets'); "
        "print(sorted({'torch', 'mmpose', 'mmengine'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.replace("'", '"')) == []
