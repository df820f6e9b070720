"""Data sets with a COCO-style annotation file (mmpose/datasets/datasets/base/base_coco_style_dataset.py)."""

from pathlib import Path

from harness.datasets.coco_file import read_coco
from harness.datasets.inspect.people import Annotated, Rules, inspect_people
from harness.datasets.interface import DataFiles, DatasetClass
from harness.datasets.people.coco import annotated_people, detected_people
from harness.datasets.people.people import People


class CocoStyle(DatasetClass):
    """A data set with a COCO-style annotation file and box files of detectors."""

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List the detected people, or the annotated ones that can be evaluated."""
        if box_file is not None:
            return detected_people(box_file, annotations, images, score_threshold)
        return annotated_people(annotations, images, one_based=self.one_based)

    def file_names(self, annotations: Path) -> dict[int, str]:
        """Return the file names of images by their ids."""
        images = read_coco(annotations).images
        listed = zip(images.ids.values.tolist(), images.ids.known.tolist(), images.names, strict=True)
        return {image_id: name for image_id, known, name in listed if known and name is not None}

    def rules(self, needed: Rules) -> Rules:
        """Return the rules of inspection for this class, given those that the metric needs; by default the latter."""
        return needed

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Inspect the annotation file."""
        coco, rules = read_coco(data / files.annotations), self.rules(files.rules)
        boxes = bool(files.boxes)
        return inspect_people(files.annotations, coco, rules, ground_truth=files.ground_truth, detector=boxes)
