"""Data sets whose boxes are one fixed square: each image has one animal or hand, and all images have one size.

The configs pad the square by 0.8, so that a crop is the central 80 % of the image; keypoints outside of it are lost.
MMPose does not read the `bbox` of annotations.
"""

from dataclasses import replace
from pathlib import Path

from harness.datasets.coco_style import CocoStyle
from harness.datasets.inspect.people import Rules
from harness.datasets.people.coco import annotated_people, detected_people
from harness.datasets.people.people import People


class WholeImage(CocoStyle):
    """One animal or hand in each image.

    Args:
        name: MMPose's class.
        metainfo: As for any data set.
        side: Side of the square at 0, 0 that is the box, px.
        counted: MMPose counts labelled keypoints itself, and ignores `num_keypoints`.
    """

    def __init__(self, name: str, metainfo: str, *, side: int, counted: bool = False) -> None:
        super().__init__(name, metainfo)
        self.side = side
        self.counted = counted

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List the detected people, or the annotated ones that can be evaluated, each with the square."""
        if box_file is not None:
            return detected_people(box_file, annotations, images, score_threshold)
        return annotated_people(annotations, images, counted=self.counted, whole_image=self.side)

    def rules(self, needed: Rules) -> Rules:
        """Return the rules with the fixed square in place of boxes, and with the count of keypoints."""
        return replace(needed, whole_image=self.side, counted=self.counted)
