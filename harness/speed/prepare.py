"""Measures preparation, from boxes to batches of crops, against MMPose's data loader of a test loop, on one core."""

import io
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from harness.arrays import Image
from harness.datasets.people import People, check_images
from harness.errors import DifferenceError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.crops import crop_regions, read_image, warp
from harness.predict.shared import crop_batches
from harness.protocol import Crop
from harness.run.plan import Plan
from harness.speed.outcome import Preparation
from harness.speed.rounds import circumstances, compare
from harness.suites.ledger import point_at


def measure_preparation(plan: Plan, images: int, rounds: int, geometries: Sequence[Crop]) -> Preparation:
    """Compare both sides in boxes per second.

    Args:
        plan: The plan with the people, the images and the config.
        images: A round takes the people of this many first images.
        rounds: Number of rounds.
        geometries: Geometries for which our costs per image and per crop are measured.

    Raises:
        ObtainError: Boxes or images are missing.
        DifferenceError: The crops are not bit-identical.
    """
    measured = circumstances()
    people = plan.people().first_images(images)
    check_images(people.images)
    dataset = _upstream_dataset(plan, people)
    network_input = plan.protocol.crop, plan.protocol.compute.batch_size

    def upstream_pipeline() -> int:
        return sum(1 for number in range(len(people)) if dataset[number])

    def ours() -> int:
        return sum(len(index) for _, index, _ in crop_batches(people, [network_input]))

    for _, index, crops in crop_batches(people, [network_input]):
        check_crops([dataset[number] for number in index.tolist()], crops)
    with _one_core() as pinned:
        loader = _upstream_loader(plan, dataset)

        def upstream() -> int:
            return sum(len(batch["inputs"]) for batch in loader)

        upstream()  # starts its workers, on this core
        comparison = compare("boxes", len(people), upstream, ours, rounds)
        pipeline = compare("boxes", len(people), upstream_pipeline, ours, rounds)
        image_ms, warp_ms = _costs(people, geometries)
    return Preparation(
        measured=measured,
        images=len(people.images),
        pinned=pinned,
        comparison=comparison,
        pipeline=pipeline,
        image_ms=image_ms,
        warp_ms=warp_ms,
    )


def check_crops(upstream: Sequence[Any], ours: Image) -> None:
    """Compare N items of MMPose's data set with crops [N, H, W, 3].

    Raises:
        DifferenceError: A crop is not bit-identical.
    """
    for item, crop in zip(upstream, ours, strict=True):
        if not np.array_equal(item["inputs"].numpy().transpose(1, 2, 0), crop):
            person = item["data_samples"].id
            raise DifferenceError(f"the crop of person {person} is not bit-identical to upstream's")


def geometry_name(crop: Crop) -> str:
    """Return the name of a geometry, e.g. `192x256 plain`."""
    width, height = crop.input_size
    return f"{width}x{height} {crop.affine}"


def _upstream_dataset(plan: Plan, people: People) -> Any:
    """Return MMPose's data set with these people, in their order."""
    install_stand_ins()
    import mmpose.datasets  # noqa: F401 (registers the data sets)
    from mmpose.registry import DATASETS

    config = point_at(plan.config, str(plan.settings.data))
    with DefaultScope.overwrite_default_scope("mmpose"), redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = DATASETS.build(config.test_dataloader.dataset)
    places = {dataset.get_data_info(number)["id"]: number for number in range(len(dataset))}
    dataset.get_subset_([places[person] for person in people.ids.tolist()])
    return dataset


def _upstream_loader(plan: Plan, dataset: Any) -> Any:
    """Return the config's own data loader with its own workers, which persist between rounds."""
    config = plan.config.test_dataloader
    with DefaultScope.overwrite_default_scope("mmpose"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns that two workers are too many for one core
        return Runner.build_dataloader({**config, "dataset": dataset, "persistent_workers": config.num_workers > 0})


def _costs(people: People, geometries: Sequence[Crop]) -> tuple[float, dict[str, float]]:
    """Return the milliseconds for decoding an image, and for one crop by geometry."""
    matrices = [crop_regions(people, geometry).matrices for geometry in geometries]
    reading, warping = 0.0, np.zeros(len(geometries))
    for image_id, path in people.images.items():
        start = time.perf_counter()
        image = read_image(path)
        reading += time.perf_counter() - start
        chosen = np.flatnonzero(people.image_ids == image_id)
        for number, geometry in enumerate(geometries):
            start = time.perf_counter()
            for matrix in matrices[number][chosen]:
                warp(image, matrix, geometry.input_size)
            warping[number] += time.perf_counter() - start
    per_crop = (1000 * warping / len(people)).tolist()
    names = map(geometry_name, geometries)
    return 1000 * reading / len(people.images), dict(zip(names, per_crop, strict=True))


@contextmanager
def _one_core() -> Iterator[bool]:
    """Use one core and one thread within the context; yield whether the system supports this."""
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        if sys.platform == "linux":
            cores = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {max(cores)})  # threads started later inherit it
            try:
                yield True
            finally:
                os.sched_setaffinity(0, cores)
        else:
            yield False
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
