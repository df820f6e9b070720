"""The draws of a bootstrap: how often each image, or video, occurs in each resample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.arrays import Float64, Indices, Int64
from harness.datasets.lookup import videos
from harness.errors import RunError, counted
from harness.metrics.family import Matched, truth_files
from harness.protocol import Protocol

Unit = Literal["image", "video"]


@dataclass(frozen=True)
class Draws:
    """R resamples of U units: the images that are scored, or their videos.

    A paired comparison of two runs needs the same draws for both.
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
        """Return draws of units that are numbered from 0."""
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


def draw(matched: Matched, protocol: Protocol, data: Path, resamples: int = 1000, seed: int = 0) -> Draws:
    """Return draws of the images that are scored, or of their videos if the data set has videos.

    Raises:
        ObtainError: The annotations are missing or malformed.
        RunError: There are no people to score.
    """
    image_ids = matched.image_ids
    annotations = data / protocol.annotations.path
    if not len(image_ids):
        raise RunError(f"predictions: there are no people to score under {annotations}")
    files = dict(truth_files(protocol, lambda file, _: data / file.path).files)
    found = videos(protocol.dataset, annotations, files.get("sequences"))
    if found is None:
        return Draws.of_units("image", image_ids, np.arange(len(image_ids)), resamples, seed)
    strays = [image for image in image_ids.tolist() if image not in found]
    if strays:
        raise RunError(
            f"predictions in {counted(len(strays), 'image')} that {annotations} does not have, such as {strays[0]}"
        )
    _, unit_of_image = np.unique([found[image] for image in image_ids.tolist()], return_inverse=True)
    return Draws.of_units("video", image_ids, unit_of_image, resamples, seed)


def resampled_metrics(matched: Matched, draws: Draws) -> dict[str, Float64]:
    """Return each metric of predictions in every resample, [R]; NaN where it is undefined.

    Raises:
        RunError: The draws are of other images.
    """
    if not np.array_equal(matched.image_ids, draws.image_ids):
        raise RunError(
            "predictions: they are scored on other images than those of the draws",
            "compare two runs that cover the same images",
        )
    return matched.resampled(draws)
