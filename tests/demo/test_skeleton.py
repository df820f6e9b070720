"""Bodies keep their proportions, and their joints bend in the directions of human joints."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.demo import skeleton
from harness.demo.skeleton import SIDES, Body, sample_body

bodies = st.integers(0, 2**32).map(lambda seed: sample_body(np.random.default_rng(seed)))


@given(bodies)
@settings(max_examples=60, deadline=None)
def test_bones_are_rigid(body: Body) -> None:
    joints = body.joints
    for side in SIDES:
        for start, end, length in (
            ("shoulder", "elbow", skeleton.UPPER_ARM),
            ("elbow", "wrist", skeleton.FOREARM),
            ("hip", "knee", skeleton.THIGH),
            ("knee", "ankle", skeleton.SHIN),
        ):
            bone = joints[f"{side}_{start}"] - joints[f"{side}_{end}"]
            assert np.linalg.norm(bone) == pytest.approx(length)
    assert np.linalg.norm(joints["left_hip"] - joints["right_hip"]) == pytest.approx(2 * skeleton.HIP)
    assert np.linalg.norm(joints["neck"]) == pytest.approx(skeleton.TRUNK)
    for frame in (body.trunk, body.head):  # orthonormal, and right-handed apart from the camera's two turned axes
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(frame) == pytest.approx(1)


@given(bodies)
@settings(max_examples=60, deadline=None)
def test_knees_bend_backward_and_the_left_is_left(body: Body) -> None:
    joints = body.joints
    left, up, _ = body.trunk
    assert (joints["left_shoulder"] - joints["right_shoulder"]) @ left > 0
    assert (joints["neck"] - joints["pelvis"]) @ up > 0
    assert (joints["nose"] - joints["head"]) @ body.head[2] > 0
    for side in SIDES:
        thigh = joints[f"{side}_knee"] - joints[f"{side}_hip"]
        shin = joints[f"{side}_ankle"] - joints[f"{side}_knee"]
        bend = np.degrees(np.arccos(np.clip(thigh @ shin / (skeleton.THIGH * skeleton.SHIN), -1, 1)))
        assert bend <= 106
        if bend > 10:  # otherwise the axis of the shin's rotation would point to the right
            assert np.cross(thigh, shin) @ (joints["left_hip"] - joints["right_hip"]) > 0


def test_people_are_seen_from_all_sides() -> None:
    rng = np.random.default_rng(0)
    # The camera looks along z: a person facing it has a forward direction of negative z.
    facing = np.array([sample_body(rng).trunk[2][2] for _ in range(400)])
    assert 0.35 < (facing < -0.3).mean() < 0.65
    assert 0.25 < (facing > 0.3).mean() < 0.55
    assert (np.abs(facing) <= 0.3).mean() > 0.05
