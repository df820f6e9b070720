"""The upstream engine: MMPose's own test loop, the reference for the shared engine.

It uses mmengine's Runner with the config's own data loader, pipeline, decoder and metric. Only the data folder, the
boxes, the row's overrides, the batch size and the weights are set by the harness.
"""

import contextlib
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mmengine.device.utils
import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from harness.datasets.people import People
from harness.files import read_json
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.upstream_conditions import why_not_evaluated
from harness.predict.upstream_metrics import our_names
from harness.predict.upstream_pool import of_people
from harness.predictions import Predictions
from harness.protocol import DatasetPool, Protocol


def predict_upstream(
    network: torch.nn.Module,
    config: Config,
    people: People,
    protocol: Protocol,
    progress: Callable[[int], object],
    log: Path,
) -> tuple[Predictions, dict[str, float | None] | None]:
    """Run MMPose's test loop on all people.

    Args:
        network: A network of `build_network`, with weights.
        config: The row's config, with paths into the data folder.
        people: The people to evaluate. Without a limit, these are all people of the config's data set. With a limit,
            the others are removed from it, and images without any of these people from the evaluation.
        protocol: The batch size, the device, and whether the run is limited to some images.
        progress: Called with the number of people done, batch by batch.
        log: File for the output of mmengine and the evaluator.

    Returns:
        The predictions, and the metrics of MMPose's own evaluator; None instead of metrics if it cannot run
        (`why_not_evaluated`).
    """
    install_stand_ins()
    import mmpose.datasets
    import mmpose.evaluation  # noqa: F401 (registers the data sets and metrics)
    from mmpose.registry import DATASETS

    config = config.copy()
    recorder = _Recorder(progress)
    limited = protocol.limit is not None
    evaluates = why_not_evaluated(protocol) is None
    with (
        tempfile.TemporaryDirectory() as scratch,
        log.open("w", encoding="utf-8") as log_file,
        _quiet(log_file),
        _device(protocol),
    ):
        loader = config.test_dataloader
        loader.batch_size = protocol.compute.batch_size
        # The loop runs once. Persistent workers would end in a garbage collection, which waits ten seconds for them.
        loader.persistent_workers = False
        if "ray" in sys.modules:  # gRPC, which Ray loads, crashes in forked processes
            loader.num_workers = 0
        for step in loader.dataset.pipeline:
            step.pop(
                "backend_args", None
            )  # images are in the data folder, also of a config that names a storage server
        with DefaultScope.overwrite_default_scope("mmpose"):
            dataset = DATASETS.build(loader.dataset)
        if isinstance(protocol.dataset, DatasetPool):
            dataset = of_people(dataset, people, whole=not limited)
        elif limited:
            wanted = set(people.ids.tolist())
            dataset.get_subset_([i for i in range(len(dataset)) if dataset.get_data_info(i)["id"] in wanted])
            _limit_evaluator(config, set(people.images), Path(scratch))
        runner = Runner(
            model=network,
            work_dir=scratch,
            test_dataloader={**loader, "dataset": dataset},
            test_cfg=config.test_cfg,
            test_evaluator=config.test_evaluator if evaluates else _NoMetric(),
            default_scope=config.default_scope,
            custom_hooks=[recorder],
            env_cfg=config.env_cfg,
            log_level="WARNING",
            experiment_name=Path(scratch).name,
        )
        values = runner.test()
    return recorder.predictions(), our_names(values, protocol.scoring) if evaluates else None


class _NoMetric(BaseMetric):  # type: ignore[misc]
    """Replaces the metric, which a loop must have."""

    default_prefix = "none"

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Count the batch only."""
        self.results.append(len(data_samples))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Return no metrics."""
        return {}


class _Recorder(Hook):  # type: ignore[misc]
    """Keeps every prediction of the loop."""

    def __init__(self, progress: Callable[[int], object]) -> None:
        self._progress = progress
        self._columns: dict[str, list[Any]] = {}

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Add one batch of mmpose's PoseDataSample."""
        for sample in outputs:
            found, given = sample.pred_instances, sample.gt_instances
            columns = {
                "person_ids": np.int64(sample.id),
                "image_ids": np.int64(sample.img_id),
                "boxes": given.bboxes[0],
                "box_scores": given.bbox_scores[0],
                "crop_areas": np.prod(given.bbox_scales[0]),
                "keypoints": found.keypoints[0],
                "keypoint_scores": found.keypoint_scores[0],
            }
            for name, value in columns.items():
                self._columns.setdefault(name, []).append(value)
        self._progress(len(outputs))

    def predictions(self) -> Predictions:
        """Return all predictions, in the order of the data loader."""
        return Predictions(**{name: np.stack(values) for name, values in self._columns.items()})


def _limit_evaluator(config: Config, image_ids: set[int], scratch: Path) -> None:
    """Let evaluators that read the annotation file read a copy with the wanted images only."""
    evaluators = config.test_evaluator if isinstance(config.test_evaluator, list) else [config.test_evaluator]
    for evaluator in evaluators:
        if evaluator.get("ann_file"):
            data = read_json(Path(evaluator.ann_file), "the annotation file")
            data["images"] = [image for image in data["images"] if image["id"] in image_ids]
            data["annotations"] = [a for a in data["annotations"] if a["image_id"] in image_ids]
            evaluator.ann_file = str(scratch / "limited.json")
            Path(evaluator.ann_file).write_text(json.dumps(data))


@contextlib.contextmanager
def _quiet(log: Any) -> Iterator[None]:
    """Redirect the output of mmengine and the evaluator to the log, because standard output is for results."""
    with contextlib.redirect_stdout(log), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            # mmengine keeps a logger for each experiment, with the standard output at the time of its creation.
            for logger in MMLogger._instance_dict.values():
                if isinstance(logger, logging.Logger):
                    logger.handlers.clear()


@contextlib.contextmanager
def _device(protocol: Protocol) -> Iterator[None]:
    """Make mmengine's Runner use the protocol's device; by default it takes the first GPU."""
    chosen, mmengine.device.utils.DEVICE = mmengine.device.utils.DEVICE, protocol.compute.device
    try:
        yield
    finally:
        mmengine.device.utils.DEVICE = chosen
