"""Finds the causes that fit the differences between a run and a baseline, kind by kind.

The predictions of both runs exist, and they are compared before the metrics: many causes can move a metric in the same
way, but few causes change the predictions in the same way.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from harness.errors import counted
from harness.judge.comparison import Change, field_changes
from harness.judge.differences import Cause, Certainty, Kind, Observed

FIELDS: Mapping[str, Kind] = {
    "weights": "weights",
    "image_content": "image content",
    "normalisation": "normalisation",
    "flip": "flip test",
    "flip_indices": "flip test",
    "decoder": "decoding",
    "crop": "crop geometry",
    "boxes": "boxes",
    "dataset": "people",
    "limit": "people",
    "overrides": "config",
    "scoring": "scoring",
    "annotations": "ground truth",
    "compute": "arithmetic",
    "packages": "arithmetic",
}
"""Kind of cause by the first part of a field's name."""
GROUND_TRUTH = re.compile(r"dataset\.parts\.\d+\.(annotations\..*|mapping|num_keypoints)|scoring\.[^.]+\.sha256")
"""Other fields that show the kind `ground truth`: of the data sets of a pool, and files that scoring reads."""
CONSEQUENCES = ("images", "people", "verdict")
"""Fields that change as a consequence of others."""
IDLE = ("compute.batch_size", "compute.device")
SLIGHT = 0.02
"""Different rounding or resampling, or slightly different weights, change scores by less than this fraction."""
HEATMAPS: tuple[Kind, ...] = (
    "weights",
    "image content",
    "normalisation",
    "flip test",
    "crop geometry",
    "boxes",
    "config",
    "arithmetic",
)
"""Kinds of causes that change heatmaps."""
SCORED: tuple[Kind, ...] = ("scoring", "ground truth")
SAME_SCORES = "the keypoint scores are the same, as if the heatmaps were"


def conclude(
    observed: Observed,
    stated: Sequence[Change],
    tried: Sequence[Cause] = (),
    agree: tuple[bool | None, bool | None] = (None, None),
    innocent: Collection[Kind] = (),
) -> tuple[list[Cause], str | None]:
    """Return the possible causes, likeliest first, and why no cause is known; None if one is known or nothing differs.

    Args:
        observed: Differences of predictions and metrics.
        stated: Recorded differences of protocols, weights and environments.
        tried: Causes that were found by trying settings.
        agree: Whether the installed code gives the recorded metrics of the run, and of the baseline, from their
            predictions; None if that is not known.
        innocent: Kinds of recorded differences that a repetition has refuted.
    """
    if observed.same_predictions and not observed.metrics:
        return [], None
    said = {cause.text for cause in tried}
    recorded = [cause for cause in _recorded(observed, stated, agree[0], innocent) if cause.text not in said]
    known = [*tried, *recorded]
    if observed.same_predictions:
        causes = known or [_of_scores(observed, agree)]
    else:
        known_heatmaps = any(cause.kind in HEATMAPS and cause.certainty != "possible" for cause in known)
        causes = [*known, *_seen(observed, known_heatmaps)]
    told = {cause.kind for cause in causes if cause.certainty != "possible"}
    causes = [cause for cause in causes if cause.certainty != "possible" or cause.kind not in told]
    causes.sort(key=lambda cause: ["shown", "likely", "possible"].index(cause.certainty))
    return causes, _untold(causes, observed)


def _recorded(
    observed: Observed, stated: Sequence[Change], agrees: bool | None, innocent: Collection[Kind]
) -> Iterator[Cause]:
    """Yield a cause for each kind with recorded differences, unless the predictions or a repetition contradict it."""
    kinds: dict[Kind, list[Change]] = {}
    for change in (one for whole in stated for one in _of_parts(whole)):
        kind = _kind(change.field)
        if kind and change.field not in (*CONSEQUENCES, *IDLE) and not change.field.endswith((".path", ".size")):
            kinds.setdefault(kind, []).append(change)
    estimating = [kind for kind in kinds if kind not in (*SCORED, "arithmetic")]
    for kind, changes in kinds.items():
        fits = _fits(kind, observed)
        if not fits or kind in innocent or (kind == "arithmetic" and estimating):
            continue
        alone = observed.same_predictions and len([one for one in kinds if one in SCORED]) == 1
        certainty: Certainty = "shown" if alone and agrees and kind == "ground truth" else "likely"
        evidence = [fits, *(["nothing else differs"] if alone else [])]
        if kind in SCORED and agrees is False:
            certainty, evidence = "possible", [fits, "the installed code does not give the run's metrics with it"]
        if kind == "arithmetic" and not all(change.field.startswith("compute.") for change in changes):
            certainty = "possible"
        if kind == "config" and any(_fits(other, observed) for other in estimating if other != "config"):
            certainty = "possible"  # the other fields may be all that the overrides change
        yield Cause.of(kind, "; ".join(map(_said, changes)), certainty, *evidence)


def _kind(field: str) -> Kind | None:
    """Return the kind of cause that a recorded field shows; None for a field without effect."""
    return "ground truth" if GROUND_TRUTH.fullmatch(field) else FIELDS.get(field.partition(".")[0])


def _of_parts(change: Change) -> Iterator[Change]:
    """Yield the changes of the data sets of a pool, field by field; any other change, and another number, as it is."""
    was, now = change.baseline, change.new
    if change.field == "dataset.parts" and isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        yield from field_changes(*({"dataset": {"parts": dict(enumerate(side))}} for side in (now, was)))
    else:
        yield change


def _said(change: Change) -> str:
    was, now = (_short(value) for value in (change.baseline, change.new))
    return f"{change.field} was {was} and is {now}"


def _short(value: object) -> str:
    """Return a value as text; of a sha256, the first 12 digits."""
    text = str(value)
    return text[:12] if re.fullmatch("[0-9a-f]{64}", text) else text


def _fits(kind: Kind, observed: Observed) -> str | None:
    """Return the difference of the predictions that fits a kind of cause; None if they contradict it."""
    if kind in SCORED:
        return (
            "the predictions are the same"
            if observed.same_predictions
            else "metrics differ"
            if observed.metrics
            else None
        )
    if kind in ("boxes", "people", "ground truth"):
        return None if observed.same_people and not observed.box_scores else "people or boxes differ"
    if kind == "config":
        return None if observed.same_predictions else "the predictions differ"
    if observed.moved_people == 0 or (kind == "arithmetic" and not _slight(observed)):
        return None
    if kind == "decoding":
        return (
            "the keypoints differ, their scores do not"
            if observed.same_scores
            else "the keypoints and their scores differ"
        )
    if observed.same_scores and kind not in ("crop geometry", "arithmetic"):
        return None  # the heatmaps are the same
    return f"the keypoints of {observed.moved_people} of {observed.people} people differ"


def _slight(observed: Observed) -> bool:
    """Return whether the predictions differ by no more than rounding and resampling may cause."""
    return observed.score_change < SLIGHT and observed.moved_px <= 1


def _of_scores(observed: Observed, agree: tuple[bool | None, bool | None]) -> Cause:
    """Return the cause of different metrics of the same predictions, if no record states one."""
    if observed.slight and all(agree):
        text = f"keypoints differ by up to {observed.slight:.2g} px, and the metrics with them"
        return Cause.of("arithmetic", text, "likely", "the installed code gives the metrics of both sides")
    evidence = "all predictions are the same"
    if observed.slight:
        evidence = f"keypoints differ by {observed.slight:.2g} px at most"
    return Cause.of("scoring", "the same predictions are scored in another way", "likely", evidence)


def _seen(observed: Observed, known_heatmaps: bool) -> Iterator[Cause]:
    """Yield the causes that the predictions show. If a cause of different heatmaps is known, others are left out."""
    if observed.repeated:
        yield Cause.of("people", f"{counted(observed.repeated, 'person is', 'people are')} predicted twice", "likely")
    yield from _of_people(observed)
    if observed.boxes:
        yield Cause.of("boxes", observed.boxes, "likely")
    if observed.box_scores:
        yield Cause.of("boxes", observed.box_scores, "likely")
    if observed.areas and not observed.boxes:
        yield Cause.of("crop geometry", observed.areas, "likely", "MMPose's NMS uses these areas as people's scales")
    if observed.moved_people:
        yield from _of_keypoints(observed, known_heatmaps)


def _of_people(observed: Observed) -> Iterator[Cause]:
    """Yield the causes of missing and new people."""
    lost = counted(observed.only_old, "person of the baseline is", "people of the baseline are")
    if observed.renamed > 0.5 * observed.only_old:
        text = counted(observed.renamed, "person has the pose", "people have the poses")
        yield Cause.of("people", f"{text} of the baseline's people in other images or boxes", "likely")
    elif observed.threshold is not None:
        text = f"a box score threshold of about {observed.threshold:.3g}"
        yield Cause.of("boxes", text, "likely", f"{lost} missing, with lower box scores than all people of the run")
    elif observed.smallest is not None:
        text = f"boxes smaller than about {observed.smallest:,.0f} px^2 are left out"
        yield Cause.of("boxes", text, "likely", f"{lost} missing, with smaller boxes than all people of the run")
    elif observed.images_only_old:
        images = counted(observed.images_only_old, "image of the baseline is", "images of the baseline are")
        yield Cause.of("people", f"{images} not evaluated", "likely", f"{lost} missing")
    elif observed.only_old or observed.only_new > observed.repeated:
        text = f"{lost} missing, {observed.only_new} new"
        yield Cause.of("boxes", text, "likely" if observed.only_old else "possible")


def _of_keypoints(observed: Observed, known_heatmaps: bool) -> Iterator[Cause]:
    if observed.others_poses > 0.5 * observed.moved_people:
        text = counted(observed.others_poses, "person has the pose", "people have the poses")
        yield Cause.of("people", f"{text} of other people of the baseline", "likely")
        return
    for kind, text, exact in observed.motions:
        certainty: Certainty = "likely" if exact else "possible"
        if kind == "keypoint order":
            yield Cause.of("keypoint order", text, certainty)
        elif kind == "mirrored":
            yield Cause.of("flip test", text, certainty)
        elif exact and observed.same_scores:
            on_grid = kind == "rounded" and any(f"of the {grid}" in text for grid in ("heatmap", "vectors"))
            where: Kind = "decoding" if on_grid else "map back to the image"
            yield Cause.of(where, text, certainty, SAME_SCORES)
        elif exact:
            yield Cause.of("map back to the image", text, "possible")
    if any(exact for _, _, exact in observed.motions):
        return
    if observed.scores:
        yield _unknown(observed, observed.scores, "the keypoints are the same, their scores are not")
        return
    texts = [text for _, text, _ in observed.motions]
    some = observed.moved_images <= 0.5 * observed.images and observed.whole_images and not observed.same_scores
    if observed.boxes or (known_heatmaps and not observed.same_scores):
        return  # these move keypoints as well
    if some:
        said = f"predictions differ in {observed.moved_images} of {observed.images} images, for most people in these"
        if observed.in_sequence:  # other code, or another state of the program, from a batch on
            yield Cause.of("image content", said, "possible", *texts)
            yield _unknown(observed, "these images follow each other, as the people of batches do")
        else:
            yield Cause.of("image content", said, "likely", *texts)
    elif observed.same_scores:
        yield Cause.of("decoding", "; ".join(texts), "possible", SAME_SCORES)
        yield Cause.of("map back to the image", "; ".join(texts), "possible", SAME_SCORES)
    else:
        yield from _of_heatmaps(observed, texts)


def _of_heatmaps(observed: Observed, texts: Sequence[str]) -> Iterator[Cause]:
    """Yield possible causes of different heatmaps for all people."""
    other = "the keypoint scores differ, so the heatmaps differ"
    usual = {kind: text for kind, text, _ in observed.motions}
    shifted, grown = usual.get("shifted"), usual.get("grown")
    if grown:
        yield Cause.of("crop geometry", grown, "possible", other, *texts)
    elif shifted and "x only" in shifted:
        yield Cause.of("flip test", shifted, "possible", other, "a flip test acts along x alone")
        yield Cause.of("crop geometry", shifted, "possible", other)
    elif shifted:
        yield Cause.of("crop geometry", shifted, "possible", other)
    much = f"scores change by {100 * observed.score_change:.2g} % in the median"
    yield _unknown(observed, "; ".join(texts), other, much)


def _unknown(observed: Observed, text: str, *evidence: str) -> Cause:
    kinds = ", ".join(_usual_kinds(observed))
    return Cause.of("unknown", text, "possible", *evidence, f"possible causes: {kinds} or others")


def _usual_kinds(observed: Observed) -> list[Kind]:
    """Return the kinds of causes that are usual for differences that no rule explains."""
    if observed.scores:
        return ["decoding", "flip test", "weights"]
    if _slight(observed):
        return ["arithmetic", "crop geometry", "weights"]
    return ["normalisation", "weights", "flip test", "crop geometry", "image content", "decoding"]


def _untold(causes: Sequence[Cause], observed: Observed) -> str | None:
    if not causes:
        return "no known cause fits the differences"
    if any(cause.certainty != "possible" for cause in causes):
        return None
    kinds: list[Kind] = list(dict.fromkeys(cause.kind for cause in causes if cause.kind != "unknown"))
    if not kinds:
        return f"predictions alone do not show why the heatmaps differ; {causes[0].evidence[-1]}"
    if any(cause.kind == "unknown" for cause in causes):
        kinds = list(dict.fromkeys([*kinds, *_usual_kinds(observed)]))
    return f"predictions alone do not show the cause; possible causes: {', '.join(kinds)} or others"
