"""Preparation: from boxes to batches of crops, against MMPose's data loader as a test loop has it, on one core."""

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
    """Compare boxes a second.

    Args:
        plan: Names the people, the images and the config.
        images: The people of the first so many images make a round.
        rounds: How often.
        geometries: For these it is measured what we need for an image and for a crop.

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
    """Name a geometry, e.g. `192x256 plain`."""
    width, height = crop.input_size
    return f"{width}x{height} {crop.affine}"


def _upstream_dataset(plan: Plan, people: People) -> Any:
    """Return MMPose's data set of these people, in their order."""
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
    """Return the config's own data loader, with its own workers; they stay from one round to the next."""
    config = plan.config.test_dataloader
    with DefaultScope.overwrite_default_scope("mmpose"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it finds two workers too many for one core
        return Runner.build_dataloader({**config, "dataset": dataset, "persistent_workers": config.num_workers > 0})


def _costs(people: People, geometries: Sequence[Crop]) -> tuple[float, dict[str, float]]:
    """Return the milliseconds of decoding an image, and by geometry those of cutting out a crop."""
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
    """Meanwhile, compute on one core with one thread; says whether the system takes such a wish."""
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        if sys.platform == "linux":
            cores = os.sched_getaffinity(0)
            os.sched_setaffinity(0, {max(cores)})  # threads that are started from here on inherit it
            try:
                yield True
            finally:
                os.sched_setaffinity(0, cores)
        else:
            yield False
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
