"""The upstream engine: MMPose's own test loop, the reference that the shared engine is measured against.

mmengine's Runner with the config's own data loader, pipeline, decoder and metric; only the data folder, the boxes and
overrides of the row, the batch size and the weights are ours.
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
from harness.predictions import Predictions
from harness.protocol import Protocol


def predict_upstream(
    network: torch.nn.Module,
    config: Config,
    people: People,
    protocol: Protocol,
    progress: Callable[[int], object],
    log: Path,
) -> tuple[Predictions, dict[str, float | None] | None]:
    """Run MMPose's test loop over everybody in `people`.

    Args:
        network: From `build_network`, with weights.
        config: The row's config, its paths pointing into the data folder.
        people: Who is to be evaluated. Without a limit that is everybody in the config's data set; with one, the others
            are left out of it, and the images without any of these people out of the evaluation.
        protocol: The batch size, the device, and whether the run is limited to some images.
        progress: Called with the number of people done, batch by batch.
        log: Where mmengine's and the evaluator's output goes.

    Returns:
        The predictions, and the metrics that MMPose's own evaluator gives; None in their place where it cannot run
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
        # The loop runs once. Workers kept beyond it die in a garbage collection, which waits ten seconds for them.
        loader.persistent_workers = False
        if "ray" in sys.modules:  # gRPC, which Ray brings, crashes in processes that are forked
            loader.num_workers = 0
        with DefaultScope.overwrite_default_scope("mmpose"):
            dataset = DATASETS.build(loader.dataset)
        if limited:
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
    """Stands where a loop must have a metric."""

    default_prefix = "none"

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """Keep nothing of a batch but that there was one."""
        self.results.append(len(data_samples))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Return no metrics."""
        return {}


class _Recorder(Hook):  # type: ignore[misc]
    """Keeps every prediction that passes through the loop."""

    def __init__(self, progress: Callable[[int], object]) -> None:
        self._progress = progress
        self._columns: dict[str, list[Any]] = {}

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Take one batch of mmpose's PoseDataSample."""
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
        """Return all of them, in the order of the data loader."""
        return Predictions(**{name: np.stack(values) for name, values in self._columns.items()})


def _limit_evaluator(config: Config, image_ids: set[int], scratch: Path) -> None:
    """Give evaluators that read the annotation file one with the wanted images only."""
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
    """Send what mmengine and the evaluator print to the log: standard output is for results."""
    with contextlib.redirect_stdout(log), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            # mmengine keeps a logger for each experiment, with the stream that was standard output at its making.
            for logger in MMLogger._instance_dict.values():
                if isinstance(logger, logging.Logger):
                    logger.handlers.clear()


@contextlib.contextmanager
def _device(protocol: Protocol) -> Iterator[None]:
    """Make mmengine's Runner use the protocol's device; by itself it takes the first GPU that it finds."""
    chosen, mmengine.device.utils.DEVICE = mmengine.device.utils.DEVICE, protocol.compute.device
    try:
        yield
    finally:
        mmengine.device.utils.DEVICE = chosen
