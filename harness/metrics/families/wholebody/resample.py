"""Whole-body AP and AR in every resample."""

from typing import TYPE_CHECKING

from harness.arrays import Float64
from harness.metrics.families.oks.resample import resample_oks
from harness.metrics.families.wholebody.score import COLUMNS, wholebody_stats
from harness.metrics.resample.columns import columns
from harness.metrics.resample.draws import Draws

if TYPE_CHECKING:
    from harness.metrics.families.wholebody.score import WholeBodyMatched


def resample_wholebody(matched: "WholeBodyMatched", draws: Draws) -> dict[str, Float64]:
    """Return each stat in every resample, [R]; NaN where it is undefined."""
    parts = {part: resample_oks(matched.parts[part], draws) for part in COLUMNS}
    resamples = len(draws.counts)
    return columns(
        [
            wholebody_stats({part: {name: values[one] for name, values in parts[part].items()} for part in parts})
            for one in range(resamples)
        ]
    )
