"""AP-10K, whose annotations have one category per species: AP is the mean over the species of the file."""

from dataclasses import replace

from harness.datasets.coco_style import CocoStyle
from harness.datasets.inspect.people import Rules


class AP10K(CocoStyle):
    """Animals, whose category is the species."""

    def rules(self, needed: Rules) -> Rules:
        """Return the rules with several categories allowed."""
        return replace(needed, species=True)


PLUGIN = AP10K("AP10KDataset", metainfo="ap10k")
