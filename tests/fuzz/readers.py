"""Readers of several kinds of files, and checks of their results."""

import numpy as np

from harness.datasets.people import People
from harness.predict.crops import crop_regions, warp
from harness.protocol import Crop

_IMAGE = np.full((48, 64, 3), 128, np.uint8)


def check_people(people: People) -> None:
    """Check that people are consistent, and that their crops can be cut."""
    count = len(people)
    assert count > 0
    assert people.ids.shape == people.image_ids.shape == people.scores.shape == (count,)
    assert people.boxes.shape == (count, 4)
    assert people.centers.shape == people.sizes.shape == (count, 2)
    for values in (people.boxes, people.scores, people.centers, people.sizes):
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert people.images.keys() == set(people.image_ids.tolist())
    for affine in ("plain", "udp"):
        regions = crop_regions(people, Crop(input_size=(12, 16), padding=1.25, affine=affine))
        for matrix in regions.matrices[:2]:
            assert warp(_IMAGE, matrix, (12, 16)).shape == (16, 12, 3)
