"""Generated results: run folders for whole suites, with every state, small and reproducible."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from harness.files import write_json
from harness.judge.verdict import judge_run
from harness.metrics.diagnosis.model import Breakdown, Case, Curve, Diagnosis, Group, Keypoint, OksFigures, Poses, Tally
from harness.metrics.families.jhmdb_pck import JhmdbScoring
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.pckh import PckhScoring
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.protocol import Boxes, Compute, Crop, DataFile, Decoder, Flip, Protocol, Scoring
from harness.record import BoxesUsed, Effect, Network, Noise, Record, Resampling, Status, Variant, Weights
from harness.run_folder import RunFolder
from harness.suites.schema import Row, Suite

DATASETS = {
    "aic": "AicDataset",
    "coco": "CocoDataset",
    "crowdpose": "CrowdPoseDataset",
    "humanart": "HumanArtDataset",
    "jhmdb": "JhmdbDataset",
    "mpii": "MpiiDataset",
    "posetrack18": "PoseTrack18Dataset",
}
STATES: tuple[tuple[Status, str | None], ...] = (
    ("complete", None),
    ("complete", None),
    ("complete", None),
    ("complete", None),
    ("partial", "only the first 2 images (--limit)"),
    ("complete", None),
    ("complete", None),
    ("own boxes", "another box file than the published one: sha256 deadbeef, person AP 51.2"),
    ("complete", None),
    ("unobtainable", "the checkpoint is missing: checkpoints/x.pth\n  `harness fetch` downloads it"),
    ("complete", None),
    ("complete", None),
    ("failed", "RunError: the network gives NaN on image 42"),
)
"""The states, assigned to the rows in turn."""
DIGITS = "0123456789abcdef"
NAMES = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
POSE = (
    (50, 20),
    (54, 16),
    (46, 16),
    (59, 18),
    (41, 18),
    (66, 38),
    (34, 38),
    (72, 60),
    (28, 60),
    (70, 80),
    (30, 82),
    (60, 88),
    (40, 88),
    (62, 122),
    (38, 124),
    (61, 156),
    (37, 158),
)
"""A person who stands upright in a box of 100 by 170 px."""


def hexadecimal(draw: random.Random, digits: int = 64) -> str:
    return "".join(draw.choice(DIGITS) for _ in range(digits))


def protocol(suite: Suite, row: Row, run: str, **compute: Any) -> Protocol:
    count = suite.dataset_of(row).num_keypoints
    same = random.Random(suite.name)
    sigmas = (0.05,) * count
    scoring: Scoring
    match suite.name:
        case "mpii":
            scoring = PckhScoring(headboxes=DataFile(path="mpii/annotations/gt.mat", sha256=hexadecimal(same)))
        case "jhmdb":
            scoring = JhmdbScoring(threshold=0.2)
        case "posetrack18":
            sequences = DataFile(path="posetrack18/annotations/val", sha256=hexadecimal(same))
            scoring = PoseTrackScoring(sigmas=sigmas, sequences=sequences)
        case other:
            scoring = OksScoring(
                sigmas=sigmas, area="box" if other in ("aic", "crowdpose") else "annotation", crowd=other == "crowdpose"
            )
    dataset = suite.dataset_of(row)
    file = DataFile(path=dataset.boxes, sha256=hexadecimal(same)) if row.boxes == "detector" and dataset.boxes else None
    width, height = row.size
    return Protocol(
        dataset=DATASETS.get(suite.name, "CocoDataset"),
        annotations=DataFile(path=suite.annotations(row, row.runs[run]), sha256=hexadecimal(same)),
        num_keypoints=count,
        flip_indices=tuple(range(count)),
        boxes=Boxes(source=row.boxes, file=file),
        limit=None,
        crop=Crop(input_size=(width, height), padding=1.25, affine="udp" if "udp" in row.id else "plain"),
        flip=Flip(enabled=True, shift="udp" not in row.id),
        decoder=Decoder(codec="udp" if "udp" in row.id else "msra", heatmap_size=(width // 4, height // 4)),
        scoring=scoring,
        compute=Compute.model_validate({"engine": "shared", "batch_size": 32, "device": "cuda:0"} | compute),
    )


def environment(commit: str = "59efb8b23c59947e8c0ac62eaf28a6850df9da02", **changes: Any) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "python": "3.11.9",
        "platform": "Linux x86_64 glibc 2.36",
        "packages": {"torch": "2.14.1", "mmpose": "1.3.2", "mmcv-lite": "2.1.0", "numpy": "1.26.4"},
        "mmcv_ops": "stand-in",
        "commit": commit,
        "dirty": False,
        "cpu": "Some CPU",
        "threads": 16,
        "gpu": {"name": "NVIDIA H100 80GB HBM3", "memory": 84_000_000_000, "driver": "570.1"},
        "cuda": "13.0",
        "tf32": False,
        "made": "2026-03-01T12:00:00+00:00",
    } | changes


def metrics(suite: Suite, row: Row, run: str, draw: random.Random) -> dict[str, float | None]:
    """Return the published values, as fractions, with mostly small errors."""
    found: dict[str, float | None] = {}
    alone = len(row.runs) == 1
    for claim in row.claims:
        if not claim.refuted and claim.run in ((run, None) if alone else (run,)):
            metric = suite.metrics[claim.metric]
            step = 10.0**-metric.decimals
            error = draw.gauss(0, 0.2) if draw.random() < 0.8 else draw.gauss(0, 2.5)
            value = claim.value + error * step
            found.setdefault(claim.metric, value / 100 if metric.unit == "percent" else value)
    return found


def record(
    suite: Suite, row: Row, run: str, status: Status, reason: str | None, draw: random.Random, **changes: Any
) -> Record:
    fields: dict[str, Any] = {
        "suite": suite.name,
        "row": row.id,
        "run": run,
        "label": row.label,
        "status": status,
        "reason": reason,
    }
    if status in ("unobtainable", "failed"):
        return Record(**fields | {"verdict": status} | changes)
    measured = changes.get("metrics") or metrics(suite, row, run, draw)
    bounds = {name: (value - 0.0071, value + 0.0073) for name, value in measured.items() if value is not None}
    speed = draw.uniform(300, 3000)
    people = 104125 if row.boxes == "detector" else 6352
    claims, verdict = judge_run(row, run, suite.metrics, measured, status)
    published = status != "own boxes"
    boxes = BoxesUsed(sha256=hexadecimal(draw), person_ap=0.564, published=published)
    return Record(
        **fields
        | {
            "weights": Weights(
                kind="checkpoint", url=row.runs[run].checkpoint.url, sha256=hexadecimal(draw), size=10_000_000
            ),
            "images": 5000,
            "people": people,
            "boxes": boxes if row.boxes == "detector" else None,
            "metrics": measured,
            "intervals": bounds,
            "resampling": Resampling(unit="images", units=5000, resamples=1000, seed=0),
            "claims": claims,
            "verdict": verdict,
            "timings": {
                "people": 1.2,
                "network": 2.5,
                "predict": people / speed + 30,
                "forward": people / speed,
                "score": 1.1,
            },
            "together": 41,
            "network": Network(parameters=draw.randrange(2_000_000, 90_000_000), gflop=draw.uniform(0.5, 80)),
        }
        | changes
    )


def diagnosis(count: int, draw: random.Random, oks: bool, image: str | None = "000000000001.jpg") -> Diagnosis:
    names = [*NAMES[:count], *(f"keypoint_{number}" for number in range(len(NAMES), count))]
    pose = [(x + at // len(POSE), y) for at in range(count) for x, y in [POSE[at % len(POSE)]]]

    def tally(labelled: int) -> Tally:
        shares = [draw.uniform(0.6, 0.9), 0.1, 0.03, 0.02, 0.04, 0.02]
        good, jitter, inversion, swap, miss, unpaired = (int(labelled * share / sum(shares)) for share in shares)
        return Tally(good=good, jitter=jitter, inversion=inversion, swap=swap, miss=miss, unpaired=unpaired)

    def case(similarity: float, spread: float) -> Case:
        left, top = draw.uniform(20, 300), draw.uniform(20, 200)
        labelled = tuple((round(left + x, 1), round(top + y, 1)) for x, y in pose)
        predicted = tuple(
            (round(x + draw.gauss(0, spread), 1), round(y + draw.gauss(0, spread), 1)) for x, y in labelled
        )
        kinds = tuple(draw.choice(["good", "jitter", "miss", "swap", "inversion"]) for _ in names)
        return Case(
            annotation_id=draw.randrange(10**6),
            image_id=1,
            image=image,
            box=(left, top, left + 100, top + 170),
            similarity=similarity,
            dominating="miss" if spread > 10 else None,
            kinds=kinds,  # type: ignore[arg-type]
            predicted=predicted,
            labelled=(None, *labelled[1:]),
        )

    groups = tuple(
        Group(name=name, people=1000, missed=20, recall=0.7 if oks else None, similarity=0.8, tally=tally(9000))
        for name in ("small", "medium", "large")
    )
    curve = tuple(max(0.0, 1 - (index / 100) ** 6 - index / 900) for index in range(101))
    return Diagnosis(
        metric="oks" if oks else "pckh",
        people=6352,
        missed=204,
        poses=Poses(paired=6148, duplicates=2100, ignored=900, nearby=4000, background=90977, background_score=0.05),
        tally=tally(80_000),
        hidden=tally(10_000),
        keypoints=tuple(
            Keypoint(name=name, tally=tally(5000), similarity=0.86, ap=0.72 if oks else None) for name in names
        ),
        breakdowns=tuple(
            Breakdown(by=by, unit="px²" if by == "size" else None, bounds=(1024.0, 9216.0), groups=groups)
            for by in ("size", "crowding", "labelled keypoints", "hidden keypoints")
        ),
        histogram=tuple(int(6000 * (index / 19) ** 4 / 4) for index in range(20)),
        oks=OksFigures(
            ap=0.749,
            corrected_ap={
                "jitter": 0.79,
                "inversion": 0.755,
                "swap": 0.751,
                "miss": 0.768,
                "scores": 0.77,
                "background": 0.752,
            },
            curves=tuple(Curve(threshold=threshold, precision=curve) for threshold in (0.5, 0.75, 0.9)),
        )
        if oks
        else None,
        worst=tuple(case(0.01 * index, 25) for index in range(12)),
        median=tuple(case(0.9, 2) for _ in range(6)),
    )


def write_run(out: Path, suite: Suite, row: Row, saved: Record, **compute: Any) -> RunFolder:
    """Write the folder of one run, without predictions."""
    folder = RunFolder(out / suite.name / row.id / saved.run)
    saved.save(folder.record)
    if saved.status not in ("unobtainable", "failed"):
        ledger = protocol(suite, row, saved.run, **compute)
        if saved.status == "partial":
            ledger = ledger.model_copy(update={"limit": 2})
        write_json(folder.protocol, ledger.model_dump(mode="json"))
        write_json(folder.environment, environment())
    return folder


def write_results(
    out: Path, suites: Sequence[Suite], seed: int = 0, diagnosed: bool = False, states: Sequence[Any] = STATES
) -> None:
    """Write a run folder for every run of some suites."""
    draw = random.Random(seed)
    number = 0
    for suite in suites:
        for row in suite.rows:
            status, reason = states[number % len(states)]
            number += 1
            for run in row.runs:
                saved = record(suite, row, run, status, reason, draw)
                if number % 5 == 0 and saved.metrics:
                    saved = saved.model_copy(
                        update={
                            "noise": Noise(variants=[Variant(change="batch size 16", differences={"AP": 2e-5})]),
                            "effect": Effect(
                                images=10,
                                people=50,
                                keypoint_median_px=0.01,
                                keypoint_max_px=0.7,
                                score_max=0.01,
                                metrics=dict.fromkeys(saved.metrics, 0.0001),
                            ),
                            "warnings": ["the file's sha256 is not the one of its name"],
                        }
                    )
                folder = write_run(out, suite, row, saved)
                if diagnosed and saved.metrics:
                    count = suite.dataset_of(row).num_keypoints
                    found = diagnosis(count, draw, oks=suite.name not in ("mpii", "jhmdb", "posetrack18"))
                    found.save(folder.path / "diagnosis.json")


def write_images(data: Path, suites: Sequence[Suite], name: str = "000000000001.jpg") -> None:
    """Write the one image of all cases, which compresses as badly as a photograph."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[0:480, 0:640]
    smooth = np.stack([x / 640, y / 480, (x + y) / 1120], axis=-1) * 200
    coarse = draw.normal(0, 25, (60, 80, 3)).repeat(8, axis=0).repeat(8, axis=1)
    pixels = np.clip(smooth + coarse + draw.normal(0, 6, (480, 640, 3)), 0, 255).astype(np.uint8)
    for suite in suites:
        for row in suite.rows:
            folder = data / suite.dataset_of(row).images
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / name).is_file():
                Image.fromarray(pixels).save(folder / name, quality=90)
