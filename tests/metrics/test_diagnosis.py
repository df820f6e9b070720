"""The diagnosis: planted errors are counted exactly, and random errors as a plain loop counts them."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ObtainError, RunError
from harness.metrics.diagnosis.diagnose import diagnose
from harness.metrics.diagnosis.model import Diagnosis, Tally
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.metrics.families.posetrack_ap.truth import load_posetrack
from harness.metrics.match import evaluate, match
from harness.metrics.truth import Truth, load_truth
from harness.predictions import Predictions
from harness.protocol import DataFile
from harness.run.plan import Settings, make_plan
from harness.suites.load import load_suite, select_rows
from harness.suites.metainfo import read_metainfo

from . import cases, test_posetrack_ap, upstream
from .measured import (
    diagnose_jhmdb,
    diagnose_mpii,
    diagnose_oks,
    diagnose_posetrack,
    score_jhmdb,
    score_mpii,
    score_oks,
)

COCO = OksScoring(sigmas=cases.COCO_SIGMAS, area="annotation", nms="none", score_mode="bbox")
CROWDPOSE = OksScoring(sigmas=cases.CROWDPOSE_SIGMAS, area="box", crowd=True, nms="none", score_mode="bbox")
MIRROR = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
CROWDPOSE_MIRROR = (1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 12, 13)
NAMES = [f"keypoint {index}" for index in range(17)]
AREA = 10_000.0
POSE = np.stack([np.arange(17) % 5 * 500 + 100, np.arange(17) // 5 * 500 + 200], axis=1).astype(float)
"""Keypoints so far apart that the similarity of any two is 0."""
ERRORS = ("jitter", "inversion", "swap", "miss")


def counts(tally: Tally) -> list[int]:
    return list(tally.model_dump().values())


def person(id: int, image: int, keypoints: Any, visibility: Any = 2, **fields: Any) -> dict[str, Any]:
    shown = np.broadcast_to(visibility, len(keypoints))
    flat = np.column_stack([keypoints, shown]).ravel().tolist()
    box = [*np.min(keypoints, axis=0).tolist(), *np.ptp(keypoints, axis=0).tolist()]
    number = int((shown > 0).sum())
    return {
        "id": id,
        "image_id": image,
        "category_id": 1,
        "keypoints": flat,
        "bbox": box,
        "area": AREA,
        "num_keypoints": number,
        "iscrowd": 0,
    } | fields


def truth_of(folder: Path, people: list[dict[str, Any]], images: Iterable[int] = (1, 2, 3)) -> Truth:
    document = {"images": [{"id": image} for image in images], "annotations": people}
    return load_truth(upstream.write(folder / "truth.json", document), 17, areas=True)


def predict(poses: list[tuple[int, Any, float]]) -> Predictions:
    """Return predictions of (image, keypoints, score)."""
    people = len(poses)
    return Predictions(
        person_ids=np.arange(people),
        image_ids=np.array([image for image, _, _ in poses], np.int64),
        boxes=np.tile(np.array([0, 0, 50, 50], np.float32), (people, 1)),
        box_scores=np.array([score for _, _, score in poses], np.float32),
        crop_areas=np.ones(people, np.float32),
        keypoints=np.array([keypoints for _, keypoints, _ in poses]).reshape(people, -1 if people else 17, 2),
        keypoint_scores=np.ones((people, 17), np.float32),
    )


def diagnose_coco(truth: Truth, poses: list[tuple[int, Any, float]]) -> Diagnosis:
    return diagnose_oks(predict(poses), COCO, truth, MIRROR, NAMES, {1: "one.jpg"})


def away(keypoint: int, ks: float) -> float:
    """Return the distance in px of a keypoint with this similarity."""
    return math.sqrt(-2 * math.log(ks) * AREA) * 2 * float(np.float32(cases.COCO_SIGMAS[keypoint]))


def test_planted_errors(tmp_path: Path) -> None:
    visibility = np.full(17, 2)
    visibility[3], visibility[4] = 0, 1
    neighbour = POSE + np.array([7000, 0])
    truth = truth_of(
        tmp_path,
        [
            person(10, 1, POSE, visibility),
            person(11, 1, neighbour),
            person(12, 2, POSE),
            person(13, 3, POSE, 0),  # has no labelled keypoints, so it is not to be found
        ],
    )
    pose = POSE.copy()
    pose[0, 0] += away(0, 0.851)
    pose[1, 0] += away(1, 0.849)
    pose[2, 1] -= away(2, 0.501)
    pose[3] += 9999  # not labelled
    pose[4] += 3000  # hidden, and far from everything
    pose[5], pose[6] = POSE[6], POSE[5]
    pose[7] = neighbour[7] + [0, away(7, 0.501)]
    pose[8] = neighbour[7]  # the mirrored keypoint of another person
    pose[9] = POSE[11]  # neither the mirrored keypoint nor another person's
    pose[10, 0] += away(10, 0.499)
    wild = POSE + 90_000
    diagnosis = diagnose_coco(
        truth,
        [(1, pose, 0.9), (1, neighbour, 0.8), (1, neighbour + 1, 0.7), (1, wild, 0.5), (3, POSE, 0.4), (3, wild, 0.3)],
    )
    assert counts(diagnosis.tally) == [17 + 7, 2, 2, 2, 3, 17]
    assert diagnosis.tally.labelled == 16 + 17 + 17
    assert diagnosis.tally.found == 26 / 50
    assert diagnosis.hidden is not None
    assert counts(diagnosis.hidden) == [0, 0, 0, 0, 1, 0]
    assert [[kind for kind, count in keypoint.tally if count == 1] for keypoint in diagnosis.keypoints[:12]] == [
        ["unpaired"],
        ["good", "jitter", "unpaired"],
        ["good", "jitter", "unpaired"],
        ["good", "unpaired"],
        ["good", "miss", "unpaired"],
        ["good", "inversion", "unpaired"],
        ["good", "inversion", "unpaired"],
        ["good", "swap", "unpaired"],
        ["good", "swap", "unpaired"],
        ["good", "miss", "unpaired"],
        ["good", "miss", "unpaired"],
        ["unpaired"],
    ]
    assert (diagnosis.people, diagnosis.missed) == (3, 1)
    assert diagnosis.poses is not None
    # The pose in image 3 is at a person without keypoints.
    assert diagnosis.poses.model_dump() == {
        "paired": 2,
        "duplicates": 1,
        "ignored": 1,
        "nearby": 0,
        "background": 2,
        "background_score": pytest.approx((0.5 + 0.3) / 2),
    }
    assert [(case.annotation_id, case.dominating) for case in diagnosis.worst] == [(10, "miss"), (11, None)]
    worst = diagnosis.worst[0]
    assert (worst.image, worst.box) == ("one.jpg", (100, 200, 2100, 1700))
    assert worst.kinds[:8] == ("good", "jitter", "jitter", None, "miss", "inversion", "inversion", "swap")
    assert worst.labelled[3] is None
    assert worst.labelled[5] == tuple(POSE[5])
    assert worst.predicted[5] == tuple(POSE[6])
    assert worst.similarity == pytest.approx((0.851 + 0.849 + 0.501 + 0.499 + 6) / 16, abs=1e-6)
    assert sum(diagnosis.histogram) == 2
    assert diagnosis.histogram[-1] == 1


def test_own_location_comes_first(tmp_path: Path) -> None:
    """Also if the mirrored keypoint, or another person's, is nearer."""
    close = POSE.copy()
    close[6] = close[5] + [away(5, 0.6), 0]
    truth = truth_of(tmp_path, [person(1, 1, close), person(2, 1, close + np.array([0, away(5, 0.7)]))])
    pose = close.copy()
    pose[5], pose[6] = close[6], close[5]
    diagnosis = diagnose_coco(truth, [(1, pose, 0.9)])
    assert [keypoint.tally.jitter for keypoint in diagnosis.keypoints] == [int(index in (5, 6)) for index in range(17)]


def test_circumstances(tmp_path: Path) -> None:
    few = np.zeros(17)
    few[:5] = [2, 2, 2, 2, 1]
    truth = truth_of(
        tmp_path,
        [
            person(1, 1, POSE, area=32**2),
            person(2, 1, POSE + np.array([1600, 0]), area=96**2),  # IoU 400 / 3600
            person(3, 1, POSE, iscrowd=1),
            person(4, 2, POSE, few),
            person(5, 2, POSE + 20, 0),  # a neighbour that is not to be found
            person(6, 3, POSE),
            person(7, 3, POSE + np.array([1700, 0]), 0),  # IoU 300 / 3700
        ],
    )
    groups = {one.by: one for one in diagnose_coco(truth, [(2, POSE, 1)]).breakdowns}
    assert [(group.name, group.people, group.missed) for group in groups["size"].groups] == [
        ("small", 0, 0),
        ("medium", 1, 1),
        ("large", 3, 2),
    ]
    assert [group.people for group in groups["crowding"].groups] == [1, 3, 0]
    assert [group.people for group in groups["labelled keypoints"].groups] == [1, 0, 0, 3]
    hidden = groups["hidden keypoints"].groups
    assert [(group.people, group.recall, group.similarity) for group in hidden] == [
        (3, 0, None),
        (1, 1, 1),
        (0, None, None),
    ]
    assert counts(hidden[1].tally) == [5, 0, 0, 0, 0, 0]


def test_corrections(tmp_path: Path) -> None:
    """The first person has errors, the second a pose that scores less than a pose on the background."""
    truth = truth_of(tmp_path, [person(1, 1, POSE), person(2, 2, POSE)])
    swapped, missed, wild = POSE.copy(), POSE.copy(), POSE + 90_000
    swapped[[5, 6]] = POSE[[6, 5]]
    missed[:4] += 1000

    def figures(first: Any) -> Any:
        diagnosis = diagnose_coco(truth, [(1, first, 0.9), (1, wild, 0.8), (2, POSE, 0.7)])
        assert diagnosis.oks is not None
        return diagnosis.oks

    # Precision is 1 up to a recall of one half, and 2 / 3 beyond.
    full = (51 + 50 * 2 / 3) / 101
    assert figures(POSE).ap == pytest.approx(full)
    one_of_three = 51 / 3 / 101
    inverted = figures(swapped)  # OKS 15 / 17: 8 thresholds
    assert inverted.ap == pytest.approx(0.8 * full + 0.2 * one_of_three)
    assert inverted.corrected_ap["inversion"] == pytest.approx(full)
    assert (
        inverted.corrected_ap["miss"] == inverted.corrected_ap["swap"] == inverted.corrected_ap["jitter"] == inverted.ap
    )
    assert inverted.corrected_ap["background"] == pytest.approx(0.8 + 0.2 * 51 / 2 / 101)
    assert inverted.corrected_ap["scores"] == pytest.approx(0.8 + 0.2 * 51 / 101)
    assert figures(missed).corrected_ap["miss"] == pytest.approx(full)
    assert [curve.threshold for curve in inverted.curves] == [0.5, 0.75, 0.9]
    assert inverted.curves[0].precision == pytest.approx([1] * 51 + [2 / 3] * 50)
    assert inverted.curves[2].precision == pytest.approx([1 / 3] * 51 + [0] * 50)


def draw(rng: cases.Generator, num_keypoints: int) -> tuple[dict[str, Any], Predictions]:
    """Return people close to each other, and poses with errors of all kinds, each caused by another person."""
    document = cases.annotations(rng, num_keypoints)
    found = cases.poses(rng, document, num_keypoints, most=int(rng.choice([3, 40])))
    points = np.array([pose["keypoints"] for pose in found]).reshape(-1, num_keypoints, 3)
    if len(points):
        turned = rng.random(points.shape[:2]) < 0.2
        points[..., :2] = np.where(turned[..., None], points[:, ::-1, :2], points[..., :2])
        turned = rng.random(points.shape[:2]) < 0.2
        mirror = MIRROR if num_keypoints == 17 else CROWDPOSE_MIRROR
        points[..., :2] = np.where(turned[..., None], points[:, mirror, :2], points[..., :2])
    boxes = np.array([pose["bbox"] for pose in found], np.float32).reshape(-1, 4)
    return document, Predictions(
        person_ids=rng.permutation(len(found)),
        image_ids=np.array([pose["image_id"] for pose in found], np.int64),
        boxes=np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1),
        box_scores=np.array([pose["score"] for pose in found], np.float32),
        crop_areas=np.ones(len(found), np.float32),
        keypoints=points[..., :2],
        keypoint_scores=points[..., 2].astype(np.float32),
    )


def by_definition(predictions: Predictions, truth: Truth, scoring: OksScoring, mirror: tuple[int, ...]) -> Any:
    """Count keypoint by keypoint: kinds by keypoint, poses by outcome, missed people, AP by keypoint."""
    sigmas = np.array(scoring.sigmas, np.float32).astype(float)
    box_area = scoring.area == "box"
    areas = [0.53 * box[2] * box[3] if box_area else area for box, area in zip(truth.boxes, truth.areas, strict=True)]

    def ks(point: Any, owner: int, keypoint: int, sigma: float) -> float:
        if truth.keypoints[owner, keypoint, 2] == 0:
            return 0
        square = float(((point - truth.keypoints[owner, keypoint, :2]) ** 2).sum())
        return math.exp(-square / (2 * (areas[owner] + np.spacing(1)) * (2 * sigma) ** 2))

    def oks(points: Any, owner: int) -> float:
        shown = [k for k in range(len(sigmas)) if truth.keypoints[owner, k, 2] > 0]
        if shown:
            return sum(ks(points[k], owner, k, sigmas[k]) for k in shown) / len(shown)
        x, y, width, height = truth.boxes[owner]
        dx = np.maximum(0, x - width - points[:, 0]) + np.maximum(0, points[:, 0] - x - 2 * width)
        dy = np.maximum(0, y - height - points[:, 1]) + np.maximum(0, points[:, 1] - y - 2 * height)
        area = areas[owner] + np.spacing(1)
        return float(np.exp(-(dx**2 + dy**2) / (2 * area * (2 * sigmas) ** 2)).mean())

    def to_find(owner: int) -> bool:
        number = truth.num_keypoints[owner] if scoring.crowd else (truth.keypoints[owner, :, 2] > 0).sum()
        return bool(number > 0 and not truth.is_crowd[owner])

    kinds: list[Counter[str]] = [Counter() for _ in sigmas]
    outcomes: Counter[str] = Counter()
    missed = 0
    ranked: list[list[tuple[float, int, list[bool]]]] = [[] for _ in sigmas]  # score, image, right at each threshold
    thresholds = np.linspace(0.5, 0.95, 10)
    for image in sorted(truth.image_ids.tolist()):
        people = [index for index, of in enumerate(truth.annotation_image_ids) if of == image]
        rows = [row for row, of in enumerate(predictions.image_ids) if of == image]
        rows.sort(key=lambda row: (-predictions.box_scores[row], predictions.person_ids[row]))
        rows = [row for row in rows if (predictions.keypoint_scores[row] > 0).any()][:20]
        points = {row: predictions.keypoints[row] for row in rows}
        similar = {row: {owner: oks(points[row], owner) for owner in people} for row in rows}
        pose_of: dict[float, dict[int, int]] = {}
        for threshold in (0.1, 0.5):
            pose_of[threshold] = {}
            for row in rows:
                free = [one for one in people if to_find(one) and one not in pose_of[threshold]]
                free = [one for one in free if similar[row][one] >= threshold]
                if free:
                    pose_of[threshold][max(free, key=lambda one: (similar[row][one], one))] = row
        missed += sum(to_find(owner) and owner not in pose_of[0.5] for owner in people)
        owner_of = {row: owner for owner, row in pose_of[0.1].items()}
        for row in rows:
            own = max((similar[row][one] for one in people if to_find(one)), default=0)
            other = max((similar[row][one] for one in people if not to_find(one)), default=0)
            if row in owner_of:
                outcome = "paired"
            elif own >= 0.5:
                outcome = "duplicates"
            elif other >= 0.1:
                outcome = "ignored"
            else:
                outcome = "nearby" if own >= 0.1 else "background"
            outcomes[outcome] += 1
            for k, sigma in enumerate(sigmas):
                if row in owner_of and truth.keypoints[owner_of[row], k, 2] > 0:
                    value = ks(points[row][k], owner_of[row], k, sigma)
                    ranked[k].append((predictions.box_scores[row], image, [value >= t for t in thresholds]))
                elif row not in owner_of and other < 0.1:
                    ranked[k].append((predictions.box_scores[row], image, [False] * 10))
        for owner in people:
            for k, sigma in enumerate(sigmas):
                if not to_find(owner) or truth.keypoints[owner, k, 2] == 0:
                    continue
                if owner not in pose_of[0.1]:
                    kinds[k]["unpaired"] += 1
                    continue
                point = points[pose_of[0.1][owner]][k]
                near = [ks(point, one, j, sigma) for one in people if one != owner for j in {k, mirror[k]}]
                if ks(point, owner, k, sigma) >= 0.85:
                    kinds[k]["good"] += 1
                elif ks(point, owner, k, sigma) >= 0.5:
                    kinds[k]["jitter"] += 1
                elif ks(point, owner, mirror[k], sigma) >= 0.5:
                    kinds[k]["inversion"] += 1
                elif max(near, default=0) >= 0.5:
                    kinds[k]["swap"] += 1
                else:
                    kinds[k]["miss"] += 1
    aps = []
    for k in range(len(sigmas)):
        labelled = sum(kinds[k].values())
        ranked[k].sort(key=lambda one: -one[0])
        values = []
        for t in range(10 if labelled else 0):
            right = np.cumsum([one[2][t] for one in ranked[k]])
            precision = right / np.arange(1, len(right) + 1)
            best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
            values += [best[sum(right / labelled < recall)] for recall in np.linspace(0, 1, 101)]
        aps.append(float(np.mean(values)) if labelled else None)
    return kinds, outcomes, missed, aps


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), crowd=st.booleans())
def test_random_cases(tmp_path_factory: pytest.TempPathFactory, seed: int, crowd: bool) -> None:
    rng = np.random.default_rng(seed)
    scoring, mirror = (CROWDPOSE, CROWDPOSE_MIRROR) if crowd else (COCO, MIRROR)
    document, predictions = draw(rng, len(mirror))
    path = upstream.write(tmp_path_factory.mktemp("random") / "truth.json", document)
    truth = load_truth(path, len(mirror), areas=not crowd, crowd=crowd)
    diagnosis = diagnose_oks(predictions, scoring, truth, mirror, NAMES[: len(mirror)], {})
    kinds, outcomes, missed, aps = by_definition(predictions, truth, scoring, mirror)

    assert [{kind: count for kind, count in one.tally if count} for one in diagnosis.keypoints] == kinds
    assert diagnosis.poses is not None
    assert {name: count for name, count in diagnosis.poses if count and name != "background_score"} == outcomes
    assert diagnosis.missed == missed
    check_sums(diagnosis)
    stats = score_oks(predictions, scoring, truth)
    if diagnosis.oks is None:
        assert stats["AP"] is None
        return
    assert diagnosis.oks.ap == stats["AP"]
    assert stats["AR@0.5"] == pytest.approx(1 - missed / diagnosis.people)
    for one in diagnosis.breakdowns:
        recalled = sum(group.recall * group.people for group in one.groups if group.recall is not None)
        assert recalled / diagnosis.people == pytest.approx(stats["AR"])
    assert [keypoint.ap for keypoint in diagnosis.keypoints] == [
        None if ap is None else pytest.approx(ap, abs=1e-12) for ap in aps
    ]
    assert set(diagnosis.oks.corrected_ap) == {*ERRORS, "scores", "background"}


def check_sums(diagnosis: Diagnosis) -> None:
    """Every keypoint and every person is counted once in every grouping."""
    total = np.array(counts(diagnosis.tally))
    assert np.array_equal(sum(np.array(counts(keypoint.tally)) for keypoint in diagnosis.keypoints), total)
    for one in diagnosis.breakdowns:
        assert len(one.groups) == len(one.bounds) + 1
        assert np.array_equal(sum(np.array(counts(group.tally)) for group in one.groups), total)
        assert sum(group.people for group in one.groups) == diagnosis.people
        if diagnosis.missed is not None:
            assert sum(group.missed or 0 for group in one.groups) == diagnosis.missed
    if diagnosis.poses is not None:
        assert sum(diagnosis.histogram) == diagnosis.poses.paired
    for tally in (diagnosis.tally, *(keypoint.tally for keypoint in diagnosis.keypoints)):
        if tally.shares is None:
            assert tally.predicted == 0
        else:
            assert sum(tally.shares.values()) == pytest.approx(1)
    assert [case.similarity for case in diagnosis.worst] == sorted(case.similarity for case in diagnosis.worst)
    assert len(diagnosis.worst) == min(12, sum(diagnosis.histogram))
    assert len(diagnosis.median) == min(6, sum(diagnosis.histogram))


def flat(value: Any) -> Any:
    """Return all numbers and names, in order."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in flat(item)]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in flat(item)]
    return [pytest.approx(value, abs=1e-12) if isinstance(value, float) else value]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_order_does_not_matter(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = np.random.default_rng(seed)
    document, predictions = draw(rng, 17)
    order = rng.permutation(len(predictions))
    scores = rng.permutation(len(predictions)).astype(np.float32)  # ties are decided by the order
    folder = tmp_path_factory.mktemp("order")
    truth = load_truth(upstream.write(folder / "one.json", document), 17, areas=True)
    rng.shuffle(document["annotations"])
    rng.shuffle(document["images"])
    shuffled_truth = load_truth(upstream.write(folder / "other.json", document), 17, areas=True)
    fields = {**vars(predictions), "box_scores": scores}
    ordered = diagnose_oks(Predictions(**fields), COCO, truth, MIRROR, NAMES, {})
    shuffled = Predictions(**{name: values[order] for name, values in fields.items()})
    other = diagnose_oks(shuffled, COCO, shuffled_truth, MIRROR, NAMES, {})
    # AP does depend on it: among equally similar people, such as two without keypoints, COCO's code takes the last.
    assert flat(other.model_dump(exclude={"oks"})) == flat(ordered.model_dump(exclude={"oks"}))


def test_no_predictions(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [person(1, 1, POSE)])
    diagnosis = diagnose_coco(truth, [])
    assert counts(diagnosis.tally) == [0, 0, 0, 0, 0, 17]
    assert diagnosis.tally.shares is None
    assert (diagnosis.people, diagnosis.missed, diagnosis.worst) == (1, 1, ())
    assert diagnosis.oks is not None
    assert set(diagnosis.oks.corrected_ap.values()) == {0}


def test_nobody_to_find(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, [person(1, 1, POSE, iscrowd=1)])
    diagnosis = diagnose_coco(truth, [(1, POSE, 1), (2, POSE, 1)])
    assert (diagnosis.people, diagnosis.oks, diagnosis.tally.found) == (0, None, None)
    assert diagnosis.poses is not None
    assert (diagnosis.poses.ignored, diagnosis.poses.background) == (1, 1)


def test_saved(tmp_path: Path) -> None:
    diagnosis = diagnose_coco(truth_of(tmp_path, [person(1, 1, POSE)]), [(1, POSE + 3, 1)])
    path = tmp_path / "diagnosis.json"
    diagnosis.save(path)
    assert Diagnosis.load(path) == diagnosis
    document = json.loads(path.read_text())
    for change, message in (({"schema_version": 0}, "schema version 0"), ({"people": "x"}, "damaged")):
        path.write_text(json.dumps(document | change))
        with pytest.raises(ObtainError, match=message):
            Diagnosis.load(path)


def test_planted_errors_mpii() -> None:
    """Distances are relative to half the head's size; the mirrored joints of MPII are 0 and 5."""
    mirror = (5, 4, 3, 2, 1, 0, 6, 7, 8, 9, 15, 14, 13, 12, 11, 10)
    joints = np.stack([POSE[:16], POSE[:16] + np.array([5000, 0])]).astype(np.float32) + 1
    truth = MpiiTruth(Path("mpii_val.json"), joints, np.ones((2, 16), bool), np.array([40.0, 80.0]))
    truth.visible[0, 9] = False
    keypoints = joints.astype(float) - 1
    keypoints[0, 1, 0] += 0.48 * 20
    keypoints[0, 2, 0] += 0.49 * 20
    keypoints[0, 3, 0] += 0.999 * 20
    keypoints[0, 4, 0] += 1.001 * 20
    keypoints[0, 0], keypoints[0, 8] = keypoints[0, 5], keypoints[1, 8] + [39, 0]
    keypoints[0, [6, 7, 9]] += 900  # pelvis and thorax do not count, the head is not visible
    predictions = predict([(1, keypoints[0], 1), (1, keypoints[1], 1)])
    diagnosis = diagnose_mpii(predictions, truth, mirror, NAMES[:16], {1: "one.jpg"})
    assert counts(diagnosis.tally) == [14 + 8, 2, 1, 1, 1, 0]
    assert diagnosis.worst[0].kinds == (
        "inversion",
        "good",
        "jitter",
        "jitter",
        "miss",
        "good",
        None,
        None,
        "swap",
        None,
        *["good"] * 6,
    )
    assert diagnosis.tally.found == pytest.approx(score_mpii(predictions, truth)["PCKh@0.5"])
    assert (diagnosis.missed, diagnosis.poses, diagnosis.oks, diagnosis.hidden) == (None, None, None, None)
    check_sums(diagnosis)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_found_is_pck(seed: int) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.uniform(0, 300, (30, 16, 2)).astype(np.float32)
    head_sizes = rng.choice([20.0, 40, 80], 30)
    truth = MpiiTruth(Path("mpii_val.json"), joints, rng.random((30, 16)) < 0.7, head_sizes)
    keypoints = joints - 1 + rng.normal(0, 15, joints.shape)
    predictions = predict([(image, pose, 1) for image, pose in zip(rng.integers(0, 9, 30), keypoints, strict=True)])
    diagnosis = diagnose_mpii(predictions, truth, tuple(range(16)), NAMES[:16], {})
    assert diagnosis.tally.found == pytest.approx(score_mpii(predictions, truth)["PCKh@0.5"])
    assert diagnosis.tally.inversion == 0
    check_sums(diagnosis)
    truth.head_sizes[0] = 0  # distances cannot be measured relative to it
    without = diagnose_mpii(predictions, truth, tuple(range(16)), NAMES[:16], {})
    assert without.tally.labelled == diagnosis.tally.labelled - truth.visible[0, [*range(6), *range(8, 16)]].sum()


def test_planted_errors_jhmdb(tmp_path: Path) -> None:
    """Distances are relative to a fifth of the box's longer side."""
    document = {"images": [{"id": 1}], "annotations": [person(7, 1, POSE[:15] + 1)]}
    truth = load_truth(upstream.write(tmp_path / "truth.json", document), 15)
    keypoints = POSE[:15].copy()
    keypoints[3, 0] += 0.2 * 50 * 0.99
    keypoints[4, 0] += 0.2 * 50 * 1.01
    predictions = Predictions(**{**vars(predict([(1, keypoints, 1)])), "person_ids": np.array([7])})
    scoring = JhmdbScoring(threshold=0.2)
    diagnosis = diagnose_jhmdb(predictions, scoring, truth, tuple(range(15)), NAMES[:15], {})
    assert counts(diagnosis.tally) == [13, 1, 0, 0, 1, 0]
    assert diagnosis.tally.found == pytest.approx(score_jhmdb(predictions, scoring, truth)["PCK(person)"])
    assert diagnosis.worst[0].annotation_id == 7


def test_planted_errors_posetrack(tmp_path: Path) -> None:
    """Half a head's size is 15 px; a frame without people and joints in an ignore region do not count."""
    pose, other = test_posetrack_ap.POSE, test_posetrack_ap.POSE + np.array([2000, 0])
    region = {"ignore_regions_x": [[50, 50, 140, 140]], "ignore_regions_y": [[150, 250, 250, 150]]}
    far = {"ignore_regions_x": [[5000, 5000, 9000, 9000]], "ignore_regions_y": [[0, 9000, 9000, 0]]}
    images = {1: {key: region[key] + far[key] for key in region}, 2: {}}
    people = [test_posetrack_ap.person(1, pose), test_posetrack_ap.person(1, other)]
    folder = test_posetrack_ap.write(tmp_path, [test_posetrack_ap.sequence(1, people, images)])
    truth = load_posetrack(folder)
    found = pose.copy()
    found[[3, 4]] += 500  # ears
    found[0] += 500  # annotated inside the ignore region
    found[1, 0] -= 14  # predicted inside it
    found[2, 0] += 14
    found[[5, 6]] = pose[[6, 5]]
    found[7] = other[7]
    found[8, 1] += 16
    wild = pose + 900
    again = (1, pose, 0.1)  # better, but with a lower score
    predictions = test_posetrack_ap.predict(
        [again, (1, found, 0.9), (1, wild, 0.8), (1, pose + 6000, 0.7), (2, wild, 0.6)]
    )
    mirror = (0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)
    scoring = PoseTrackScoring(sigmas=cases.COCO_SIGMAS, sequences=DataFile(path="val", sha256=""), nms="none")
    names = test_posetrack_ap.KEYPOINTS
    diagnosis = diagnose_posetrack(predictions, scoring, truth, mirror, names, {1: "one.jpg"})
    assert [keypoint.name for keypoint in diagnosis.keypoints] == test_posetrack_ap.EVALUATED
    assert counts(diagnosis.tally) == [8, 1, 2, 1, 2, 15]
    assert diagnosis.poses is not None
    assert list(diagnosis.poses.model_dump().values())[:5] == [1, 1, 1, 0, 1]
    assert (diagnosis.people, diagnosis.missed) == (2, 1)
    assert diagnosis.worst[0].kinds[:7] == (None, "miss", "jitter", "inversion", "inversion", "swap", "miss")
    check_sums(diagnosis)
    with pytest.raises(RunError, match="no sequence"):
        diagnose_posetrack(test_posetrack_ap.predict([(9, pose, 1)]), scoring, truth, mirror, names, {})


def test_real_detections(scoring_samples: Path) -> None:
    folder = scoring_samples / "coco-four-images"
    found = json.loads((folder / "example_coco_preds.json").read_text())
    points = np.array([one["keypoints"] for one in found]).reshape(-1, 17, 3)
    predictions = predict(
        [(one["image_id"], pose[:, :2], one["score"]) for one, pose in zip(found, points, strict=True)]
    )
    truth = load_truth(folder / "example_coco_val.json", 17, areas=True)
    diagnosis = diagnose_oks(predictions, COCO, truth, MIRROR, NAMES, {})
    assert diagnosis.oks is not None
    assert diagnosis.oks.ap == pytest.approx(0.8608896054, abs=1e-9)
    assert diagnosis.poses is not None
    assert diagnosis.poses.total == sum(min(20, n) for n in Counter(predictions.image_ids.tolist()).values())
    assert (diagnosis.people, diagnosis.missed) == (12, 0)
    assert diagnosis.tally.found is not None
    assert diagnosis.tally.found > 0.9
    assert all(ap > diagnosis.oks.ap for ap in diagnosis.oks.corrected_ap.values() if ap != diagnosis.oks.ap)
    check_sums(diagnosis)


@pytest.mark.parametrize(
    "row_id",
    [
        "coco/hrnet-w32-256x192",
        "crowdpose/hrnet-w32-256x192",
        "aic/hrnet-w32-256x192",
        "humanart/vitpose-s-256x192",
        "mpii/hrnet-w48-dark-256x256",
        "jhmdb/resnet-50-256x256",
        "posetrack18/hrnet-w48-256x192",
    ],
)
def test_every_suite(settings: Settings, row_id: str) -> None:
    """Each box gets the pose of the annotated person with the nearest box, slightly moved."""
    suite = load_suite(row_id.split("/")[0])
    (row,) = select_rows(suite, row_id.split("/")[1])
    plan = make_plan(suite, row, next(iter(row.runs)), settings)
    people = plan.people()
    document = json.loads((settings.data / plan.protocol.annotations.path).read_text())
    rng = np.random.default_rng(0)
    keypoints = []
    for box, image in zip(people.boxes, people.image_ids, strict=True):
        if isinstance(document, list):
            poses = [one["joints"] for one in document if int(one["image"].split(".")[0]) == image]
        else:
            near = [one for one in document["annotations"] if one["image_id"] == image]
            near.sort(key=lambda one: float(np.abs(np.array(one["bbox"][:2]) - box[:2]).sum()))
            poses = [np.reshape(one["keypoints"], (-1, 3))[:, :2] for one in near]
        pose = np.array(poses[0] if poses else np.zeros((plan.protocol.num_keypoints, 2)))
        keypoints.append(pose + rng.normal(0, 0.02 * np.ptp(box.reshape(2, 2), axis=0).max(), pose.shape))
    predictions = Predictions(
        person_ids=people.ids,
        image_ids=people.image_ids,
        boxes=people.boxes,
        box_scores=people.scores,
        crop_areas=np.full(len(people), 1e4, np.float32),
        keypoints=np.array(keypoints),
        keypoint_scores=np.ones((len(people), plan.protocol.num_keypoints), np.float32),
    )
    names = read_metainfo(plan.config.test_dataloader.dataset).names
    diagnosis = diagnose(match(predictions, plan.protocol, settings.data), plan.protocol, settings.data, names)
    metrics = evaluate(predictions, plan.protocol, settings.data)
    check_sums(diagnosis)
    assert diagnosis.people > 0
    assert diagnosis.tally.good > 0
    assert all((case.image or "").endswith((".jpg", ".png")) for case in diagnosis.worst)
    if diagnosis.oks is not None:
        assert diagnosis.oks.ap == metrics["AP"]
    if diagnosis.metric == "pckh":
        assert diagnosis.tally.found == pytest.approx(metrics["PCKh@0.5"])
    with pytest.raises(RunError, match="3 names"):
        diagnose(match(predictions, plan.protocol, settings.data), plan.protocol, settings.data, ["a", "b", "c"])
