"""UDP: heatmaps whose pixel centres are those of the input, refined like DARK's, with half-pixel second differences.

As in DARK, the factor of the modulation cancels, except where MMPose clips values to 1e-3..50; the factor is
at least 1, and no scaled value is above the maximum. Those keypoints are not certain, nor are those with an
ill-conditioned step, nor those whose maximum is not positive, for which MMPose reads other keypoints' heatmaps.
Source: mmpose/codecs/udp_heatmap.py, utils/refinement.py `refine_keypoints_dark_udp` (Huang et al., CVPR 2020).
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from harness.arrays import Bool, Float32, Floating, Indices
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.inverse import inverses
from harness.codecs.maxima import maxima, to_points
from harness.codecs.modulation import modulate
from harness.codecs.taylor import (
    TOLERANCE,
    log_rounding,
    newton_step,
    observe_neighbours,
    observe_neighbours_on_cpu,
)
from harness.protocol import Decoder, Size

REACH = 1
X = np.array([0, 1, -1, 0, 0, 1, -1])
Y = np.array([0, 0, 0, 1, -1, 1, -1])
"""Offsets of the neighbours whose values are used."""


def decode_udp(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
    """Decode heatmaps [N, K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    assert decoder.blur_kernel_size is not None
    points, scores = maxima(heatmaps)
    count, num_keypoints, height, width = heatmaps.shape
    logs = np.log(np.clip(modulate(heatmaps, decoder.blur_kernel_size), np.float32(1e-3), np.float32(50)))

    # One flat array per person, edges repeated. A keypoint without a positive maximum is at -1, -1; its neighbours up
    # and left belong to another row or keypoint, and upstream reads the same ones.
    padded = np.pad(logs, [(0, 0), (0, 0), (1, 1), (1, 1)], mode="edge").reshape(count, -1)
    row = width + 2
    starts = row * (height + 2) * np.arange(num_keypoints)
    index = ((points[..., 0] + 1) + (points[..., 1] + 1) * row).astype(np.intp) + starts
    people = np.arange(count)[:, None]

    def at(dx: int, dy: int) -> Float32:
        values: Float32 = padded[people, index + dx + dy * row]
        return values

    centre = at(0, 0)
    dx = np.float32(0.5) * (at(1, 0) - at(-1, 0))
    dy = np.float32(0.5) * (at(0, 1) - at(0, -1))
    dxx = at(1, 0) - 2 * centre + at(-1, 0)
    dyy = at(0, 1) - 2 * centre + at(0, -1)
    dxy = np.float32(0.5) * (at(1, 1) - at(1, 0) - at(0, 1) + centre + centre - at(-1, 0) - at(0, -1) + at(-1, -1))
    gradient = np.stack([dx, dy], axis=-1)
    hessian = np.stack([dxx, dxy, dxy, dyy], axis=-1).reshape(count, num_keypoints, 2, 2)
    inverse = inverses(hessian + np.float64(np.finfo(np.float32).eps) * np.eye(2))
    points -= np.einsum("nkij,nkj->nki", inverse, gradient)

    last = np.array(decoder.heatmap_size) - 1
    return points / last * np.array(input_size), scores


def locate_udp(
    index: Indices,
    scores: Float32,
    blurred: Float32,
    largest: Float32,
    whole: Bool,
    size: Size,
    decoder: Decoder,
    input_size: Size,
) -> Located:
    """Locate M keypoints from the result of `observe_neighbours`, in heatmaps of size (width, height)."""
    width, height = size
    points = to_points(index, scores, width).astype(np.float64)
    # Upstream repeats the edge.
    columns = np.clip(index[:, None] % width + X, 0, width - 1) - index[:, None] % width
    rows = np.clip(index[:, None] // width + Y, 0, height - 1) - index[:, None] // width
    values = blurred[np.arange(len(index))[:, None], REACH + rows, REACH + columns].astype(np.float64)
    smallest = values.min(axis=1)
    scale = np.array(input_size) / (np.array(decoder.heatmap_size) - 1)

    # If these are NaN, nothing is certain.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        c, e, w, s, n, se, nw = np.log(values).T
        epsilon = np.finfo(np.float32).eps  # upstream adds it to the Hessian's diagonal
        step = newton_step(
            dx=0.5 * (e - w),
            dy=0.5 * (s - n),
            dxx=e - 2 * c + w + epsilon,
            dxy=0.5 * (se - e - s + 2 * c - w - n + nw),
            dyy=s - 2 * c + n + epsilon,
            rounding=log_rounding(smallest, scores, largest),
        )
        certain = whole & (smallest > 1.01e-3) & (scores < 49) & (step.error * scale.max() < TOLERANCE)

    points += np.where(certain[:, None], np.stack([step.x, step.y], axis=-1), 0)
    return Located(points * scale, scores, certain)


class Udp(Codec):
    """MMPose's UDPHeatmap of the type `gaussian`."""

    name = "udp"
    kernels = (7, 11, 15, 17)
    settings = {"type": "UDPHeatmap", "sigma": 2, "blur_kernel_size": 11}
    whole_people = True
    on_cpu = FastPath(partial(observe_neighbours_on_cpu, reach=REACH), locate_udp)
    on_device = FastPath(partial(observe_neighbours, reach=REACH), locate_udp)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`."""
        if settings["type"] != "UDPHeatmap" or settings.get("heatmap_type", "gaussian") != "gaussian":
            return None
        return self.decoder(tuple(settings["heatmap_size"]), settings.get("blur_kernel_size", 11))

    def decode(self, heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
        """As `Codec.decode`."""
        return decode_udp(heatmaps, decoder, input_size)


PLUGIN = Udp()
