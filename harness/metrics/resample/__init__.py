"""How sure a metric is: the bootstrap over images, or over videos where the images come from videos.

People in one image share its difficulty, and frames of one video theirs, so what is drawn is the whole unit: with
replacement, as many as there are. A unit that is drawn twice counts as two that happen to be alike. The predictions
stay as they are; a resample changes only how often each unit counts. Hence an interval says how far a metric would move
on other images of the same kind, not how far other weights or another GPU would move it.
"""

from harness.metrics.resample.draws import Draws, draw, resampled_metrics
from harness.metrics.resample.interval import Difference, interval, paired_difference

__all__ = ["Difference", "Draws", "draw", "interval", "paired_difference", "resampled_metrics"]
