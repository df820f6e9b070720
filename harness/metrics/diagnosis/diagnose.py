"""From saved predictions to what is wrong with them, by the protocol's own rules."""

from collections.abc import Sequence
from pathlib import Path

from harness.datasets.lookup import file_names
from harness.errors import RunError
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pck import diagnose_jhmdb, diagnose_mpii
from harness.metrics.families.oks.diagnosis import diagnose_oks
from harness.metrics.families.pckh.truth import MpiiTruth
from harness.metrics.families.posetrack_ap.diagnosis import diagnose_posetrack
from harness.metrics.families.posetrack_ap.truth import PoseTrackTruth
from harness.metrics.ground_truth import load_ground_truth
from harness.metrics.truth import Truth
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring, OksScoring, PckhScoring, PoseTrackScoring, Protocol


def diagnose(predictions: Predictions, protocol: Protocol, data: Path, names: Sequence[str]) -> Diagnosis:
    """Diagnose predictions under the ground truth of the data folder.

    A partial run is diagnosed on the images that it covers, and on those only.

    Args:
        predictions: Of K keypoints.
        protocol: What they were made and are scored by.
        data: An MMPose data/ folder.
        names: [K] of the keypoints, as in `harness.suites.metainfo`.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
        RunError: The predictions cannot be scored, or the names are of another number of keypoints.
    """
    if len(names) != protocol.num_keypoints:
        raise RunError(f"{len(names)} names of keypoints, but the protocol has {protocol.num_keypoints}")
    truth = load_ground_truth(predictions, protocol, data)
    mirror, images = protocol.flip_indices, file_names(protocol.dataset, data / protocol.annotations.path)
    match (protocol.scoring, truth):
        case (OksScoring() as scoring, Truth()):
            return diagnose_oks(predictions, scoring, truth, mirror, names, images)
        case (PckhScoring(), MpiiTruth()):
            return diagnose_mpii(predictions, truth, mirror, names, images)
        case (JhmdbScoring() as scoring, Truth()):
            return diagnose_jhmdb(predictions, scoring, truth, mirror, names, images)
        case (PoseTrackScoring() as scoring, PoseTrackTruth()):
            return diagnose_posetrack(predictions, scoring, truth, mirror, names, images)
    raise TypeError(f"{truth} is no truth for {protocol.scoring}")
