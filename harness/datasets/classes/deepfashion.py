"""DeepFashion, whose subsets have different landmarks (mmpose/datasets/datasets/fashion/deepfashion_dataset.py).

MMPose's class keeps the metainfo of the subset that was built last; here the config alone decides it.
"""

from collections.abc import Mapping
from typing import Any

from harness.datasets.coco_style import CocoStyle
from harness.errors import SpecError, brief

SUBSETS = ("full", "upper", "lower")


class DeepFashion(CocoStyle):
    """Clothes of the whole body, its upper part or its lower part."""

    def metainfo_of(self, settings: Mapping[str, Any]) -> str:
        """Return the name of the metainfo of the config's `subset`; without one, that of full-body clothes.

        Raises:
            SpecError: There is no such subset.
        """
        subset = settings.get("subset", "")
        if subset == "":
            return str(self.metainfo)
        if subset not in SUBSETS:
            raise SpecError(
                f"config field test_dataloader.dataset.subset: found {brief(subset)}; {self.name} has the subsets "
                f"{', '.join(SUBSETS)}",
                "name the subset whose landmarks the annotation file has",
            )
        return f"deepfashion_{subset}"


PLUGIN = DeepFashion("DeepFashionDataset", metainfo="deepfashion_full")
