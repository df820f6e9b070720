"""Explains the difference between a run and a baseline, from run folders and, if asked to, with the network."""

from collections.abc import Sequence
from pathlib import Path

from harness.judge.differences import Cause, Differences, Observed
from harness.run.differences import Side, explain_difference
from harness.run.plan import Settings, make_plan
from harness.run.progress import RunProgress
from harness.run.rerun_sample import network_causes
from harness.run_folder import RunFolder
from harness.suites.schema import Row, Suite


def explain_difference_of(
    suite: Suite, row: Row, run: str, settings: Settings, baseline: Path, rerun: bool, progress: RunProgress
) -> Differences:
    """Look for what turns a run into the same run of a baseline.

    Args:
        suite: The row's suite.
        row: The row.
        run: The name of one of its runs, which has been made.
        settings: Those it was made with, as far as they are not in its protocol.
        baseline: The folder of runs that has the other side.
        rerun: Also ask the network in other ways, on a few images.
        progress: Told of the work.

    Raises:
        ObtainError: A side has not been made, or files of it do not belong together.
        UsageError: The sides have not the same keypoints.
    """
    place = Path(suite.name, row.id, run)
    new = Side.load(RunFolder(settings.out / place))
    old = Side.load(RunFolder(baseline / place), "--baseline names the folder above those of the suites")
    progress.stage(suite.row_id(row), "score")

    def network(observed: Observed) -> Sequence[Cause]:
        return network_causes(suite, row, make_plan(suite, row, run, settings), new, old, observed, progress)

    return explain_difference(suite.row_id(row), new, old, settings.data, network if rerun else None)
