"""Exports a record for model cards: the `model-index` of Hugging Face's metadata."""

from typing import Any

import yaml

from harness.report.numbers import in_unit
from harness.report.results import Result
from harness.report.standings import Standing
from harness.suites.schema import Metric

PROJECT = "pose-harness"


def model_index(standing: Standing) -> str:
    """Return YAML with the metrics of a row's complete runs, in the units of the published table.

    Source: the model card specification, https://github.com/huggingface/hub-docs/blob/main/modelcard.md
    """
    suite, row = standing.suite, standing.row
    dataset = suite.dataset_of(row)
    results = []
    for name, result in standing.results.items():
        if not result.record.whole:
            continue
        entry: dict[str, Any] = {
            "task": {"type": "keypoint-detection", "name": "2D human pose estimation, top-down"},
            "dataset": {"type": suite.name, "name": dataset.name, "split": suite.annotations(row, row.runs[name])},
            "metrics": [
                _metric(metric, suite.metrics[metric], result)
                for metric in suite.metrics
                if result.record.metrics.get(metric) is not None
            ],
            "source": {"name": f"{PROJECT}, {standing.id}, run {name}"},
        }
        revision = result.protocol.annotations.sha256 if result.protocol else None
        if revision:
            entry["dataset"]["revision"] = revision
        url = row.runs[name].checkpoint.url
        if url.startswith(("http://", "https://")):
            entry["source"]["url"] = url
        results.append(entry)
    document = {"model-index": [{"name": row.label, "results": results}]}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)


def _metric(name: str, metric: Metric, result: Result) -> dict[str, Any]:
    value = in_unit(result.record.metrics[name], metric)
    assert value is not None
    measured: dict[str, Any] = {"type": name, "name": metric.label, "value": round(value, metric.decimals + 1)}
    bounds = result.record.intervals.get(name)
    if bounds and result.record.resampling:
        low, high = (round(bound * metric.scale, metric.decimals + 1) for bound in bounds)
        measured["args"] = {"confidence_interval": [low, high], "level": result.record.resampling.level}
    return measured
