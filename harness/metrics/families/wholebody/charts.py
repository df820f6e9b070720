"""The figure of whole-body AP on a row's page."""

from collections.abc import Mapping, Sequence

from harness.metrics.diagnosis.chart import CurveChart


def precision_by_part(parts: Mapping[str, Sequence[float]]) -> CurveChart:
    """Return precision over recall for each part, as the mean over the OKS thresholds."""
    means = (f"{sum(precision) / len(precision):.3f} for {part}" for part, precision in parts.items())
    return CurveChart(
        title="Precision and recall by part",
        description=f"Mean precision over OKS 0.5 to 0.95: {', '.join(means)}",
        x_label="recall",
        y_label="precision",
        lines=list(parts.items()),
    )
