"""The complete page of a parity comparison."""

from harness.judge.parity import Failure, Parity, ParityReport
from harness.report.parity import parity_markdown

ENVIRONMENT = {"cpu": "Some CPU", "threads": 2, "packages": {"numpy": "1.26.4", "torch": "2.14.1", "pyarrow": "24"}}


def parity(run: str, **fields: float | None) -> Parity:
    values = {
        "people": 118,
        "people_total": 118,
        "gflop": 2.84,
        "keypoints_compared": 1996,
        "ties": 10,
        "keypoint_max_px": 0.0,
        "tie_max_px": 0.0,
        "score_max": 0.0,
        "metric_max": 0.0,
    }
    return Parity.model_validate({"id": run, **values, **fields})


def test_page() -> None:
    report = ParityReport(
        weights="random:0",
        tflop=3,
        environment=ENVIRONMENT,
        seconds=4321,
        runs=(
            parity("coco/alexnet-256x192/val"),
            parity("coco/vitpose-h-256x192/val", people=5, gflop=251.7, keypoint_max_px=0.0123456, tie_max_px=31.2),
            parity("posetrack18/resnet-50-256x192/val", score_max=2.5e-7, metric_max=None),
        ),
        failed=(Failure(id="aic/hrnet-w32-256x192/val", reason="the annotation file is missing:\n  x.json"),),
    )
    assert (
        parity_markdown(report)
        == """\
# Both engines on the same people

2 of 4 runs are equal to MMPose's own test loop: keypoints within 0.01 px, scores within 1e-05, metrics within 1e-06.

Made by `harness parity` with weights random:0 in 72 min on Some CPU, 2 threads (torch 2.14.1, numpy 1.26.4). \
Each network computes at most 3 TFLOP per engine: heavy ones evaluate only the first people.

Only keypoints whose heatmap, or vectors, have a unique maximum are compared; at the others, ties, rounding may choose \
between two places. Columns from `keypoint px` on are largest differences. GFLOP is for one crop, and counts a \
multiplication and an addition as two.

A metric of `-`: MMPose's evaluator could not run. OKS needs the package xtcocotools, PoseTrack poseval.

| run | GFLOP | people | compared | ties | keypoint px | tie px | score | metric |  |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---|
| coco/alexnet-256x192/val | 2.8 | 118 | 1996 | 10 | 0 | 0 | 0 | 0 | equal |
| coco/vitpose-h-256x192/val | 251.7 | 5 of 118 | 1996 | 10 | 0.0123 | 31.2 | 0 | 0 | **differs** |
| posetrack18/resnet-50-256x192/val | 2.8 | 118 | 1996 | 10 | 0 | 0 | 2.5e-07 | - | equal |

Could not be compared:

- aic/hrnet-w32-256x192/val: the annotation file is missing: x.json
"""
    )
