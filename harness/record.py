"""The record: what became of one run; the value that is judged, compared and reported."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from harness.document import Document
from harness.fields import Fields, Shown, Value
from harness.suites.schema import Claim

Status = Literal["complete", "own boxes", "partial", "unobtainable", "failed"]
Verdict = Literal[
    "reproduced", "within noise", "differs", "contradicted", "own boxes", "partial", "unobtainable", "failed", "not run"
]


class Weights(Fields):
    """Which weights the network had."""

    kind: Literal["checkpoint", "seeded"]
    url: str | None = None
    """Where the checkpoint is published."""
    sha256: str | None = None
    """Of the checkpoint file."""
    size: int | None = None
    """Bytes of the checkpoint file."""
    seed: int | None = None
    """Of seeded weights, which stand in for a checkpoint in parity and speed runs."""
    trusted: bool = False
    """Whether the checkpoint was allowed to run code of its own (`--trust-checkpoint`)."""


class BoxesUsed(Fields):
    """Which boxes of a detector the people are from."""

    sha256: str
    """Of the box file."""
    person_ap: float | None
    """How well they find the people of the images evaluated, a fraction; None where it cannot be measured."""
    person_ap_of_corners: float | None = None
    """The same for a file whose boxes look like x1, y1, x2, y2, taken as that; MMPose reads x, y, width, height."""
    published: bool | None
    """Whether it is the file of the published numbers, by its sha256 or, where nobody published one, by the person AP
    claimed of it; None where that is not known."""


class Effect(Fields):
    """What a faster precision changed, on the first images, against exact single precision."""

    images: int
    people: int
    keypoint_median_px: float
    """How far keypoints moved, image px."""
    keypoint_max_px: float
    score_max: float
    """How much the score of a keypoint changed at most."""
    metrics: dict[Shown, Value | None]
    """By metric, in its unit: faster minus exact, on these images alone; None where undefined."""


class Network(Fields):
    """How large a network is."""

    parameters: int
    gflop: float
    """For one crop, a multiplication and an addition counting two."""


class Estimation(Document):
    """How predictions came about; saved beside them."""

    title: ClassVar[str] = "estimation"
    timings: dict[str, float]
    """Seconds by stage. `predict` is the time of the pass, which `together` runs share; `forward` is the network's own
    part of it; `exact_forward` is its time for the sample that tells the effect of a precision."""
    together: int = 1
    """Runs that were predicted in one pass, this one included."""
    warnings: list[Shown] = []
    """What happened on the way: memory that did not suffice."""
    effect: Effect | None = None
    """None in exact single precision."""
    network: Network | None = None
    """None where the upstream engine ran."""
    image_content: str | None = None
    """sha256 over the ids and contents of the images; None in those of former versions."""


class Resampling(Fields):
    """How confidence intervals were made: metrics of many draws, with replacement, of as many units as there are."""

    unit: Literal["images", "videos"]
    """What is drawn; people in one image or video are not independent."""
    units: int
    """How many there are."""
    resamples: int
    seed: int
    level: float = 0.95
    """Share of the resamples' values that lie in an interval."""


class Variant(Fields):
    """The same run with what should not matter changed."""

    change: str
    """Such as `batch size 32`."""
    differences: dict[str, float | None]
    """By metric, in its unit: with the change minus without; None where undefined."""


class Noise(Fields):
    """The noise floor of a run: how far metrics move when nothing but rounding changes."""

    variants: list[Variant]

    def floor(self, metric: str) -> float:
        """Return the largest difference of a metric that was seen, in its unit."""
        return max((abs(found) for variant in self.variants if (found := variant.differences.get(metric))), default=0.0)


def metric_changes(after: Mapping[str, float | None], before: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return after minus before of each metric that was there before, fractions; None where one side is undefined."""
    pairs = {name: (after[name], value) for name, value in before.items()}
    return {name: None if new is None or old is None else new - old for name, (new, old) in pairs.items()}


class JudgedClaim(Fields):
    """A published value beside the measured one."""

    claim: Claim
    measured: float | None
    """In the claim's unit; None where it is undefined."""
    difference: float | None
    """Measured minus claimed, in the claim's unit."""
    verdict: Verdict
    reason: Shown | None = None
    """What makes a value `within noise`: the measured noise floor, or the tolerance that the suite states."""


class Seal(Fields):
    """Digests by which the files of a run folder vouch for each other; each is a sha256."""

    predictions: str | None
    """Of the file of predictions; None where there was none."""
    protocol: str | None
    """Of the protocol's file; None where there was none."""
    measured: str
    """Of what the record says was measured."""


MEASURED = frozenset(
    {"suite", "row", "run", "status", "weights", "images", "people", "boxes", "metrics", "intervals", "noise"}
    | {"predictions_key", "score_key"}
)
"""The fields of a record that its seal covers; claims and verdicts follow from them and the suite."""


class Record(Document):
    """One run and its outcome."""

    title: ClassVar[str] = "record"
    suite: str
    row: str
    run: str
    label: Shown
    """The model as published."""
    status: Status
    reason: Shown | None = None
    """Why the status is not `complete`."""
    weights: Weights | None = None
    network: Network | None = None
    """None where that was not counted."""
    images: int | None = None
    """Images that were evaluated."""
    image_content: str | None = None
    """sha256 over the ids and contents of the images; None in records of former versions."""
    boxes: BoxesUsed | None = None
    """None for ground-truth boxes."""
    people: int | None = None
    """People whose pose was estimated."""
    metrics: dict[Shown, Value | None] = {}
    """Values by metric, in its unit; None where undefined."""
    intervals: dict[Shown, tuple[Value, Value]] = {}
    """Confidence intervals by metric, in its unit; a metric that is undefined in too many resamples has none."""
    resampling: Resampling | None = None
    """How the intervals were made; None where there are none."""
    noise: Noise | None = None
    """The noise floor, if it was measured (`harness run --noise`)."""
    upstream_metrics: dict[Shown, Value | None] | None = None
    """What MMPose's own evaluator gave on the same predictions, if the upstream engine ran."""
    claims: list[JudgedClaim] = []
    verdict: Verdict
    warnings: list[Shown] = []
    """What a reader of the number should know: a stale hash, evaluators that disagree."""
    timings: dict[str, float] = {}
    """Seconds by stage, as in `Estimation`, and of scoring."""
    together: int = 1
    """Runs that were predicted in one pass, this one included."""
    effect: Effect | None = None
    """What a faster precision changed; None in exact single precision."""
    predictions_key: str | None = None
    """Names the content that the predictions were made from."""
    score_key: str | None = None
    """Names the content that the metrics were made from."""
    seal: Seal | None = None
    """None in records of former versions, and of runs without metrics."""

    @property
    def whole(self) -> bool:
        """Whether everybody was evaluated with the published weights, on whatever boxes."""
        return self.status in ("complete", "own boxes")

    @property
    def full_id(self) -> str:
        """Suite and row, e.g. `coco/hrnet-w32-256x192`."""
        return f"{self.suite}/{self.row}"
