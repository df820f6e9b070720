"""Records as a table for notebooks."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.report.results import Result, read_results, speed_of
from harness.report.standings import closest, device

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: dict[str, str] = {
    "results": "str",
    "suite": "str",
    "row": "str",
    "run": "str",
    "label": "str",
    "metric": "str",
    "measured": "float64",
    "low": "float64",
    "high": "float64",
    "published": "float64",
    "source": "str",
    "difference": "float64",
    "verdict": "str",
    "run_verdict": "str",
    "status": "str",
    "reason": "str",
    "images": "Int64",
    "people": "Int64",
    "checkpoint_sha256": "str",
    "boxes_sha256": "str",
    "engine": "str",
    "precision": "str",
    "device": "str",
    "people_per_s": "float64",
    "parameters": "Int64",
    "gflop": "float64",
    "made": "datetime64[us, UTC]",
    "commit": "str",
    "torch": "str",
    "mmpose": "str",
    "folder": "str",
}


def load_results(*folders: str | Path) -> "pd.DataFrame":
    """Return the records below some results folders: a line for each metric of each run.

    A run without metrics, since it failed or could not be obtained, has one line without a metric. Missing values are
    NaN or NA.

    | column | what |
    |---|---|
    | results | the folder that was named |
    | suite, row, run | which run; together with `folder` they tell lines of different records apart |
    | label | the model as published |
    | metric | such as `AP`; missing for a run without metrics |
    | measured, low, high | a fraction, also where it is published in percent; the ends of its confidence interval |
    | published, source | the claim that is closest, of those that nothing refutes, in its own unit; where it is from |
    | difference | measured minus published, in the claim's unit |
    | verdict | of that claim; missing for a metric that nobody published |
    | run_verdict, status, reason | of the whole run |
    | images, people | how many were evaluated |
    | checkpoint_sha256, boxes_sha256 | of the files that were used; missing for seeded weights and annotated boxes |
    | engine, precision, device | what computed it |
    | people_per_s | through the network |
    | parameters, gflop | of the network; GFLOP for one person |
    | made | when the predictions were |
    | commit, torch, mmpose | versions |
    | folder | the run's folder |

    Args:
        folders: As for `harness report`; in the order in which they are to come.

    Raises:
        UsageError: One of the folders is not there.
        ObtainError: A record cannot be read.

    >>> import harness
    >>> results = harness.load_results("runs")
    >>> results[["row", "metric", "run_verdict"]].iloc[0].to_list()
    ['litehrnet-18-mpii-128x128', 'PCKh@0.5', 'partial']
    """
    import pandas as pd

    from harness.errors import ObtainError

    results = read_results([Path(folder) for folder in folders])
    if results.problems:
        raise ObtainError("\n".join(results.problems))
    lines = [line for result in results.found for line in _lines(result)]
    return pd.DataFrame(lines, columns=list(COLUMNS)).astype(COLUMNS)


def _lines(result: Result) -> Iterator[dict[str, Any]]:
    record, environment = result.record, result.environment
    compute = result.protocol.compute if result.protocol else None
    speeds = list(speed_of([result]))
    packages = environment.packages if environment else {}
    common = {
        "results": str(result.source),
        "suite": record.suite,
        "row": record.row,
        "run": record.run,
        "label": record.label,
        "run_verdict": record.verdict,
        "status": record.status,
        "reason": record.reason,
        "images": record.images,
        "people": record.people,
        "checkpoint_sha256": record.weights.sha256 if record.weights else None,
        "boxes_sha256": record.boxes.sha256 if record.boxes else None,
        "engine": compute.engine if compute else None,
        "precision": compute.precision if compute else None,
        "device": device(result) if compute else None,
        "people_per_s": speeds[0][0] / speeds[0][1] if speeds else None,
        "parameters": record.network.parameters if record.network else None,
        "gflop": record.network.gflop if record.network else None,
        "made": environment.made if environment else None,
        "commit": environment.commit if environment else None,
        "torch": packages.get("torch"),
        "mmpose": packages.get("mmpose"),
        "folder": str(result.folder.path),
    }
    if not record.metrics:
        yield common
    for metric, measured in record.metrics.items():
        low, high = record.intervals.get(metric, (None, None))
        claim = closest(record.claims, metric)
        yield common | {
            "metric": metric,
            "measured": measured,
            "low": low,
            "high": high,
            "published": claim.claim.value if claim else None,
            "source": claim.claim.source if claim else None,
            "difference": claim.difference if claim else None,
            "verdict": claim.verdict if claim else None,
        }
