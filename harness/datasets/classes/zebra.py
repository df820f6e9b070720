"""Grévy's Zebra, images of 160 px."""

from harness.datasets.whole_image import WholeImage

PLUGIN = WholeImage("ZebraDataset", metainfo="zebra", side=160)
