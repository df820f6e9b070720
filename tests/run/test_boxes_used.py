"""The boxes that a run used, and whether they are the published ones."""

from dataclasses import replace

import numpy as np
from miniature import coco, humanart

from harness.metrics.box_ap import person_ap
from harness.predictions import Predictions
from harness.record import BoxesUsed
from harness.run.boxes import identify_boxes
from harness.run.plan import Settings, make_plan
from harness.suites.load import load_suite, select_rows


def used(settings: Settings, row_id: str, claimed: float | None = None) -> tuple[BoxesUsed | None, list[str]]:
    suite_name, row_id = row_id.split("/")
    suite = load_suite(suite_name)
    (row,) = select_rows(suite, row_id)
    if claimed is not None:
        suite = suite.model_copy(update={"dataset": suite.dataset.model_copy(update={"box_person_ap": claimed})})
    return identify_boxes(make_plan(suite, row, "val", settings), suite.dataset, predictions())


def predictions() -> Predictions:
    """Return predictions of one person in the first image of Human-Art's miniature."""
    floats = np.zeros((1, 2), np.float32)
    return Predictions(
        person_ids=np.zeros(1, np.int64),
        image_ids=np.array([humanart.PLAN[0][0]]),
        boxes=np.zeros((1, 4), np.float32),
        box_scores=floats[:, 0],
        crop_areas=floats[:, 0],
        keypoints=np.zeros((1, 17, 2), np.float32),
        keypoint_scores=np.zeros((1, 17), np.float32),
    )


def test_by_its_hash(settings: Settings) -> None:
    """COCO's sha256 is published, and the miniature's file is another one."""
    boxes, warnings = used(settings, "coco/alexnet-256x192")
    assert boxes is not None
    assert boxes.published is False
    assert boxes.person_ap == person_ap(settings.data / coco.BOXES, settings.data / coco.ANNOTATIONS).ap
    assert warnings == []


def test_by_the_person_ap_claimed_of_it(settings: Settings) -> None:
    """With boxes as MMPose reads them, or as the corners that the file contains."""
    measured = person_ap(settings.data / humanart.BOXES, settings.data / humanart.ANNOTATIONS)
    assert measured.ap is not None
    assert measured.ap_of_corners is not None
    for claimed, published in ((measured.ap, True), (measured.ap_of_corners, True), (0.562, False)):
        boxes, warnings = used(settings, "humanart/vitpose-s-256x192", round(100 * claimed, 1))
        assert boxes is not None
        assert boxes.published is published
        assert warnings == []  # corners are reported with the other problems of the data


def test_not_known(settings: Settings) -> None:
    limited, _ = used(replace(settings, limit=1), "humanart/vitpose-s-256x192")  # the claim is about all images
    assert limited is not None
    assert limited.published is None
    crowdpose, warnings = used(settings, "crowdpose/resnet-50-256x192")
    assert crowdpose is not None
    assert crowdpose.published is None
    assert warnings == []  # none for a partial run
    assert used(settings, "humanart/vitpose-s-256x192-gt") == (None, [])
