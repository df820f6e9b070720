"""People from MPII's annotation file, which gives a centre and a scale in place of a box.

Source: mmpose/datasets/datasets/body/mpii_dataset.py.
"""

from pathlib import Path

import numpy as np

from harness.datasets.mpii_file import read_mpii
from harness.datasets.people.people import PIXELS_PER_SCALE, People, boxes_about, square_sizes
from harness.errors import ObtainError

FOOT_ROOM = 15
"""px at scale 1 by which the centre is lowered, so that crops do not cut off feet."""


def mpii_people(annotations: Path, images: Path) -> People:
    """List all people in mpii_val.json, a list of {image, center, scale, joints, joints_vis}, 1-based pixels.

    Raises:
        ObtainError: The file is missing or does not have this structure.
    """
    mpii = read_mpii(annotations)
    if not len(mpii):
        raise ObtainError(f"the MPII annotation file has no people: {annotations}", "take MMPose's mpii_val.json")
    for field, known in (
        ("image", mpii.image_ids.known),
        ("center", mpii.centers.known),
        ("scale", mpii.scales.known),
    ):
        if not known.all():
            raise ObtainError(
                f"a person lacks or misspells a field: {annotations}: {field} of person {int(known.argmin())}"
            )
    centers = mpii.centers.values.astype(np.float32)
    sizes = square_sizes(mpii.scales.values)
    known = centers[:, 0] != -1
    # In double precision, then rounded once, as MMPose's scalar arithmetic does.
    lowered = FOOT_ROOM / PIXELS_PER_SCALE * sizes[known, 1].astype(np.float64)
    centers[known, 1] = centers[known, 1].astype(np.float64) + lowered
    centers -= 1
    return People(
        ids=np.arange(len(mpii), dtype=np.int64),
        image_ids=mpii.image_ids.values.copy(),
        boxes=boxes_about(centers, sizes),
        scores=np.ones(len(mpii), np.float32),
        centers=centers,
        sizes=sizes,
        images={
            number: images / str(name) for number, name in zip(mpii.image_ids.values.tolist(), mpii.names, strict=True)
        },
    )
