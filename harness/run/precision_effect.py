"""Measures the effect of a faster precision on the first images."""

import numpy as np

from harness.datasets.people import People
from harness.metrics.match import evaluate
from harness.predictions import Predictions
from harness.record import Effect, metric_changes
from harness.run.plan import Plan

_PEOPLE = 256
_SHARE = 0.02
"""Bounds of the sample: number of people, and share of all people. It has at least one image."""


def sample(people: People) -> People:
    """Return the people of the first images, on which the precisions are compared."""
    wanted = min(_PEOPLE, int(len(people) * _SHARE))
    order = {image_id: number for number, image_id in enumerate(people.images)}
    counts = np.bincount([order[image_id] for image_id in people.image_ids.tolist()])
    return people.first_images(max(int((counts.cumsum() <= wanted).sum()), 1))


def measure_effect(plan: Plan, exact: Predictions, faster: Predictions) -> Effect:
    """Return the differences between exact predictions of a sample and the faster predictions of all people."""
    images = set(exact.image_ids.tolist())
    faster = faster.of_images(images)
    alone = plan.protocol.model_copy(update={"limit": len(images)})
    before, after = (evaluate(predictions, alone, plan.settings.data) for predictions in (exact, faster))
    distances = np.linalg.norm(faster.keypoints - exact.keypoints, axis=-1)
    return Effect(
        images=len(images),
        people=len(exact),
        keypoint_median_px=float(np.median(distances)),
        keypoint_max_px=float(distances.max()),
        score_max=float(np.abs(faster.keypoint_scores - exact.keypoint_scores).max()),
        metrics=metric_changes(after, before),
    )
