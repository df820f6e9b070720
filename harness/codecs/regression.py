"""Regression: the network outputs coordinates as fractions of its input's width and height.

A keypoint has two numbers x, y and the score 1; or, with RLE, four: x, y and their uncertainties before a sigmoid. Then
the score is 1 minus the mean uncertainty.
Source: mmpose/codecs/regression_label.py; heads/regression_heads/rle_head.py for the sigmoid (Toshev et al., CVPR 2014;
Li et al., Human Pose Regression with Residual Log-likelihood Estimation, ICCV 2021).
"""

from __future__ import annotations  # torch is imported where coordinates are decoded, not where configs are read

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.arrays import Bool, Float32, Floating
from harness.codecs.flipping import mirror_images, on_device
from harness.codecs.interface import Codec, FastPath, Located
from harness.codecs.msra import all_certain
from harness.protocol import Decoder, Protocol, Size

if TYPE_CHECKING:
    from torch import Tensor


def decode_coordinates(outputs: Float32, input_size: Size) -> tuple[Floating, Float32]:
    """Return keypoints [N, K, 2], px of the network's input, and scores [N, K] of coordinates [N, K, 2 or 4].

    The score of a keypoint that is not finite is NaN; MMPose's is 1 for coordinates [N, K, 2].
    """
    keypoints = outputs[..., :2] * np.array(input_size)
    with_sigmas = outputs.shape[-1] == 4
    scores = (1 - outputs[..., 2:4]).mean(axis=-1) if with_sigmas else np.ones(outputs.shape[:2], np.float32)
    return keypoints, np.where(np.isfinite(keypoints).all(axis=-1), scores, np.float32(np.nan))


def observe_coordinates(outputs: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
    """Return the first argument of `locate_coordinates`: the unchanged outputs."""
    return (outputs,)


def locate_coordinates(outputs: Float32, size: Size, decoder: Decoder, input_size: Size) -> Located:
    """Locate M keypoints from coordinates [N, K, 2 or 4]; M = N K."""
    keypoints, scores = decode_coordinates(outputs, input_size)
    return Located(keypoints.reshape(-1, 2), scores.reshape(-1), all_certain(scores.size))


class Regression(Codec):
    """MMPose's RegressionLabel."""

    name = "regression"
    type = "RegressionLabel"
    """The name of MMPose's class."""
    has_heatmaps = False
    form = "coordinates"
    flip_mode = "coordinates"
    flip_mode_stated = False
    shift_setting = ("shift_coords", True)
    peak: float | None = None
    spread: tuple[float, float] | None = (0.5, 0.15)
    settings: Mapping[str, Any] | None = {"type": "RegressionLabel"}
    on_device = FastPath(observe_coordinates, locate_coordinates)

    def read(self, settings: Mapping[str, Any]) -> Decoder | None:
        """As `Codec.read`."""
        return Decoder(codec=self.name) if settings["type"] == self.type else None

    def parted(self, outputs: Tensor, decoder: Decoder) -> Tensor:
        """Return coordinates with a dimension for instances: [N, 1, K, 2 or 4]."""
        return outputs.unsqueeze(1)

    def finished(self, outputs: Tensor) -> Tensor:
        """Return coordinates with the sigmoid applied to RLE's uncertainties."""
        if outputs.shape[-1] == 2:
            return outputs
        outputs = outputs.clone()
        outputs[..., 2:] = outputs[..., 2:].sigmoid()
        return outputs

    def mirrored_back(self, outputs: Tensor, protocol: Protocol) -> Tensor:
        """As `Codec.mirrored_back`: `flip_coordinates` in mmpose/models/utils/tta.py. The shift is 1 input px."""
        turned = outputs.index_select(1, on_device(mirror_images(protocol), outputs.device))
        turned[..., 0] = 1.0 - turned[..., 0]
        if protocol.flip.shift:
            turned[..., 0] -= 1.0 / protocol.crop.input_size[0]
        return turned

    def decode(self, outputs: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
        """As `Codec.decode`."""
        return decode_coordinates(outputs, input_size)

    def unique(self, outputs: Float32, decoder: Decoder, share: float) -> Bool:
        """Return True for each keypoint: coordinates have no maxima that could be ambiguous."""
        return np.ones(outputs.shape[:2], bool)

    def encoded(self, points: Floating, scores: Floating | None, input_size: Size) -> Float32:
        """Return outputs that decode to keypoints [N, K, 2] and scores [N, K]: [N, K, 2], or [N, K, 4] with scores."""
        shares = points / np.array(input_size)
        parts = [shares] if scores is None else [shares, np.repeat(1 - scores[..., None], 2, axis=-1)]
        outputs: Float32 = np.concatenate(parts, axis=-1).astype(np.float32)
        return outputs

    def drawn(self, people: int, keypoints: int, decoder: Decoder, input_size: Size) -> Float32:
        """Return random coordinates [people, K, 2], uniform over the input."""
        points = np.random.default_rng(0).uniform(0, np.array(input_size) - 1, (people, keypoints, 2))
        return self.encoded(points, None, input_size)


PLUGIN = Regression()
