"""Measures the peak memory of whole runs, from reading the boxes to the record, for several numbers of boxes."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from harness.files import write_json
from harness.predict.networks import build_network
from harness.speed.outcome import PeakMemory
from harness.speed.process import run_with_peak
from harness.speed.rounds import circumstances
from harness.speed.whole_runs import ONE_ROW
from harness.speed.workload import RUN, Documents, find_row, save_checkpoint, with_checkpoint, write_suite
from harness.suites.configs import load_config

SIZES = (2_000, 20_000, 100_000)
IMAGES = 5000
BOXES_PER_IMAGE = 20


def measure_memory(data: Path, sizes: Sequence[int] = SIZES, images: int = IMAGES) -> PeakMemory:
    """Measure runs of a row by `harness run`, with a small network in its place, each in a fresh process.

    Args:
        data: An MMPose data/ folder; its images are repeated under several ids.
        sizes: Numbers of boxes, ascending.
        images: Number of images in the annotation file; the boxes are on the first of them.

    Raises:
        ObtainError: Annotations or boxes are missing.
        RunError: A run fails.
    """
    measured = circumstances()
    suite, row = find_row(ONE_ROW)
    config = load_config(suite, row, row.runs[RUN])
    peaks, seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder).absolute()
        documents = multiply(Documents.read(config, data), images)
        documents.write(config, scratch / "data")
        small = small_config(config)
        small.dump(scratch / "small.py")
        checkpoint = save_checkpoint(build_network(small), scratch / "small.pth")
        path = write_suite(suite, [with_checkpoint(row, checkpoint, "small.py")], scratch / "suite.yaml")
        for size in sizes:
            boxes, log = scratch / f"boxes-{size}.json", scratch / f"{size}.txt"
            write_json(boxes, draw_boxes(documents.annotations["images"], size))
            options = ["--data", str(scratch / "data"), "--boxes", str(boxes), "--out", str(scratch / f"runs-{size}")]
            wall, peak = run_with_peak(["run", str(path), *options, "--offline"], log)
            seconds.append(wall)
            peaks.append(peak)
    return PeakMemory(measured=measured, boxes=tuple(sizes), peak_mb=tuple(peaks), seconds=tuple(seconds))


def multiply(documents: Documents, images: int) -> Documents:
    """Repeat the images and their people under new ids until there are `images` of them; without boxes."""
    given = documents.annotations
    people: dict[int, list[dict[str, Any]]] = {}
    for annotation in given["annotations"]:
        people.setdefault(annotation["image_id"], []).append(annotation)
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(images):
        image = given["images"][number % len(given["images"])]
        listed.append(image | {"id": number + 1})
        for person in people.get(image["id"], []):
            annotations.append(person | {"id": len(annotations) + 1, "image_id": number + 1, "segmentation": []})
    return Documents({**given, "images": listed, "annotations": annotations}, [])


def draw_boxes(images: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return detections in the first images: twenty per image, or more if there are too few images."""
    rng = np.random.default_rng(0)
    used = min(-(-count // BOXES_PER_IMAGE), len(images))
    sizes = np.array([[image["width"], image["height"]] for image in images[:used]])[np.arange(count) * used // count]
    corners = rng.uniform(0, 0.7, (count, 2)) * sizes
    extents = rng.uniform(0.1, 0.3, (count, 2)) * sizes
    chosen = (images[number]["id"] for number in (np.arange(count) * used // count).tolist())
    return [
        {"image_id": image_id, "category_id": 1, "bbox": box, "score": score}
        for image_id, box, score in zip(
            chosen, np.hstack([corners, extents]).tolist(), rng.uniform(0.01, 1, count).tolist(), strict=True
        )
    ]


def small_config(config: Config) -> Config:
    """Return a config whose network is replaced by one of two convolutions; the heatmaps keep their size."""
    small = config.copy()
    small.custom_imports = {"imports": ["harness.speed.small_network"], "allow_failed_imports": False}
    small.model.backbone = {"type": "OneConvolution"}
    small.model.head.update(in_channels=8, deconv_out_channels=None, deconv_kernel_sizes=None)
    return small
