"""Flip tests: what a network gives for mirrored crops, mirrored back.

Each function returns a copy, which `harness.predict.forward.flip_tested` averages with what the network gives for the
crops themselves. Source: mmpose/models/utils/tta.py.
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from functools import lru_cache
from typing import TYPE_CHECKING

from harness.protocol import Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def mirror_heatmaps(heatmaps: Tensor, protocol: Protocol, channels: int = 1) -> Tensor:
    """Mirror heatmaps [N, `channels` K, h, w] back (`flip_heatmaps` in MMPose); keypoints keep their channels."""
    pairs = [channels * keypoint + channel for keypoint in mirror_images(protocol) for channel in range(channels)]
    heatmaps = heatmaps.flip(-1).index_select(1, on_device(tuple(pairs), heatmaps.device))
    if protocol.flip.shift:
        heatmaps[..., 1:] = heatmaps[..., :-1].clone()
    return heatmaps


def mirror_images(protocol: Protocol) -> tuple[int, ...]:
    """Return for each of the network's keypoints the one that it becomes in a mirrored image."""
    return protocol.flip.indices or protocol.flip_indices


@lru_cache
def on_device(indices: tuple[int, ...], device: torch.device) -> Tensor:
    """Return indices as a tensor, made once: a GPU is waited for when numbers are copied to it."""
    import torch

    return torch.tensor(indices, device=device)
