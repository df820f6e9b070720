"""Measures the effect of each precision on the metrics of a suite with trained weights, on a CPU; TF32 is emulated.

    python tests/predict/measure_precisions.py mine.yaml --data DIR [--precision bf16,fp16]

Prints a table of differences to exact single precision. Not a test, because a precision takes a quarter of an hour.
"""

from collections import defaultdict
from collections.abc import Mapping
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
from harness.run_folder import saved_runs
from harness.suites.load import load_suite
from harness.suites.schema import Suite


def to_tf32(values: torch.Tensor) -> torch.Tensor:
    """Round single precision to the 10 bits of TF32, to the nearest, ties to even; infinity and NaN are unchanged."""
    bits = values.contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def emulate_tf32(network: Any) -> None:
    """Round inputs and weights of convolutions and linear layers; products of attention are not rounded."""
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
    """Return each row's AP; rows that differ only in the decoder share the forward passes."""
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


def noise_floors(suite: Suite, runs: Path | None) -> dict[str, float]:
    """Return the noise floor of each row's AP, from records of `harness run --noise`."""
    records = {row.id: [record for _, record in saved_runs(runs, suite, row)] for row in suite.rows} if runs else {}
    return {row: found[0].noise.floor("AP") for row, found in records.items() if found and found[0].noise}


def table(exact: Mapping[str, float], others: Mapping[str, Mapping[str, float]], floors: Mapping[str, float]) -> str:
    """Return a table with each row's AP in single precision, its noise floor, and the change by each precision."""
    lines = [f"| row | fp32 | noise floor | {' | '.join(others)} |", f"|---|---:|---:|{'---:|' * len(others)}"]
    for row, value in exact.items():
        floor = f"{floors[row]:.4f}" if row in floors else "-"
        moves = " | ".join(f"{found[row] - value:+.4f}" for found in others.values())
        lines.append(f"| {row} | {value:.4f} | {floor} | {moves} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("suite", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), required=True)
@click.option("--precision", "precisions", default="fp32-fast,tf32,fp16,bf16")
@click.option("--noise", type=click.Path(path_type=Path), help="Where `harness run --noise` has put its records.")
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the table to a file.")
def main(suite: Path, data: Path, precisions: str, noise: Path | None, markdown: Path | None) -> None:
    """Measure, and print a table."""
    forward_module._SMALL = 0  # as on a GPU, where small networks use the faster precision too
    loaded = load_suite(suite)
    settings = Settings(data=data, checkpoints=suite.parent, out=data, device="cpu")
    plans = {row.id: make_plan(loaded, row, next(iter(row.runs)), settings) for row in loaded.rows}
    exact = measure(plans, "fp32", data)
    others = {name: measure(plans, name, data) for name in precisions.split(",")}
    found = table(exact, others, noise_floors(loaded, noise))
    print(found)
    if markdown:
        markdown.write_text(f"# What precisions move: {loaded.title}\n\nAP on a CPU; TF32 is emulated.\n\n{found}")


if __name__ == "__main__":
    main()
