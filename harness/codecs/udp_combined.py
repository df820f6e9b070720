"""UDP's combined maps: one class map per keypoint, whose blurred maximum is refined by two offset maps.

A keypoint has three consecutive heatmaps: a class map (the probability that the keypoint is within a radius) and the
offsets to the keypoint, right and down, in radii. The class map is blurred, with its border mirrored; the offsets are
read at its maximum.
The fast paths are not certain where two blurred values are nearly equal, and where the maximum is not positive: MMPose
then reads the offsets of another keypoint.
Source: mmpose/codecs/udp_heatmap.py with heatmap_type `combined` (Huang et al., UDP, CVPR 2020).
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from harness.arrays import Float32, Floating, Indices
from harness.codecs.flipping import mirror_heatmaps
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.maxima import maxima, to_points
from harness.codecs.modulation import ROUNDING
from harness.protocol import Decoder, Protocol, Size

if TYPE_CHECKING:
    import torch
    from torch import Tensor

KERNEL = 11
RADIUS = 0.0546875
"""MMPose's defaults."""


def decode_combined(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
    """Decode heatmaps [N, 3 K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    points, scores = maxima(blurred_classes(heatmaps, decoder))
    count, num_keypoints = scores.shape
    height, width = heatmaps.shape[2:]
    offsets = np.stack([heatmaps[:, 1::3], heatmaps[:, 2::3]], axis=-1).reshape(count, -1, 2) * _radius(decoder)
    # A keypoint without a positive maximum is at -1, -1. This index points into the previous keypoint's maps (for the
    # first keypoint, into the last one's), as in MMPose.
    index = points[..., 0] + points[..., 1] * width + height * width * np.arange(num_keypoints, dtype=np.float32)
    points += offsets[np.arange(count)[:, None], index.astype(int)]
    return _to_input(points, decoder, input_size), scores


def blurred_classes(heatmaps: Float32, decoder: Decoder) -> Float32:
    """Return the blurred class maps [N, K, H, W] of heatmaps [N, 3 K, H, W]."""
    blurred = np.empty_like(heatmaps[:, ::3], order="C")
    for person, source in zip(blurred, heatmaps[:, ::3], strict=True):
        for keypoint, heatmap in zip(person, source, strict=True):
            cv2.GaussianBlur(np.ascontiguousarray(heatmap), (_taps(decoder), _taps(decoder)), 0, keypoint)
    return blurred


def _taps(decoder: Decoder) -> int:
    assert decoder.blur_kernel_size is not None
    return 2 * decoder.blur_kernel_size + 1


def _radius(decoder: Decoder) -> float:
    """Return the length of an offset of 1 in heatmap px."""
    assert decoder.radius_factor is not None
    return decoder.radius_factor * max(decoder.map_size)


def _to_input(points: Floating, decoder: Decoder, input_size: Size) -> Floating:
    moved: Floating = points / (np.array(decoder.map_size) - 1) * np.array(input_size)
    return moved


def observe_combined(heatmaps: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the arguments of `locate_combined`, on the heatmaps' device."""
    import torch

    height, width = heatmaps.shape[2:]
    maps = heatmaps.view(-1, 3, height * width)
    classes = maps[:, 0].view(-1, height, width)
    down, along = (_blur(size, _taps(decoder), heatmaps.device) for size in (height, width))
    blurred = (down @ classes.to(down.dtype) @ along.T).float().view(len(maps), -1)
    values, index = blurred.topk(min(2, height * width), dim=-1)
    place = index[:, :1]
    offsets = torch.stack([maps[:, axis].gather(1, place)[:, 0] for axis in (1, 2)], dim=-1)
    return place[:, 0], values[:, 0], values[:, -1], classes.abs().amax((1, 2)), offsets


@lru_cache
def _blur(length: int, taps: int, device: torch.device) -> Tensor:
    """Return the matrix [length, length] that blurs a line; the border is mirrored without repeating the edge value."""
    import torch

    kernel = cv2.getGaussianKernel(taps, 0)[:, 0]
    places = np.arange(length)[:, None] + np.arange(taps) - taps // 2
    if length > 1:
        places = np.abs(places) % (2 * length - 2)
        places = np.minimum(places, 2 * length - 2 - places)
    matrix = np.zeros((length, length))
    np.add.at(matrix, (np.arange(length)[:, None], places * (length > 1)), kernel)
    # A GPU may round single-precision products to TF32's 10 bits, but never double-precision ones.
    dtype = torch.float64 if device.type in ("cuda", "cpu") else torch.float32
    return torch.from_numpy(matrix).to(device, dtype)


def observe_combined_on_cpu(heatmaps: Tensor, decoder: Decoder) -> tuple[npt.NDArray[Any], ...]:
    """Return the arguments of `locate_combined` for heatmaps on a CPU.

    The blur is MMPose's own, so only keypoints with a maximum of 0 or less are not certain.
    """
    maps = heatmaps.numpy()
    classes = blurred_classes(maps, decoder)
    flat = classes.reshape(-1, classes.shape[2] * classes.shape[3])
    index, each = flat.argmax(axis=-1), np.arange(len(flat))
    of_keypoints = maps.reshape(len(flat), 3, -1)
    offsets = np.stack([of_keypoints[each, axis, index] for axis in (1, 2)], axis=-1)
    return index, flat[each, index], np.full(len(flat), -np.inf, np.float32), np.zeros(len(flat), np.float32), offsets


def locate_combined(
    index: Indices,
    scores: Float32,
    second: Float32,
    largest: Float32,
    offsets: Float32,
    size: Size,
    decoder: Decoder,
    input_size: Size,
) -> Located:
    """Locate M keypoints.

    Args:
        index: Row-major position of the blurred class map's maximum [M].
        scores: The value of the maximum [M].
        second: The second-highest value [M].
        largest: The largest absolute value that was blurred [M]; rounding errors are proportional to it.
        offsets: Offsets at the maximum, right and down [M, 2], in radii.
        size: Width and height of the heatmaps.
        decoder: The decoder of the heatmaps.
        input_size: Width and height of the network's input.
    """
    margins = 3 * ROUNDING * largest
    with np.errstate(invalid="ignore"):  # comparisons with NaN are false, so such keypoints are not certain
        certain = (scores > margins) & (second < scores - margins)
        # A score that may be 0 counts as not positive, so that the whole person is decoded exactly.
        scores = np.where(np.abs(scores) <= margins, np.minimum(scores, 0), scores)
        points = to_points(index, scores, size[0]) + offsets * np.float32(_radius(decoder))
    return Located(_to_input(points, decoder, input_size), scores, certain)


class UdpCombined(Codec):
    """MMPose's UDPHeatmap of the type `combined`."""

    name = "udp-combined"
    channels = 3
    form = "heatmaps with offsets"
    flip_mode = "udp_combined"
    kernels = (KERNEL,)
    settings = {"type": "UDPHeatmap", "heatmap_type": "combined"}
    whole_people = True
    on_cpu = FastPath(observe_combined_on_cpu, locate_combined)
    on_device = FastPath(observe_combined, locate_combined)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`."""
        if settings["type"] != "UDPHeatmap" or settings.get("heatmap_type") != "combined":
            return None
        decoder = self.decoder(tuple(settings["heatmap_size"]), settings.get("blur_kernel_size", KERNEL))
        return decoder.model_copy(update={"radius_factor": settings.get("radius_factor", RADIUS)})

    def decode(self, heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
        """As `Codec.decode`."""
        return decode_combined(heatmaps, decoder, input_size)

    def mirrored_back(self, outputs: Tensor, protocol: Protocol) -> Tensor:
        """As `Codec.mirrored_back`; horizontal offsets change their sign in a mirrored crop."""
        turned = mirror_heatmaps(outputs, protocol, self.channels)
        turned[:, 1 :: self.channels].neg_()
        return turned

    def searched(self, heatmaps: Float32, decoder: Decoder) -> Float32:
        """Return the blurred class maps."""
        return blurred_classes(heatmaps, decoder)

    def decoder(self, heatmap_size: Size, kernel: int | None = None) -> Decoder:
        """As `Codec.decoder`."""
        return super().decoder(heatmap_size, kernel).model_copy(update={"radius_factor": RADIUS})


PLUGIN = UdpCombined()
