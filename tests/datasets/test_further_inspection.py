"""The report of `harness check --data` on files of the further data set classes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from written import CONFIGS, WHOLE_IMAGE, load, protocol_of, write

from harness.datasets.findings import usable
from harness.datasets.inspect.people import Rules
from harness.datasets.inspection import DataFiles, Inspection, inspect_data
from harness.datasets.lookup import dataset_class
from harness.datasets.people import load_people
from harness.errors import ObtainError
from harness.suites.ledger import annotation_path, image_folder
from harness.suites.metainfo import read_metainfo
from harness.suites.schema import Counts

Edit = Callable[[dict[str, Any]], object]


def files_of(name: str, annotations: str = "val.json", images: str = "images") -> DataFiles:
    """Return the files that the run of a config reads, with MMPose's own metric."""
    config = load(name)
    info, evaluator = read_metainfo(config.test_dataloader.dataset), config.test_evaluator
    oks = not isinstance(evaluator, list) and evaluator.type == "CocoMetric"
    rules = Rules(
        num_keypoints=len(info.names),
        areas=oks and evaluator.get("use_area", True),
        crowd=False,
        one_based=False,
        flags=oks,
        names=info.names,
        sigmas=info.sigmas if oks else (),
    )
    return DataFiles(config.test_dataloader.dataset.type, annotations, images, (), ground_truth=True, rules=rules)


def good(name: str, folder: Path, *edits: Edit) -> Inspection:
    """Inspect a file of three images with a person in each, after edits."""
    config = load(name)
    names = read_metainfo(config.test_dataloader.dataset).names
    side, rng = WHOLE_IMAGE.get(name, 200), np.random.default_rng(0)
    points = np.concatenate([rng.uniform(50, 150, (len(names), 2)), np.full((len(names), 1), 2)], axis=1)
    document: dict[str, Any] = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": side, "height": side} for n in (1, 2, 3)],
        "annotations": [
            {
                "id": n,
                "image_id": n,
                "category_id": n,
                "bbox": [45, 45, 110, 110],
                "area": 6500,
                "iscrowd": 0,
                "num_keypoints": len(names),
                "keypoints": (points if name == "rhd" else points.ravel()).tolist(),
            }
            for n in (1, 2, 3)
        ],
        "categories": [{"id": n, "name": str(n), "keypoints": list(names)} for n in (1, 2, 3)],
    }
    if not name.startswith("ap10k"):
        for one in document["annotations"]:
            one["category_id"] = 1
    for edit in edits:
        edit(document)
    (folder / "val.json").write_text(json.dumps(document))
    (folder / "images").mkdir(exist_ok=True)
    for image in document["images"]:
        cv2.imwrite(str(folder / "images" / image["file_name"]), np.zeros((image["height"], image["width"]), np.uint8))
    return inspect_data(files_of(name), folder, Counts())


def told(inspection: Inspection) -> list[tuple[str, str]]:
    return [(problem.severity, str(problem)) for problem in inspection.problems]


@pytest.mark.parametrize("name", CONFIGS)
def test_good_data_has_no_problems(name: str, tmp_path: Path) -> None:
    inspection = good(name, tmp_path)
    assert told(inspection) == []
    assert (inspection.found.people, inspection.found.images, inspection.found.on_disk) == (3, 3, 3)


@pytest.mark.parametrize("name", CONFIGS)
def test_samples_have_no_problems(name: str, zoo_samples: Path) -> None:
    config = load(name)
    inspection = inspect_data(files_of(name, annotation_path(config), image_folder(config)), zoo_samples, Counts())
    assert told(inspection) == []
    assert inspection.found.people


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_as_many_people_as_a_run(name: str, tmp_path: Path, seed: int) -> None:
    write(np.random.default_rng(seed), name, tmp_path / "val.json")
    files = files_of(name)
    try:
        expected = len(load_people(protocol_of(load(name)).dataset, tmp_path / "val.json", tmp_path, None, None))
    except ObtainError:
        expected = 0
    assert dataset_class(files.dataset).inspect(tmp_path, files).people == expected


@pytest.mark.parametrize("name", WHOLE_IMAGE)
def test_whole_images_have_no_use_for_boxes(name: str, tmp_path: Path) -> None:
    def strange(document: dict[str, Any]) -> None:
        document["annotations"][0].pop("bbox")
        document["annotations"][1]["bbox"] = [0.1, 0.1, 0.5, 0.5]
        document["annotations"][2]["bbox"] = [900, 900, -5, 5]

    inspection = good(name, tmp_path, strange)
    assert told(inspection) == []
    assert inspection.found.people == 3


@pytest.mark.parametrize(("name", "side"), WHOLE_IMAGE.items())
def test_images_of_another_size_than_the_square(name: str, side: int, tmp_path: Path) -> None:
    def larger(count: int) -> Edit:
        return lambda document: [image.update(width=2 * side, height=side) for image in document["images"][:count]]

    def far(document: dict[str, Any]) -> None:
        document["annotations"][0]["keypoints"][0] = side + 5

    text = (
        f"width, height: not {side}x{side}, the first is {2 * side}x{side}: MMPose uses the square of {side} px at "
        "the upper left corner as the box for any size"
    )
    some = good(name, tmp_path, larger(1), far)
    assert told(some) == [
        ("warning", f"val.json: image 1: {text}"),
        (
            "warning",
            f"val.json: annotation 1: keypoints: labelled outside of the square of {side} px: never found",
        ),
    ]
    assert len(usable(some.problems)) == 2  # a run reports the same
    assert told(good(name, tmp_path, larger(3))) == [("error", f"val.json: images 1, 2, 3: {text}")]


def test_freihand_counts_keypoints_itself(tmp_path: Path) -> None:
    def none_stated(document: dict[str, Any]) -> None:
        document["annotations"][0]["num_keypoints"] = 0

    freihand, zebra = (good(name, tmp_path, none_stated) for name in ("freihand", "zebra"))
    assert (freihand.found.people, [severity for severity, _ in told(freihand)]) == (3, ["note"])
    assert (zebra.found.people, [severity for severity, _ in told(zebra)]) == (2, ["error"])


def test_names_of_keypoints_that_rhd_has_in_another_order(tmp_path: Path) -> None:
    def palm_first(document: dict[str, Any]) -> None:
        document["categories"][0]["keypoints"][1:5] = document["categories"][0]["keypoints"][4:0:-1]

    assert told(good("rhd", tmp_path, palm_first)) == []
    (found,) = told(good("onehand10k", tmp_path, palm_first))
    assert found[0] == "fatal"
    assert "the keypoints are in another order than in the metainfo" in found[1]


def test_names_of_the_other_subsets_of_deepfashion(tmp_path: Path) -> None:
    names = read_metainfo(load("deepfashion full").test_dataloader.dataset).names

    def all_names(document: dict[str, Any]) -> None:
        document["categories"][0]["keypoints"] = list(names)

    assert told(good("deepfashion upper", tmp_path, all_names)) == []


def test_species(tmp_path: Path) -> None:
    def one_species(document: dict[str, Any]) -> None:
        for one in document["annotations"]:
            one["category_id"] = 2

    assert told(good("ap10k", tmp_path, one_species)) == [
        (
            "warning",
            "val.json: category_id: all annotations are of category 2; the published numbers are means over the "
            "species of the file",
        )
    ]

    def several(document: dict[str, Any]) -> None:
        document["annotations"][0]["category_id"] = 2

    ((severity, text),) = told(good("animalpose", tmp_path, several))
    assert severity == "warning"
    assert "each is evaluated alone, and metrics are means over them" in text

    def unlisted(document: dict[str, Any]) -> None:
        document["categories"].pop(2)

    ((severity, text),) = told(good("ap10k", tmp_path, unlisted))
    assert severity == "fatal"
    assert "annotation 3: category_id: not among the file's `categories`" in text
