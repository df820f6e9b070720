"""AP-10K, whose annotations have the category of their species: AP is the mean over the species of the file."""

from dataclasses import replace

from harness.datasets.coco_style import CocoStyle
from harness.datasets.inspect.people import Rules


class AP10K(CocoStyle):
    """Animals, each with its species for a category."""

    def rules(self, needed: Rules) -> Rules:
        """Return that several categories are as they are to be."""
        return replace(needed, species=True)


PLUGIN = AP10K("AP10KDataset", metainfo="ap10k")
