"""Loads records as a table for notebooks."""

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
    """Return the records below some results folders, with a line for each metric of each run.

    A run without metrics, because it failed or could not be obtained, has one line without a metric. Missing values are
    NaN or NA.

    | column | content |
    |---|---|
    | results | the results folder as given |
    | suite, row, run | identify the run; together with `folder` they identify the record |
    | label | the published name of the model |
    | metric | such as `AP`; missing for a run without metrics |
    | measured, low, high | a fraction, even if published in percent; the bounds of its confidence interval |
    | published, source | the closest claim that is not refuted, in its own unit; its source |
    | difference | measured minus published, in the claim's unit |
    | verdict | the verdict of that claim; missing for a metric without a published value |
    | run_verdict, status, reason | those of the whole run |
    | images, people | number of evaluated images and people |
    | checkpoint_sha256, boxes_sha256 | hashes of the files used; missing for seeded weights and annotated boxes |
    | engine, precision, device | those of the computation |
    | people_per_s | speed of the network |
    | parameters, gflop | of the network; GFLOP for one person |
    | made | time at which the predictions were made |
    | commit, torch, mmpose | versions |
    | folder | the run's folder |

    Args:
        folders: Results folders as for `harness report`; the lines keep their order.

    Raises:
        UsageError: A folder does not exist.
        ObtainError: A record cannot be read or was changed after the run, or a file of a run is missing or damaged.

    >>> import harness
    >>> results = harness.load_results("runs")
    >>> results[["row", "metric", "run_verdict"]].iloc[0].to_list()
    ['litehrnet-18-mpii-128x128', 'PCKh@0.5', 'partial']
    """
    import pandas as pd

    from harness.errors import ObtainError

    results = read_results([Path(folder) for folder in folders])
    if problems := [*results.changed, *results.problems]:
        raise ObtainError("\n".join(problems))
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
