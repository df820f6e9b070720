"""Drawn images with people, and networks small enough to follow, for the tests of passes."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from harness.datasets.people import People
from harness.protocol import Protocol

NUM_KEYPOINTS = 3


def draw_people(folder: Path, counts: Sequence[int]) -> People:
    """Draw an image with the number of boxes for each count; the order of people mixes the images."""
    rng = np.random.default_rng(len(counts))
    images = {}
    for number in range(len(counts)):
        images[number] = folder / f"{number}.png"
        cv2.imwrite(str(images[number]), rng.integers(0, 255, (120, 160, 3), np.uint8))
    image_ids = rng.permutation(np.repeat(np.arange(len(counts)), counts)).tolist()
    corners = rng.uniform([-10, -10, 60, 60], [50, 50, 170, 130], (len(image_ids), 4)).astype(np.float32)
    return People.from_boxes(list(range(len(image_ids))), image_ids, list(corners), [0.5] * len(image_ids), images)


def some_crops(count: int, height: int = 64, width: int = 48) -> torch.Tensor:
    """Return crops [count, height, width, 3] of noise."""
    crops = np.random.default_rng(0).integers(0, 255, (count, height, width, 3), np.uint8)
    return torch.from_numpy(crops)


def protocol(**compute: Any) -> Protocol:
    """Return COCO's usual protocol, with three keypoints and crops of 48x64."""
    file = {"path": "coco/annotations/some.json", "sha256": "0" * 64}
    selection = {"score_mode": "bbox_keypoint", "keypoint_score_threshold": 0.2, "nms": "oks", "nms_threshold": 0.9}
    return Protocol.model_validate(
        {
            "dataset": "CocoDataset",
            "annotations": file,
            "num_keypoints": NUM_KEYPOINTS,
            "flip_indices": (0, 2, 1),
            "boxes": {"source": "detector", "file": file},
            "limit": None,
            "crop": {"input_size": (48, 64), "padding": 1.25, "affine": "plain"},
            "flip": {"enabled": True, "shift": False},
            "decoder": {"codec": "msra", "heatmap_size": (12, 16), "blur_kernel_size": None},
            "scoring": {"metric": "oks", "area": "annotation", "sigmas": (0.1,) * NUM_KEYPOINTS, **selection},
            "compute": {"engine": "shared", "batch_size": 4, "device": "cpu"} | compute,
        }
    )


class SmallNetwork(nn.Module):
    """Two convolutions with a norm between them.

    Args:
        seed: Seed of its weights.
        room: Maximum number of people per forward pass, counting both sides of the flip test; more raise an error.
        fails_at: Number of the forward pass that fails.
        applies_norm: Whether its norm is used.
    """

    def __init__(
        self, seed: int = 0, room: int | None = None, fails_at: int | None = None, applies_norm: bool = True
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv, self.norm = nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.BatchNorm2d(8)
        self.head = nn.Conv2d(8, NUM_KEYPOINTS, 1)
        with torch.no_grad():
            self.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
        self.data_preprocessor = SimpleNamespace(
            _channel_conversion=True, mean=torch.full((3, 1, 1), 120.0), std=torch.full((3, 1, 1), 60.0)
        )
        self.room, self.fails_at, self.applies_norm = room, fails_at, applies_norm
        self.sizes: list[int] = []
        """Number of people in each forward pass."""
        self.requires_grad_(False).eval()

    def extract_feat(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return features [N, 8, h, w]."""
        self.sizes.append(len(inputs))
        if len(self.sizes) == self.fails_at:
            raise ValueError("it fails here")
        if self.room is not None and len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        features: torch.Tensor = self.conv(inputs)
        return self.norm(features) if self.applies_norm else features
