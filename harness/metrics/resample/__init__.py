"""Intervals of metrics by the bootstrap over images, or over videos for data sets of videos.

People in one image have a similar difficulty, as do frames of one video. Therefore whole units (images or videos) are
drawn, with replacement, as many as the data set has. A unit that is drawn twice counts twice. The predictions do not
change; a resample changes only how often each unit counts. An interval covers the variation of a metric over other
images of the same kind, not over other weights or GPUs.
"""

from harness.metrics.resample.draws import Draws, draw, resampled_metrics
from harness.metrics.resample.interval import Difference, interval, paired_difference

__all__ = ["Difference", "Draws", "draw", "interval", "paired_difference", "resampled_metrics"]
