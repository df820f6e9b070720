"""The people that checks run on: small rendered data sets in the layout of MMPose's data/ folder."""

import shutil
from pathlib import Path

import numpy as np

from harness.arrays import Bool, Float32
from harness.codecs.interface import codec_of
from harness.codecs.maxima import maxima
from harness.datasets.people import People, annotated_people
from harness.demo import dataset
from harness.protocol import Decoder
from harness.run.parity import unique_maxima
from harness.suites.load import DEMO, load_suite

RENDERED = ("coco", "crowdpose", "mpii")
"""The suites whose data set is rendered; the other data sets have forms of their own."""
IMAGES = 16
MARGIN = 1e-3
"""Share of a heatmap's maximum by which values must differ for their order to hold on every device."""


def render_people(data: Path, images: int = IMAGES) -> None:
    """Render data sets into an empty data folder: those of `RENDERED`, and the demo's in COCO's form.

    Args:
        data: Gets MMPose's layout, so that the published rows run on it.
        images: How many each.
    """

    def unseen(_: int, __: int | None) -> None: ...

    demo = data / "demo/coco"
    dataset.write_coco(demo, dataset.Split("val", 0, images), unseen)
    coco, crowdpose, mpii = (load_suite(name).dataset for name in RENDERED)
    shutil.copytree(demo, data / "coco")
    dataset.write_crowdpose(data / "crowdpose", dataset.Split("images", 0, images), unseen)
    dataset.write_mpii(data / "mpii", dataset.Split("images", 0, images), unseen)
    for written, expected in (
        ("coco/val", coco.images),
        ("coco/annotations/person_keypoints_val.json", coco.annotations),
        ("coco/annotations/detections_val.json", coco.boxes),
        ("crowdpose/annotations/crowdpose_images.json", crowdpose.annotations),
        ("crowdpose/annotations/detections_images.json", crowdpose.boxes),
        ("mpii/annotations/mpii_images.json", mpii.annotations),
        ("mpii/annotations/mpii_gt_images.mat", mpii.extra["headboxes"]),
    ):
        assert expected is not None
        (data / expected).parent.mkdir(exist_ok=True)
        (data / written).rename(data / expected)


def rendered_people(data: Path, count: int) -> People:
    """Return the first `count` people of the rendered data set in COCO's form."""
    demo = load_suite(DEMO).dataset
    assert demo.annotations is not None
    return annotated_people(data / demo.annotations, data / demo.images).first_people(count)


def settled(decoder: Decoder, outputs: Float32) -> Bool:
    """Return which keypoints [N, K] of a network's outputs [N, C, ...] do not depend on rounding.

    Their maximum is unique. Where the codec takes a step towards the higher neighbour of the maximum, these neighbours
    differ as well.
    """
    unique = unique_maxima(decoder, outputs, MARGIN)
    codec = codec_of(decoder)
    if not codec.steps:
        return unique
    heatmaps = codec.searched(outputs, decoder)
    if decoder.kept is not None:
        heatmaps = heatmaps[:, list(decoder.kept)]
    points, values = maxima(heatmaps)
    x, y = points.clip(0).astype(int).transpose(2, 0, 1)
    bordered = np.pad(heatmaps, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    people, keypoints = np.indices(x.shape)
    for dx, dy in ((1, 0), (0, 1)):
        ahead = bordered[people, keypoints, y + 1 + dy, x + 1 + dx]
        behind = bordered[people, keypoints, y + 1 - dy, x + 1 - dx]
        unique &= np.abs(ahead - behind) > MARGIN * np.abs(values)
    return np.asarray(unique)
