"""Renders the outcome of `harness parity` for a terminal and as Markdown."""

from harness.judge.parity import KEYPOINT_TOLERANCE, METRIC_TOLERANCE, SCORE_TOLERANCE, Parity, ParityReport
from harness.report.markdown import markdown_table, versions

PACKAGES = ("torch", "mmpose", "mmcv-lite", "mmcv", "numpy", "opencv-python-headless", "opencv-python")
COLUMNS = ("run", "GFLOP", "people", "compared", "ties", "keypoint px", "tie px", "score", "metric", "")


def parity_heads(width: int) -> str:
    """Return the column heads for `parity_line`; `width` is the length of the longest id."""
    return "  ".join(["run".ljust(width), *(head.rjust(11) for head in COLUMNS[2:-1])])


def parity_line(run: Parity, width: int) -> str:
    """Return a line for a terminal; `width` is the length of the longest id."""
    counts = (run.people, run.keypoints_compared, run.ties)
    cells = [f"{cell:>11}" for cell in (*counts, *_differences(run))]
    return "  ".join([run.id.ljust(width), *cells, "equal" if run.equal else "DIFFERS"])


def parity_markdown(report: ParityReport) -> str:
    """Return a page with one line per run and the conditions of the comparison."""
    equal = len(report.runs) - len(report.unequal)
    installed = versions(report.environment["packages"], PACKAGES)
    bound = (
        f" Each network computes at most {report.tflop:g} TFLOP per engine: heavy ones evaluate only the first people."
        if report.tflop is not None
        else ""
    )
    lines = [
        "# Both engines on the same people",
        "",
        f"{equal} of {len(report.runs) + len(report.failed)} runs are equal to MMPose's own test loop: "
        f"keypoints within {KEYPOINT_TOLERANCE} px, scores within {SCORE_TOLERANCE:g}, "
        f"metrics within {METRIC_TOLERANCE:g}.",
        "",
        f"Made by `harness parity` with weights {report.weights} in {report.seconds / 60:.0f} min on "
        f"{report.environment['cpu']}, {report.environment['threads']} threads ({installed}).{bound}",
        "",
        "Only keypoints whose heatmap, or vectors, have a unique maximum are compared; at the others, ties, rounding "
        "may choose between two places. Columns from `keypoint px` on are largest differences. GFLOP is for one crop, "
        "and counts a multiplication and an addition as two.",
        *_about_posetrack(report),
        "",
        *markdown_table(COLUMNS, f"l{'r' * (len(COLUMNS) - 2)}l", map(_cells, report.runs)),
    ]
    if report.failed:
        lines += ["", "Could not be compared:", ""]
        lines += [f"- {failure.id}: {' '.join(failure.reason.split())}" for failure in report.failed]
    return "\n".join(lines) + "\n"


def _about_posetrack(report: ParityReport) -> list[str]:
    if any(run.metric_max is None for run in report.runs):
        return [
            "",
            "A metric of `-`: MMPose's evaluator could not run. OKS needs the package xtcocotools, PoseTrack poseval.",
        ]
    if any(run.id.startswith("posetrack18/") for run in report.runs):
        return ["", "For PoseTrack18's metrics, the package poseval was installed in addition to the locked packages."]
    return []


def _cells(run: Parity) -> list[str]:
    people = f"{run.people}" if run.people == run.people_total else f"{run.people} of {run.people_total}"
    return [
        run.id,
        f"{run.gflop:.1f}",
        people,
        f"{run.keypoints_compared}",
        f"{run.ties}",
        *_differences(run),
        "equal" if run.equal else "**differs**",
    ]


def _differences(run: Parity) -> list[str]:
    values = (run.keypoint_max_px, run.tie_max_px, run.score_max, run.metric_max)
    return ["-" if value is None else f"{value:.3g}" for value in values]
