"""From saved predictions to what is wrong with them, by the protocol's own rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import MALFORMED, ObtainError, RunError
from harness.files import read_json
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
    mirror, images = protocol.flip_indices, _file_names(data / protocol.annotations.path)
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


def _file_names(annotations: Path) -> dict[int, str]:
    """Return the file names of images by their ids, as far as the annotation file has them."""
    document: Any = read_json(annotations, "the annotation file")
    try:
        if isinstance(document, list):
            # MPII's images have no ids; MMPose takes the number in the file's name (mpii_dataset.py).
            names = {str(person["image"]) for person in document if "image" in person}
            return {int(Path(name).stem): name for name in names if Path(name).stem.isdecimal()}
        return {image["id"]: str(image["file_name"]) for image in document.get("images", []) if "file_name" in image}
    except MALFORMED as error:
        raise ObtainError(f"the annotation file has no list of images: {annotations}: {error!r}") from error
