"""What comparing the two engines gives."""

from typing import Any, ClassVar

from harness.document import Document
from harness.fields import Fields

KEYPOINT_TOLERANCE = 0.01
SCORE_TOLERANCE = 1e-5
METRIC_TOLERANCE = 1e-6


class Parity(Fields):
    """How far the shared engine is from MMPose's own test loop on one run."""

    id: str
    """Suite, row and run."""
    people: int
    people_total: int
    """In the data folder; a heavy network sees the first of them only."""
    gflop: float
    """What the network computes for one crop."""
    parameters: int | None = None
    """Of the network; None in early reports."""
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
    """Largest difference of a metric, fractions, of values in px as a part of the value; 1 where only one side is
    defined, None where MMPose's own evaluator cannot run."""

    @property
    def equal(self) -> bool:
        """Whether the engines agree within the tolerances."""
        return (
            self.keypoint_max_px <= KEYPOINT_TOLERANCE
            and self.score_max <= SCORE_TOLERANCE
            and (self.metric_max is None or self.metric_max <= METRIC_TOLERANCE)
        )


class Failure(Fields):
    """A run that could not be compared."""

    id: str
    reason: str


class ParityReport(Document):
    """What `harness parity` found."""

    title: ClassVar[str] = "outcome of `harness parity`"
    remedy: ClassVar[str] = "make it with `harness parity --out FILE`, and name it with --parity FILE"
    weights: str
    """`random:SEED`, or `checkpoints`."""
    tflop: float | None
    """Bound of a network's work for each engine on each run."""
    environment: dict[str, Any]
    """As in a run's environment.json."""
    seconds: float
    """Wall time of all runs together."""
    runs: tuple[Parity, ...]
    failed: tuple[Failure, ...]

    def continues(self, earlier: "ParityReport") -> bool:
        """Whether runs of this report can stand beside those of an earlier one."""
        mine, others = (
            {name: version for name, version in report.environment["packages"].items() if name != "poseval"}
            for report in (self, earlier)
        )
        return (self.weights, self.tflop, mine) == (earlier.weights, earlier.tflop, others)

    def added(self, outcome: Parity | Failure, seconds: float) -> "ParityReport":
        """Return the report with one more outcome, in place of an earlier one of the same run."""
        runs, failed = ([each for each in group if each.id != outcome.id] for group in (self.runs, self.failed))
        if isinstance(outcome, Failure):
            failed = [*failed, outcome]
        else:
            place = next((i for i, run in enumerate(self.runs) if run.id == outcome.id), len(runs))
            runs = [*runs[:place], outcome, *runs[place:]]
        return self.model_copy(
            update={"runs": tuple(runs), "failed": tuple(failed), "seconds": round(self.seconds + seconds, 1)}
        )

    @property
    def unequal(self) -> tuple[Parity, ...]:
        """The runs on which the engines differ by more than the tolerances."""
        return tuple(run for run in self.runs if not run.equal)
