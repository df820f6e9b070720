"""The record: the outcome of one run, which is judged, compared and reported."""

import math
from collections.abc import Mapping
from typing import ClassVar, Literal

from harness.document import Document
from harness.fields import Fields, Shown, Value
from harness.suites.schema import Claim

Status = Literal["complete", "own boxes", "partial", "unobtainable", "failed"]
Verdict = Literal[
    "reproduced",
    "within noise",
    "differs",
    "contradicted",
    "measured",
    "own boxes",
    "partial",
    "unobtainable",
    "failed",
    "not run",
]


class Weights(Fields):
    """The weights of the network."""

    kind: Literal["checkpoint", "seeded"]
    url: str | None = None
    """URL of the published checkpoint."""
    sha256: str | None = None
    """sha256 of the checkpoint file."""
    size: int | None = None
    """Bytes of the checkpoint file."""
    seed: int | None = None
    """Seed of seeded weights, which replace a checkpoint in parity and speed runs."""
    trusted: bool = False
    """Whether the checkpoint was allowed to execute code (`--trust-checkpoint`)."""


class BoxesUsed(Fields):
    """The detector's boxes of a run."""

    sha256: str
    """sha256 of the box file."""
    person_ap: float | None
    """Person AP of the boxes in the evaluated images, a fraction; None if it cannot be measured."""
    person_ap_of_corners: float | None = None
    """The same with boxes read as x1, y1, x2, y2, if they look like that; MMPose reads x, y, width, height."""
    published: bool | None
    """Whether it is the file of the published numbers, by its sha256 or, if no sha256 is published, by its claimed
    person AP; None if unknown."""


class Effect(Fields):
    """Effect of a faster precision on the first images, relative to exact single precision."""

    images: int
    people: int
    keypoint_median_px: float
    """Median distance of keypoints, image px."""
    keypoint_max_px: float
    score_max: float
    """Largest change of a keypoint's score."""
    metrics: dict[Shown, Value | None]
    """Changes by metric, in its unit: faster minus exact, on these images only; None if undefined."""


class Network(Fields):
    """Size of a network."""

    parameters: int
    gflop: float
    """For one crop; a multiplication and an addition count as two operations."""


class Estimation(Document):
    """Notes about the computation of predictions; saved next to them."""

    title: ClassVar[str] = "estimation"
    timings: dict[str, float]
    """Seconds by stage. `predict` is the time of the pass, which `together` runs share; `forward` is the network's own
    part of it; `exact_forward` is its time for the sample that measures the effect of a precision."""
    together: int = 1
    """Number of runs that were predicted in the same pass, including this one."""
    warnings: list[Shown] = []
    """Events during the prediction, such as out-of-memory errors."""
    effect: Effect | None = None
    """None in exact single precision."""
    network: Network | None = None
    """None for the upstream engine."""
    image_content: str | None = None
    """sha256 of the ids and contents of the images; None in files of earlier versions."""


class Resampling(Fields):
    """The method of confidence intervals: metrics of draws with replacement, each with as many units as there are."""

    unit: Literal["images", "videos"]
    """Unit of the draws; people in the same image or video are not independent."""
    units: int
    """Number of units."""
    resamples: int
    seed: int
    level: float = 0.95
    """Share of the resamples' values inside an interval."""


class Variant(Fields):
    """A repetition of the run with a numerically irrelevant change."""

    change: str
    """The change, such as `batch size 32`."""
    differences: dict[str, float | None]
    """By metric, in its unit: changed minus unchanged; None if undefined."""


class Noise(Fields):
    """The noise floor of a run: changes of its metrics due to rounding alone."""

    variants: list[Variant]

    def floor(self, metric: str) -> float:
        """Return the largest measured difference of a metric, in its unit."""
        return max((abs(found) for variant in self.variants if (found := variant.differences.get(metric))), default=0.0)


def metric_changes(after: Mapping[str, float | None], before: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return after minus before of each metric in `before`, fractions; None if one side is undefined."""
    pairs = {name: (after[name], value) for name, value in before.items()}
    return {name: None if new is None or old is None else new - old for name, (new, old) in pairs.items()}


class JudgedClaim(Fields):
    """A published value with the measured one."""

    claim: Claim
    measured: float | None
    """In the claim's unit; None if undefined."""
    difference: float | None
    """Measured minus claimed, in the claim's unit."""
    verdict: Verdict
    reason: Shown | None = None
    """Why a value is `within noise`: the measured noise floor, or the tolerance stated by the suite."""

    @property
    def distance(self) -> float:
        """The distance of the measured value from the claimed one, in the claim's unit; infinite if undefined."""
        return math.inf if self.difference is None else abs(self.difference)


class Seal(Fields):
    """sha256 digests that show whether the files of a run folder belong together."""

    predictions: str | None
    """Digest of the predictions' file; None if there was none."""
    protocol: str | None
    """Digest of the protocol's file; None if there was none."""
    spec: str | None = None
    """Digest of the spec's file; None if there was none, and in records of earlier versions."""
    measured: str
    """Digest of the record's measurements."""


UNSEALED = "the record has no seal, so changes cannot be noticed: score it with `harness score RUN_DIR`, which seals it"
"""A warning about an `unsealed` record."""

MEASURED = frozenset(
    {"suite", "row", "run", "status", "weights", "images", "people", "boxes", "metrics", "intervals", "noise"}
    | {"image_content", "predictions_key", "score_key"}
)
"""Fields of a record that its seal covers; claims and verdicts follow from them and the suite."""


class Record(Document):
    """One run and its outcome."""

    title: ClassVar[str] = "record"
    suite: str
    row: str
    run: str
    label: Shown
    """Published name of the model."""
    status: Status
    reason: Shown | None = None
    """Why the status is not `complete`."""
    other_file: bool = False
    """Whether the reason is a file with other content than the expected one; a repetition alone does not help."""
    weights: Weights | None = None
    network: Network | None = None
    """None if the size is unknown."""
    images: int | None = None
    """Number of evaluated images."""
    image_content: str | None = None
    """sha256 of the ids and contents of the images; None in records of earlier versions."""
    boxes: BoxesUsed | None = None
    """None for ground-truth boxes."""
    people: int | None = None
    """Number of people whose pose was estimated."""
    metrics: dict[Shown, Value | None] = {}
    """Values by metric, in its unit; None if undefined."""
    intervals: dict[Shown, tuple[Value, Value]] = {}
    """Confidence intervals by metric, in its unit; none for metrics that are undefined in too many resamples."""
    resampling: Resampling | None = None
    """The method of the intervals; None if there are none."""
    noise: Noise | None = None
    """The noise floor, if it was measured (`harness run --noise`)."""
    upstream_metrics: dict[Shown, Value | None] | None = None
    """Values of MMPose's own evaluator for the same predictions, if the upstream engine ran."""
    claims: list[JudgedClaim] = []
    verdict: Verdict
    warnings: list[Shown] = []
    """Warnings for a reader of the number, such as an outdated hash or evaluators that disagree."""
    suite_warnings: list[Shown] = []
    """Those of the warnings that follow from the suite; a repetition with a corrected suite replaces them."""
    timings: dict[str, float] = {}
    """Seconds by stage, as in `Estimation`, and of scoring."""
    together: int = 1
    """Number of runs that were predicted in the same pass, including this one."""
    effect: Effect | None = None
    """Effect of a faster precision; None in exact single precision."""
    predictions_key: str | None = None
    """Identifies the content that the predictions were made from."""
    score_key: str | None = None
    """Identifies the content that the metrics were made from."""
    seal: Seal | None = None
    """None in records of earlier versions, and of runs without metrics."""

    @property
    def whole(self) -> bool:
        """Whether all people were evaluated with the published weights, on any boxes."""
        return self.status in ("complete", "own boxes")

    @property
    def unsealed(self) -> bool:
        """Whether it is of a finished run and has no seal, as records of version 0.1.0."""
        return self.seal is None and self.status not in ("failed", "unobtainable")

    @property
    def full_id(self) -> str:
        """Suite and row, e.g. `coco/hrnet-w32-256x192`."""
        return f"{self.suite}/{self.row}"
