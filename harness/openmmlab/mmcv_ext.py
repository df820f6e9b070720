"""Replaces mmcv's compiled extension if only mmcv-lite is installed.

`import mmpose.models` and `import mmdet.models` import `mmcv.ops`, which needs the compiled module `mmcv._ext`,
although the benchmarked networks call none of its ops. mmdet's detectors call two, NMS and RoIAlign, which torchvision
has as well.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Literal, NoReturn

import torch

from harness.errors import RunError

_NAME = "mmcv._ext"


def install() -> Literal["mmcv", "stand-in"]:
    """Make `mmcv.ops` importable, and return the source of its ops; call it before importing mmpose or mmdet models.

    A compiled mmcv is not changed. A second call has no effect.
    """
    loaded = sys.modules.get(_NAME)
    if isinstance(loaded, _Ops):
        return "stand-in"
    if loaded is not None or importlib.util.find_spec(_NAME) is not None:
        return "mmcv"
    stand_in = _Ops(_NAME, "Stand-in for mmcv's compiled ops.")
    # Without a loader, so that mmcv's `check_ops_exist` still returns False.
    stand_in.__spec__ = ModuleSpec(_NAME, loader=None, origin=__name__)
    sys.modules[_NAME] = stand_in
    importlib.import_module("mmcv")._ext = stand_in  # type: ignore[attr-defined]
    return "stand-in"


class _Ops(ModuleType):
    """Has every op that `mmcv.ops` imports; ops that are not implemented below fail when they are called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(f"module {_NAME!r} has no attribute {name!r}")

        def missing(*args: object, **kwargs: object) -> NoReturn:
            raise RunError(
                f"mmcv's compiled op `{name}` was called, but mmcv-lite has no compiled ops",
                "replace mmcv-lite by an mmcv 2.1 that was built for your torch: pip install mmcv==2.1.0",
            )

        return missing

    @staticmethod
    def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, offset: int) -> torch.Tensor:
        """Return the indices [M] of the kept boxes, of [N, 4], by decreasing score (mmcv/ops/csrc/pytorch/cpu/nms.cpp).

        A side is x2 - x1 + offset. A box whose IoU equals the threshold is kept; mmcv's threshold is single precision.
        """
        grown = boxes + boxes.new_tensor([0, 0, offset, offset])
        single = torch.tensor(iou_threshold, dtype=torch.float32).item()
        from torchvision.ops import nms  # the import takes a second, and benchmarked networks do not need it

        kept: torch.Tensor = nms(grown, scores, single)
        return kept

    @staticmethod
    def roi_align_forward(
        input: torch.Tensor,
        rois: torch.Tensor,
        output: torch.Tensor,
        argmax_y: torch.Tensor,
        argmax_x: torch.Tensor,
        *,
        aligned_height: int,
        aligned_width: int,
        spatial_scale: float,
        sampling_ratio: int,
        pool_mode: int,
        aligned: bool,
    ) -> None:
        """Fill `output` [R, C, h, w] from `input` [N, C, H, W] and `rois` [R, 5]: image index, x1, y1, x2, y2.

        Source: mmcv/ops/csrc/pytorch/cpu/roi_align.cpp; `pool_mode` 0 is max, 1 is average.
        """
        if pool_mode == 0:
            raise RunError(
                "mmcv's compiled op `roi_align_forward` was called with max pooling, which torchvision lacks",
                "replace mmcv-lite by an mmcv 2.1 that was built for your torch: pip install mmcv==2.1.0",
            )
        size = (aligned_height, aligned_width)
        from torchvision.ops import roi_align

        output.copy_(roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned))

    @staticmethod
    def get_compiler_version() -> str:
        """Answer `mmcv.utils.collect_env`."""
        return "n/a"

    @staticmethod
    def get_compiling_cuda_version() -> str:
        """Answer `mmcv.utils.collect_env`."""
        return "n/a"
