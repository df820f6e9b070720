"""A rerun keeps the measurements of a record, and makes anew what follows from the suite."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from miniature import humanart

from harness.assets.checkpoint_files import Identified
from harness.metrics.box_ap import person_ap
from harness.predictions import Predictions
from harness.record import Estimation, Record
from harness.run import boxes
from harness.run.job import Job
from harness.run.measure import Measures
from harness.run.plan import Plan, Settings, make_plan
from harness.run.to_record import begun, completed, kept
from harness.suites.load import load_suite, select_rows
from harness.suites.schema import Counts

ALL = Counts(images=len(humanart.PLAN))
MORE = Counts(images=5000)


class Rerun:
    """A run of Human-Art's miniature, by hand-made predictions of one person, under suites that state other sizes."""

    def __init__(self, settings: Settings) -> None:
        self.suite = load_suite("humanart")
        (self.row,) = select_rows(self.suite, "vitpose-s-256x192")
        self._plan = make_plan(self.suite, self.row, "val", settings)
        self.plan = replace(self._plan, settings=replace(settings, seed=None))  # seeded weights are always partial
        claimed = person_ap(settings.data / humanart.BOXES, settings.data / humanart.ANNOTATIONS).ap
        assert claimed is not None
        self.claimed = round(100 * claimed, 1)
        self.predictions = Predictions(
            person_ids=np.zeros(1, np.int64),
            image_ids=np.array([humanart.PLAN[0][0]]),
            boxes=np.zeros((1, 4), np.float32),
            box_scores=np.zeros(1, np.float32),
            crop_areas=np.zeros(1, np.float32),
            keypoints=np.zeros((1, 17, 2), np.float32),
            keypoint_scores=np.zeros((1, 17), np.float32),
        )

    def job(self, plan: Plan, **dataset: Any) -> Job:
        stated = self.suite.dataset.model_copy(update={"counts": ALL, "box_person_ap": self.claimed} | dataset)
        suite = self.suite.model_copy(update={"dataset": stated})
        return Job(suite, self.row, "val", plan.settings)

    def made(self, plan: Plan, **dataset: Any) -> Record:
        """Return the record of a new run."""
        job = self.job(plan, **dataset)
        self.predictions.save(job.folder.predictions, plan.predictions_key)
        plan.protocol.save(job.folder.protocol)
        record = begun(job, plan, self.predictions, Estimation(timings={}))
        measures = Measures(metrics={"AP": 0.5}, intervals={}, resampling=None, timings={})
        return job.folder.save_record(completed(record, measures, job))


@pytest.fixture
def rerun(settings: Settings) -> Rerun:
    return Rerun(settings)


@pytest.mark.parametrize(
    ("before", "after", "statuses"),
    [
        ({}, {"counts": MORE}, ("complete", "partial")),
        ({"counts": MORE}, {}, ("partial", "complete")),
        ({}, {"box_person_ap": 99.0}, ("complete", "own boxes")),
        ({"box_person_ap": 99.0}, {}, ("own boxes", "complete")),
        ({"counts": None, "box_person_ap": None}, {}, ("complete", "complete")),
        ({}, {"counts": None, "box_person_ap": None}, ("complete", "complete")),
    ],
)
def test_a_corrected_suite(
    rerun: Rerun,
    before: dict[str, Any],
    after: dict[str, Any],
    statuses: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The record is the same as that of a new run; the boxes are not measured again."""
    expected = rerun.made(rerun.plan, **after)
    first = rerun.made(rerun.plan, **before)
    assert (first.status, expected.status) == statuses
    monkeypatch.setattr(boxes, "_measure", None)
    job = rerun.job(rerun.plan, **after)
    found = kept(job, rerun.plan)
    assert found is not None
    assert sorted(found.warnings) == sorted(expected.warnings)
    assert job.folder.save_record(found).model_copy(update={"warnings": expected.warnings}) == expected


def test_a_hash_that_is_no_longer_stale(rerun: Rerun) -> None:
    stale = Identified(Path("net.pth"), "0" * 64, 7, ("checkpoint net.pth has another sha256",))
    assert stale.warnings[0] in rerun.made(replace(rerun.plan, checkpoint=stale)).warnings
    for warnings in (("checkpoint net.pth: trained again",), ()):
        plan = replace(rerun.plan, checkpoint=replace(stale, warnings=warnings))
        found = kept(rerun.job(plan), plan)
        assert found is not None
        assert [warning for warning in found.warnings if "net.pth" in warning] == [*warnings]


def test_a_partial_run_stays_partial(rerun: Rerun, settings: Settings) -> None:
    plan = replace(rerun.plan, settings=replace(settings, limit=1))
    rerun.made(plan)
    found = kept(rerun.job(plan, counts=MORE), plan)
    assert found is not None
    assert (found.status, found.reason) == (
        "partial",
        "only the first image (--limit); seeded weights instead of the checkpoint (--weights random:0)",
    )
