"""A codec that another package adds to the harness and to MMPose: the centre of mass of the upper half of a peak."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmpose.registry import KEYPOINT_CODECS

from harness.arrays import Float32
from harness.codecs.interface import Codec
from harness.protocol import Decoder, Size


def centres_of_mass(heatmaps: Float32) -> tuple[Float32, Float32]:
    """Return x, y [N, K, 2], heatmap px, and the maxima [N, K] of heatmaps [N, K, H, W]."""
    height, width = heatmaps.shape[2:]
    scores = heatmaps.max(axis=(2, 3))
    mass = np.maximum(heatmaps - scores[..., None, None] / 2, 0)
    total = np.maximum(mass.sum(axis=(2, 3)), np.float32(1e-12))
    x = (mass.sum(axis=2) * np.arange(width, dtype=np.float32)).sum(axis=2) / total
    y = (mass.sum(axis=3) * np.arange(height, dtype=np.float32)).sum(axis=2) / total
    return np.stack([x, y], axis=-1), scores


@KEYPOINT_CODECS.register_module()
class MassHeatmap:
    """Decodes one person's heatmaps [K, H, W] in MMPose's heads."""

    support_batch_decoding = False

    def __init__(self, input_size: Size, heatmap_size: Size) -> None:
        self.strides = (np.array(input_size) / heatmap_size).astype(np.float32)

    def decode(self, heatmaps: Float32) -> tuple[Float32, Float32]:
        points, scores = centres_of_mass(heatmaps[None])
        return points * self.strides, scores


class Mass(Codec):
    name = "mass"

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        return self.decoder(tuple(settings["heatmap_size"])) if settings["type"] == "MassHeatmap" else None

    def decode(self, heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Float32, Float32]:
        points, scores = centres_of_mass(heatmaps)
        return points * (np.array(input_size) / decoder.heatmap_size).astype(np.float32), scores


PLUGIN = Mass()
