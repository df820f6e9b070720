"""RHD, whose file has the names of keypoints from the palm outwards, and its keypoints from the tip inwards.

MMPose's metainfo has the order of the keypoints; its own file's `categories` have another one, and nothing reads them.
"""

from dataclasses import replace

from harness.datasets.coco_style import CocoStyle
from harness.datasets.inspect.people import Rules


class Rhd(CocoStyle):
    """Rendered hands."""

    def rules(self, needed: Rules) -> Rules:
        """Return that the file's names of keypoints are not to be compared with the metainfo's."""
        return replace(needed, names=())


PLUGIN = Rhd("Rhd2DDataset", metainfo="rhd2d")
