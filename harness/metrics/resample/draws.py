"""Which images, or videos, a bootstrap draws how often."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.arrays import Indices, Int64
from harness.assets.dataset import same_file
from harness.datasets.lookup import videos
from harness.errors import ObtainError, RunError
from harness.metrics.ground_truth import load_ground_truth, scored_images
from harness.predictions import Predictions
from harness.protocol import JhmdbScoring, OksScoring, PckhScoring, PoseTrackScoring, Protocol

Unit = Literal["image", "video"]


@dataclass(frozen=True)
class Draws:
    """R resamples of U units: the images that are scored, or their videos.

    Two runs are compared pair by pair, so both must be resampled by the same draws.
    """

    unit: Unit
    image_ids: Int64
    """[I] ascending: all images that are scored, with and without predictions."""
    unit_of_image: Indices
    """[I] index of each image's unit."""
    counts: npt.NDArray[np.uint16]
    """[R, U] how often each unit is drawn; each row sums to U."""
    seed: int

    @classmethod
    def of_units(cls, unit: Unit, image_ids: Int64, unit_of_image: Indices, resamples: int, seed: int) -> "Draws":
        """Draw from units that are numbered from 0."""
        units = int(unit_of_image.max()) + 1
        rng = np.random.default_rng(seed)
        counts = np.empty((resamples, units), np.uint16)
        for row in counts:
            row[:] = np.bincount(rng.integers(0, units, units), minlength=units)
        return cls(unit, image_ids, unit_of_image, counts, seed)

    def units_of(self, image_ids: Int64) -> Indices:
        """Return the unit of each of N images, [N]."""
        units: Indices = self.unit_of_image[np.searchsorted(self.image_ids, image_ids)]
        return units


def draw(predictions: Predictions, protocol: Protocol, data: Path, resamples: int = 1000, seed: int = 0) -> Draws:
    """Draw from the images that `evaluate` scores, or from their videos for PoseTrack18 and JHMDB.

    Raises:
        ObtainError: The annotations are missing, malformed or not those of the run.
        RunError: There is nothing to score.
    """
    truth = load_ground_truth(predictions, protocol, data)
    image_ids = scored_images(predictions, truth, protocol.scoring)
    if not len(image_ids):
        raise RunError(f"predictions: there is nobody to score under {truth.path}")
    annotations = data / protocol.annotations.path
    match protocol.scoring:
        case OksScoring() | PckhScoring():
            return Draws.of_units("image", image_ids, np.arange(len(image_ids)), resamples, seed)
        case JhmdbScoring():
            of_image = videos(protocol.dataset, annotations)
        case PoseTrackScoring() as scoring:
            sequences = same_file(data, scoring.sequences, "the per-sequence ground truth")
            of_image = videos(protocol.dataset, annotations, sequences)
    if of_image is None:
        raise ObtainError(f"{annotations}: {protocol.dataset} does not say which video an image is from")
    strays = [image for image in image_ids.tolist() if image not in of_image]
    if strays:
        raise RunError(f"predictions in {len(strays)} images that {truth.path} does not have, such as {strays[0]}")
    _, unit_of_image = np.unique([of_image[image] for image in image_ids.tolist()], return_inverse=True)
    return Draws.of_units("video", image_ids, unit_of_image, resamples, seed)
