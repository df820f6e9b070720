"""People for the doctor's checks: small rendered data sets in the layout of MMPose's data/ folder."""

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
"""The suites whose data sets are rendered; other data sets have other file formats."""
IMAGES = 16
MARGIN = 1e-3
"""Values that differ by more than this share of the heatmap's maximum have the same order on every device."""


def render_people(data: Path, images: int = IMAGES) -> None:
    """Render data sets into an empty data folder: those of `RENDERED`, and the demo's in COCO's format.

    Args:
        data: The folder; it gets MMPose's layout, so that published rows can run on it.
        images: Number of images per data set.
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
    """Return the first `count` people of the rendered data set in COCO's format."""
    demo = load_suite(DEMO).dataset
    assert demo.annotations is not None
    return annotated_people(data / demo.annotations, data / demo.images).first_people(count)


def settled(decoder: Decoder, outputs: Float32) -> Bool:
    """Return for each keypoint [N, K] of outputs [N, C, ...] whether it does not depend on rounding.

    Such a keypoint has a unique maximum. If the codec moves keypoints towards the higher neighbour of the maximum, the
    neighbours must differ too.
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
