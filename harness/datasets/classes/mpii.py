"""MPII, whose annotation file has its own format and counts pixels from 1."""

from pathlib import Path

import numpy as np

from harness.datasets.columns import Integers, Numbers
from harness.datasets.inspect.mpii import inspect_mpii
from harness.datasets.inspect.people import Annotated
from harness.datasets.interface import DataFiles, DatasetClass
from harness.datasets.labelled import LabelledPeople, as_labelled
from harness.datasets.mpii_file import NUM_JOINTS, read_mpii
from harness.datasets.people.coco import detected_people
from harness.datasets.people.mpii import mpii_people
from harness.datasets.people.people import People


class Mpii(DatasetClass):
    """People with a centre and a scale in place of a box."""

    def people(self, annotations: Path, images: Path, box_file: Path | None, score_threshold: float | None) -> People:
        """List all people of the file, or the detected ones."""
        if box_file is not None:
            return detected_people(box_file, annotations, images, score_threshold)
        return mpii_people(annotations, images)

    def labelled(self, annotations: Path, num_keypoints: int) -> LabelledPeople:
        """Return the `joints`, counted from 1 as in MMPose's class; only MMPose's metric for MPII subtracts 1."""
        people = read_mpii(annotations)
        flagged = np.concatenate([people.joints.shaped(NUM_JOINTS, 2), people.visible.shaped(NUM_JOINTS, 1)], axis=2)
        flat = flagged.reshape(len(people), 3 * NUM_JOINTS)
        column = Numbers(flat, np.ones(len(people), bool), {})
        ids = Integers(np.arange(len(people)), {})
        return as_labelled(annotations, ids, column, num_keypoints, "joints and joints_vis")

    def file_names(self, annotations: Path) -> dict[int, str]:
        """Return the file names of images by the number in the name, which MMPose uses as the id."""
        mpii = read_mpii(annotations)
        listed = zip(mpii.image_ids.values.tolist(), mpii.image_ids.known.tolist(), mpii.names, strict=True)
        return {number: name for number, known, name in listed if known and name is not None}

    def inspect(self, data: Path, files: DataFiles) -> Annotated:
        """Inspect the annotation file, and compare it with the file of head boxes."""
        headboxes = (files.headboxes, data / files.headboxes) if files.headboxes else None
        return inspect_mpii(files.annotations, read_mpii(data / files.annotations), headboxes)


PLUGIN = Mpii("MpiiDataset", metainfo="mpii", one_based=True, moved_by_numpy_2=True)
