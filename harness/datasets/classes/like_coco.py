"""MMPose's classes that read samples exactly as CocoDataset does and differ in METAINFO alone."""

from harness.datasets.coco_style import CocoStyle

_METAINFO = {
    "ATRWDataset": "atrw",
    "AnimalKingdomDataset": "ak",
    "AnimalPoseDataset": "animalpose",
    "COFWDataset": "cofw",
    "DeepFashion2Dataset": "deepfashion2",
    "ExlposeDataset": "exlpose",
    "Face300WLPDataset": "300wlp",
    "FlyDataset": "fly",
    "HalpeDataset": "halpe",
    "Horse10Dataset": "horse10",
    "LapaDataset": "lapa",
    "MacaqueDataset": "macaque",
    "MhpDataset": "mhp",
    "OCHumanDataset": "ochuman",
    "OneHand10KDataset": "onehand10k",
}

PLUGINS = [CocoStyle(name, metainfo=metainfo) for name, metainfo in _METAINFO.items()]
