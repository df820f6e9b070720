"""Parity: both engines on the same people with the same weights, and how far apart their numbers are."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.arrays import Float32, Indices
from harness.errors import RunError
from harness.execute.plan import Plan, Settings, make_plan
from harness.predict.decode.heatmaps import modulate
from harness.predict.shared import predict_shared
from harness.predict.upstream import predict_upstream
from harness.score.evaluate import difference, evaluate
from harness.spec.ledger import point_at
from harness.spec.schema import Row, Suite

UNIQUE = 1e-4
"""A heatmap's maximum is unique if the second-highest value is lower by this share of it; the others are ties, where
rounding decides which of two places is the keypoint."""
KEYPOINT_TOLERANCE = 0.01
SCORE_TOLERANCE = 1e-5
METRIC_TOLERANCE = 1e-6


class Parity(BaseModel):
    """How far the shared engine is from MMPose's own test loop on one run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    """Suite, row and run."""
    people: int
    keypoints_compared: int
    """Keypoints whose heatmap has a unique maximum."""
    ties: int
    """The other keypoints."""
    keypoint_max_px: float
    """Largest distance along an axis, image px, over the keypoints compared."""
    tie_max_px: float
    """The same over the ties."""
    score_max: float
    """Largest difference of a keypoint score, over the keypoints compared."""
    metric_max: float | None
    """Largest difference of a metric, fractions; 1 where only one side is defined, None where MMPose's own evaluator
    cannot run."""

    @property
    def equal(self) -> bool:
        """Whether the engines agree within the tolerances."""
        return (
            self.keypoint_max_px <= KEYPOINT_TOLERANCE
            and self.score_max <= SCORE_TOLERANCE
            and (self.metric_max is None or self.metric_max <= METRIC_TOLERANCE)
        )


def compare_engines(suite: Suite, row: Row, run: str, settings: Settings, log: Path) -> Parity:
    """Run both engines on one run, with one network.

    Raises:
        RunError: The engines do not even have the same people and boxes.
    """
    plan = make_plan(suite, row, run, replace(settings, engine="shared"))
    people, network = plan.people(), plan.network()
    unique = np.zeros((len(people), plan.protocol.num_keypoints), bool)

    def look(index: Indices, heatmaps: Float32) -> None:
        unique[index] = _unique_maxima(plan, heatmaps)

    ours = predict_shared(network, people, plan.protocol, lambda _: None, look)
    config = point_at(plan.config, str(settings.data))
    theirs, metrics = predict_upstream(network, config, people, plan.protocol, lambda _: None, log)
    for field in ("person_ids", "image_ids", "boxes", "box_scores", "crop_areas"):
        if not np.array_equal(getattr(ours, field), getattr(theirs, field)):
            raise RunError(f"the engines differ in {field} on {suite.row_id(row)}")

    distances = np.abs(ours.keypoints - theirs.keypoints).max(axis=-1)
    scores = np.abs(ours.keypoint_scores - theirs.keypoint_scores)
    return Parity(
        id=f"{suite.row_id(row)}/{run}",
        people=len(people),
        keypoints_compared=int(unique.sum()),
        ties=int((~unique).sum()),
        keypoint_max_px=float(distances[unique].max(initial=0)),
        tie_max_px=float(distances[~unique].max(initial=0)),
        score_max=float(scores[unique].max(initial=0)),
        metric_max=_largest_difference(evaluate(ours, plan.protocol, settings.data), metrics),
    )


def _unique_maxima(plan: Plan, heatmaps: Float32) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    decoder = plan.protocol.decoder
    if decoder.codec == "megvii":  # which looks for the maximum of the blurred heatmap
        assert decoder.blur_kernel_size is not None
        heatmaps = modulate(heatmaps, decoder.blur_kernel_size)
    second, first = np.moveaxis(np.partition(heatmaps.reshape(*heatmaps.shape[:2], -1), -2)[..., -2:], -1, 0)
    return np.asarray(first - second > UNIQUE * np.abs(first))


def _largest_difference(ours: Mapping[str, float | None], theirs: Mapping[str, float | None] | None) -> float | None:
    if theirs is None:
        return None
    return max(difference(ours[name], value) for name, value in theirs.items())
