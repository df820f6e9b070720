"""Writes the differences between a run and a baseline, with their causes, for a terminal."""

from collections.abc import Iterator

from harness.errors import counted
from harness.judge.differences import Differences

CERTAINTY = {"shown": "shown", "likely": "likely", "possible": "possible; other causes fit as well"}
METRICS = 4
"""Largest number of differing metrics that are shown."""


def differences_text(differences: Differences) -> str:
    """Return text with the causes, likeliest first, and the measured differences."""
    return "\n".join(_lines(differences))


def _lines(differences: Differences) -> Iterator[str]:
    observed = differences.observed
    yield f"{differences.row} {differences.run} against {differences.baseline}"
    for name, (new, old) in list(observed.metrics.items())[:METRICS]:
        yield f"  {name} {_value(old)} -> {_value(new)}"
    if len(observed.metrics) > METRICS:
        yield f"  and {counted(len(observed.metrics) - METRICS, 'more metric')}"
    yield ""
    if not differences.causes and differences.untold is None:
        yield "Predictions and metrics are the same: there is nothing to explain."
    elif differences.untold is None:
        yield "Causes, likeliest first:"
    else:
        yield f"No cause is known: {differences.untold}."
    for number, cause in enumerate(differences.causes, 1):
        yield f"{number:3}. {cause.kind}: {cause.text} ({CERTAINTY[cause.certainty]})"
        yield from (f"     {one}" for one in cause.evidence)
    yield ""
    yield "Measured:"
    yield from (f"  - {line}" for line in _measured(differences))
    yield from ("", *(f"Note: {note}" for note in differences.notes)) if differences.notes else ()


def _measured(differences: Differences) -> Iterator[str]:
    seen = differences.observed
    both = counted(seen.people, "person is", "people are")
    yield f"{both} in both runs, {seen.only_new} only here, {seen.only_old} only in the baseline"
    if seen.images_only_old:
        yield f"the run has no people in {counted(seen.images_only_old, 'image')} of the baseline"
    yield from (text for text in (seen.boxes, seen.box_scores, seen.areas, seen.scores) if text)
    if seen.moved_people:
        scores = (
            "the keypoint scores are the same"
            if seen.same_scores
            else (f"the keypoint scores change by {100 * seen.score_change:.3g} % in the median")
        )
        who = counted(seen.moved_people, "person", "people")
        where = f"{who} in {seen.moved_images} of {counted(seen.images, 'image')}"
        yield f"the predictions of {where} differ; {scores}"
    yield from (text for _, text, _ in seen.motions)
    for change in differences.stated:
        if not change.field.endswith("verdict"):
            yield f"on record: {change.field}: {_value(change.baseline)} -> {_value(change.new)}"


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    text = "undefined" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
