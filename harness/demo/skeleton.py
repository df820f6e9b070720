"""Articulated bodies: poses within the limits of human joints, and the positions of the joints in a picture.

A body is about 1 high. In its own frame, x points to its left, y up and z forward; a body with yaw 0 faces the
camera. In the camera's frame, x points right, y down and z away from the camera.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.arrays import Float64

Rng = np.random.Generator

SIDES = {"left": 1.0, "right": -1.0}
"""Sign of x."""

TRUNK, SHOULDER, HIP = 0.31, 0.105, 0.075
UPPER_ARM, FOREARM, HAND = 0.165, 0.14, 0.045
THIGH, SHIN, FOOT = 0.235, 0.235, 0.11
NECK, HEAD, CROWN = 0.03, 0.085, 0.095

Range = tuple[float, float]


class Arm(NamedTuple):
    """Ranges of an arm's angles; degrees."""

    abduction: Range
    flexion: Range
    elbow: Range
    """0 is straight."""
    turn: Range
    """Direction of the plane in which the elbow bends: 0 is forward, 90 inward."""


class Pose(NamedTuple):
    """Ranges of a body's angles; degrees."""

    share: float
    """Probability of the pose."""
    arms: tuple[str, ...]
    """Names in ARMS from which each arm's is drawn."""
    hips: Range
    """Flexion of the hips. If the range reaches below -20, one leg goes forward and the other back."""
    spread: Range
    """Abduction of the hips."""
    knees: Range
    """0 is straight."""
    pitch: Range
    """Pitch of the trunk; positive is forward."""


ARMS = {
    "hanging": Arm((4, 25), (-20, 20), (5, 45), (-20, 40)),
    "on hip": Arm((38, 60), (-25, 5), (75, 110), (60, 100)),
    "raised": Arm((105, 170), (-10, 20), (0, 80), (20, 110)),
    "aside": Arm((55, 100), (-10, 20), (0, 100), (-30, 60)),
    "forward": Arm((0, 30), (40, 110), (0, 100), (-10, 70)),
    "folded": Arm((10, 25), (15, 35), (85, 115), (50, 75)),
}
STANDING = Pose(0.32, ("hanging", "on hip", "forward", "folded", "aside"), (-4, 8), (1, 12), (0, 8), (-4, 8))
WALKING = Pose(0.24, ("hanging", "forward"), (-25, 35), (0, 6), (2, 45), (-2, 12))
RUNNING = Pose(0.08, ("forward", "folded"), (-25, 75), (0, 8), (15, 100), (5, 25))
SITTING = Pose(0.14, ("hanging", "forward", "folded"), (70, 100), (2, 25), (60, 105), (-10, 20))
CHEERING = Pose(0.12, ("raised", "raised", "aside"), (-10, 25), (2, 25), (0, 30), (-10, 10))
LEANING = Pose(0.10, ("hanging", "forward", "aside", "on hip"), (0, 30), (2, 30), (0, 50), (20, 65))
POSES = (STANDING, WALKING, RUNNING, SITTING, CHEERING, LEANING)


@dataclass(frozen=True)
class Body:
    """A posed body in the camera's frame, with height 1 and the pelvis at the origin."""

    joints: dict[str, Float64]
    """Position [3] of each joint or landmark."""
    trunk: Float64
    """[3, 3] left, up and forward of the trunk, one per row."""
    head: Float64
    """[3, 3] left, up and forward of the head, one per row."""


def sample_body(rng: Rng) -> Body:
    """Return a body in a random pose, seen from the front, the back or the side."""
    pose = POSES[_choice(rng, [pose.share for pose in POSES])]
    view = _view(rng)
    pelvis = view @ _rotation("z", _between(rng, -6, 6))
    trunk = pelvis @ _rotation("y", _between(rng, -25, 25)) @ _rotation("z", _between(rng, -10, 10))
    trunk = trunk @ _rotation("x", _between(rng, *pose.pitch))
    head = trunk @ _rotation("y", _between(rng, -45, 45)) @ _rotation("x", _between(rng, -15, 22))
    head = head @ _rotation("z", _between(rng, -14, 14))

    left, up, forward = trunk.T
    neck = up * TRUNK
    joints = {"pelvis": np.zeros(3), "neck": neck}
    strides = rng.permutation([0.0, 1.0]) if pose.hips[0] < -20 else None
    for index, (side, sign) in enumerate(SIDES.items()):
        arm = pose.arms[int(rng.integers(len(pose.arms)))]
        joints[f"{side}_shoulder"] = shoulder = neck + sign * SHOULDER * left - 0.01 * up
        upper, lower = _arm(rng, arm, trunk, sign)
        joints[f"{side}_elbow"] = elbow = shoulder + UPPER_ARM * upper
        joints[f"{side}_wrist"] = wrist = elbow + FOREARM * lower
        joints[f"{side}_hand"] = wrist + HAND * lower

        back, front = pose.hips
        if strides is not None:
            back, front = (back, back / 3) if strides[index] else (front / 3, front)
        joints[f"{side}_hip"] = hip = sign * HIP * pelvis[:, 0]
        thigh = pelvis @ _rotation("z", sign * _between(rng, *pose.spread))
        thigh = thigh @ _rotation("x", -_between(rng, back, front))
        shin = thigh @ _rotation("x", _between(rng, *pose.knees))
        joints[f"{side}_knee"] = knee = hip - THIGH * thigh[:, 1]
        joints[f"{side}_ankle"] = ankle = knee - SHIN * shin[:, 1]
        foot = shin @ _rotation("y", sign * _between(rng, 0, 20)) @ _rotation("x", _between(rng, -10, 25))
        joints[f"{side}_toe"] = ankle + FOOT * foot[:, 2] - 0.03 * foot[:, 1]
        joints[f"{side}_heel"] = ankle - 0.025 * foot[:, 2] - 0.025 * foot[:, 1]

    left, up, forward = head.T
    joints["upper_neck"] = upper_neck = neck + NECK * trunk[:, 1]
    joints["head"] = centre = upper_neck + HEAD * up
    joints["top_head"] = centre + CROWN * up
    joints["nose"] = centre + 0.085 * forward - 0.012 * up
    for side, sign in SIDES.items():
        joints[f"{side}_eye"] = centre + 0.06 * forward + sign * 0.032 * left + 0.018 * up
        joints[f"{side}_ear"] = centre + sign * 0.074 * left
    camera = np.array([1.0, -1.0, -1.0])
    return Body({name: joint * camera for name, joint in joints.items()}, trunk.T * camera, head.T * camera)


def _view(rng: Rng) -> Float64:
    """Return the rotation of the whole body."""
    middle = (0.0, 180.0, _between(rng, -180, 180))[_choice(rng, [0.42, 0.33, 0.25])]
    yaw = middle + _between(rng, -50, 50)
    # The camera is slightly above; a few bodies lean or lie.
    roll = _between(rng, -8, 8) if rng.random() < 0.93 else _between(rng, -80, 80)
    return _rotation("z", roll) @ _rotation("x", _between(rng, 0, 18)) @ _rotation("y", yaw)


def _arm(rng: Rng, kind: str, trunk: Float64, sign: float) -> tuple[Float64, Float64]:
    """Return the directions of the upper arm and the forearm."""
    abduction, flexion, elbow, turn = (_between(rng, *limits) for limits in ARMS[kind])
    left, up, forward = trunk.T
    frame = trunk @ _rotation("z", sign * abduction) @ _rotation("x", -flexion)
    direction = -frame[:, 1]
    inward = -sign * left if kind != "raised" else up
    wish = math.cos(math.radians(turn)) * forward + math.sin(math.radians(turn)) * inward
    across = wish - (wish @ direction) * direction
    across /= max(float(np.sqrt(across @ across)), 1e-6)
    return direction, math.cos(math.radians(elbow)) * direction + math.sin(math.radians(elbow)) * across


def _rotation(axis: str, degrees: float) -> Float64:
    """Return a rotation [3, 3], counter-clockwise when the axis points to the viewer."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    rows = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }
    return np.array(rows[axis], np.float64)


def _between(rng: Rng, low: float, high: float) -> float:
    return low + (high - low) * rng.random()


def _choice(rng: Rng, shares: list[float]) -> int:
    point = rng.random() * sum(shares)
    for index, share in enumerate(shares):
        point -= share
        if point < 0:
            return index
    return len(shares) - 1
