"""Crops: the network's input, cut from an image around a person.

Bit-identical to MMPose's LoadImage, GetBBoxCenterScale and TopdownAffine
(mmpose/datasets/transforms/topdown_transforms.py, mmpose/structures/bbox/transforms.py).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from harness.arrays import Float32, Floating, Image
from harness.datasets.people import People
from harness.errors import RunError
from harness.predict.warp import warp_affine
from harness.protocol import Crop

PNG = b"\x89PNG"
JPEG, SCAN, JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"

DEFLATED = 1032
"""Bytes that a byte of a PNG becomes at most: the limit of its compression (RFC 1951)."""
CutOut = Callable[[Image, Floating, tuple[int, int], Image], object]
"""Fills the last argument, a crop [h, w, 3], from an image [H, W, 3] by a map [2, 3] from image px to crop px;
the third argument is the width and height of the crop."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type of a PNG."""


def read_image(path: Path) -> Image:
    """Read an image as [height, width, 3] BGR, turned upright as its EXIF tag says.

    Raises:
        RunError: The file is missing, truncated or not an image.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"image cannot be read: {path}: {error.strerror}", "restore it from the data set") from error
    if fault := _fault(data):
        raise RunError(f"image is {fault}: {path} ({len(data)} bytes)", "restore it from the data set")
    try:
        image: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise RunError(f"image cannot be decoded: {path}: {error.err}", "restore it from the data set") from error
    if image is None:
        raise RunError(f"not an image that can be decoded: {path} ({len(data)} bytes)", "restore it from the data set")
    return image


def _fault(data: bytes) -> str | None:
    """Return what is wrong with an image that OpenCV would not refuse.

    Of a truncated image it fills the missing part with grey and says so only on standard error. For a PNG it takes
    memory for whatever a header says, and 4.11 crashes on some that claim to be animated.
    """
    if data.startswith(JPEG):
        return "truncated" if data.rfind(JPEG_END) < data.rfind(SCAN) else None
    if not data.startswith(PNG):
        return None
    position, has_pixels = 8, False
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if position + 12 + length > len(data):
            return "truncated"
        if name == b"acTL":
            return "an animation"
        if name == b"IHDR" and length >= 10:
            width, height, depth, colours = struct.unpack_from(">IIBB", data, position + 8)
            if width * height * depth * _CHANNELS.get(colours, 1) > 8 * DEFLATED * len(data):
                return "truncated"
        has_pixels = has_pixels or name == b"IDAT"
        if name == b"IEND":
            return None if has_pixels else "truncated"  # OpenCV looks for pixels even behind the end
        position += 12 + length
    return "truncated"


@dataclass(frozen=True)
class Regions:
    """The image regions that N crops cover."""

    centers: Float32
    """[N, 2] px"""
    sizes: Float32
    """[N, 2] width and height, px, with padding and in the aspect ratio of the network's input."""
    matrices: Floating
    """[N, 2, 3] affine maps from image px to crop px."""


def crop_regions(people: People, crop: Crop) -> Regions:
    """Pad the people's boxes, fit them to the input's aspect ratio and find their affine maps."""
    sizes = padded_sizes(people.sizes, crop)
    matrices = _udp_matrices if crop.affine == "udp" else _plain_matrices
    return Regions(people.centers, sizes, matrices(people.centers, sizes, crop.input_size))


def padded_sizes(sizes: Float32, crop: Crop) -> Float32:
    """Return the widths and heights [N, 2] of the crops of boxes of some widths and heights, px of the image."""
    width, height = crop.input_size
    aspect = np.float32(width / height)
    w, h = np.hsplit(sizes * np.float32(crop.padding), 2)
    padded: Float32 = np.where(w > h * aspect, np.hstack([w, w / aspect]), np.hstack([h * aspect, h]))
    return padded


def warp(image: Image, matrix: Floating, size: tuple[int, int], out: Image | None = None) -> Image:
    """Cut one crop of `size` (width, height) from an image, into `out` if given; outside the image it is black."""
    if out is None:
        out = np.empty((size[1], size[0], 3), np.uint8)
    warp_affine(image, matrix.astype(np.float64, copy=False), out)
    return out


def _plain_matrices(centers: Float32, sizes: Float32, size: tuple[int, int]) -> Floating:
    """Map centre to centre and the middle of the left edge to the middle of the left edge (`get_warp_matrix`).

    The third point lies a quarter turn away, which makes the map keep angles: heights follow from widths.
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
    """Map pixel centres to pixel centres (`get_udp_warp_matrix`; Huang et al., CVPR 2020)."""
    scales = (np.array(size) - 1) / sizes.astype(np.float64)
    matrices = np.zeros((len(centers), 2, 3), np.float32)
    matrices[:, 0, 0], matrices[:, 1, 1] = scales.T
    matrices[:, :, 2] = scales * (0.5 * sizes - centers.astype(np.float64))
    return matrices
