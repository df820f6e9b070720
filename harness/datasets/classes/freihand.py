"""FreiHAND, hands in images of 224 px; MMPose counts labelled keypoints itself."""

from harness.datasets.whole_image import WholeImage

PLUGIN = WholeImage("FreiHandDataset", metainfo="freihand2d", side=224, counted=True)
