"""MMPose's own crops with our warp: the pixels of OpenCV 4, with any installed OpenCV."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cv2
from mmengine.config import Config

from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.crops import warp


@contextlib.contextmanager
def our_warp(config: Config) -> Iterator[None]:
    """Make MMPose's TopdownAffine cut its crops with `harness.predict.crops.warp` within the context.

    Args:
        config: Its test data loader reads in this process from now on, because workers might not use our warp.
    """
    install_stand_ins()
    from mmpose.datasets.transforms import topdown_transforms as module

    def warp_affine(image: Any, matrix: Any, size: tuple[int, int], flags: int) -> Any:
        assert flags == cv2.INTER_LINEAR
        return warp(image, matrix, size)

    config.test_dataloader.num_workers = 0
    original = module.cv2
    module.cv2 = SimpleNamespace(**vars(original) | {"warpAffine": warp_affine})
    try:
        yield
    finally:
        module.cv2 = original
