"""Desert Locust, grey images of 160 px."""

from harness.datasets.whole_image import WholeImage

PLUGIN = WholeImage("LocustDataset", metainfo="locust", side=160)
