"""The replacement of mmcv's compiled ops: NMS and RoIAlign compared with plain Python; other ops are rejected."""

import importlib.util
import sys
from math import ceil, floor
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import RunError
from harness.openmmlab import mmcv_ext

Array = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def ops() -> Any:
    if mmcv_ext.install() == "mmcv":
        pytest.skip("a compiled mmcv is installed")
    import mmcv.ops

    return mmcv.ops


def plain_nms(boxes: Array, scores: Array, threshold: float, offset: int) -> list[int]:
    """Greedy NMS; the length of a side is x2 - x1 + offset, as in mmcv's nms.cpp."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        for j in kept:
            width = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0]) + offset
            height = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1]) + offset
            overlap = np.float32(max(width, 0.0) * max(height, 0.0))
            areas = [(boxes[n, 2] - boxes[n, 0] + offset) * (boxes[n, 3] - boxes[n, 1] + offset) for n in (i, j)]
            union = np.float32(areas[0] + areas[1]) - overlap  # in single precision, as all of it is in mmcv
            if overlap / union > np.float32(threshold):
                break
        else:
            kept.append(int(i))
    return kept


def sample(channel: Array, y: float, x: float) -> float:
    """Interpolate bilinearly; a point outside by up to one pixel gets the edge's value, a farther one gets zero."""
    height, width = channel.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = floor(y), floor(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    fy, fx = y - top, x - left
    upper = channel[top, left] * (1 - fx) + channel[top, right] * fx
    lower = channel[bottom, left] * (1 - fx) + channel[bottom, right] * fx
    return float(upper * (1 - fy) + lower * fy)


def plain_roi_align(features: Array, rois: Array, size: int, scale: float, ratio: int, aligned: bool) -> Array:
    """Average `ratio` samples per side of each of size x size bins; 0 means about one per pixel (roi_align.cpp)."""
    out = np.zeros((len(rois), features.shape[1], size, size), np.float32)
    for n, (image, *corners) in enumerate(rois):
        x1, y1, x2, y2 = (corner * scale - (0.5 if aligned else 0) for corner in corners)
        width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1.0), max(y2 - y1, 1.0))
        across, down = ratio or ceil(width / size), ratio or ceil(height / size)
        for c, channel in enumerate(features[int(image)]):
            for i, j in np.ndindex(size, size):
                values = [
                    sample(
                        channel,
                        y1 + (i + (a + 0.5) / down) * height / size,
                        x1 + (j + (b + 0.5) / across) * width / size,
                    )
                    for a in range(down)
                    for b in range(across)
                ]
                out[n, c, i, j] = sum(values) / max(len(values), 1)
    return out


@settings(deadline=None)  # the first call imports torchvision
@given(
    corners=st.lists(st.tuples(*[st.integers(0, 12)] * 4), min_size=1, max_size=25),
    threshold=st.sampled_from([0.1, 0.3, 0.55, 0.9]),
    offset=st.sampled_from([0, 1]),
    seed=st.integers(0, 99),
)
@example(corners=[(0, 0, 9, 0), (0, 0, 2, 0)], threshold=0.3, offset=0, seed=0)  # an IoU of 0.3
@example(corners=[(0, 0, 0, 8), (0, 0, 0, 9)], threshold=0.9, offset=0, seed=0)
def test_nms(ops: Any, corners: list[tuple[int, ...]], threshold: float, offset: int, seed: int) -> None:
    boxes = np.array([(x, y, x + w + 1, y + h + 1) for x, y, w, h in corners], np.float32)
    scores = np.random.default_rng(seed).permutation(len(boxes)).astype(np.float32)
    kept = plain_nms(boxes, scores, threshold, offset)
    detections, indices = ops.nms(boxes, scores, threshold, offset=offset)
    assert indices.tolist() == kept
    assert np.array_equal(detections, np.column_stack([boxes, scores])[kept])


def test_nms_of_mmdet(ops: Any) -> None:
    """The calls of mmdet: by class, with a score threshold and a limit; and without boxes."""
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 8], [20, 20, 30, 30]], dtype=torch.float32)
    scores, classes = torch.tensor([0.5, 0.9, 0.8, 0.01]), torch.tensor([0, 0, 1, 0])
    config = {"type": "nms", "iou_threshold": 0.5, "score_threshold": 0.05}
    assert ops.batched_nms(boxes, scores, classes, config)[1].tolist() == [1, 2]
    assert ops.nms(boxes, scores, 0.5, max_num=1)[1].tolist() == [1]
    detections, indices = ops.nms(boxes[:0], scores[:0], 0.5)
    assert (detections.shape, indices.shape) == ((0, 5), (0,))


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_roi_align(ops: Any, aligned: bool, ratio: int, scale: float) -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((2, 3, 9, 11)).astype(np.float32)
    starts, sides = generator.uniform(-3, 8, (12, 2)), generator.uniform(0.1, 9, (12, 2))
    boxes = np.hstack([starts, starts + sides]) / scale
    rois = np.column_stack([generator.integers(0, 2, 12), boxes]).astype(np.float32)
    layer = ops.RoIAlign(3, spatial_scale=scale, sampling_ratio=ratio, aligned=aligned)
    found = layer(torch.from_numpy(features), torch.from_numpy(rois)).numpy()
    np.testing.assert_allclose(found, plain_roi_align(features, rois, 3, scale, ratio, aligned), rtol=0, atol=1e-5)


def test_other_ops_are_refused_by_name(ops: Any) -> None:
    with pytest.raises(RunError, match=r"`softnms`[\s\S]*pip install mmcv"):
        ops.soft_nms(torch.zeros(1, 4), torch.zeros(1))
    with pytest.raises(RunError, match=r"`roi_align_forward`.*max pooling"):
        ops.RoIAlign(2, pool_mode="max")(torch.zeros(1, 1, 4, 4), torch.zeros(1, 5))


def test_it_does_not_pass_for_compiled_ops(ops: Any) -> None:
    from mmcv.utils import collect_env
    from mmcv.utils.ext_loader import check_ops_exist

    assert mmcv_ext.install() == "stand-in"  # again
    assert not check_ops_exist()
    assert importlib.util.find_spec("mmcv._ext") is not None  # not a ValueError, as for a module without a spec
    assert not hasattr(sys.modules["mmcv._ext"], "__path__")
    assert collect_env()["MMCV Compiler"] == "n/a"


def test_a_compiled_mmcv_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = ModuleType("mmcv._ext")
    monkeypatch.setitem(sys.modules, "mmcv._ext", compiled)
    assert mmcv_ext.install() == "mmcv"
    assert sys.modules["mmcv._ext"] is compiled
