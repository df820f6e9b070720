"""WFLW."""

from harness.datasets.centred_faces import CentredFaces

PLUGIN = CentredFaces("WFLWDataset", metainfo="wflw")
