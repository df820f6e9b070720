"""AI Challenger."""

from harness.datasets.coco_style import CocoStyle

PLUGIN = CocoStyle("AicDataset", metainfo="aic")
