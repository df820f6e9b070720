"""The miniature contains the situations that the other tests rely on, and is always the same."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from miniature import Miniature, coco, crowdpose, humanart, jhmdb, mpii, posetrack18, wholebody, write_miniature

from harness.arrays import Float64


def read(samples: Path, name: str) -> Any:
    return json.loads((samples / name).read_bytes())


def keypoints_of(document: Any) -> Float64:
    """Return all keypoints [N, K, 3]."""
    return np.array([person["keypoints"] for person in document["annotations"]]).reshape(
        len(document["annotations"]), -1, 3
    )


def test_the_same_again(miniature: Miniature, tmp_path: Path) -> None:
    again = write_miniature(tmp_path)
    paths = [path.relative_to(tmp_path) for path in sorted(tmp_path.rglob("*.*")) if path.is_file()]
    rendered = [path for path in paths if path.suffix != ".mat"]  # .mat files contain the time
    assert len(rendered) == len(paths) - 1
    assert all((tmp_path / path).read_bytes() == (miniature.folder / path).read_bytes() for path in rendered)
    assert (again.coco, again.posetrack18) == (miniature.coco, miniature.posetrack18)


def test_hard_cases_of_coco(samples: Path) -> None:
    document, boxes = read(samples, coco.ANNOTATIONS), read(samples, coco.BOXES)
    people = document["annotations"]
    assert {0, 1, 2} == set(keypoints_of(document)[..., 2].ravel().tolist())
    assert sum(person["iscrowd"] for person in people) == 1
    assert sum(not person["num_keypoints"] and not person["iscrowd"] for person in people) >= 2
    sizes = [sum(low**2 < person["area"] <= high**2 for person in people) for low, high in ((32, 96), (96, 1e5))]
    assert min(sizes) >= 3  # so that AP(M) and AP(L) are defined
    nobody = {image["id"] for image in document["images"]} - {person["image_id"] for person in people}
    assert nobody & {box["image_id"] for box in boxes}
    assert max(Counter(json.dumps(box) for box in boxes).values()) == 2
    assert min(box["score"] for box in boxes) < 0.05
    assert max(box["score"] for box in boxes) > 0.9


def test_hard_cases_of_the_others(samples: Path) -> None:
    indices = [image["crowdIndex"] for image in read(samples, crowdpose.ANNOTATIONS)["images"]]
    assert [sum(low <= index <= high for index in indices) for low, high in ((0, 0.1), (0.1001, 0.8), (0.8001, 1))] == [
        1,
        1,
        1,
    ]
    assert any(person["keypoints_21"][51:] for person in read(samples, humanart.ANNOTATIONS)["annotations"])
    shown = np.array([person["joints_vis"] for person in read(samples, mpii.ANNOTATIONS)])
    assert 0 < (shown == 0).sum() < shown.size / 2
    frames = [[image["id"] for image in read(samples, jhmdb.ANNOTATIONS.format(n))["images"]] for n in (1, 2, 3)]
    assert len({tuple(ids) for ids in frames}) == 3
    sequences = read(samples, posetrack18.ANNOTATIONS)
    assert any(image["ignore_regions_x"] for image in sequences["images"])
    assert (keypoints_of(sequences)[..., 1] < 0).any()
    assert len(list((samples / posetrack18.SEQUENCES).iterdir())) == 3


def test_hard_cases_of_whole_bodies(miniature: Miniature) -> None:
    people = read(miniature.folder, wholebody.ANNOTATIONS)["annotations"]
    sizes = {one["id"]: (one["width"], one["height"]) for one in read(miniature.folder, coco.ANNOTATIONS)["images"]}
    labelled = {
        part: [any(value > 0 for value in person[f"{part}_kpts"][2::3]) for person in people]
        for part in wholebody.COUNTS
    }
    assert all(2 <= sum(shown) < len(people) - 1 for shown in labelled.values())
    assert any(shown and not person["face_valid"] for shown, person in zip(labelled["face"], people, strict=True))
    assert any(shown and not person["num_keypoints"] for shown, person in zip(labelled["face"], people, strict=True))
    assert any(0 < value < 1 for person in people for value in person["righthand_kpts"][2::3])
    assert any(
        person[f"{hand}_box"][0] + person[f"{hand}_box"][2] > sizes[person["image_id"]][0]
        for person in people
        for hand in wholebody.WRISTS
    )
    assert miniature.wholebody.people == sum(person["num_keypoints"] > 0 for person in people)
