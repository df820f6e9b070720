"""The person AP of box files compared with the definition in plain Python, pycocotools' summary, and known cases."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import coco, humanart
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.errors import ObtainError
from harness.metrics.box_ap import PersonAP, person_ap

Boxes = list[dict[str, Any]]


def person(image_id: int, *bbox: float, **more: Any) -> dict[str, Any]:
    return {"id": image_id, "image_id": image_id, "category_id": 1, "bbox": list(bbox)} | more


def found(image_id: int, score: float, *bbox: float, **more: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": 1, "bbox": list(bbox), "score": score} | more


def measure(folder: Path, people: Boxes, boxes: Any, image_ids: list[int] | None = None, images: int = 3) -> PersonAP:
    (folder / "truth.json").write_text(
        json.dumps({"images": [{"id": n} for n in range(images)], "annotations": people})
    )
    (folder / "boxes.json").write_text(json.dumps(boxes))
    return person_ap(folder / "boxes.json", folder / "truth.json", image_ids)


def iou(a: list[float], b: list[float]) -> float:
    width = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def plain_ap(people: Boxes, boxes: Boxes, threshold: float) -> float:
    """Average precision at one IoU: greedy, best score first, each person once; at 101 recalls."""
    taken: set[int] = set()
    right: list[bool] = []
    for box in sorted(boxes, key=lambda box: -box["score"]):
        best = max(
            (n for n, p in enumerate(people) if n not in taken and p["image_id"] == box["image_id"]),
            key=lambda n: iou(box["bbox"], people[n]["bbox"]),
            default=None,
        )
        hit = best is not None and iou(box["bbox"], people[best]["bbox"]) >= threshold
        if hit and best is not None:
            taken.add(best)
        right.append(hit)
    curve = [(sum(right[: n + 1]) / len(people), sum(right[: n + 1]) / (n + 1)) for n in range(len(right))]
    at = [max((p for r, p in curve if r >= recall), default=0.0) for recall in np.linspace(0, 1, 101)]
    return float(np.mean(at))


def test_perfect_boxes(tmp_path: Path) -> None:
    people = [person(0, 10, 10, 30, 60), person(1, 5, 8, 40, 20), person(2, 0, 0, 9, 9)]
    boxes = [found(p["image_id"], 0.5, *p["bbox"]) for p in people]
    assert measure(tmp_path, people, boxes) == PersonAP(1.0, 1.0, 1.0, images=3, boxes=3)
    assert measure(tmp_path, people, []) == PersonAP(0.0, 0.0, 0.0, images=3, boxes=0)


def test_known_partial_ap(tmp_path: Path) -> None:
    """Two people. The best box has an IoU of 0.8 with one of them, the next is wrong, the last one is exact.

    Up to an IoU of 0.8 precision is 1 at the 51 recalls up to one half and 2/3 at the other 50; above, it is 1/3 at
    the 51 recalls, since of three boxes only the last is right.
    """
    people = [person(0, 0, 0, 10, 10), person(1, 0, 0, 10, 10)]
    boxes = [found(0, 0.9, 0, 0, 10, 8), found(2, 0.8, 0, 0, 10, 10), found(1, 0.7, 0, 0, 10, 10)]
    low, high = (51 + 50 * 2 / 3) / 101, 51 / 3 / 101
    measured = measure(tmp_path, people, boxes)
    assert measured.ap50 == measured.ap75 == pytest.approx(low, abs=1e-12)
    assert measured.ap == pytest.approx((7 * low + 3 * high) / 10, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), people=st.integers(1, 8), boxes=st.integers(0, 25), spread=st.sampled_from([2, 8]))
def test_against_the_definition(
    tmp_path_factory: pytest.TempPathFactory, seed: int, people: int, boxes: int, spread: int
) -> None:
    """Boxes around people of three images, some duplicate, some shifted, with scores of little information."""
    generator = np.random.default_rng(seed)
    truth = [person(int(generator.integers(3)), *generator.uniform(5, 60, 4).tolist()) for _ in range(people)]
    scores = generator.permutation(boxes) / 100
    near = [truth[n]["bbox"] + generator.uniform(-spread, spread, 4) for n in generator.integers(people, size=boxes)]
    detected = [
        found(truth[int(generator.integers(people))]["image_id"], float(score), *bbox.clip(1).tolist())
        for score, bbox in zip(scores, near, strict=True)
    ]
    measured = measure(tmp_path_factory.mktemp("boxes"), truth, detected)
    expected = [plain_ap(truth, detected, threshold) for threshold in np.linspace(0.5, 0.95, 10)]
    assert (measured.ap50, measured.ap75) == pytest.approx((expected[0], expected[5]), abs=1e-9)
    assert measured.ap == pytest.approx(np.mean(expected), abs=1e-9)


def summed_up(annotations: Path, boxes: Any) -> list[float]:
    """Return AP, AP@0.5 and AP@0.75 as pycocotools prints them."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(annotations)
        evaluator = COCOeval(truth, truth.loadRes(boxes), "bbox")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    stats: list[float] = evaluator.stats[:3].tolist()
    return stats


def test_a_file_as_pycocotools_sums_it_up(each_samples: Path) -> None:
    annotations, boxes = each_samples / coco.ANNOTATIONS, each_samples / coco.BOXES
    measured = person_ap(boxes, annotations)
    expected = summed_up(annotations, str(boxes))
    assert 0.1 < expected[0] < 0.99
    assert [measured.ap, measured.ap50, measured.ap75] == expected
    assert measured.images == len(json.loads(annotations.read_bytes())["images"])
    assert measured.boxes == len(json.loads(boxes.read_bytes()))


def test_what_does_not_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Boxes of other categories, boxes in a crowd, and boxes in images that are not listed."""
    people = [person(0, 0, 0, 10, 10), person(1, 0, 0, 90, 90, iscrowd=1), person(2, 0, 0, 10, 10, category_id=3)]
    boxes = [found(0, 0.1, 0, 0, 10, 10), found(1, 0.9, 5, 5, 9, 9), found(2, 0.8, 0, 0, 10, 10, category_id=3)]
    wrong = [*boxes, found(2, 0.9, 0, 0, 10, 10)]
    measured = [
        measure(tmp_path, people, boxes),
        measure(tmp_path, people, wrong),
        measure(tmp_path, people, wrong, [0, 1]),
        measure(tmp_path, people, boxes, [1, 2]),
    ]
    assert [(m.images, m.boxes) for m in measured] == [(3, 2), (3, 3), (2, 2), (2, 1)]
    assert [m.ap for m in measured[:3]] == pytest.approx([1, 0.5, 1])
    assert measured[3].ap is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("rank", [1, 100, 101])
def test_a_hundred_boxes_an_image(tmp_path: Path, rank: int) -> None:
    boxes = [found(0, 1 - n / 1000, 50, 50, 10, 10) for n in range(1, 150)]
    boxes[rank - 1]["bbox"] = [0, 0, 10, 10]
    assert measure(tmp_path, [person(0, 0, 0, 10, 10)], boxes).ap == pytest.approx(1 / rank if rank <= 100 else 0)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ({"a": 1}, "boxes.json: it is not a list of objects"),
        ([found(0, 1, 0, 0, 1, 1), 3], "boxes.json: it is not a list of objects"),
        ([found(0, 1, 0, 0, 1, 1), {"category_id": 1, "image_id": 0}], "boxes.json: entry 1 has no score"),
        ([{"image_id": 0, "category_id": 1, "score": 1}], "boxes.json: entry 0 has no bbox"),
        ([{"image_id": 0}], "boxes.json: entry 0 has no category_id"),
        ([found(0, 1, 0, 0, 1)], "boxes.json: entry 0: bbox must be 4 numbers x, y, w, h, not [0, 0, 1]"),
        ([found(0, 1, 0, 0, 1, float("nan"))], "boxes.json: entry 0: bbox must be a finite number, not nan"),
        ([found(0, 1, 0, 0, 1, 1) | {"score": "1"}], "boxes.json: entry 0: score must be a number, not '1'"),
        (
            [found(0, 1, 0, 0, 1, 1) | {"image_id": "0"}],
            "boxes.json: entry 0: image_id must be a whole number, not '0'",
        ),
        ([found(7, 1, 0, 0, 1, 1)], "boxes.json: entry 0: image_id 7 is not in "),
        ([found(0, 10**400, 0, 0, 1, 1)], "boxes.json: entry 0: score must be a number, not 1000"),
    ],
)
def test_malformed_box_files(tmp_path: Path, boxes: Any, message: str) -> None:
    with pytest.raises(ObtainError) as error:
        measure(tmp_path, [person(0, 0, 0, 9, 9)], boxes)
    assert message in str(error.value)


def test_malformed_truth(tmp_path: Path) -> None:
    with pytest.raises(ObtainError, match=r"truth\.json: annotations\[0\] has no image_id"):
        measure(tmp_path, [{"bbox": [0, 0, 1, 1]}], [])
    with pytest.raises(ObtainError, match=r"annotation file is missing: .*no\.json"):
        person_ap(tmp_path / "boxes.json", tmp_path / "no.json")
    (tmp_path / "truth.json").write_text('{"images": 1}')
    with pytest.raises(ObtainError, match=r"truth\.json: `images` is not a list of objects"):
        person_ap(tmp_path / "boxes.json", tmp_path / "truth.json")


def test_sizes_of_images_that_are_no_numbers(tmp_path: Path) -> None:
    truth = {"images": [{"id": 0, "width": "wide", "height": None}], "annotations": [person(0, 0, 0, 9, 9)]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "boxes.json").write_text(json.dumps([found(0, 1, 1, 1, 9, 9)]))
    assert person_ap(tmp_path / "boxes.json", tmp_path / "truth.json").ap_of_corners is None


def test_corners_read_as_widths(each_samples: Path) -> None:
    """MMPose's sample of Human-Art's box file, and the miniature's, contain x1, y1, x2, y2; COCO's do not."""
    annotations, path = each_samples / humanart.ANNOTATIONS, each_samples / humanart.BOXES
    boxes = json.loads(path.read_bytes())
    measured = person_ap(path, annotations)
    assert measured.ap is not None
    assert measured.ap_of_corners is not None
    assert measured.ap == summed_up(annotations, boxes)[0]
    for box in boxes:
        x1, y1, x2, y2 = box["bbox"]
        box["bbox"] = [x1, y1, x2 - x1, y2 - y1]
    assert measured.ap_of_corners == pytest.approx(summed_up(annotations, boxes)[0], abs=1e-12)
    assert measured.ap_of_corners > measured.ap + 0.1
    assert person_ap(each_samples / coco.BOXES, each_samples / coco.ANNOTATIONS).ap_of_corners is None
