"""Times only one row's forward passes, in a separate process: `pure_forward SUITE DATA PRECISION`.

All crops are made first, then the network processes the batches of a run. Prints the seconds.
"""

import sys
from pathlib import Path

from harness.predict.shared import crop_batches
from harness.predict.uploads import uploads_to
from harness.run.device import choose_device
from harness.run.plan import Settings, make_plan
from harness.suites.load import load_suite


def forward_seconds(suite_file: Path, data: Path, precision: str) -> float:
    """Return the seconds of a suite's first row from crops to heatmaps."""
    suite = load_suite(suite_file)
    row = suite.rows[0]
    settings = Settings.in_folder(data, choose_device(None), precision=precision)
    plan = make_plan(suite, row, next(iter(row.runs)), settings)
    protocol = plan.protocol
    network_input = protocol.crop, protocol.compute.batch_size
    batches = [crops.copy() for _, _, crops in crop_batches(plan.people(), [network_input])]
    forward = plan.model()
    if not protocol.compute.exact:
        forward.quicken()
    uploads = uploads_to(forward.device)
    for crops in batches:
        forward(uploads.load(crops))
    return forward.seconds


if __name__ == "__main__":
    print(forward_seconds(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
