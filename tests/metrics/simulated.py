"""Data sets drawn from known processes, in which people of the same image or video are equally difficult."""

from pathlib import Path

import numpy as np

from harness.arrays import Float64, Indices, Int64
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.metrics.families.posetrack_ap.truth import PoseTrackTruth
from harness.metrics.truth import Truth
from harness.predictions import Predictions
from harness.protocol import DataFile

from . import cases

Generator = np.random.Generator

OKS = OksScoring(sigmas=cases.COCO_SIGMAS, area="annotation", nms="none")
JHMDB = JhmdbScoring(threshold=0.2)
POSETRACK = PoseTrackScoring(sigmas=cases.COCO_SIGMAS, sequences=DataFile(path="", sha256=""), nms="none")
FRAMES = 5
"""Number of frames of a video; the id of its first frame is a multiple of it."""


def coco(rng: Generator, images: int, network: int = 0, error: float = 1.0) -> tuple[Predictions, Truth]:
    """Draw about two people per image, a pose for each, and false poses.

    Args:
        rng: Draws the images, the people, their difficulty, and three quarters of the variance of the predictions.
        images: Number of images.
        network: Seed of the remaining variance, so that several networks differ on the same images.
        error: Factor on the errors of this network's keypoints.
    """
    image_of = np.repeat(np.arange(images), rng.poisson(2, images))
    hard = 0.8 * rng.normal(size=images)
    people = len(image_of)
    heights = rng.lognormal(4.8, 0.6, people)
    corners = rng.uniform(0, 500, (people, 2))
    points = corners[:, None] + rng.uniform(0, 1, (people, 17, 2)) * heights[:, None, None]
    areas = 0.5 * heights**2
    truth = _truth(images, image_of, points, corners, heights, areas)

    own = np.random.default_rng([network, rng.integers(2**32)])

    def noise(*shape: int) -> Float64:
        together: Float64 = np.sqrt(0.75) * rng.normal(size=shape) + np.sqrt(0.25) * own.normal(size=shape)
        return together

    hard_people = hard[image_of] + 0.5 * rng.normal(size=people)
    off = 0.06 * error * np.exp(hard_people) * np.sqrt(areas)
    found = points + off[:, None, None] * np.array(cases.COCO_SIGMAS)[:, None] * 10 * noise(*points.shape)
    scores = 1 / (1 + np.exp(hard_people + 0.7 * noise(people)))
    strangers = np.repeat(np.arange(images), rng.poisson(0.7, images))
    elsewhere = rng.uniform(2000, 3000, (len(strangers), 17, 2))
    wrong_scores = 1 / (1 + np.exp(1.5 + noise(len(strangers))))
    return (
        _predictions(
            np.concatenate([image_of, strangers]),
            np.concatenate([found, elsewhere]),
            np.concatenate([scores, wrong_scores]),
            np.full(people + len(strangers), 150),
        ),
        truth,
    )


def jhmdb(rng: Generator, videos: int) -> tuple[Predictions, Truth]:
    """Draw videos of one person each."""
    images = videos * FRAMES
    hard = np.repeat(0.6 * rng.normal(size=videos), FRAMES) + 0.3 * rng.normal(size=images)
    sizes = rng.uniform(80, 150, images)
    corners = rng.uniform(0, 100, (images, 2))
    points = corners[:, None] + rng.uniform(0, 1, (images, 15, 2)) * sizes[:, None, None]
    truth = _truth(images, np.arange(images), points + 1, corners, sizes, sizes**2)
    off = 0.12 * np.exp(hard) * sizes
    found = points + off[:, None, None] * rng.normal(size=points.shape)
    return _predictions(np.arange(images), found, np.ones(images), sizes), truth


def posetrack(rng: Generator, videos: int) -> tuple[Predictions, PoseTrackTruth]:
    """Draw videos of three people each, far apart."""
    images = videos * FRAMES
    image_of = np.repeat(np.arange(images), 3)
    people = len(image_of)
    points = rng.uniform(0, 200, (people, 15, 2)) + np.tile([0, 1000, 2000], images)[:, None, None]
    truth = PoseTrackTruth(
        path=Path("simulated"),
        image_ids=np.arange(images),
        regions=((),) * images,
        person_images=image_of,
        joints=points,
        annotated=rng.random((people, 15)) < 0.9,
        head_sizes=np.full(people, 30.0),
    )
    hard = np.repeat(0.6 * rng.normal(size=videos), 3 * FRAMES) + 0.3 * rng.normal(size=people)
    found = np.zeros((people, 17, 2))
    found[:, [0, 1, 2, *range(5, 17)]] = points + 8 * np.exp(hard)[:, None, None] * rng.normal(size=points.shape)
    scores = 1 / (1 + np.exp(hard + 0.5 * rng.normal(size=people)))
    return _predictions(image_of, found, scores, np.full(people, 200)), truth


def _truth(images: int, image_of: Indices, points: Float64, corners: Float64, sides: Float64, areas: Float64) -> Truth:
    people = len(image_of)
    return Truth(
        path=Path("simulated"),
        image_ids=np.arange(images),
        crowd_indices=np.full(images, np.nan),
        annotation_ids=np.arange(people),
        annotation_image_ids=image_of,
        keypoints=np.concatenate([points, np.full((*points.shape[:2], 1), 2)], axis=2),
        boxes=np.column_stack([corners, sides, sides]),
        areas=areas,
        is_crowd=np.zeros(people, bool),
        num_keypoints=np.full(people, points.shape[1]),
        categories=np.ones(people, np.int64),
    )


def _predictions(image_ids: Int64, keypoints: Float64, scores: Float64, sides: Float64) -> Predictions:
    people = len(image_ids)
    return Predictions(
        person_ids=np.arange(people),
        image_ids=image_ids,
        boxes=np.column_stack([np.zeros((people, 2)), sides, sides]).astype(np.float32),
        box_scores=scores.astype(np.float32),
        crop_areas=np.full(people, 10000, np.float32),
        keypoints=keypoints,
        keypoint_scores=np.repeat(scores[:, None], keypoints.shape[1], axis=1).astype(np.float32),
    )
