"""The JSON files of a run's folder."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from harness.metrics.diagnosis.model import Breakdown, Case, Curve, Diagnosis, Group, Keypoint, OksFigures, Poses, Tally
from harness.metrics.families.oks import OksScoring
from harness.protocol import Boxes, Compute, Crop, DataFile, Decoder, Flip, Protocol
from harness.record import (
    BoxesUsed,
    Effect,
    Estimation,
    JudgedClaim,
    Network,
    Noise,
    Record,
    Resampling,
    Variant,
    Weights,
)
from harness.run_folder import RunFolder, RunSpec
from harness.suites.load import load_suite
from harness.suites.schema import Claim

from . import seeds
from .fuzzing import TIMEOUT, Target, damage_text, fuzz

pytestmark = TIMEOUT

TALLY = Tally(good=1, jitter=0, inversion=0, swap=0, miss=1, unpaired=0)
DIAGNOSIS = Diagnosis(
    metric="oks",
    people=1,
    missed=0,
    poses=Poses(paired=1, duplicates=0, ignored=0, nearby=0, background=1, background_score=0.5),
    tally=TALLY,
    hidden=None,
    keypoints=(Keypoint(name="nose", tally=TALLY, similarity=0.5, ap=0.4),),
    breakdowns=(
        Breakdown(
            by="size",
            unit="px²",
            bounds=(32.0,),
            groups=(Group(name="small", people=1, missed=0, recall=0.5, similarity=0.5, tally=TALLY),),
        ),
    ),
    histogram=(0,) * 19 + (1,),
    oks=OksFigures(ap=0.5, corrected_ap={"miss": 0.75}, curves=(Curve(threshold=0.5, precision=(1.0, 0.5)),)),
    worst=(
        Case(
            annotation_id=1,
            image_id=7,
            image="7.jpg",
            box=(1, 2, 3, 4),
            similarity=0.5,
            dominating="miss",
            kinds=("miss", None),
            predicted=((1, 2), (3, 4)),
            labelled=((1, 2), None),
        ),
    ),
    median=(),
)
PROTOCOL = Protocol(
    dataset="CocoDataset",
    annotations=DataFile(path="coco/annotations/val.json", sha256="0" * 64),
    num_keypoints=2,
    flip_indices=(1, 0),
    boxes=Boxes(source="detector", file=DataFile(path="coco/boxes.json", sha256="1" * 64), score_threshold=0.2),
    limit=None,
    crop=Crop(input_size=(192, 256), padding=1.25, affine="udp"),
    flip=Flip(enabled=True, shift=False),
    decoder=Decoder(codec="udp", heatmap_size=(48, 64), blur_kernel_size=11),
    scoring=OksScoring(sigmas=(0.05, 0.05), area="annotation"),
    compute=Compute(engine="shared", batch_size=32, device="cpu"),
)
RECORD = Record(
    suite="coco",
    row="first-256x192",
    run="val",
    label="First",
    status="complete",
    weights=Weights(kind="checkpoint", url="https://example.org/x.pth", sha256="0" * 64, size=5),
    network=Network(parameters=10, gflop=0.5),
    images=2,
    boxes=BoxesUsed(sha256="1" * 64, person_ap=0.564, published=True),
    people=3,
    metrics={"AP": 0.75, "AR": None},
    intervals={"AP": (0.7, 0.8)},
    resampling=Resampling(unit="images", units=2, resamples=100, seed=0),
    noise=Noise(variants=[Variant(change="batch size 32", differences={"AP": 1e-7, "AR": None})]),
    claims=[
        JudgedClaim(
            claim=Claim(metric="AP", value=0.749, source="table"), measured=0.75, difference=0.001, verdict="reproduced"
        )
    ],
    verdict="reproduced",
    warnings=["odd"],
    timings={"predict": 1.5},
    effect=Effect(images=1, people=1, keypoint_median_px=0, keypoint_max_px=0.1, score_max=0.01, metrics={"AP": 0.0}),
    predictions_key="2" * 64,
    score_key="3" * 64,
)
ESTIMATION = Estimation(timings={"predict": 1.5, "forward": 1.0}, warnings=["memory"], effect=RECORD.effect)


def write(folder: Path) -> None:
    run = RunFolder(folder)
    DIAGNOSIS.save(run.diagnosis)
    RECORD.save(run.record)
    PROTOCOL.save(run.protocol)
    ESTIMATION.save(run.estimation)
    suite = folder / "mine.yaml"
    suite.write_text(seeds.SUITE)
    loaded = load_suite(suite)
    RunSpec.of(loaded, loaded.rows[0], "val", {"model": {"head": [1, None]}}, ["nose"]).save(run.spec)


def saved(value: BaseModel) -> None:
    """Check that a value can be written."""
    json.dumps(value.model_dump(mode="json"), allow_nan=False)


def read_record(folder: Path) -> None:
    run = RunFolder(folder)
    assert run.is_complete() in (True, False)
    record = Record.load(run.record)
    saved(record)
    if record.noise:
        assert math.isfinite(record.noise.floor("AP"))


def read_spec(folder: Path) -> None:
    spec = RunSpec.load(RunFolder(folder).spec)
    assert min(spec.row.size) > 0
    saved(spec)


def read_estimation(folder: Path) -> None:
    if estimation := RunFolder(folder).saved_estimation():
        saved(estimation)


READERS: dict[str, Callable[[Path], None]] = {
    "record.json": read_record,
    "protocol.json": lambda folder: saved(Protocol.load(RunFolder(folder).protocol)),
    "spec.json": read_spec,
    "estimation.json": read_estimation,
    "diagnosis.json": lambda folder: saved(Diagnosis.load(RunFolder(folder).diagnosis)),
}


@pytest.mark.parametrize("name", READERS)
def test_run_folder(name: str, tmp_path: Path) -> None:
    fuzz(Target(write, (READERS[name],), (name,), damage_text), tmp_path)
