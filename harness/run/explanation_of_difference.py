"""Explains the difference between a run and a baseline, from run folders and, if requested, with the network."""

from pathlib import Path

from harness.judge.differences import Differences, Observed
from harness.run.differences import Repeated, Side, explain_difference
from harness.run.plan import Settings, make_plan
from harness.run.progress import RunProgress
from harness.run.rerun_sample import repeat_sample
from harness.run_folder import RunFolder
from harness.suites.schema import Row, Suite


def explain_difference_of(
    suite: Suite, row: Row, run: str, settings: Settings, baseline: Path, rerun: bool, progress: RunProgress
) -> Differences:
    """Search for the cause of the differences between a run and the same run of a baseline.

    Args:
        suite: The row's suite.
        row: The row.
        run: The name of one of its finished runs.
        settings: The settings of that run that are not in its protocol.
        baseline: The folder of runs that contains the run of the baseline.
        rerun: Whether to repeat the prediction of a few images with changed settings.
        progress: Receives reports of progress.

    Raises:
        ObtainError: One of the two runs does not exist, or its files do not belong together.
        UsageError: The two runs differ in the number of keypoints.
    """
    new = Side.load(RunFolder.of(settings.out, suite, row, run))
    old = Side.load(
        RunFolder.of(baseline, suite, row, run), "--baseline must name the folder above the suites' folders"
    )
    progress.stage(suite.row_id(row), "score")

    def network(observed: Observed, other_files: bool) -> Repeated:
        plan = make_plan(suite, row, run, settings)
        return repeat_sample(suite, row, plan, new, old, observed, other_files, progress)

    return explain_difference(suite.row_id(row), new, old, settings.data, network if rerun else None)
