"""Measures the noise floor of a run: the change of its metrics when only numerically irrelevant settings change."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch

from harness.errors import RunError, counted
from harness.metrics.match import evaluate
from harness.predict.shared import Estimator, predict_together
from harness.predict.threads import torch_threads
from harness.predictions import Predictions
from harness.record import Noise, Variant, metric_changes
from harness.run.plan import Plan
from harness.run.progress import RunProgress


def measure_noise(
    plan: Plan, predictions: Predictions, measured: Mapping[str, float | None], name: str, progress: RunProgress
) -> Noise:
    """Repeat a run with half the batch size, with sums in another order and, on a CPU, with another thread count.

    Args:
        plan: The plan of the run.
        predictions: The run's predictions.
        measured: The run's metrics, fractions by metric.
        name: The run's name in progress messages.
        progress: Receives the progress.

    Raises:
        HarnessError: A repetition fails.
    """
    people = plan.people()
    assert len(people) == len(predictions)
    variants = []
    for change, plan_of_change, threads in _changes(plan, torch.get_num_threads()):
        with torch_threads(threads):
            progress.stage(f"{name}, {change}", "predict", len(people))
            forward = plan_of_change.model()
            if not plan_of_change.protocol.compute.exact:
                forward.quicken()
            (outcome,) = predict_together([Estimator(forward, plan_of_change.protocol, progress.advance)], people)
        if isinstance(outcome, Exception):
            raise RunError(f"{name} with {change}: {outcome}") from outcome
        values = evaluate(outcome, plan.protocol, plan.settings.data)
        variants.append(Variant(change=change, differences=metric_changes(values, measured)))
    return Noise(variants=variants)


def _changes(plan: Plan, threads: int) -> Iterator[tuple[str, Plan, int]]:
    compute = plan.protocol.compute

    def changed(**fields: object) -> Plan:
        return replace(plan, protocol=plan.protocol.model_copy(update={"compute": compute.model_copy(update=fields)}))

    half = max(compute.batch_size // 2, 1)
    if half != compute.batch_size:
        yield f"batch size {half}", changed(batch_size=half), threads
    if compute.precision == "fp32":
        yield "precision fp32-fast", changed(precision="fp32-fast"), threads
    if torch.device(compute.device).type == "cpu":
        other = 1 if threads > 1 else 2
        yield counted(other, "thread"), plan, other
