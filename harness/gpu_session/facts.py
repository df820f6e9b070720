"""Extracts facts from the output files of the steps, for summary.json and the terminal."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
"""Facts as JSON-able values; `lines` is the text for the terminal."""


def read(path: Path) -> Any:
    """Return the content of a JSON file; None if it is missing or incomplete."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def records(folder: Path, suite: str) -> dict[str, Any]:
    """Return the records of a suite's runs in a results folder, by row and run."""
    found = {
        path.parent.relative_to(folder / suite).as_posix(): read(path)
        for path in sorted(folder.glob(f"{suite}/*/*/record.json"))
    }
    return {name: record for name, record in found.items() if record}


def demo_facts(runs: Path, results: Path) -> Facts:
    """Compare the demo's records with the records published with the project."""
    found, published = records(runs, "demo"), records(results, "demo")
    reproduced = sum(record["verdict"] == "reproduced" for record in found.values())
    equal = sum(found[name]["metrics"] == published[name]["metrics"] for name in found if name in published)
    moved = [
        abs(value - other)
        for name, record in found.items()
        for metric, value in record["metrics"].items()
        if value is not None and (other := published.get(name, {}).get("metrics", {}).get(metric)) is not None
    ]
    lines = [
        f"{reproduced} of {len(published)} rows reproduced",
        f"{equal} of {len(published)} have the metrics of results/ to the last bit; largest difference "
        f"{_number(max(moved, default=None))}",
    ]
    lines += [
        f"{name}: {record['verdict']}, {record.get('reason')}"
        for name, record in found.items()
        if record["verdict"] != "reproduced"
    ]
    return {"reproduced": reproduced, "equal": equal, "of": len(published), "lines": lines}


def doctor_facts(path: Path) -> Facts:
    """Count the checks of the doctor, list the failed ones, and give the largest figure of each group in px."""
    checks = (read(path) or {}).get("checks", [])
    counts = Counter(check["status"] for check in checks)
    lines = [", ".join(f"{count} {status}" for status, count in counts.items())] if checks else []
    failed = [check for check in checks if check["status"] == "failed"]
    lines += [f"failed: {check['group']}/{check['name']}: {_one_line(check.get('reason'))}" for check in failed]
    largest: dict[str, float] = {}
    for check in checks:
        for name, value in (check.get("figures") or {}).items():
            if name.endswith("_px") and isinstance(value, int | float):
                key = f"{check['group']} {name}"
                largest[key] = max(value, largest.get(key, 0))
    lines += [f"largest {name}: {value:.3g}" for name, value in largest.items()]
    return {
        "counts": counts,
        "largest": largest,
        "failed": [f"{check['group']}/{check['name']}" for check in failed],
        "lines": lines,
    }


def bench_facts(path: Path) -> Facts:
    """Return whether the targets are met, and the times of the whole table."""
    report = read(path) or {}
    lines = [
        f"{_met(target['met'])}: {target['what']}: {_number(target['reached'])} ({target['wanted']})"
        for target in report.get("targets", [])
    ]
    for time in report.get("table", []):
        parts = ("forward_min", "decoding_min", "crops_min", "besides_min", "total_min", "modelled_forward_min")
        lines.append(f"table in {time['precision']}: " + ", ".join(f"{name} {_number(time[name])}" for name in parts))
    for run in report.get("runs", []):
        forward = run["forward_s"] + run["exact_forward_s"]
        lines.append(
            f"{len(run['rows'])} rows ({run['rows'][0]}) in {run['precision']}, {run['boxes']} boxes: wall "
            f"{run['wall_s']:.1f} s, forward {forward:.1f} s, busy {_number(run['busy'])}, "
            f"host {run['host_mb']:.0f} MB, GPU {_number(run['device_mb'])} MB"
        )
    lines += [f"failed: {name}: {_one_line(reason)}" for name, reason in report.get("failed", {}).items()]
    failures = [
        (network["rows"][0], what, why)
        for network in report.get("networks", [])
        for what, why in network["failures"].items()
    ]
    lines += [f"failed: {row} {what}: {_one_line(why)}" for row, what, why in failures]
    measured = sum(bool(network["rates"]) for network in report.get("networks", []))
    lines.append(f"{measured} networks measured; no time for: {', '.join(report.get('left_out', [])) or 'nothing'}")
    return {"targets": report.get("targets", []), "table": report.get("table", []), "lines": lines}


def trained_facts(folders: Mapping[str, Path], suite: str) -> Facts:
    """Compare the metrics of trained networks in each precision with those in fp32, row by row.

    Args:
        folders: Results folders by precision.
        suite: The suite's name.
    """
    found = {precision: records(folder, suite) for precision, folder in folders.items()}
    exact = found.get("fp32", {})
    moved: dict[str, dict[str, float]] = {}
    for precision, others in found.items():
        differences = {
            row: record["metrics"]["AP"] - exact[row]["metrics"]["AP"]
            for row, record in others.items()
            if row in exact and record["metrics"].get("AP") is not None and exact[row]["metrics"].get("AP") is not None
        }
        if differences and precision != "fp32":
            moved[precision] = differences
    reproduced = sum(record["verdict"] == "reproduced" for record in exact.values())
    lines = [
        f"fp32: AP {', '.join(_ap(record) for record in exact.values())}; {reproduced} of {len(exact)} rows reproduced"
    ]
    for precision, differences in moved.items():
        worst = max(differences, key=lambda row: abs(differences[row]))
        lines.append(
            f"{precision}: AP moves by at most {abs(differences[worst]):.5f} ({worst}); {len(differences)} rows"
        )
    return {"moved": moved, "exact": {row: record["metrics"] for row, record in exact.items()}, "lines": lines}


def _ap(record: Any) -> str:
    value = record["metrics"].get("AP")
    return "-" if value is None else f"{value:.5f}"


def _met(met: bool | None) -> str:
    return "not measured" if met is None else "yes" if met else "NO"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _one_line(text: str | None, most: int = 160) -> str:
    words = " ".join((text or "").split())
    return words if len(words) <= most else f"{words[:most]}..."
