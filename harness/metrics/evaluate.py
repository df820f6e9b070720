"""From saved predictions to metrics, by the protocol's own rules."""

from pathlib import Path

from harness.metrics.families.jhmdb_pck.score import score_jhmdb
from harness.metrics.families.oks.score import score_oks
from harness.metrics.families.pckh.score import score_mpii
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.families.posetrack_ap.score import score_posetrack
from harness.metrics.families.posetrack_ap.truth import PoseTrackTruth
from harness.metrics.ground_truth import load_ground_truth
from harness.metrics.truth import Truth
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring, OksScoring, PckhScoring, PoseTrackScoring, Protocol


def evaluate(predictions: Predictions, protocol: Protocol, data: Path) -> dict[str, float | None]:
    """Score predictions under the ground truth of the data folder.

    A partial run is scored on the images that it covers, and on those only.

    Returns:
        Fractions by metric; None where a metric is undefined.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
        RunError: The predictions cannot be scored.
    """
    truth = load_ground_truth(predictions, protocol, data)
    match (protocol.scoring, truth):
        case (OksScoring() as scoring, Truth()):
            return score_oks(predictions, scoring, truth)
        case (PckhScoring(), MpiiTruth()):
            return score_mpii(predictions, truth)
        case (JhmdbScoring() as scoring, Truth()):
            return score_jhmdb(predictions, scoring, truth)
        case (PoseTrackScoring() as scoring, PoseTrackTruth()):
            return score_posetrack(predictions, scoring, truth)
    raise TypeError(f"{truth} is no truth for {protocol.scoring}")


def difference(a: float | None, b: float | None) -> float:
    """Return how far two values of a metric are apart; 1, the most that is possible, where only one is defined."""
    return float(a is not b) if a is None or b is None else abs(a - b)
