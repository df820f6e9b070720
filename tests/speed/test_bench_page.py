"""The complete page of the measurements."""

from harness.speed.outcome import (
    BenchReport,
    Circumstances,
    DecodingSpeed,
    Details,
    GpuEstimate,
    GpuModel,
    OneRow,
    PeakMemory,
    Preparation,
    RowTimes,
    ScoringSpeed,
    Shards,
    SideBySide,
    Spread,
    TenRows,
    Workers,
)
from harness.speed.page import bench_markdown

MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "threads": 2,
    "gpu": None,
    "commit": "0123456789abcdef",
    "dirty": False,
    "packages": {"numpy": "1.26.4", "torch": "2.14.1", "pyarrow": "24"},
}
NOW = Circumstances(commit="0123456789abcdef", dirty=False, load=0.5)


def details() -> Details:
    return Details(
        prepare=Preparation(
            measured=NOW,
            images=24,
            pinned=True,
            comparison=SideBySide.of("boxes", 504, [4.2, 4.0], [0.3, 0.25]),
            pipeline=SideBySide.of("boxes", 504, [2.1], [0.25]),
            image_ms=3.8,
            warp_ms={"192x256 plain": 0.1},
        ),
        decode={
            "dark": DecodingSpeed(
                measured=NOW,
                batch_size=64,
                keypoint_max_px=1e-5,
                comparison=SideBySide.of("people", 256, [0.4], [0.02]),
            )
        },
        score=ScoringSpeed(
            measured=NOW,
            images=5000,
            annotations=11004,
            comparison=SideBySide.of("predictions", 104125, [65.0], [1.25]),
            metrics={"AP": 0.2},
            metric_max=0,
            intervals_s=5.25,
            diagnosis_s=6.0,
        ),
        ten_rows=TenRows(
            measured=NOW,
            images=97,
            people=2037,
            precision="fp32",
            rows=(
                RowTimes(
                    id="alexnet-256x192",
                    upstream_wall_s=(40.0,),
                    upstream_forward_s=(10.0,),
                    ours_forward_s=(8.0,),
                    metric_max=0,
                    keypoint_max_px=0.000123,
                ),
                RowTimes(
                    id="resnet-50-256x192",
                    upstream_wall_s=(60.0,),
                    upstream_forward_s=(40.0,),
                    ours_forward_s=(38.0,),
                    metric_max=1e-9,
                    keypoint_max_px=31.25,
                ),
            ),
            ours_wall_s=(50.0,),
            ours_extra_s=(4.0,),
            ratio=Spread.of([2.0]),
            besides_network=Spread.of([12.5]),
        ),
        one_row=OneRow(
            measured=NOW,
            id="resnet-50-256x192",
            images=97,
            people=2037,
            precision="fp32",
            wall_s=(44.0, 46.0, 45.0),
            forward_s=(40.0, 40.0, 40.0),
            ratio=Spread.of([1.1, 1.15, 1.125]),
        ),
        shards=Shards(
            measured=NOW,
            id="litehrnet-18-256x192",
            images=24,
            people=1504,
            tasks=47,
            one_s=(30.0, 32.0, 31.0),
            many_s=(31.0, 35.0, 33.0),
            overhead_ms=Spread.of([21.7, 65.2, 43.5]),
            workers={
                "processes": Workers(
                    workers=2, startup_s=6.25, here_s=(30.0,), workers_s=(16.0,), efficiency=Spread.of([0.9375])
                ),
                "ray": Workers(
                    workers=2, startup_s=9.0, here_s=(30.0,), workers_s=(20.0,), efficiency=Spread.of([0.75])
                ),
            },
        ),
        memory=PeakMemory(measured=NOW, boxes=(2000, 100000), peak_mb=(1000.4, 1201.0), seconds=(10.0, 200.5)),
        gpu_model=GpuModel(
            device="Some GPU",
            rows=41,
            images=5000,
            boxes=104125,
            geometries=("192x256 plain", "192x256 udp"),
            forward_pflop=219.6,
            cores=16,
            crops_min=1.25,
            decoding_min=2,
            scoring_min=1,
            startup_min=1.5,
            estimates=(
                GpuEstimate(
                    precision="bf16", peak_tflops=989, efficiency=0.15, forward_min=24.7, total_min=27.2, binds="GPU"
                ),
            ),
            assumptions=("one pass", "16 cores"),
        ),
    )


def test_page() -> None:
    assert (
        bench_markdown(BenchReport.of(MACHINE, details()))
        == """\
# Beside upstream's own code

Measured by `harness bench` on Some CPU, 2 cores, 2 threads (commit 01234567; torch 2.14.1, numpy 1.26.4).

Both sides did the same work in alternation and gave the same results: crops bit for bit, keypoints within 0.01 \
px, metrics of the same predictions within 1e-12, of whole runs within 1e-06. A ratio is upstream's time over ours \
within one round; the table shows its median, minimum and maximum. Rates are those of the median round.

| what | ratio | minimum | maximum | rounds | upstream | ours |
|---|---:|---:|---:|---:|---:|---:|
| boxes to batches of crops, on one core, 21 boxes per image | 15.0 | 14.0 | 16.0 | 2 | 123 boxes/s | 1,833 boxes/s |
| the same, against its data set alone without a loader | 8.4 | 8.4 | 8.4 | 1 | 240 boxes/s | 2,016 boxes/s |
| heatmaps to keypoints, dark | 20.0 | 20.0 | 20.0 | 1 | 640 people/s | 12,800 people/s |
| 104,125 predictions in 5,000 images scored | 52.0 | 52.0 | 52.0 | 1 | 1,602 predictions/s | 83,300 predictions/s |
| their intervals, which MMPose does not have | - | - | - | 1 | - | 5.2 s |
| their error analysis, which MMPose does not have | - | - | - | 1 | - | 6.0 s |
| 2 rows, start to end | 2.0 | 2.0 | 2.0 | 1 | 100.0 s | 50.0 s |
| 2 rows, start to end, without the network | 12.5 | 12.5 | 12.5 | 1 | 50.0 s | 0.0 s |
| their intervals and error analyses, which MMPose does not have | - | - | - | 1 | - | 4.0 s |

## Several rows together

2,037 boxes in 97 images, seeded checkpoints. Upstream: MMPose's test script, a process per row, with its published \
settings. Ours: one process, precision fp32. Forward is from crops to heatmaps with the flip test; ours includes \
the sample that measures the effect of the precision. Seconds are those of the median round; metric and keypoint are \
the largest differences. Seeded heatmaps may have ties, which rounding decides, and seeded networks find few people, \
so that equal metrics prove little.

| row | upstream | of it forward | our forward | metric | keypoint px |
|---|---:|---:|---:|---:|---:|
| alexnet-256x192 | 40.0 | 10.0 | 8.0 | 0 | 0.00012 |
| resnet-50-256x192 | 60.0 | 40.0 | 38.0 | 1e-09 | 31 |

## One row against its forward passes

resnet-50-256x192, 2,037 boxes, precision fp32: 45.0 s start to end, 40.0 s for the forward passes of the same \
batches alone: 1.12 times (1.10 to 1.15 in 3 rounds).

## Work in tasks, and several workers

litehrnet-18-256x192, 1,504 boxes in 24 images, one thread per worker for the network, with the same results to the \
last bit. Seconds are the medians of 3 rounds. Efficiency is the speed-up of the workers over this process, after \
their start, divided by their number.

| what | seconds | against | seconds | result | minimum | maximum | started in |
|---|---:|---|---:|---|---:|---:|---:|
| 47 tasks | 33.0 | one task | 31.0 | 43.5 ms for each further task | 21.7 | 65.2 | - |
| 2 processes | 16.0 | this process | 30.0 | efficiency 0.94 | 0.94 | 0.94 | 6.2 s |
| 2 workers of a local Ray | 20.0 | this process | 30.0 | efficiency 0.75 | 0.75 | 0.75 | 9.0 s |

## Peak memory

A whole run with a small network: reading, predicting, saving and scoring; each run in a new process.

| boxes | peak MB | seconds |
|---:|---:|---:|
| 2,000 | 1000 | 10.0 |
| 100,000 | 1201 | 200.5 |

It grows by 201 MB.

## The whole COCO table on a GPU: a model, not a measurement

41 rows, 104,125 boxes in 5,000 images, 2 geometries (192x256 plain, 192x256 udp), 220 PFLOP of forward passes; Some \
GPU, 16 cores. Crops take 1.2 minutes, decoding 2.0, scoring 1.0, start-up 1.5.

| precision | peak TFLOP/s | reached | forward, minutes | slowest step | whole table, minutes |
|---|---:|---:|---:|---|---:|
| bf16 | 989 | 15% | 24.7 | GPU | 27.2 |

Assumptions:

- one pass
- 16 cores
"""
    )


def test_what_is_not_measured_is_not_shown() -> None:
    report = BenchReport.of(MACHINE | {"dirty": True, "gpu": {"name": "A GPU"}}, Details())
    page = bench_markdown(report)
    assert "Some CPU, 2 cores, 2 threads, A GPU (commit 01234567, changed; torch 2.14.1, numpy 1.26.4)." in page
    assert page.endswith("|---|---:|---:|---:|---:|---:|---:|\n")
    assert set(report.ratios.model_dump().values()) == {None}


def test_headline_numbers() -> None:
    report = BenchReport.of(MACHINE, details())
    assert report.ratios.model_dump(exclude_none=True) == {
        "prepare": 15.0,
        "decode": {"dark": 20.0},
        "score": 52.0,
        "ten_rows": 2.0,
        "ten_rows_besides_network": 12.5,
        "wall_over_forward": 1.125,
    }
    assert report.memory_growth_mb == 1201.0 - 1000.4
    assert BenchReport.model_validate_json(report.model_dump_json()) == report
    assert report.same_machine(MACHINE | {"commit": "another", "dirty": True})
    assert not report.same_machine(MACHINE | {"threads": 1})
