"""From saved predictions to metrics, by the protocol's own rules."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.assets.dataset import same_file
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring, OksScoring, PckhScoring, PoseTrackScoring, Protocol
from harness.score.jhmdb_pck import score_jhmdb
from harness.score.oks import score_oks
from harness.score.pckh import load_mpii, score_mpii
from harness.score.posetrack_ap import score_posetrack
from harness.score.posetrack_truth import load_posetrack
from harness.score.truth import Truth, load_truth


def evaluate(predictions: Predictions, protocol: Protocol, data: Path) -> dict[str, float | None]:
    """Score predictions under the ground truth of the data folder.

    A partial run is scored on the images that it covers, and on those only.

    Returns:
        Fractions by metric; None where a metric is undefined.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
        RunError: The predictions cannot be scored.
    """
    annotations = same_file(data, protocol.annotations, "the annotation file")
    match protocol.scoring:
        case OksScoring() as scoring:
            areas = scoring.area == "annotation"
            truth = _truth(annotations, protocol.annotations.sha256, protocol.num_keypoints, areas, scoring.crowd)
            if protocol.limit is not None:
                truth = truth.restrict(np.unique(predictions.image_ids))
            return score_oks(predictions, scoring, truth)
        case PckhScoring() as scoring:
            headboxes = same_file(data, scoring.headboxes, "the head box file")
            return score_mpii(predictions, load_mpii(annotations, headboxes))
        case JhmdbScoring() as scoring:
            truth = _truth(annotations, protocol.annotations.sha256, protocol.num_keypoints)
            return score_jhmdb(predictions, scoring, truth)
        case PoseTrackScoring() as scoring:
            sequences = load_posetrack(same_file(data, scoring.sequences, "the per-sequence ground truth"))
            if protocol.limit is not None:
                sequences = sequences.restrict(np.unique(predictions.image_ids))
            return score_posetrack(predictions, scoring, sequences)


@lru_cache(maxsize=1)
def _truth(path: Path, sha256: str, num_keypoints: int, areas: bool = False, crowd: bool = False) -> Truth:
    """Read once for all rows of a table; `sha256` tells the file from a later one of its name."""
    return load_truth(path, num_keypoints, areas=areas, crowd=crowd)


def difference(a: float | None, b: float | None) -> float:
    """Return how far two values of a metric are apart; 1, the most that is possible, where only one is defined."""
    return float(a is not b) if a is None or b is None else abs(a - b)
