"""The command that reproduces a run."""

import shlex

from harness.report.results import Result
from harness.report.standings import Standing
from harness.suites.load import argument_of


def reproduce_command(standing: Standing, result: Result | None = None) -> str:
    """Return the command for a row; with a result, it has the options that reproduce this result."""
    parts = ["harness", "run", argument_of(standing.suite), "--rows", standing.row.id, "--data", "DIR"]
    if result is None:
        return shlex.join(parts)
    record = result.record
    if result.protocol:
        compute = result.protocol.compute
        if result.protocol.limit is not None:
            parts += ["--limit", str(result.protocol.limit)]
        if compute.engine != "shared":
            parts += ["--engine", compute.engine]
        if compute.precision != "fp32":
            parts += ["--precision", compute.precision]
        if compute.compiled:
            parts.append("--compile")
        parts += ["--batch-size", str(compute.batch_size), "--device", compute.device]
    if record.weights and record.weights.seed is not None:
        parts += ["--weights", f"random:{record.weights.seed}"]
    if record.weights and record.weights.trusted:
        parts.append("--trust-checkpoint")
    if record.boxes and record.boxes.published is False and record.status == "own boxes":
        file = result.protocol.boxes.file if result.protocol else None
        parts += ["--boxes", file.path if file else "FILE"]
    return shlex.join(parts)
