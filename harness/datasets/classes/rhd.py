"""RHD, whose file lists the names of keypoints from the palm to the tip, but the keypoints from the tip to the palm.

MMPose's metainfo has the order of the keypoints. The names in the file's `categories` have another order; nothing uses
them.
"""

from dataclasses import replace

from harness.datasets.coco_style import CocoStyle
from harness.datasets.inspect.people import Rules


class Rhd(CocoStyle):
    """Rendered hands."""

    def rules(self, needed: Rules) -> Rules:
        """Return the rules without names, so that the file's names are not compared with the metainfo's."""
        return replace(needed, names=())


PLUGIN = Rhd("Rhd2DDataset", metainfo="rhd2d")
