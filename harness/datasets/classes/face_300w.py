"""300W."""

from harness.datasets.centred_faces import CentredFaces

PLUGIN = CentredFaces("Face300WDataset", metainfo="300w")
