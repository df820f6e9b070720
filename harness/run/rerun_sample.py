"""Predicts a few images again with changed settings, and returns the settings that reproduce the other side.

A metric may agree by chance, but hundreds of coordinates do not. So a few images suffice, and a match is a proof.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.arrays import Bool, Float64, Int64
from harness.assets.image_digests import images_digest
from harness.codecs.flipping import mirror_images
from harness.codecs.interface import codec_of
from harness.datasets.people import People
from harness.errors import counted
from harness.fields import Fields
from harness.judge.differences import Cause, Certainty, Kind, Observed
from harness.judge.explanation import TriedSetting
from harness.judge.motion import SAME
from harness.judge.observe import SCORE
from harness.judge.pairing import pair_people
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.run.differences import Repeated, Side
from harness.run.plan import Plan
from harness.run.progress import RunProgress
from harness.run.reruns import ChangedPlan, changed_plans, predict_changed
from harness.suites.schema import Row, Suite

IMAGES = 4
PEOPLE = 10
"""Number of images with differing predictions that are predicted again, and largest number of their people."""
GIVES = 0.97
"""Predictions match if this share of the keypoints is equal; other batches round and break ties differently."""
CLOSER = 0.3
"""A setting that reduces the distance to less than this share is reported as a possible cause."""
KINDS: dict[str, Kind] = {
    "boxes": "boxes",
    "flip test": "flip test",
    "shift of the mirrored heatmaps": "flip test",
    "shift of the mirrored coordinates": "flip test",
    "mirror pairs": "flip test",
    "decoder": "decoding",
    "padding": "crop geometry",
    "affine": "crop geometry",
    "resampling": "crop geometry",
    "crops": "crop geometry",
    "colours": "normalisation",
    "mean and std": "normalisation",
    "heatmaps": "arithmetic",
    "inputs": "arithmetic",
}
"""Kinds of causes by the names of `explain`'s settings that need the network."""


@dataclass(frozen=True)
class _Match:
    """The agreement of predictions of some people with those of a side."""

    share: float
    """Share of keypoints with the same position and score."""
    distance: float
    """Mean distance of all coordinates, px of the heatmap, each at most 1."""

    @property
    def same(self) -> bool:
        return self.share >= GIVES


def repeat_sample(
    suite: Suite,
    row: Row,
    plan: Plan,
    new: Side,
    baseline: Side,
    observed: Observed,
    other_files: bool,
    progress: RunProgress,
) -> Repeated:
    """Return the settings with which the current code reproduces a run or its baseline.

    If the current code reproduces the run's predictions, the search is for settings that give the baseline's. If it
    reproduces the baseline's, other code or other files made the run, and the search is for the run's.

    Args:
        suite: The row's suite.
        row: The row.
        plan: The plan of the run.
        new: The run.
        baseline: The baseline.
        observed: The observed differences.
        other_files: Whether weights or images of the two sides differ. No setting undoes that, so settings are searched
            only if the current code gives the baseline's predictions with the run's files.
        progress: Receives the progress.

    Raises:
        ObtainError: A file that the network needs is missing.
    """
    chosen, ids = _sample(new, baseline)
    name = suite.row_id(row)

    def choose(people: People) -> People:
        return people.take(np.isin(people.image_ids, chosen) & np.isin(people.ids, ids)).first_people(PEOPLE)

    as_is = ChangedPlan(TriedSetting("nothing", "", ""), plan)
    ((_, outcome),) = predict_changed(name, [as_is], progress, choose)
    if not isinstance(outcome, Predictions):
        raise outcome
    matches = [_match(outcome, side) for side in (new, baseline)]
    if (matches[0].same and matches[1].same) or (other_files and not matches[1].same):
        return Repeated()
    if not matches[0].same and not matches[1].same:
        neither = "the current code reproduces neither side's predictions on the images that were predicted again"
        return Repeated(
            [Cause.of("weights", "other weights, images or code than the current ones", "possible", neither)]
        )
    innocent = frozenset() if matches[0].same else _innocent(plan, new, other_files)
    target, words, before = (
        (baseline, "the baseline's", matches[1]) if matches[0].same else (new, "the run's", matches[0])
    )
    causes: list[Cause] = []
    nearest: tuple[float, ChangedPlan] | None = None
    for group in (_recorded(plan, target), _relevant(suite, row, plan, observed)):
        for changed, outcome in predict_changed(name, group, progress, choose):
            if not isinstance(outcome, Predictions):
                continue
            match = _match(outcome, target)
            if match.same:
                sample = f"{counted(len(outcome), 'person', 'people')} of {counted(len(chosen), 'image')}"
                causes.append(_cause(changed, "shown", f"with it, the network gives {words} predictions of {sample}"))
            elif nearest is None or match.distance < nearest[0]:
                nearest = match.distance, changed
        if causes:
            return Repeated(causes, innocent)
    if nearest and nearest[0] < CLOSER * before.distance:
        left = f"it leaves {100 * nearest[0] / before.distance:.0f} % of the distance to {words} predictions"
        causes.append(_cause(nearest[1], "possible", left))
    return Repeated(causes, innocent)


def _innocent(plan: Plan, new: Side, other_files: bool) -> frozenset[Kind]:
    """Return the kinds of what a plan, which gives the baseline's predictions, has in common with the run."""
    kinds: set[Kind] = set()
    if new.record.weights and plan.weights and plan.weights.sha256 == new.record.weights.sha256:
        kinds.add("weights")
    if other_files and new.record.image_content and images_digest(plan.people().images) == new.record.image_content:
        kinds.add("image content")
    if plan.protocol.model_copy(update={"compute": new.protocol.compute}) == new.protocol:
        kinds |= {"normalisation", "flip test", "decoding", "crop geometry", "config"}
    return frozenset(kinds)


def _cause(changed: ChangedPlan, certainty: Certainty, evidence: str) -> Cause:
    return Cause.of(KINDS.get(changed.change.setting, "arithmetic"), str(changed.change), certainty, evidence)


def _recorded(plan: Plan, target: Side) -> Iterator[ChangedPlan]:
    """Yield the plan with one differing field of the target's protocol at a time."""
    fields = ("flip", "flip test"), ("flip_indices", "mirror pairs"), ("decoder", "decoder"), ("crop", "padding")
    for field, setting in fields:
        was, now = getattr(plan.protocol, field), getattr(target.protocol, field)
        protocol = plan.protocol.model_copy(update={field: now})
        if was != now and _can_answer(plan.protocol, protocol):
            yield ChangedPlan(TriedSetting(setting, *_differing(was, now)), replace(plan, protocol=protocol))


def _can_answer(own: Protocol, other: Protocol) -> bool:
    """Return whether the network of one protocol makes the outputs that another protocol needs."""
    codec = codec_of(own.decoder)
    return (
        own.crop.input_size == other.crop.input_size
        and own.decoder.grid_size == other.decoder.grid_size
        and own.decoder.kept == other.decoder.kept
        and codec.form == codec_of(other.decoder).form
        and (not other.flip.enabled or other.flip.mode == codec.flip_mode)
        and len(mirror_images(own)) == len(mirror_images(other))
    )


def _relevant(suite: Suite, row: Row, plan: Plan, observed: Observed) -> Iterator[ChangedPlan]:
    """Yield the plan with other relevant settings changed; if the heatmaps are the same, only decoders are relevant."""
    for changed in changed_plans(suite, row, plan):
        setting = changed.change.setting
        if setting == "decoder" or not (setting == "boxes" or observed.same_scores):
            yield changed


def _differing(was: object, now: object) -> tuple[str, str]:
    """Return two values of a protocol as text; for values with fields, only the fields that differ."""
    if not (isinstance(was, Fields) and isinstance(now, Fields)):
        return str(was), str(now)
    sides = was.model_dump(), now.model_dump()
    names = [name for name in sides[0] if sides[0][name] != sides[1].get(name)]
    first, second = (", ".join(f"{name} {side.get(name)}" for name in names) for side in sides)
    return first, second


def _sample(new: Side, baseline: Side) -> tuple[list[int], Int64]:
    """Return the ids of a few images whose predictions differ, and the ids of the run's people that differ."""
    paired = pair_people(new.predictions, baseline.predictions)
    now, before = new.predictions.where(paired.new), baseline.predictions.where(paired.old)
    other = ~_same_keypoints(now, before).all(axis=1)
    images: list[int] = np.unique(before.image_ids[other]).tolist()
    return images[:: max(1, len(images) // IMAGES)][:IMAGES], now.person_ids[other]


def _match(predictions: Predictions, side: Side) -> _Match:
    paired = pair_people(predictions, side.predictions)
    if not len(paired.new):
        return _Match(0.0, float("inf"))
    now, then = predictions.where(paired.new), side.predictions.where(paired.old)
    grid = side.protocol.decoder.grid_size or side.protocol.crop.input_size
    heatmap = np.sqrt(then.crop_areas / np.prod(grid))[:, None, None]
    off: Float64 = np.minimum(np.abs(now.keypoints - then.keypoints) / np.maximum(heatmap, 1e-9), 1)
    return _Match(float(_same_keypoints(now, then).mean()), float(off.mean()))


def _same_keypoints(now: Predictions, then: Predictions) -> Bool:
    """Return for keypoints [n, K] whether position and score are the same."""
    near = (np.abs(now.keypoints - then.keypoints) <= SAME).all(axis=2)
    same: Bool = near & (np.abs(now.keypoint_scores - then.keypoint_scores) <= SCORE)
    return same
