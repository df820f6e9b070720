"""The figures of OKS-based AP on a row's page."""

from harness.metrics.diagnosis.chart import CurveChart, GainChart
from harness.metrics.diagnosis.model import OksFigures

CORRECTIONS = {
    "jitter": "jitter moved to its place",
    "inversion": "left and right put right",
    "swap": "keypoints of others put right",
    "miss": "misses put right",
    "scores": "poses scored by their OKS",
    "background": "background poses dropped",
}


def precision_over_recall(figures: OksFigures) -> CurveChart:
    """Return precision over recall at each OKS threshold."""
    means = (
        f"{sum(curve.precision) / len(curve.precision):.3f} at OKS {curve.threshold:g}" for curve in figures.curves
    )
    return CurveChart(
        title="Precision and recall",
        description=f"Mean precision: {', '.join(means)}",
        x_label="recall",
        y_label="precision",
        lines=[(f"OKS {curve.threshold:g}", curve.precision) for curve in figures.curves],
    )


def corrections(figures: OksFigures) -> GainChart:
    """Return what AP would gain, were all errors of one kind corrected."""
    return GainChart(
        title="What AP would gain",
        description=f"Over {figures.ap:.3f}, each correction by itself.",
        gains=[(CORRECTIONS[kind], ap - figures.ap) for kind, ap in figures.corrected_ap.items()],
    )
