"""Diagnoses predictions by the rules of the protocol."""

from collections.abc import Sequence
from pathlib import Path

from harness.datasets.lookup import file_names
from harness.errors import RunError
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.family import Labels, Matched
from harness.protocol import Protocol


def diagnose(matched: Matched, protocol: Protocol, data: Path, names: Sequence[str]) -> Diagnosis:
    """Diagnose predictions that were matched with the ground truth of the data folder.

    Args:
        matched: Predictions of K keypoints.
        protocol: The protocol of the predictions.
        data: An MMPose data/ folder.
        names: [K] the names of keypoints, as in `harness.suites.metainfo`.

    Raises:
        ObtainError: The annotations are missing or malformed.
        RunError: The number of names is not the number of keypoints.
    """
    if len(names) != protocol.num_keypoints:
        raise RunError(f"{len(names)} names of keypoints, but the protocol has {protocol.num_keypoints}")
    images = file_names(protocol.dataset, data / protocol.annotations.path)
    return matched.diagnosis(Labels(names, protocol.flip_indices, images))
