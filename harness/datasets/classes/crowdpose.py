"""CrowdPose."""

from harness.datasets.coco_style import CocoStyle

PLUGIN = CocoStyle("CrowdPoseDataset", metainfo="crowdpose")
