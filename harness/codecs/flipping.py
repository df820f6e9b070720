"""Flip tests: mirror back the outputs of a network for mirrored crops.

Each function returns a copy, which `harness.predict.forward.flip_tested` averages with the outputs for the original
crops. Source: mmpose/models/utils/tta.py.
"""

from __future__ import annotations  # torch is imported where heatmaps are decoded, not where configs are read

from functools import lru_cache
from typing import TYPE_CHECKING

from harness.protocol import Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def mirror_heatmaps(heatmaps: Tensor, protocol: Protocol, channels: int = 1) -> Tensor:
    """Return heatmaps [N, `channels` K, h, w] mirrored back (`flip_heatmaps` in MMPose).

    The channels of a keypoint stay together and in order.
    """
    pairs = [channels * keypoint + channel for keypoint in mirror_images(protocol) for channel in range(channels)]
    heatmaps = heatmaps.flip(-1).index_select(1, on_device(tuple(pairs), heatmaps.device))
    if protocol.flip.shift:
        heatmaps[..., 1:] = heatmaps[..., :-1].clone()
    return heatmaps


def mirror_images(protocol: Protocol) -> tuple[int, ...]:
    """Return for each keypoint of the network the index of its mirror image, such as left hip for right hip."""
    return protocol.flip.indices or protocol.flip_indices


@lru_cache
def on_device(indices: tuple[int, ...], device: torch.device) -> Tensor:
    """Return indices as a tensor on a device, cached: each copy of numbers to a GPU waits for the GPU."""
    import torch

    return torch.tensor(indices, device=device)
