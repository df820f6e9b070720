"""COCO."""

from harness.datasets.coco_style import CocoStyle

PLUGIN = CocoStyle("CocoDataset", metainfo="coco")
