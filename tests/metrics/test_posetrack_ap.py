"""PoseTrack18's AP, compared with the definition in plain Python and with MMPose's PoseTrack18Metric with poseval.

poseval is not in the package index; with it and shapely, motmetrics, tqdm and click installed, no test is skipped.
"""

import contextlib
import copy
import importlib
import io
import json
import math
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpose.evaluation.metrics import posetrack18_metric

from harness.errors import ObtainError, RunError
from harness.files import sha256_folder
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.metrics.families.posetrack_ap.truth import load_posetrack
from harness.predictions import Predictions
from harness.protocol import DataFile

from . import cases, upstream
from .measured import score_posetrack

KEYPOINTS = [
    "nose",
    "head_bottom",
    "head_top",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]
EVALUATED = [name for name in KEYPOINTS if "ear" not in name]
GROUPS = {"head": ["nose", "head_bottom", "head_top"]} | {
    joint: [f"left_{joint}", f"right_{joint}"] for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
}
NAMES = ["AP", *(f"AP({group})" for group in GROUPS)]
SCORING = PoseTrackScoring(sigmas=cases.COCO_SIGMAS, sequences=DataFile(path="val", sha256=""))
AS_THEY_ARE = SCORING.model_copy(update={"nms": "none"})
POSE = np.stack([np.arange(17) % 5 * 50 + 100, np.arange(17) // 5 * 50 + 200], axis=1).astype(np.float32)
"""Joints 50 px apart."""

with_poseval = pytest.mark.skipif(not posetrack18_metric.has_poseval, reason="poseval is not installed")


def person(image: int, joints: Any, shown: Any = 1, head: Any = (0, 0, 30, 40)) -> dict[str, Any]:
    """Return an annotation; the default head has a size of 30 px, so joints match up to 15 px."""
    keypoints = np.column_stack([joints, np.broadcast_to(shown, 17)]) * np.broadcast_to(shown, 17)[:, None]
    return {"id": 0, "image_id": image, "track_id": 0, "keypoints": keypoints.ravel().tolist(), "bbox_head": list(head)}


def sequence(number: int, people: list[dict[str, Any]], images: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return a file of annotations; `images` maps each frame's id to its further fields."""
    folder = f"images/val/{number:06}_mpii_test"
    return {
        "images": [
            {"id": image, "file_name": f"{folder}/{index:06}.jpg", **fields}
            for index, (image, fields) in enumerate(images.items())
        ],
        "annotations": people,
        "categories": [{"name": "person", "keypoints": KEYPOINTS}],
    }


def write(folder: Path, sequences: list[dict[str, Any]]) -> Path:
    """Write posetrack18_val.json and, in the folder `val` that is returned, a file for each sequence."""
    val = folder / "val"
    val.mkdir(parents=True, exist_ok=True)
    for old in val.iterdir():
        old.unlink()
    for index, document in enumerate(sequences):
        upstream.write(val / f"{index:06}_mpii_test.json", document)
    merged = {name: [one for document in sequences for one in document[name]] for name in ("images", "annotations")}
    upstream.write(folder / "posetrack18_val.json", merged)
    return val


def predict(poses: list[tuple[int, Any, Any]]) -> Predictions:
    """Return predictions of (image, joints, score of the pose or of each joint)."""
    people = len(poses)
    return Predictions(
        person_ids=np.arange(people),
        image_ids=np.array([image for image, _, _ in poses], np.int64),
        boxes=np.zeros((people, 4), np.float32),
        box_scores=np.ones(people, np.float32),
        crop_areas=np.full(people, 10000, np.float32),
        keypoints=np.array([joints for _, joints, _ in poses]).reshape(people, 17, 2),
        keypoint_scores=np.array([np.broadcast_to(score, 17) for _, _, score in poses], np.float32).reshape(people, 17),
    )


Joints = dict[str, tuple[float, float, float]]


def by_definition(val: Path, predictions: Predictions) -> dict[str, float | None]:
    """Score all predictions, without NMS, one number at a time."""
    detections: dict[str, list[tuple[float, bool]]] = {joint: [] for joint in EVALUATED}
    positives = dict.fromkeys(EVALUATED, 0)
    for path in sorted(val.glob("*.json")):
        document = json.loads(path.read_text())
        for image in document["images"]:
            annotations = [one for one in document["annotations"] if one["image_id"] == image["id"]]
            if not annotations:
                continue
            regions = list(zip(image.get("ignore_regions_x", []), image.get("ignore_regions_y", []), strict=True))
            people = [_joints(one["keypoints"], regions) for one in annotations]
            sizes = [0.6 * math.hypot(one["bbox_head"][2], one["bbox_head"][3]) for one in annotations]
            rows = np.flatnonzero(predictions.image_ids == image["id"])
            poses = [
                _joints(np.column_stack([predictions.keypoints[row], predictions.keypoint_scores[row]]), regions)
                for row in rows[np.argsort(predictions.person_ids[rows])]
            ]
            owners = _owners(poses, people, sizes)
            for one in people:
                for joint in one:
                    positives[joint] += 1
            for pose, owner in zip(poses, owners, strict=True):
                for joint, (_, _, score) in pose.items():
                    correct = owner is not None and _matches(pose, people[owner], joint, sizes[owner])
                    detections[joint].append((score, correct))

    precision: dict[str, float] = {}
    for joint, scored in detections.items():
        ranked = sorted((-score, -index, correct) for index, (score, correct) in enumerate(scored))
        hits = [correct for _, _, correct in ranked]
        at_rank = [sum(hits[: rank + 1]) / (rank + 1) for rank in range(len(hits))]
        if positives[joint]:
            precision[joint] = sum(max(at_rank[r:]) for r in range(len(hits)) if hits[r]) / positives[joint]
    stats: dict[str, float | None] = {"AP": sum(precision.values()) / len(precision) if precision else None}
    for group, joints in GROUPS.items():
        defined = all(joint in precision for joint in joints)
        stats[f"AP({group})"] = sum(precision[joint] for joint in joints) / len(joints) if defined else None
    return stats


def _joints(numbers: Any, regions: list[Any]) -> Joints:
    triples = dict(zip(KEYPOINTS, np.reshape(numbers, (17, 3)).tolist(), strict=True))
    return {
        joint: (x, y, score)
        for joint, (x, y, score) in triples.items()
        if joint in EVALUATED and (x or y or score) and not any(_inside(x, y, xs, ys) for xs, ys in regions)
    }


def _owners(poses: list[Joints], people: list[Joints], sizes: list[float]) -> list[int | None]:
    """Return the person assigned to each pose."""
    owners: list[int | None] = [None] * len(poses)
    best = [0.0] * len(people)
    taken: dict[int, int] = {}
    for index, pose in enumerate(poses):
        found = [
            sum(_matches(pose, one, joint, size) for joint in one) for one, size in zip(people, sizes, strict=True)
        ]
        pck = [count / len(one) if one else 0.0 for count, one in zip(found, people, strict=True)]
        favourite = pck.index(max(pck))
        if pck[favourite] > best[favourite]:
            best[favourite] = pck[favourite]
            taken[favourite] = index
    for one, index in taken.items():
        owners[index] = one
    return owners


def _matches(pose: Joints, one: Joints, joint: str, size: float) -> bool:
    return joint in pose and joint in one and size > 0 and math.dist(pose[joint][:2], one[joint][:2]) / size <= 0.5


def _inside(x: float, y: float, xs: list[float], ys: list[float]) -> bool:
    """Count how often a ray upwards crosses the polygon."""
    inside = False
    for i in range(len(xs)):
        (x1, y1), (x2, y2) = (xs[i - 1], ys[i - 1]), (xs[i], ys[i])
        on_line = (x - x1) * (y2 - y1) == (y - y1) * (x2 - x1)
        if on_line and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return False
        if (x1 <= x) != (x2 <= x) and y1 + (x - x1) * (y2 - y1) / (x2 - x1) < y:
            inside = not inside
    return inside


def by_poseval(val: Path, predictions: Predictions, scoring: PoseTrackScoring) -> dict[str, float]:
    """Return the results of MMPose's metric, as fractions."""
    with contextlib.redirect_stdout(io.StringIO()):
        metric = posetrack18_metric.PoseTrack18Metric(
            ann_file=str(val.parent / "posetrack18_val.json"),
            score_mode=scoring.score_mode,
            keypoint_score_thr=scoring.keypoint_score_threshold,
            nms_mode=upstream.NMS_MODES[scoring.nms],
            nms_thr=scoring.nms_threshold,
        )
        metric.dataset_meta = {
            "dataset_name": "posetrack18",
            "num_keypoints": 17,
            "sigmas": np.array(scoring.sigmas, np.float32),
        }
        for index in range(len(predictions)):
            one = slice(index, index + 1)
            scale = np.stack([predictions.crop_areas[one], np.ones(1, np.float32)], axis=1)
            sample = {
                "id": int(predictions.person_ids[index]),
                "img_id": int(predictions.image_ids[index]),
                "pred_instances": {
                    "keypoints": predictions.keypoints[one],
                    "keypoint_scores": predictions.keypoint_scores[one],
                    "bbox_scores": predictions.box_scores[one],
                },
                "gt_instances": {"bbox_scales": scale},
            }
            metric.process([], [sample])
        stats = list(metric.compute_metrics(metric.results).values())
    return {name: float(value) / 100 for name, value in zip(NAMES, [stats[-1], *stats[:-1]], strict=True)}


def make_poseval_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give poseval a stable sort and ordered sequences; its own order of equal scores depends on the machine."""
    helpers: Any = importlib.import_module("poseval.eval_helpers")
    in_order = types.SimpleNamespace(
        glob=lambda pattern: sorted(str(path) for path in Path(pattern[:-6]).glob("*.json"))
    )
    monkeypatch.setattr(helpers, "glob", in_order)
    monkeypatch.setattr(helpers, "np", upstream._StableNumpy("numpy"))
    upstream.make_nms_stable(monkeypatch)


def random_sequences(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return sequences with many edge cases of the evaluation; coordinates are quarters of pixels."""
    sequences = []
    for number in range(rng.integers(1, 4)):
        people: list[dict[str, Any]] = []
        images: dict[int, dict[str, Any]] = {}
        for image in 10000 * number + rng.choice(1000, rng.integers(1, 5), replace=False):
            images[int(image)] = random_regions(rng)
            for _ in range(rng.integers(0, 5)):
                joints = np.round(rng.uniform(0, 400) + rng.uniform(-40, 40, (17, 2)), rng.choice([-1, 0]))
                shown = rng.random(17) < rng.choice([0, 0.5, 0.9, 1], p=[0.05, 0.15, 0.3, 0.5])
                head = rng.choice([(0, 0), (30, 40), (60, 80), (21.5, 33)], p=[0.1, 0.4, 0.3, 0.2])
                one = person(int(image), joints, shown.astype(int), (*rng.integers(0, 99, 2).tolist(), *head.tolist()))
                if rng.random() < 0.2:  # coordinates count without visibility
                    one["keypoints"][:3] = [7, 0, 0]
                people.append(one)
        rng.shuffle(people)  # type: ignore[arg-type]
        for index, one in enumerate(people):
            one |= {"id": index, "track_id": index}
        sequences.append(sequence(number, people, images))
    return sequences


def random_regions(rng: np.random.Generator) -> dict[str, Any]:
    """Return polygons, some of which intersect themselves, are closed twice or are empty; or no polygons."""
    if rng.random() < 0.5:
        return {}
    regions = [np.round(rng.uniform(0, 500, (rng.choice([0, 3, 4, 8]), 2)), -1) for _ in range(rng.integers(0, 4))]
    regions = [np.concatenate([region, region[:1]]) if rng.random() < 0.3 else region for region in regions]
    return {f"ignore_regions_{axis}": [region[:, i].tolist() for region in regions] for i, axis in enumerate("xy")}


def random_predictions(rng: np.random.Generator, sequences: list[dict[str, Any]], dtype: Any) -> Predictions:
    """Return poses near people, near each other, elsewhere, and in frames without people, in any order."""
    scores = rng.choice([0.0, 0.2, 0.5, 0.9], 50) if rng.random() < 0.5 else rng.random(50)
    poses: list[tuple[int, Any, Any]] = []
    for document in sequences:
        for image in document["images"]:
            people = [one["keypoints"] for one in document["annotations"] if one["image_id"] == image["id"]]
            for _ in range(rng.integers(0, 6)):
                joints = np.round(4 * rng.uniform(0, 500, (17, 2))) / 4
                if people and rng.random() < 0.8:
                    joints = np.array(people[rng.integers(len(people))]).reshape(17, 3)[:, :2]
                    # (9, 12) and (12, 9) are just near enough for the usual head, (18, 24) for the large one.
                    steps = np.array([(0, 0), (9, 12), (-12, 9), (9.25, 12), (18, 24), (3, 1), (200, 0)])
                    joints = joints + steps[rng.integers(0, rng.choice([2, 7]), 17)]
                if rng.random() < 0.3:
                    joints = joints + rng.normal(0, 3, (17, 2))
                joints[rng.random(17) < 0.05] = 0
                poses.append((image["id"], joints, rng.choice(scores, 17)))
    poses = [poses[index] for index in rng.permutation(len(poses))]
    made = predict(poses)
    return replace(
        made,
        keypoints=made.keypoints.astype(dtype),
        box_scores=rng.choice([0.5, 0.5, 0.9, 1], len(poses)).astype(np.float32),
        crop_areas=rng.uniform(100, 50000, len(poses)).astype(np.float32),
    )


def assert_same(ours: dict[str, float | None], theirs: dict[str, Any]) -> None:
    assert list(ours) == list(theirs)
    assert ours == {name: value if value is None else pytest.approx(value, abs=1e-12) for name, value in theirs.items()}


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), dtype=st.sampled_from([np.float32, np.float64]))
def test_by_definition(tmp_path_factory: pytest.TempPathFactory, seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    sequences = random_sequences(rng)
    if not any(value for document in sequences for one in document["annotations"] for value in one["keypoints"]):
        return
    val = write(tmp_path_factory.getbasetemp() / "by-definition", sequences)
    predictions = random_predictions(rng, sequences, dtype)
    try:
        truth = load_posetrack(val)
    except ObtainError:
        assert by_definition(val, predictions)["AP"] is None
        return
    assert_same(score_posetrack(predictions, AS_THEY_ARE, truth), by_definition(val, predictions))


@with_poseval
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value) encountered:RuntimeWarning")
@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    score_mode=st.sampled_from(["bbox", "keypoint", "bbox_keypoint", "bbox_rle"]),
    nms=st.sampled_from(["oks", "soft-oks", "none"]),
    nms_threshold=st.sampled_from([0.3, 0.9]),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_against_poseval(
    tmp_path_factory: pytest.TempPathFactory, seed: int, score_mode: str, nms: str, nms_threshold: float, dtype: Any
) -> None:
    scoring = SCORING.model_copy(update={"score_mode": score_mode, "nms": nms, "nms_threshold": nms_threshold})
    rng = np.random.default_rng(seed)
    sequences = random_sequences(rng)
    # Each joint is annotated at least once, because poseval has several values for joints without annotations.
    sequences.append(sequence(9, [person(90000, POSE)], {90000: {}}))
    val = write(tmp_path_factory.getbasetemp() / "against-poseval", sequences)
    found = random_predictions(rng, sequences, dtype)
    twice = rng.integers(0, len(found), len(found) // 3) if len(found) else np.empty(0, int)
    rows = np.concatenate([np.arange(len(found)), twice])
    found = Predictions(**{name: values[rows] for name, values in vars(found).items()})
    if not len(found):
        return
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_poseval_stable(monkeypatch)
        theirs = by_poseval(val, found, scoring)
    assert_same(score_posetrack(found, scoring, load_posetrack(val)), theirs)


def noisy_sample(samples: Path) -> tuple[Path, Predictions]:
    """Return the folder of the sequences, and poses around its people with distinct scores."""
    val = samples / "posetrack18" / "annotations" / "val"
    rng = np.random.default_rng(0)
    poses = []
    for path in sorted(val.glob("*.json")):
        for one in json.loads(path.read_text())["annotations"] * 8:
            noise = rng.choice([0.02, 0.1, 0.3]) * math.hypot(*one["bbox_head"][2:])
            joints = np.array(one["keypoints"]).reshape(17, 3)[:, :2]
            poses.append((one["image_id"], joints + noise * rng.normal(0, 1, (17, 2)), rng.random(17)))
    found = predict(poses)
    return val, replace(found, box_scores=rng.random(len(found), np.float32))


def test_annotations(each_samples: Path) -> None:
    val, found = noisy_sample(each_samples)
    truth = load_posetrack(val)
    document = json.loads((val.parent / "posetrack18_val.json").read_text())
    assert (len(truth.image_ids), len(truth.joints)) == (len(document["images"]), len(document["annotations"]))
    ours = score_posetrack(found, AS_THEY_ARE, truth)
    assert_same(ours, by_definition(val, found))
    assert all(0 < value < 1 for value in ours.values() if value is not None)


@with_poseval
@pytest.mark.parametrize("nms", ["oks", "soft-oks", "none"])
def test_annotations_against_poseval(each_samples: Path, nms: str) -> None:
    """With distinct scores, poseval is used unchanged."""
    val, found = noisy_sample(each_samples)
    scoring = SCORING.model_copy(update={"nms": nms})
    assert_same(score_posetrack(found, scoring, load_posetrack(val)), by_poseval(val, found, scoring))


def score(
    folder: Path, people: list[dict[str, Any]], poses: list[tuple[int, Any, Any]], images: Any = None
) -> dict[str, float | None]:
    val = write(folder, [sequence(0, people, images or {1: {}})])
    return score_posetrack(predict(poses), AS_THEY_ARE, load_posetrack(val))


def moved(joint: int, x: float, y: float = 0) -> Any:
    pose = POSE.copy()
    pose[joint] += (x, y)
    return pose


def test_threshold(tmp_path: Path) -> None:
    assert set(score(tmp_path, [person(1, POSE)], [(1, POSE, 0.5)]).values()) == {1.0}
    assert score(tmp_path, [person(1, POSE)], [(1, moved(9, 9, 12), 0.5)])["AP"] == 1  # 15 px are half of 30
    beyond = score(tmp_path, [person(1, POSE)], [(1, moved(9, 9.25, 12), 0.5)])
    assert beyond["AP(wrist)"] == 0.5
    assert beyond["AP"] == pytest.approx(14 / 15)
    assert score(tmp_path, [person(1, POSE, head=(5, 5, 0, 0))], [(1, POSE, 0.5)])["AP"] == 0


def test_ears_do_not_count(tmp_path: Path) -> None:
    assert score(tmp_path, [person(1, POSE)], [(1, moved(3, 300), 0.5)])["AP"] == 1


def test_no_second_choice(tmp_path: Path) -> None:
    """The second pose fits the first person best, whom the first pose fits better: two thirds of it on the first."""
    people = [person(1, POSE), person(1, POSE + 1000)]
    mixed = np.concatenate([POSE[:12], POSE[12:] + 1000])
    assert score(tmp_path, people, [(1, POSE, 0.9), (1, mixed, 0.5)])["AP"] == 0.5
    assert score(tmp_path, people, [(1, POSE, 0.5), (1, mixed, 0.9)])["AP"] == 0.25


def test_precision_is_the_best_at_higher_recall(tmp_path: Path) -> None:
    """Wrong, right, right: precision 0, 1/2, 2/3, of which the last also holds at the lower recall."""
    people = [person(1, POSE), person(2, POSE), person(2, POSE + 1000)]
    poses = [(1, POSE + 500, 0.9), (2, POSE, 0.8), (1, POSE, 0.7)]
    assert score(tmp_path, people, poses, {1: {}, 2: {}})["AP"] == pytest.approx(2 / 3 * 2 / 3)


def test_equal_scores(tmp_path: Path) -> None:
    people = [person(1, POSE)]
    assert score(tmp_path, people, [(1, POSE, 0.5), (1, POSE + 500, 0.5)])["AP"] == 0.5
    assert score(tmp_path, people, [(1, POSE + 500, 0.5), (1, POSE, 0.5)])["AP"] == 1


def test_equal_poses(tmp_path: Path) -> None:
    """The person is matched with the first pose."""
    assert score(tmp_path, [person(1, POSE)], [(1, POSE, 0.9), (1, POSE, 0.5)])["AP"] == 1
    assert score(tmp_path, [person(1, POSE)], [(1, POSE, 0.5), (1, POSE, 0.9)])["AP"] == 0.5


def test_joints_that_are_not_annotated(tmp_path: Path) -> None:
    """If predicted, they are false positives; if no person shows them, AP is undefined."""
    shown = np.ones(17, int)
    shown[0] = 0
    hidden = score(tmp_path, [person(1, POSE, shown)], [(1, POSE, 0.5)])
    assert hidden["AP(head)"] is None
    assert hidden["AP"] == 1
    half = score(tmp_path, [person(1, POSE, shown), person(2, POSE)], [(1, POSE, 0.9), (2, POSE, 0.5)], {1: {}, 2: {}})
    assert half["AP(head)"] == pytest.approx((0.5 + 1 + 1) / 3)
    absent = POSE.copy()
    absent[0] = 0
    poses = [(1, absent, np.where(np.arange(17) == 0, 0, 0.9)), (2, POSE, 0.5)]
    assert score(tmp_path, [person(1, POSE, shown), person(2, POSE)], poses, {1: {}, 2: {}})["AP(head)"] == 1


def test_ignore_regions(tmp_path: Path) -> None:
    """A square over the second person, with the first five keypoints on its upper edge: these stay."""
    square = {"ignore_regions_x": [[1000, 1500, 1500, 1000]], "ignore_regions_y": [[1200, 1200, 1500, 1500]]}
    people, pose = [person(1, POSE), person(1, POSE + 1000)], (1, POSE, 0.5)
    ignored = score(tmp_path, people, [pose], {1: square})
    assert (ignored["AP(head)"], ignored["AP(knee)"]) == (0.5, 1)
    # A false pose whose joints are all inside.
    poses = [pose, (1, POSE + 1020, 0.9)]
    assert score(tmp_path, people, poses)["AP"] == 0.25
    assert score(tmp_path, people, poses, {1: square}) == ignored


def test_edges_of_ignore_regions(tmp_path: Path) -> None:
    """A diamond with a joint on each side, which stays, and five inside."""
    diamond = {"ignore_regions_x": [[50, 150, 250, 150]], "ignore_regions_y": [[250, 150, 250, 350]]}
    truth = load_posetrack(write(tmp_path, [sequence(0, [person(1, POSE)], {1: diamond})]))
    ignored = [joint for joint, annotated in zip(EVALUATED, truth.annotated[0], strict=True) if not annotated]
    assert ignored == ["head_bottom", "left_shoulder", "right_shoulder", "left_elbow", "left_hip"]


def test_frames_without_people(tmp_path: Path) -> None:
    frames: dict[int, Any] = {1: {}, 2: {}}
    assert score(tmp_path, [person(1, POSE)], [(1, POSE, 0.5), (2, POSE, 0.9)], frames)["AP"] == 1
    # A frame whose people show no joints counts, as does one whose people are all inside ignore regions.
    nobody = [person(1, POSE), person(2, POSE, 0)]
    assert score(tmp_path, nobody, [(1, POSE, 0.5), (2, POSE, 0.9)], frames)["AP"] == 0.5
    square = {"ignore_regions_x": [[0, 900, 900, 0]], "ignore_regions_y": [[0, 0, 900, 900]]}
    ignored = [person(1, POSE), person(2, POSE)]
    poses = [(1, POSE, 0.5), (2, POSE + 1000, 0.9)]
    assert score(tmp_path, ignored, poses, {1: {}, 2: square})["AP"] == 0.5


def test_duplicates_are_suppressed(tmp_path: Path) -> None:
    truth = load_posetrack(write(tmp_path, [sequence(0, [person(1, POSE)], {1: {}})]))
    found = predict([(1, POSE, 0.5), (1, moved(0, 50), 0.9)])
    assert score_posetrack(found, AS_THEY_ARE, truth)["AP"] == 0.5
    assert score_posetrack(found, SCORING, truth)["AP(head)"] == pytest.approx(2 / 3)
    by_box = replace(found, box_scores=np.array([1, 0.1], np.float32))
    assert score_posetrack(by_box, SCORING, truth)["AP"] == 1
    assert score_posetrack(predict([]), SCORING, truth) == dict.fromkeys(NAMES, 0.0)


def test_some_frames_only(tmp_path: Path) -> None:
    """A partial run is scored as if the data set had no other frames."""
    rng = np.random.default_rng(3)
    sequences = random_sequences(rng)
    found = random_predictions(rng, sequences, np.float32)
    some = np.unique(found.image_ids)[::2]
    part = load_posetrack(write(tmp_path, sequences)).restrict(some)
    rows = np.isin(found.image_ids, some)
    found = Predictions(**{name: values[rows] for name, values in vars(found).items()})
    for document in sequences:
        for name, field in (("images", "id"), ("annotations", "image_id")):
            document[name] = [one for one in document[name] if one[field] in some]
    whole = load_posetrack(write(tmp_path, sequences))
    assert len(part.joints) > 3
    assert score_posetrack(found, SCORING, part) == score_posetrack(found, SCORING, whole)
    with pytest.raises(ObtainError, match="none of its files has an image 77"):
        part.restrict([77])


def test_what_cannot_be_scored(tmp_path: Path) -> None:
    truth = load_posetrack(write(tmp_path, [sequence(0, [person(1, POSE)], {1: {}})]))
    with pytest.raises(RunError, match=r"predictions in 1 image that no sequence in .*val has, such as 5"):
        score_posetrack(predict([(1, POSE, 0.5), (5, POSE, 0.5)]), SCORING, truth)
    few = predict([(1, POSE, 0.5)])
    few = replace(few, keypoints=few.keypoints[:, :15], keypoint_scores=few.keypoint_scores[:, :15])
    with pytest.raises(RunError, match="15 keypoints a person, not 17"):
        score_posetrack(few, SCORING, truth)
    with pytest.raises(RunError, match="keypoints of 1 person are not finite"):
        score_posetrack(predict([(1, POSE * np.nan, 0.5)]), SCORING, truth)


def test_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ObtainError, match=r"per-sequence ground truth is missing: no \*\.json in"):
        load_posetrack(tmp_path / "val")
    good = sequence(0, [person(1, POSE)], {1: {}})

    def broken(**changes: Any) -> dict[str, Any]:
        return copy.deepcopy(good) | changes

    headless = person(1, POSE)
    del headless["bbox_head"]
    for document, message in (
        ({"annolist": []}, r"000000_mpii_test\.json: in the format of PoseTrack 2017"),
        ([], "000000_mpii_test\\.json: it is not an object with `images` and `annotations`"),
        (
            broken(annotations=[headless]),
            r"000000_mpii_test\.json: .*'bbox_head' of annotations\[0\] is missing or malformed",
        ),
        (broken(annotations=[person(7, POSE)]), r"'image_id' of annotations\[0\] is missing or malformed"),
        (broken(annotations=[person(1, POSE) | {"keypoints": [1, 2, 3]}]), r"'keypoints' of annotations\[0\]"),
        (broken(annotations=[person(1, POSE, head=(0, 0, math.nan, 1))]), "'bbox_head' of a person is not finite"),
        (broken(categories=[{"keypoints": KEYPOINTS[1:]}]), "'nose' is not among the keypoints"),
        (broken(images=[{"id": 1, "ignore_regions_x": [[1, 2, 3]], "ignore_regions_y": [[1, 2]]}]), "ValueError"),
        (broken(annotations=[person(1, POSE) | {"keypoints": [1] * 102}]), r"'keypoints' of annotations\[0\]"),
        (broken(annotations=[person(1, POSE) | {"keypoints": [10**400] * 51}]), r"'keypoints' of annotations\[0\]"),
        (broken(categories=[{"keypoints": {}}]), "`categories` does not name the keypoints"),
        (
            broken(images=[{"id": 1, "ignore_regions_x": [["1", 2, 3]], "ignore_regions_y": [[1, 2, 3]]}]),
            "lists of finite numbers",
        ),
        (broken(images=[{"id": 1, "ignore_regions_x": [1, 2], "ignore_regions_y": [3, 4]}]), "lists of finite numbers"),
        (broken(annotations=[]), "no person is annotated"),
    ):
        upstream.write(write(tmp_path, [good]) / "000000_mpii_test.json", document)
        with pytest.raises(ObtainError, match=message):
            load_posetrack(tmp_path / "val")
    with pytest.raises(ObtainError, match="its files have 1 image in common"):
        load_posetrack(write(tmp_path, [good, good]))


def test_sequences_are_known_by_content(tmp_path: Path) -> None:
    val = write(tmp_path, [sequence(0, [person(1, POSE)], {1: {}})])
    before = sha256_folder(val, "*.json")
    (val / "notes.txt").write_text("not read")
    assert sha256_folder(val, "*.json") == before
    (file,) = val.glob("*.json")
    moved = file.rename(val / "000001_mpii_test.json")
    assert sha256_folder(val, "*.json") != before
    moved.rename(file).write_text(file.read_text() + " ")
    assert sha256_folder(val, "*.json") != before
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"no \*\.json in it"):
        sha256_folder(val, "*.json")
