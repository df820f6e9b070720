"""UDP: heatmaps whose pixel centres are the input's, refined like DARK's, with half-pixel second differences.

Source: mmpose/codecs/udp_heatmap.py, utils/refinement.py `refine_keypoints_dark_udp` (Huang et al., CVPR 2020).
"""

import numpy as np

from harness.arrays import Float32, Floating
from harness.codecs.exact.heatmaps import maxima, modulate
from harness.codecs.exact.inverse import inverses
from harness.protocol import Decoder, Size


def decode_udp(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
    """Decode heatmaps [N, K, H, W] to keypoints [N, K, 2], px of the network's input, and scores [N, K]."""
    assert decoder.blur_kernel_size is not None
    points, scores = maxima(heatmaps)
    count, num_keypoints, height, width = heatmaps.shape
    logs = np.log(np.clip(modulate(heatmaps, decoder.blur_kernel_size), np.float32(1e-3), np.float32(50)))

    # One flat array a person, edges repeated. A keypoint without a positive maximum sits at -1, -1, where the
    # neighbours up and left are those of another row or keypoint; upstream reads the same ones.
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
