"""People from MPII's annotation file, which gives a centre and a scale in place of a box.

Source: mmpose/datasets/datasets/body/mpii_dataset.py.
"""

from pathlib import Path

import numpy as np

from harness.datasets.people.people import People
from harness.errors import MALFORMED, ObtainError
from harness.files import read_json

PIXELS_PER_SCALE = np.float32(200)
FOOT_ROOM = 15
"""px at scale 1 by which the centre is lowered, so that crops do not cut off feet."""


def mpii_people(annotations: Path, images: Path) -> People:
    """List everybody in mpii_val.json, a list of {image, center, scale, joints, joints_vis}, 1-based pixels.

    Raises:
        ObtainError: The file is missing or not of this form.
    """
    data = read_json(annotations, "the annotation file", "name another data folder with --data")
    if not isinstance(data, list) or not data:
        raise ObtainError(f"an MPII annotation file is a list of people, this one is not: {annotations}")
    try:
        centers = np.array([person["center"] for person in data], np.float32).reshape(len(data), 2)
        scales = np.array([person["scale"] for person in data], np.float32).reshape(len(data), 1)
        numbers = [int(person["image"].split(".")[0]) for person in data]
        image_ids = np.array(numbers, np.int64)
        files = {number: images / person["image"] for number, person in zip(numbers, data, strict=True)}
    except MALFORMED as error:
        raise ObtainError(f"a person lacks or misspells a field: {annotations}: {error!r}") from error
    sizes = np.repeat(scales, 2, axis=1) * PIXELS_PER_SCALE
    known = centers[:, 0] != -1
    # In double precision, then rounded once, as MMPose's scalar arithmetic does.
    centers[known, 1] = centers[known, 1].astype(np.float64) + FOOT_ROOM / 200 * sizes[known, 1].astype(np.float64)
    centers -= 1
    top_left = centers - np.float32(0.5) * sizes
    corners = np.concatenate([top_left, top_left + sizes], axis=1)
    return People(
        ids=np.arange(len(data), dtype=np.int64),
        image_ids=image_ids,
        boxes=corners,
        scores=np.ones(len(data), np.float32),
        centers=centers,
        sizes=sizes,
        images=files,
    )
