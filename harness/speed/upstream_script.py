"""Runs MMPose's own test script in a separate process, and reports the time of the network and the results.

Usage: `python -m harness.speed.upstream_script REPORT` followed by the script's own arguments. It writes seconds and
metrics to REPORT.json, and the predictions to REPORT.npz.
"""

import json
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.openmmlab.stand_ins import install_stand_ins
from harness.suites.configs import configs_folder


class _Clock:
    """Measures the model's test step without decoding and the mapping to the image.

    The rest, from crops to heatmaps, corresponds to our own forward passes.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def watch(self, model: Any) -> None:
        """Measure the test steps of a pose estimator from now on."""
        model.test_step = self._timed(model.test_step, 1)
        model.head.decode = self._timed(model.head.decode, -1)
        model.add_pred_to_datasample = self._timed(model.add_pred_to_datasample, -1)

    def _timed(self, function: Callable[..., Any], sign: int) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = _now()
            result = function(*arguments, **options)
            self.seconds += sign * (_now() - start)
            return result

        return call


def _now() -> float:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def run_script(report: Path, arguments: list[str]) -> None:
    """Run the script with its arguments, and write the report."""
    install_stand_ins()
    from mmengine.hooks import Hook
    from mmengine.runner import Runner

    samples: list[Any] = []

    first: list[tuple[int, float]] = []
    """Number of people in the first batch, and the time of its end."""

    class Keeper(Hook):  # type: ignore[misc]
        """Keeps the predictions, which takes no time during the loop."""

        def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
            samples.extend(outputs)
            if not first:
                first.append((len(samples), _now()))

    clock = _Clock()
    metrics: dict[str, float] = {}
    loop: dict[str, float] = {}
    """Seconds from the end of the first batch to the end of the evaluation."""
    test = Runner.test

    def watched(runner: Any) -> dict[str, float]:
        clock.watch(runner.model)
        runner.register_hook(Keeper())
        metrics.update(test(runner))
        loop["loop_s"] = _now() - first[0][1]
        loop["loop_boxes"] = len(samples) - first[0][0]
        return metrics

    Runner.test = watched
    script = configs_folder().parent / "tools" / "test.py"
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")

    start = time.perf_counter()
    np.savez(
        report.with_suffix(".npz"),
        ids=np.array([sample.id for sample in samples], np.int64),
        keypoints=np.stack([sample.pred_instances.keypoints[0] for sample in samples]),
    )
    values = {"forward_s": clock.seconds, "metrics": {name: float(value) for name, value in metrics.items()}}
    aside = loop | {"report_s": time.perf_counter() - start}
    report.with_suffix(".json").write_text(json.dumps(values | aside))


if __name__ == "__main__":
    run_script(Path(sys.argv[1]), sys.argv[2:])
