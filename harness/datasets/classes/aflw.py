"""AFLW."""

from harness.datasets.centred_faces import CentredFaces

PLUGIN = CentredFaces("AFLWDataset", metainfo="aflw", box_size=True)
