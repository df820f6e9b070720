"""MMPose's own crops with the arithmetic of NumPy 1, with which the published numbers were made.

In two places, MMPose computes with scalars of single precision. NumPy 1 converts them to double precision when they
are combined with a Python number, NumPy 2 does not:

- MpiiDataset lowers a centre by `15. / 200. * scale[1]`, which moves a crop by up to 0.0001 px;
- get_udp_warp_matrix divides by a width and a height, which changes up to 1 % of a crop's pixels by one or two levels.
"""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from mmengine.config import Config

from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.upstream_conditions import has_numpy_2


@contextlib.contextmanager
def numpy_1_crops(config: Config | None = None) -> Iterator[None]:
    """Make MMPose's data sets and pipelines place crops as under NumPy 1 within the context; no effect under NumPy 1.

    Args:
        config: Its test data loader reads in this process from now on, because workers might not see the change.
    """
    if not has_numpy_2():
        yield
        return
    install_stand_ins()
    from mmpose.datasets.datasets.body import mpii_dataset
    from mmpose.datasets.transforms import topdown_transforms

    load, udp = mpii_dataset.MpiiDataset._load_annotations, topdown_transforms.get_udp_warp_matrix

    def load_in_doubles(dataset: Any) -> tuple[list[dict[str, Any]], list[Any]]:
        mpii_dataset.np = SimpleNamespace(**vars(np) | {"array": _doubles_array})
        try:
            people, images = load(dataset)
        finally:
            mpii_dataset.np = np
        return [{name: _plain(value) for name, value in person.items()} for person in people], images

    def udp_in_doubles(center: Any, scale: Any, rot: float, output_size: tuple[int, int]) -> Any:
        return udp(np.asarray(center, np.float64), np.asarray(scale, np.float64), rot, output_size=output_size)

    if config is not None:
        config.test_dataloader.num_workers = 0
    mpii_dataset.MpiiDataset._load_annotations = load_in_doubles
    topdown_transforms.get_udp_warp_matrix = udp_in_doubles
    try:
        yield
    finally:
        mpii_dataset.MpiiDataset._load_annotations = load
        topdown_transforms.get_udp_warp_matrix = udp


class _DoubleScalars(np.ndarray[Any, Any]):
    """An array of single precision whose scalars are doubles."""

    def __getitem__(self, index: Any) -> Any:
        value = super().__getitem__(index)
        return np.float64(value) if isinstance(value, np.float32) else value


def _doubles_array(*given: Any, **options: Any) -> Any:
    return np.array(*given, **options).view(_DoubleScalars)


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, _DoubleScalars) else value
