"""A user's script: `nox -s release` checks its types against the installed package."""

from pathlib import Path

import harness


def best_row(folder: Path) -> tuple[str, float]:
    """Return the row with the largest PCKh, and its value."""
    outcomes = harness.run_rows("demo", "litehrnet-18-mpii-*", out=folder, limit=4)
    values = {outcome.id: outcome.records[0].metrics["PCKh@0.5"] or 0.0 for outcome in outcomes}
    best = max(values, key=lambda row: values[row])
    return best, values[best]


def is_worse(new: Path, baseline: Path) -> bool:
    """Return whether a run moved."""
    return harness.compare_runs(new, baseline).red


def mean_claim(name: str) -> float:
    """Return the mean of the published values of a suite."""
    claims = [claim.value for row in harness.load_suite(name).rows for claim in row.claims]
    return sum(claims) / len(claims)


def score(file: Path) -> dict[str, float | None]:
    """Return the metrics of a file, or none."""
    try:
        return dict(harness.score_predictions("coco", file).metrics)
    except harness.HarnessError as error:
        print(error)
        return {}
