"""Human-Art."""

from harness.datasets.coco_style import CocoStyle

PLUGIN = CocoStyle("HumanArtDataset", metainfo="humanart", corners_published=True)
