"""The figures of OKS-based AP on a row's page."""

from harness.metrics.diagnosis.chart import CurveChart, GainChart
from harness.metrics.diagnosis.model import OksFigures

CORRECTIONS = {
    "jitter": "jitter corrected",
    "inversion": "left and right corrected",
    "swap": "swaps with others corrected",
    "miss": "misses corrected",
    "scores": "poses scored by their OKS",
    "background": "background poses removed",
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
    """Return the gain of AP from correcting all errors of one kind, for each kind."""
    return GainChart(
        title="Gain of AP by correction",
        description=f"Gain over the AP of {figures.ap:.3f}, for each correction alone.",
        gains=[(CORRECTIONS[kind], ap - figures.ap) for kind, ap in figures.corrected_ap.items()],
    )
