"""How each precision moves the metrics of a suite with trained weights, on a CPU; TF32 is emulated.

    python tests/predict/measure_precisions.py mine.yaml --data DIR [--precision bf16,fp16]

Prints a table of differences to exact single precision. No test, since a precision takes a quarter of an hour.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import torch

from harness.metrics.match import evaluate
from harness.predict import forward as forward_module
from harness.predict.forward import Forward, SharedForward
from harness.predict.precision import PRODUCTS
from harness.predict.shared import Estimator, predict_together
from harness.run.plan import Plan, Settings, make_plan
from harness.suites.load import load_suite


def to_tf32(values: torch.Tensor) -> torch.Tensor:
    """Round single precision to the 10 bits of TF32, to the nearest, ties to even; not for infinity or NaN."""
    bits = values.contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def emulate_tf32(network: Any) -> None:
    """Round inputs and weights of convolutions and linear layers; products of attention stay as they are."""
    for layer in network.modules():
        if isinstance(layer, PRODUCTS):
            layer.weight.data = to_tf32(layer.weight.data)
            layer.register_forward_pre_hook(lambda _, inputs: (to_tf32(inputs[0]), *inputs[1:]))


def forward_in(precision: str, plan: Plan) -> Forward:
    """Return a plan's network in a precision."""
    computed = "fp32-fast" if precision == "tf32" else precision
    compute = plan.protocol.compute.model_copy(update={"precision": computed})
    forward = Forward(plan.network(), plan.protocol.model_copy(update={"compute": compute}))
    if precision != "fp32":
        forward.quicken()
    if precision == "tf32":
        emulate_tf32(forward._network)
    return forward


def measure(plans: dict[str, Plan], precision: str, data: Path) -> dict[str, float]:
    """Return each row's AP; rows that differ in the decoder only share the forward passes."""
    groups = defaultdict(list)
    for row, plan in plans.items():
        groups[plan.weights.sha256, plan.protocol.crop, plan.people_key].append(row)
    found = {}
    for rows in groups.values():
        first = plans[rows[0]]
        shared = SharedForward(forward_in(precision, first))
        estimators = [Estimator(shared.of(p), p, lambda _: None) for p in (plans[row].protocol for row in rows)]
        for row, predictions in zip(rows, predict_together(estimators, first.people()), strict=True):
            if isinstance(predictions, Exception):
                raise predictions
            found[row] = evaluate(predictions, plans[row].protocol, data)["AP"] or 0.0
    return found


@click.command()
@click.argument("suite", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--precision", "precisions", default="fp32-fast,tf32,fp16,bf16")
def main(suite: Path, data: Path, precisions: str) -> None:
    """Measure, and print a table."""
    forward_module._SMALL = 0  # as on a GPU, where small networks are quickened as well
    loaded = load_suite(suite)
    settings = Settings(
        data=data,
        checkpoints=suite.parent,
        out=data,
        seed=None,
        limit=None,
        engine="shared",
        device="cpu",
        batch_size=None,
    )
    plans = {row.id: make_plan(loaded, row, next(iter(row.runs)), settings) for row in loaded.rows}
    exact = measure(plans, "fp32", data)
    names = precisions.split(",")
    others = {name: measure(plans, name, data) for name in names}
    print(f"| row | fp32 | {' | '.join(names)} |\n|---|---:|{'---:|' * len(names)}")
    for row, value in exact.items():
        print(f"| {row} | {value:.4f} | {' | '.join(f'{others[name][row] - value:+.4f}' for name in names)} |")


if __name__ == "__main__":
    main()
