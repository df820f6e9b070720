"""The references: xtcocotools' COCOeval and MMPose's CocoMetric, unchanged."""

import contextlib
import importlib
import io
import json
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from harness.metrics.families.oks import OksScoring
from harness.metrics.families.wholebody import WholeBodyScoring
from harness.openmmlab import xtcocotools_ext
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predictions import Predictions

install_stand_ins()
from mmpose.evaluation.metrics.coco_metric import CocoMetric  # noqa: E402
from mmpose.evaluation.metrics.coco_wholebody_metric import CocoWholeBodyMetric  # noqa: E402
from xtcocotools.coco import COCO  # noqa: E402
from xtcocotools.cocoeval import COCOeval  # noqa: E402

# By import_module, because the package gives this name to a function.
mmpose_nms = importlib.import_module("mmpose.evaluation.functional.nms")
mmpose_wholebody = importlib.import_module("mmpose.evaluation.metrics.coco_wholebody_metric")
NMS_MODES = {"oks": "oks_nms", "soft-oks": "soft_oks_nms", "none": "none"}
IOU_TYPES = {False: "keypoints", True: "keypoints_crowd"}


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def coco_eval(annotations: Path, results: Path, scoring: OksScoring) -> Any:
    """Return a COCOeval."""
    _need_the_evaluator()
    truth = COCO(str(annotations))
    sigmas = np.array(scoring.sigmas, np.float32)
    found = truth.loadRes(str(results))
    return COCOeval(truth, found, IOU_TYPES[scoring.crowd], sigmas, scoring.area == "annotation")


def evaluate(annotations: Path, results: Path, scoring: OksScoring) -> tuple[list[float], Any, Any]:
    """Return COCOeval's stats, precision [T, R, C, A] and recall [T, C, A]."""
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = coco_eval(annotations, results, scoring)
        evaluation.evaluate()
        evaluation.accumulate()
        # summarize() replaces them by those of the most crowded images.
        precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
        evaluation.summarize()
    return evaluation.stats.tolist(), precision[..., 0], recall[..., 0]


def coco_metric(
    annotations: Path, predictions: Predictions, scoring: OksScoring, categories: npt.NDArray[Any] | None = None
) -> list[float]:
    """Return CocoMetric's stats; predictions have the categories [N], or none."""
    crowd = IOU_TYPES[scoring.crowd]
    return list(_compute(CocoMetric, annotations, predictions, scoring, categories, iou_type=crowd).values())


def wholebody_metric(
    annotations: Path, predictions: Predictions, scoring: WholeBodyScoring
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Return the result of CocoWholeBodyMetric, and the stats that it prints, by the evaluation's name."""
    printed = {}

    class Recorded(COCOeval):  # type: ignore[misc]
        def summarize(self) -> None:
            super().summarize()
            printed[self.params.iouType.removeprefix("keypoints_")] = self.stats.tolist()

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(mmpose_wholebody, "COCOeval", Recorded)
        with warnings.catch_warnings(action="ignore"):  # "'face_score' not found, use 'score' instead."
            returned = _compute(CocoWholeBodyMetric, annotations, predictions, scoring)
    return returned, printed


def _compute(
    metric_class: Any,
    annotations: Path,
    predictions: Predictions,
    scoring: Any,
    categories: npt.NDArray[Any] | None = None,
    **settings: Any,
) -> dict[str, float]:
    """Return the result of one of MMPose's metrics."""
    _need_the_evaluator()
    with contextlib.redirect_stdout(io.StringIO()):
        metric = metric_class(
            ann_file=str(annotations),
            use_area=scoring.area == "annotation",
            score_mode=scoring.score_mode,
            keypoint_score_thr=scoring.keypoint_score_threshold,
            nms_mode=NMS_MODES[scoring.nms],
            nms_thr=scoring.nms_threshold,
            **settings,
        )
        metric.dataset_meta = {
            "dataset_name": "test",
            "num_keypoints": len(scoring.sigmas),
            "sigmas": np.array(scoring.sigmas, np.float32),
        }
        for index in range(len(predictions)):
            one = slice(index, index + 1)
            # The metric computes the area as the product of a width and a height.
            scale = np.stack([predictions.crop_areas[one], np.ones(1, np.float32)], axis=1)
            sample = {
                "id": int(predictions.person_ids[index]),
                "img_id": int(predictions.image_ids[index]),
                "pred_instances": {
                    "keypoints": predictions.keypoints[one],
                    "keypoint_scores": predictions.keypoint_scores[one].view(_DoubleScalars),
                    "bboxes": predictions.boxes[one],
                    "bbox_scores": predictions.box_scores[one],
                },
                "gt_instances": {"bbox_scales": scale},
            }
            if categories is not None:
                sample["category_id"] = np.array(categories[index])  # as MMPose's data sets give it
            metric.process([], [sample])
        with numpy_1():
            stats = metric.compute_metrics(metric.results)
    return {name: float(value) for name, value in stats.items()}


def _need_the_evaluator() -> None:
    if xtcocotools_ext.install() == "stand-in":
        pytest.skip("MMPose's own OKS evaluator needs xtcocotools, which `nox -s tests` installs")


@contextlib.contextmanager
def numpy_1() -> Iterator[None]:
    """Give MMPose's OKS-NMS the types that it has under NumPy 1, with which the published numbers were made.

    `(area + area) / 2 + np.spacing(1)` is a double, with which NumPy 2 converts an array of single precision to double.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        if mmpose_nms.np is np:
            monkeypatch.setattr(mmpose_nms, "np", _Numpy1("numpy"))
        yield


class _Numpy1(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def spacing(self, value: float) -> float:
        return float(np.spacing(value))


class _DoubleScalars(np.ndarray[Any, Any]):
    """Keypoint scores whose scalars are doubles in a sum and a comparison, as under NumPy 1."""

    def __getitem__(self, index: Any) -> Any:
        value = super().__getitem__(index)
        return np.float64(value) if isinstance(value, np.float32) else value


class _StableArray(np.ndarray[Any, Any]):
    def argsort(self, *_: Any, **__: Any) -> npt.NDArray[np.intp]:
        return np.asarray(self).argsort(kind="stable")


class _StableNumpy(_Numpy1):
    def array(self, values: Any) -> Any:
        return np.array(values).view(_StableArray)


def make_nms_stable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give MMPose's NMS a stable sort: with equal scores, its own sort depends on the CPU."""
    monkeypatch.setattr(mmpose_nms, "np", _StableNumpy("numpy"))
