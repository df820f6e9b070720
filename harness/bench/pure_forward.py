"""Times nothing but one row's forward passes, in a process of its own: `pure_forward SUITE DATA PRECISION`.

All crops are made first, then the network runs on the batches that a run would give it. Prints the seconds.
"""

import sys
from pathlib import Path

import numpy as np

from harness.execute.device import choose_device
from harness.execute.plan import Settings, make_plan
from harness.predict.crop_stream import crop_stream
from harness.predict.forward import Forward
from harness.spec.load import load_suite


def forward_seconds(suite_file: Path, data: Path, precision: str) -> float:
    """Return what the first row of a suite takes from crops to heatmaps."""
    suite = load_suite(suite_file)
    row = suite.rows[0]
    settings = Settings(
        data=data, checkpoints=data, out=data, seed=None, limit=None, engine="shared",
        device=choose_device(None), batch_size=None, precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    plan = make_plan(suite, row, next(iter(row.runs)), settings)
    protocol = plan.protocol
    crops = np.concatenate([cuts[0] for _, cuts in crop_stream(plan.people(), [protocol.crop])])
    forward = Forward(plan.network(), protocol)
    if not protocol.compute.exact:
        forward.quicken()
    size = protocol.compute.batch_size
    for start in range(0, len(crops), size):
        forward(forward.load(crops[start : start + size]))
    return forward.seconds


if __name__ == "__main__":
    print(forward_seconds(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
