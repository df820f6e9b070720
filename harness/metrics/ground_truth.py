"""The ground truth of a run, and the images in it that are scored."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from harness.arrays import Int64
from harness.assets.dataset import same_file
from harness.metrics.families.pckh.truth import MpiiTruth, load_mpii
from harness.metrics.families.posetrack_ap.truth import PoseTrackTruth, load_posetrack
from harness.metrics.truth import Truth, load_truth
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring, OksScoring, PckhScoring, PoseTrackScoring, Protocol, Scoring

GroundTruth = Truth | MpiiTruth | PoseTrackTruth


def load_ground_truth(predictions: Predictions, protocol: Protocol, data: Path) -> GroundTruth:
    """Read what predictions are scored under; for a partial run, of the images that it covers, and of those only.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
    """
    annotations = same_file(data, protocol.annotations, "the annotation file")
    match protocol.scoring:
        case OksScoring() as scoring:
            areas = scoring.area == "annotation"
            truth = _truth(annotations, protocol.annotations.sha256, protocol.num_keypoints, areas, scoring.crowd)
            return truth if protocol.limit is None else truth.restrict(np.unique(predictions.image_ids))
        case PckhScoring() as scoring:
            return load_mpii(annotations, same_file(data, scoring.headboxes, "the head box file"))
        case JhmdbScoring():
            return _truth(annotations, protocol.annotations.sha256, protocol.num_keypoints)
        case PoseTrackScoring() as scoring:
            sequences = load_posetrack(same_file(data, scoring.sequences, "the per-sequence ground truth"))
            return sequences if protocol.limit is None else sequences.restrict(np.unique(predictions.image_ids))


def scored_images(predictions: Predictions, truth: GroundTruth, scoring: Scoring) -> Int64:
    """Return the images that count, ascending: PCK asks for people who were predicted, AP for everybody."""
    if isinstance(truth, MpiiTruth) or isinstance(scoring, JhmdbScoring):
        return np.unique(predictions.image_ids)
    return np.unique(truth.image_ids)


@lru_cache(maxsize=1)
def _truth(path: Path, sha256: str, num_keypoints: int, areas: bool = False, crowd: bool = False) -> Truth:
    """Read once for all rows of a table; `sha256` tells the file from a later one of its name."""
    return load_truth(path, num_keypoints, areas=areas, crowd=crowd)
