"""PCKh on MPII and PCK on JHMDB, compared with MMPose's metrics and published values."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmpose.evaluation.functional import keypoint_pck_accuracy
from mmpose.evaluation.metrics import JhmdbPCKAccuracy, MpiiPCKAccuracy
from scipy.io import loadmat, savemat

from harness.errors import ObtainError, RunError
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.pckh.truth import MpiiTruth, load_head_sizes, load_mpii
from harness.metrics.pck import find_joints
from harness.metrics.truth import Truth, load_truth
from harness.predictions import Predictions

from .measured import score_jhmdb, score_mpii
from .upstream import write

JOINTS = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"]


def predictions(keypoints: Any, boxes: Any = None, person_ids: Any = None) -> Predictions:
    people = len(keypoints)
    return Predictions(
        person_ids=np.arange(people) if person_ids is None else person_ids,
        image_ids=np.zeros(people, np.int64),
        boxes=np.zeros((people, 4), np.float32) if boxes is None else boxes,
        box_scores=np.ones(people, np.float32),
        crop_areas=np.ones(people, np.float32),
        keypoints=keypoints,
        keypoint_scores=np.ones(keypoints.shape[:2], np.float32),
    )


def sample(keypoints: Any, truth: Any, visible: Any, **fields: Any) -> dict[str, Any]:
    truth = {"keypoints": truth[None], "keypoints_visible": visible[None], **fields}
    return {"pred_instances": {"keypoints": keypoints[None]}, "gt_instances": truth}


def test_at_the_threshold() -> None:
    offsets = np.array([0.2, 0.2 - 1e-9, np.nextafter(np.float32(0.2), np.float32(0)), 0.2 - 1e-7])
    found = np.stack([offsets, np.zeros(4)], axis=1)[None]
    visible, sizes = np.ones((1, 4), bool), np.ones((1, 2))
    theirs, _, _ = keypoint_pck_accuracy(found, np.zeros_like(found), visible, 0.2, sizes)
    ours, counted = find_joints(found, np.zeros_like(found), visible, sizes[:, 0], 0.2)
    assert ours.tolist() == [theirs.tolist()] == [[False, False, True, True]]
    assert counted.all()


def mpii_truth(rng: np.random.Generator, people: int) -> MpiiTruth:
    return MpiiTruth(
        path=Path("mpii_val.json"),
        joints=rng.uniform(0, 1000, (people, 16, 2)).astype(np.float32),
        visible=rng.random((people, 16)) < rng.choice([0.1, 0.8]),
        head_sizes=rng.uniform(20, 80, people),
    )


def mpii_upstream(keypoints: Any, truth: MpiiTruth) -> dict[str, float]:
    metric = MpiiPCKAccuracy()
    for found, joints, visible, size in zip(keypoints, truth.joints, truth.visible, truth.head_sizes, strict=True):
        metric.process([], [sample(found, joints, visible, head_size=size.reshape(1, -1))])
    return dict(metric.compute_metrics(metric.results))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), dtype=st.sampled_from([np.float32, np.float64]))
def test_mpii_random_cases(seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    truth = mpii_truth(rng, int(rng.integers(1, 40)))
    keypoints = (truth.joints - 1 + rng.normal(0, rng.choice([3, 20]), truth.joints.shape)).astype(dtype)
    theirs = mpii_upstream(keypoints, truth)
    names = ["PCK", "PCK@0.1", *(f"{joint.capitalize()} PCK" for joint in JOINTS)]
    ours = score_mpii(predictions(keypoints), truth)
    assert list(ours) == ["PCKh@0.5", "PCKh@0.1", *(f"PCKh@0.5({joint})" for joint in JOINTS)]
    for (name, value), upstream_name in zip(ours.items(), names, strict=True):
        if value is not None:
            assert value == theirs[upstream_name] / 100, name
        elif "(" in name:  # MMPose uses -100 for a joint without labels
            assert theirs[upstream_name] <= 0
        else:
            assert not truth.visible[:, [*range(6), *range(8, 16)]].any()


def test_mpii_published_scores(scoring_samples: Path) -> None:
    """A 2-stack hourglass: pytorch-pose's README by joint, and its mean by MMPose's rule, which weighs the joints."""
    folder = scoring_samples / "mpii-val"
    document = loadmat(folder / "mpii_gt_val.mat")
    truth = MpiiTruth(
        path=folder,
        joints=document["pos_gt_src"].transpose(2, 0, 1),
        visible=document["jnt_missing"].T == 0,
        head_sizes=load_head_sizes(folder / "mpii_gt_val.mat"),
    )
    stats = score_mpii(predictions(loadmat(folder / "hg_s2_b1.mat")["preds"] - 1), truth)
    percent = {name: None if value is None else round(100 * value, 2) for name, value in stats.items()}
    assert percent.pop("PCKh@0.5") == 87.30
    percent.pop("PCKh@0.1")
    assert list(percent.values()) == [95.80, 94.57, 88.12, 83.31, 86.24, 80.88, 77.44]


def test_mpii_files(each_samples: Path) -> None:
    folder = each_samples / "mpii" / "annotations"
    truth = load_mpii(folder / "mpii_val.json", folder / "mpii_gt_val.mat")
    reference = loadmat(folder / "mpii_gt_val.mat")
    np.testing.assert_array_equal(truth.visible, reference["jnt_missing"].T == 0)
    np.testing.assert_allclose(
        truth.joints[truth.visible], reference["pos_gt_src"].transpose(2, 0, 1)[truth.visible], atol=1e-3
    )
    noise = 0.3 * truth.head_sizes[:, None, None] * np.random.default_rng(0).normal(0, 1, truth.joints.shape)
    found = truth.joints - 1 + noise.astype(np.float32)
    some = slice(1, 4)
    part = MpiiTruth(truth.path, truth.joints[some], truth.visible[some], truth.head_sizes[some])
    ours = score_mpii(predictions(found[some], person_ids=np.array([1, 2, 3])), truth)
    theirs = mpii_upstream(found[some], part)
    assert ours["PCKh@0.5"] == theirs["PCK"] / 100
    assert 0 < theirs["PCK@0.1"] < theirs["PCK"] < 100


def test_mpii_broken_files(tmp_path: Path) -> None:
    person = {"joints": [[0, 0]] * 16, "joints_vis": [1] * 16}
    good, heads = write(tmp_path / "good.json", [person]), tmp_path / "heads.mat"
    savemat(heads, {"headboxes_src": np.zeros((2, 2, 2))})
    with pytest.raises(ObtainError, match=r"heads\.mat: head boxes of 2 people, but .*good\.json has 1"):
        load_mpii(good, heads)
    savemat(heads, {"headboxes_src": np.zeros((2, 2, 1))})
    load_mpii(good, heads)
    for broken in ({"joints": [[0, 0]] * 16}, person | {"joints_vis": [1] * 15}):
        with pytest.raises(ObtainError, match=r"broken\.json: 'joints_vis'"):
            load_mpii(write(tmp_path / "broken.json", [broken]), heads)
    savemat(heads, {"boxes": np.zeros((2, 2, 1))})
    with pytest.raises(ObtainError, match=r"heads\.mat: 'headboxes_src' must be .*; it is absent"):
        load_mpii(good, heads)
    heads.write_bytes(b"")
    with pytest.raises(
        ObtainError, match=r"the head box file cannot be read: .*heads\.mat: not a \.mat file of version 5 to 7"
    ):
        load_mpii(good, heads)
    with pytest.raises(ObtainError, match="the head box file is missing"):
        load_mpii(good, tmp_path / "none.mat")


def jhmdb_file(rng: np.random.Generator, path: Path) -> Truth:
    keypoints = np.zeros((int(rng.integers(1, 30)), 15, 3))
    keypoints[..., :2] = rng.uniform(1, 300, (*keypoints.shape[:2], 2))
    keypoints[..., 2] = rng.choice([0, 1, 2], keypoints.shape[:2], p=[0.3, 0.3, 0.4])
    keypoints[0, 0, 2] = 1
    short = rng.random(len(keypoints)) < 0.3
    keypoints[short, 5, :2] = keypoints[short, 4, :2] + 0.25
    people = [
        {"id": 10 + index, "image_id": 1, "bbox": [1, 1, 50, 100], "keypoints": person.ravel().tolist()}
        for index, person in enumerate(keypoints)
    ]
    return load_truth(write(path, {"images": [{"id": 1}], "annotations": people}), 15)


@pytest.mark.filterwarnings("ignore:Ground truth torso size")
@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32), dtype=st.sampled_from([np.float32, np.float64]), threshold=st.sampled_from([0.2, 0.5])
)
def test_jhmdb_random_cases(tmp_path_factory: pytest.TempPathFactory, seed: int, dtype: Any, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    truth = jhmdb_file(rng, tmp_path_factory.getbasetemp() / "jhmdb.json")
    people = len(truth.annotation_ids)
    labelled: npt.NDArray[np.float32] = truth.keypoints[..., :2].astype(np.float32) - 1
    keypoints = (labelled + rng.normal(0, rng.choice([3, 20]), labelled.shape)).astype(dtype)
    corners = rng.uniform(0, 100, (people, 2))
    boxes = np.concatenate([corners, corners + rng.choice([0, 30, 77.7], (people, 2))], axis=1).astype(np.float32)
    metric = JhmdbPCKAccuracy(thr=threshold, norm_item=["bbox", "torso"])
    for index in range(people):
        visible = np.minimum(1, truth.keypoints[index, :, 2])
        metric.process([], [sample(keypoints[index], labelled[index], visible, bboxes=boxes[index : index + 1])])
    theirs = metric.compute_metrics(metric.results)

    found = predictions(keypoints, boxes, truth.annotation_ids)
    ours = score_jhmdb(found, JhmdbScoring(threshold=threshold), truth)
    joints = ["Head", "Sho", "Elb", "Wri", "Hip", "Knee", "Ank"]
    for name, upstream_name in (("person", "PCK"), ("torso", "tPCK")):
        # MMPose reports 0 if no joint counts, and uses -1 for joints without labels.
        assert (ours[f"PCK({name})"] or 0) == theirs[upstream_name]
        for joint, upstream_joint in zip(JOINTS, joints, strict=True):
            value, expected = ours[f"PCK({name}, {joint})"], theirs[f"{upstream_joint} {upstream_name}"]
            assert value == expected if value is not None else expected <= 0


def test_jhmdb_files(each_samples: Path) -> None:
    truth = load_truth(each_samples / "jhmdb" / "annotations" / "Sub1_test.json", 15)
    boxes = np.concatenate([truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]], axis=1).astype(np.float32)
    exact = truth.keypoints[..., :2].astype(np.float32) - 1
    stats = score_jhmdb(predictions(exact, boxes, truth.annotation_ids), JhmdbScoring(threshold=0.2), truth)
    assert set(stats.values()) == {1.0}


def test_people_who_cannot_be_scored() -> None:
    truth = mpii_truth(np.random.default_rng(0), 5)
    keypoints = truth.joints - 1
    with pytest.raises(RunError, match=r"predictions of 1 person that mpii_val\.json does not have, such as 7"):
        score_mpii(predictions(keypoints, person_ids=np.array([0, 1, 2, 3, 7])), truth)
    with pytest.raises(RunError, match="14 keypoints a person, not 16"):
        score_mpii(predictions(keypoints[:, :14]), truth)
    with pytest.raises(RunError, match="keypoints are not finite"):
        score_mpii(predictions(np.where(keypoints > 500, np.nan, keypoints)), truth)
    with pytest.raises(RunError, match="there are no people to score"):
        score_mpii(predictions(keypoints[:0]), truth)


def test_somebody_predicted_twice_counts_once() -> None:
    truth = mpii_truth(np.random.default_rng(1), 5)
    keypoints = truth.joints - 1 + np.random.default_rng(2).normal(0, 20, truth.joints.shape).astype(np.float32)
    twice = predictions(np.concatenate([keypoints, keypoints[:2]]), person_ids=np.array([0, 1, 2, 3, 4, 0, 1]))
    assert score_mpii(twice, truth) == score_mpii(predictions(keypoints), truth)
