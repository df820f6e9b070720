"""The outcome of comparing the two engines."""

from typing import Any, ClassVar

from harness.document import Document
from harness.fields import Fields

KEYPOINT_TOLERANCE = 0.01
SCORE_TOLERANCE = 1e-5
METRIC_TOLERANCE = 1e-6


class Parity(Fields):
    """Differences between the shared engine and MMPose's own test loop on one run."""

    id: str
    """Suite, row and run."""
    people: int
    people_total: int
    """Number of people in the data folder; a heavy network evaluates only the first of them."""
    gflop: float
    """Work of the network for one crop, GFLOP."""
    parameters: int | None = None
    """Number of the network's parameters; None in early reports."""
    keypoints_compared: int
    """Keypoints whose heatmap has a unique maximum."""
    ties: int
    """The other keypoints."""
    keypoint_max_px: float
    """Largest distance along an axis, image px, over the keypoints compared."""
    tie_max_px: float
    """Largest distance along an axis, image px, over the ties."""
    score_max: float
    """Largest difference of a keypoint score, over the keypoints compared."""
    metric_max: float | None
    """Largest difference of a metric: fractions as such, values in px relative to the value. 1 if only one side is
    defined, None if MMPose's own evaluator cannot run."""

    @property
    def equal(self) -> bool:
        """Whether all differences are within the tolerances."""
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
    """The outcome of `harness parity`."""

    title: ClassVar[str] = "outcome of `harness parity`"
    remedy: ClassVar[str] = "make it with `harness parity --out FILE`, and name it with --parity FILE"
    weights: str
    """`random:SEED`, or `checkpoints`."""
    tflop: float | None
    """Largest bound of a network's work for each engine on a run, TFLOP; None if a run had no bound."""
    environment: dict[str, Any]
    """As in a run's environment.json."""
    seconds: float
    """Wall time of all runs together."""
    runs: tuple[Parity, ...]
    failed: tuple[Failure, ...]

    def continues(self, earlier: "ParityReport") -> bool:
        """Whether this report can keep the runs of an earlier one: same weights and packages."""
        mine, others = (
            {name: version for name, version in report.environment["packages"].items() if name != "poseval"}
            for report in (self, earlier)
        )
        return (self.weights, mine) == (earlier.weights, others)

    def continuing(self, earlier: "ParityReport") -> "ParityReport":
        """Return an earlier report to which the runs of this report are added."""
        bounds = (self.tflop, earlier.tflop)
        return earlier.model_copy(update={"tflop": max(bound for bound in bounds if bound) if all(bounds) else None})

    def added(self, outcome: Parity | Failure, seconds: float) -> "ParityReport":
        """Return the report with one more outcome, which replaces an earlier one of the same run."""
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
        """The runs with a difference above the tolerances."""
        return tuple(run for run in self.runs if not run.equal)
