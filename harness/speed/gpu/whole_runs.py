"""Measures whole runs on a device: `harness run` on data of COCO's size, and MMPose's test script on a part of it."""

from dataclasses import dataclass
from pathlib import Path

import torch

from harness.protocol import Precision
from harness.record import Record
from harness.run_folder import RunFolder
from harness.speed.gpu.outcome import UpstreamRun, WholeRun
from harness.speed.gpu.watch import watch
from harness.speed.memory import draw_boxes, multiply
from harness.speed.process import run_upstream_script, run_with_peak
from harness.speed.whole_runs import ONE_ROW
from harness.speed.workload import RUN, Documents, find_row, make_workload
from harness.suites.configs import load_config


def write_data(data: Path, images: int, boxes: int, folder: Path) -> Path:
    """Write annotations and boxes into a folder, and return it.

    Args:
        data: An MMPose data/ folder; its images are repeated under several ids.
        images: Number of images in the annotation file.
        boxes: Number of generated detections; twenty or more per image.
        folder: The folder; it gets COCO's layout, with absolute paths of the images.

    Raises:
        ObtainError: Annotations or boxes are missing.
    """
    suite, row = find_row(ONE_ROW)
    config = load_config(suite, row, row.runs[RUN])
    documents = multiply(Documents.read(config, data), images)
    drawn = draw_boxes(documents.annotations["images"], boxes)
    Documents(documents.annotations, drawn).write(config, folder)
    return folder


@dataclass(frozen=True)
class Places:
    """Folders of a whole run."""

    data: Path
    """A folder of `write_data`."""
    scratch: Path
    """An empty folder for the output of the run."""
    checkpoints: Path
    """Folder for each row's seeded checkpoint, shared by all runs."""


def measure_run(rows: str, places: Places, precision: Precision, device: torch.device, seconds: float) -> WholeRun:
    """Measure one process that evaluates rows.

    Args:
        rows: Ids or patterns of rows of COCO, separated by commas.
        places: Its folders.
        precision: Precision of the networks.
        device: Device of the networks.
        seconds: Time limit.

    Raises:
        RunError: It fails, or exceeds the limit.
    """
    work = make_workload(rows, places.data, None, places.scratch, places.checkpoints)
    out = places.scratch / "runs"
    command = ["run", str(work.suite), "--data", str(work.data), "--offline"]
    options = ["--precision", precision, "--device", str(device), "--out", str(out)]
    with watch(device) as seen:
        wall, host_mb = run_with_peak([*command, *options], places.scratch / "log.txt", seconds)
    timings = {job.id: Record.load(RunFolder(out / "coco" / job.id / RUN).record).timings for job in work.jobs}
    return WholeRun(
        rows=tuple(timings),
        precision=precision,
        images=work.images,
        boxes=work.people,
        wall_s=wall,
        predict_s=max(one["predict"] for one in timings.values()),
        forward_s=sum(one["forward"] for one in timings.values()),
        exact_forward_s=sum(one.get("exact_forward", 0) for one in timings.values()),
        busy=seen.mean_busy,
        host_mb=host_mb,
        device_mb=seen.peak_mb,
        timings=timings,
    )


def measure_upstream(row: str, places: Places, images: int, seconds: float) -> UpstreamRun:
    """Measure MMPose's own test script on the first images, with the config's own batches and loaders.

    Args:
        row: The id of a row of COCO.
        places: Its folders.
        images: Number of first images to use.
        seconds: Time limit.

    Raises:
        RunError: It fails, or exceeds the limit.
    """
    work = make_workload(row, places.data, images, places.scratch, places.checkpoints)
    (job,) = work.jobs
    wall, found, _ = run_upstream_script(job, places.scratch, seconds)
    return UpstreamRun(
        row=row,
        images=work.images,
        boxes=work.people,
        wall_s=wall,
        loop_boxes=found["loop_boxes"],
        loop_s=found["loop_s"],
    )
