"""Measures scoring, from predictions to metrics, against MMPose's CocoMetric with its NMS, its JSON and xtcocotools."""

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.logging import MMLogger

from harness.assets.dataset import data_file
from harness.errors import DifferenceError
from harness.files import write_json
from harness.metrics.diagnosis.diagnose import diagnose
from harness.metrics.families.oks import OksScoring
from harness.metrics.match import difference, evaluate, match
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.upstream_metrics import our_names
from harness.predictions import Predictions
from harness.protocol import Compute
from harness.run.intervals import measure_intervals
from harness.speed.decode import KEYPOINTS
from harness.speed.outcome import SCORING_TOLERANCE, ScoringSpeed
from harness.speed.rounds import circumstances, compare
from harness.suites.ledger import annotation_path, point_at, read_protocol
from harness.suites.metainfo import read_metainfo

BATCH = 64
"""Number of people that MMPose's loop passes to its metric at a time."""


@dataclass(frozen=True)
class ScoredData:
    """Sizes of the scored data; by default those of COCO val2017 with the published boxes."""

    images: int = 5000
    annotations: int = 11004
    predictions: int = 104_125


def measure_scoring(config: Config, scale: ScoredData, rounds: int) -> ScoringSpeed:
    """Compare predictions per second on synthetic annotations.

    MMPose reads annotations for every row of a table; we read them once, before the first round.

    Args:
        config: The config of a COCO row.
        scale: Sizes of the data to score.
        rounds: Number of rounds.

    Raises:
        DifferenceError: A metric differs by more than 1e-12.
    """
    measured = circumstances()
    rng = np.random.default_rng(0)
    document = draw_annotations(rng, scale)
    predictions = draw_predictions(rng, document, scale.predictions)
    config = config.copy()
    config.test_dataloader.dataset.bbox_file = None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_json(folder / annotation_path(config), document)
        compute = Compute(engine="shared", batch_size=BATCH, device="cpu")
        protocol = read_protocol(config, lambda path, what: data_file(folder, path, what), None, compute)
        scoring = protocol.scoring
        assert isinstance(scoring, OksScoring)
        samples = _upstream_samples(predictions)
        evaluate(predictions, protocol, folder)
        evaluator = point_at(config, scratch).test_evaluator
        found: dict[str, float | None] = {}
        largest = [0.0]

        def upstream() -> dict[str, float | None]:
            return our_names(_upstream_metrics(evaluator, scoring, samples), scoring)

        def check(theirs: dict[str, float | None], mine: dict[str, float | None]) -> None:
            largest.append(check_metrics(theirs, mine, SCORING_TOLERANCE))
            found.update(mine)

        comparison = compare(
            "predictions", len(predictions), upstream, lambda: evaluate(predictions, protocol, folder), rounds, check
        )
        names = read_metainfo(config.test_dataloader.dataset).names
        matched = match(predictions, protocol, folder)
        intervals_s = _seconds(lambda: measure_intervals(matched, protocol, folder))
        diagnosis_s = _seconds(lambda: diagnose(matched, protocol, folder, names))
    return ScoringSpeed(
        measured=measured,
        images=scale.images,
        annotations=scale.annotations,
        comparison=comparison,
        metrics=found,
        metric_max=max(largest),
        intervals_s=intervals_s,
        diagnosis_s=diagnosis_s,
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return round(time.perf_counter() - start, 3)


def check_metrics(upstream: Mapping[str, float | None], ours: Mapping[str, float | None], tolerance: float) -> float:
    """Return the largest difference between metrics, fractions.

    Raises:
        DifferenceError: A difference is larger than the tolerance.
    """
    differences = {name: difference(ours[name], value) for name, value in upstream.items()}
    worst = max(differences, key=lambda name: differences[name])
    if not differences[worst] <= tolerance:
        raise DifferenceError(f"{worst} is {ours[worst]} with our code and {upstream[worst]} with upstream's")
    return differences[worst]


def _upstream_samples(predictions: Predictions) -> list[list[dict[str, Any]]]:
    """Return the batches that MMPose's loop passes to its metric."""
    # The metric takes the area as the product of a width and a height.
    scales = np.stack([predictions.crop_areas, np.ones_like(predictions.crop_areas)], axis=1)
    samples = [
        {
            "id": int(predictions.person_ids[i]),
            "img_id": int(predictions.image_ids[i]),
            "pred_instances": {
                "keypoints": predictions.keypoints[i : i + 1],
                "keypoint_scores": predictions.keypoint_scores[i : i + 1],
                "bboxes": predictions.boxes[i : i + 1],
                "bbox_scores": predictions.box_scores[i : i + 1],
            },
            "gt_instances": {"bbox_scales": scales[i : i + 1]},
        }
        for i in range(len(predictions))
    ]
    return [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]


def _upstream_metrics(evaluator: Any, scoring: OksScoring, batches: list[list[dict[str, Any]]]) -> dict[str, float]:
    install_stand_ins()
    import mmpose.evaluation  # noqa: F401 (registers the metrics)
    from mmpose.registry import METRICS

    with contextlib.redirect_stdout(io.StringIO()):
        MMLogger.get_current_instance().setLevel("ERROR")
        metric = METRICS.build(evaluator)
        metric.dataset_meta = {
            "dataset_name": "coco",
            "num_keypoints": len(scoring.sigmas),
            "sigmas": np.array(scoring.sigmas, np.float32),
        }
        for batch in batches:
            metric.process({}, batch)
        values: dict[str, float] = metric.evaluate(sum(map(len, batches)))
    return values


def draw_annotations(rng: np.random.Generator, scale: ScoredData) -> dict[str, Any]:
    """Return annotations in COCO's form: people in half of the images, 60 % with keypoints, 2 % of them crowds."""
    count = scale.annotations
    image_ids = rng.choice(np.arange(1, scale.images + 1, 2), count)
    heights = np.clip(rng.lognormal(4.5, 0.8, count), 12, 470)
    widths = np.clip(heights * rng.uniform(0.3, 0.9, count), 8, 630)
    corners = rng.uniform(0, 1, (count, 2)) * [640, 480] * 0.8
    crowd = rng.random(count) < 0.02
    labelled = ~crowd & (rng.random(count) < 0.6)
    visible = rng.choice([0, 1, 2], (count, KEYPOINTS), p=[0.3, 0.15, 0.55])
    visible[:, 0] = 2
    visible[~labelled] = 0
    points = corners[:, None] + rng.uniform(0, 1, (count, KEYPOINTS, 2)) * np.stack([widths, heights], axis=1)[:, None]
    keypoints = np.concatenate([points.round(), np.ones((count, KEYPOINTS, 1))], axis=2) * (visible > 0)[..., None]
    keypoints[..., 2] = visible
    columns = zip(
        image_ids.tolist(),
        keypoints.reshape(count, -1).tolist(),
        np.column_stack([corners, widths, heights]).tolist(),
        (0.6 * widths * heights).tolist(),
        (visible > 0).sum(axis=1).tolist(),
        crowd.astype(int).tolist(),
        strict=True,
    )
    return {
        "images": [
            {"id": i, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480} for i in range(1, scale.images + 1)
        ],
        "annotations": [
            {
                "id": i,
                "image_id": image,
                "category_id": 1,
                "keypoints": flat,
                "bbox": box,
                "area": area,
                "num_keypoints": number,
                "iscrowd": is_crowd,
            }
            for i, (image, flat, box, area, number, is_crowd) in enumerate(columns, 1)
        ],
        "categories": [{"id": 1, "name": "person"}],
    }


def draw_predictions(rng: np.random.Generator, document: dict[str, Any], count: int) -> Predictions:
    """Return predictions in the order of the images: some near an annotated person of their image, others far away."""
    annotated: dict[int, list[int]] = {}
    for number, annotation in enumerate(document["annotations"]):
        annotated.setdefault(annotation["image_id"], []).append(number)
    image_ids = np.sort(rng.choice([image["id"] for image in document["images"]], count))
    boxes = np.array([annotation["bbox"] for annotation in document["annotations"]])
    truth = np.array([annotation["keypoints"] for annotation in document["annotations"]]).reshape(-1, KEYPOINTS, 3)

    of = np.array([rng.choice(annotated.get(image, [-1])) for image in image_ids.tolist()])
    near = (of >= 0) & (rng.random(count) < 0.5)
    wild = np.column_stack([rng.uniform(0, 400, (count, 2)), rng.uniform(20, 240, (count, 2))])
    found = np.where(near[:, None], boxes[of], wild)
    sizes = found[:, None, 2:]
    inside = found[:, None, :2] + rng.uniform(0, 1, (count, KEYPOINTS, 2)) * sizes
    aimed = near[:, None, None] & (truth[of][..., 2:] > 0)
    off = rng.choice([0.01, 0.03, 0.1], (count, 1, 1)) * rng.normal(size=(count, KEYPOINTS, 2)) * sizes
    return Predictions(
        person_ids=np.arange(count),
        image_ids=image_ids,
        boxes=np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1).astype(np.float32),
        box_scores=(rng.uniform(0.01, 1, count) ** np.where(near, 0.5, 4)).astype(np.float32),
        crop_areas=(1.25**2 * found[:, 2:].prod(axis=1)).astype(np.float32),
        keypoints=np.where(aimed, truth[of][..., :2] + off, inside),
        keypoint_scores=rng.uniform(0, 1, (count, KEYPOINTS)).astype(np.float32),
    )
