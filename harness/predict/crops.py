"""Crops: the network's input, cut from an image around a person.

Bit-identical to MMPose's LoadImage, GetBBoxCenterScale and TopdownAffine
(mmpose/datasets/transforms/topdown_transforms.py, mmpose/structures/bbox/transforms.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from harness.arrays import Float32, Floating, Image
from harness.datasets.people import People
from harness.errors import RunError
from harness.image_file import ADVICE, image_fault
from harness.predict.warp import warp_affine
from harness.protocol import Crop

CutOut = Callable[[Image, Floating, tuple[int, int], Image], object]
"""Function that fills a crop [h, w, 3]. Its arguments are an image [H, W, 3], a map [2, 3] from image px to crop px,
the width and height of the crop, and the crop."""


def read_image(path: Path) -> Image:
    """Return an image as [height, width, 3] BGR, rotated according to its EXIF tag.

    Raises:
        RunError: The file is missing, truncated, or not an image that can be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"image cannot be read: {path}: {error.strerror}", "check that the file exists and is readable"
        ) from error
    if fault := image_fault(data):
        raise RunError(f"image is {fault}: {path} ({len(data)} bytes)", ADVICE[fault])
    try:
        image: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise RunError(f"image cannot be decoded: {path}: {error.err}", ADVICE["truncated"]) from error
    if image is None:
        raise RunError(f"not an image that can be decoded: {path} ({len(data)} bytes)", ADVICE["truncated"])
    return image


@dataclass(frozen=True)
class Regions:
    """The image regions that N crops cover."""

    centers: Float32
    """[N, 2] px"""
    sizes: Float32
    """[N, 2] width and height, px, with padding and with the aspect ratio of the network's input."""
    matrices: Floating
    """[N, 2, 3] affine maps from image px to crop px."""


def crop_regions(people: People, crop: Crop) -> Regions:
    """Return the image regions of the crops of people: their boxes, padded and extended to the input's aspect ratio."""
    sizes = padded_sizes(people.sizes, crop)
    matrices = _udp_matrices if crop.affine == "udp" else _plain_matrices
    return Regions(people.centers, sizes, matrices(people.centers, sizes, crop.input_size))


def padded_sizes(sizes: Float32, crop: Crop) -> Float32:
    """Return the widths and heights [N, 2] of crops from those of the boxes, both px of the image."""
    width, height = crop.input_size
    aspect = np.float32(width / height)
    w, h = np.hsplit(sizes * np.float32(crop.padding), 2)
    padded: Float32 = np.where(w > h * aspect, np.hstack([w, w / aspect]), np.hstack([h * aspect, h]))
    return padded


def warp(image: Image, matrix: Floating, size: tuple[int, int], out: Image | None = None) -> Image:
    """Return one crop of `size` (width, height), black outside the image. It is written to `out` if that is given."""
    if out is None:
        out = np.empty((size[1], size[0], 3), np.uint8)
    warp_affine(image, matrix.astype(np.float64, copy=False), out)
    return out


def _plain_matrices(centers: Float32, sizes: Float32, size: tuple[int, int]) -> Floating:
    """Return maps [N, 2, 3] of centre to centre and left edge's middle to left edge's middle (`get_warp_matrix`).

    The third point is the first one turned by 90 degrees about the second one. The map then keeps angles, and the width
    determines the height.
    """
    width, height = size
    left = (centers.astype(np.float64) - [0.5, 0.0] * sizes.astype(np.float64)).astype(np.float32)
    target_center, target_left = np.array([[width, height], [0, height]], np.float32) * np.float32(0.5)
    target = np.stack([target_center, target_left, _quarter_turn(target_center, target_left)])
    matrices = np.empty((len(centers), 2, 3))
    for i, source in enumerate(np.stack([centers, left, _quarter_turn(centers, left)], axis=1)):
        matrices[i] = cv2.getAffineTransform(source, target)
    return matrices


def _quarter_turn(a: Float32, b: Float32) -> Float32:
    direction = a - b
    turned: Float32 = b + np.stack([-direction[..., 1], direction[..., 0]], axis=-1)
    return turned


def _udp_matrices(centers: Float32, sizes: Float32, size: tuple[int, int]) -> Float32:
    """Return maps [N, 2, 3] of pixel centres to pixel centres (`get_udp_warp_matrix`; Huang et al., CVPR 2020)."""
    scales = (np.array(size) - 1) / sizes.astype(np.float64)
    matrices = np.zeros((len(centers), 2, 3), np.float32)
    matrices[:, 0, 0], matrices[:, 1, 1] = scales.T
    matrices[:, :, 2] = scales * (0.5 * sizes - centers.astype(np.float64))
    return matrices
