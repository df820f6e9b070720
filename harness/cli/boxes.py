"""`harness boxes`: measure the person AP of a box file, or make a box file with an mmdet detector."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.help import Verb
from harness.cli.options import (
    check_data_folder,
    data_option,
    device_option,
    json_option,
    limit_option,
    path_option,
    trust_option,
    weights_option,
)
from harness.errors import UsageError, counted

if TYPE_CHECKING:
    from mmengine.config import Config

    from harness.metrics.box_ap import PersonAP
    from harness.suites.schema import Dataset

SCHEMA_VERSION = 1


@click.command("boxes", cls=Verb)
@click.argument("name", metavar="SUITE")
@data_option
@path_option("--file", "box_file", metavar="FILE", help="The box file to measure.  [default: the suite's own]")
@click.option(
    "--detector",
    metavar="CONFIG",
    help="Detect people with a config of mmdet's zoo, such as faster-rcnn_r50_fpn_1x_coco, or with a config file.",
)
@path_option(
    "--checkpoint", metavar="FILE", help="The detector's weights.  [default: those of mmdet's zoo, downloaded]"
)
@weights_option
@trust_option
@path_option("--out", metavar="FILE", help="The box file to write; it must not exist.")
@limit_option
@device_option
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images per batch. More than 1 moves boxes slightly, because smaller images are padded.  [default: 1]",
)
@click.option(
    "--score-threshold",
    type=click.FloatRange(0, 1),
    metavar="S",
    help="Remove boxes with a lower score, in addition to those that the config removes.  [default: 0]",
)
@json_option
def command(name: str, data: Path, box_file: Path | None, as_json: bool, **detection: Any) -> int:
    """Measure the person AP of a box file, and compare it with the published AP of the suite's own box file.

    With --detector, an mmdet detector first makes the file, for all images of the suite's annotation file and in the
    format of the published files. Code in its checkpoint is not executed, unless --trust-checkpoint is given.
    """
    from harness.suites.load import load_suite

    suite = load_suite(name)
    row = next((row for row in suite.rows if row.boxes == "detector"), None)
    if row is None:
        raise UsageError(f"no row of {suite.name} uses a detector's boxes; all use ground-truth boxes")
    dataset = suite.dataset_of(row)
    if detection["detector"] is None:
        misplaced = [option for option, value in detection.items() if value is not None and value is not False]
        if misplaced:
            option = "weights" if misplaced[0] == "seed" else misplaced[0].replace("_", "-")
            raise UsageError(f"--{option} needs --detector")
        if box_file is None and dataset.boxes is None:
            raise UsageError(f"{suite.name} has no box file of its own", "name one with --file FILE")
    elif box_file is not None:
        raise UsageError("--file and --detector exclude each other", "--file measures a box file, --detector makes one")
    check_data_folder(data)
    annotations = data / suite.annotations(row, next(iter(row.runs.values())))
    made: dict[str, Any] = {}
    image_ids = None
    if detection["detector"] is not None:
        box_file = detection["out"]
        image_ids, made = _detect(annotations, data / dataset.images, **detection)
    path = box_file or data / str(dataset.boxes)

    from harness.files import sha256_file
    from harness.metrics.box_ap import person_ap

    measured = person_ap(path, annotations, image_ids)
    document = {
        "schema_version": SCHEMA_VERSION,
        "suite": suite.name,
        "file": str(path),
        "sha256": sha256_file(path),
        "images": measured.images,
        "boxes": measured.boxes,
        "person": {"AP": measured.ap, "AP@0.5": measured.ap50, "AP@0.75": measured.ap75},
        "person_as_corners": measured.ap_of_corners,
        "published": _published(dataset, measured),
        "detector": made or None,
    }
    click.echo(json.dumps(document, indent=2) if as_json else _text(document, dataset.name))
    return 0


def _detect(
    annotations: Path,
    folder: Path,
    *,
    detector: str,
    checkpoint: Path | None,
    seed: int | None,
    out: Path | None,
    limit: int | None,
    device: str | None,
    batch_size: int | None,
    score_threshold: float | None,
    trust_checkpoint: bool,
) -> tuple[list[int], dict[str, Any]]:
    """Write the box file; return the ids of its images, and the settings that made it."""
    if None not in (checkpoint, seed):
        raise UsageError("--checkpoint and --weights exclude each other", "give one of them")
    if out is None:
        raise UsageError("--detector needs --out FILE, the box file to write")
    if out.exists():
        raise UsageError(f"{out} exists, and box files are not replaced", "name another --out FILE")

    from harness.assets.cache import disk_errors
    from harness.files import atomic_path, sha256_file
    from harness.predict.detect import build_detector, detect_people, listed_images, load_detector_config
    from harness.run.device import choose_device

    chosen, device = load_detector_config(detector), choose_device(device)
    images = listed_images(annotations, folder, limit)
    if checkpoint is None and seed is None:
        checkpoint = _zoo_checkpoint(chosen)
    weights = checkpoint if seed is None else seed
    assert weights is not None
    settings: dict[str, Any] = {"batch_size": batch_size or 1, "score_threshold": score_threshold or 0.0}
    with disk_errors(out.parent, None, "the box file"), atomic_path(out) as part:  # fails before hours of work
        built = build_detector(chosen, weights, device, trusted=trust_checkpoint)
        with click.progressbar(length=len(images), label="images", file=sys.stderr) as bar:
            boxes = detect_people(built, images, **settings, advance=bar.update)
        part.write_text(json.dumps(boxes, indent=2) + "\n")
    made_by = {"seed": seed} if checkpoint is None else {"checkpoint": sha256_file(checkpoint)}
    return list(images), {"config": Path(chosen.filename).stem, **made_by, "device": device, **settings}


def _zoo_checkpoint(config: "Config") -> Path:
    """Download mmdet's published weights of a config of its zoo; their file name ends in digits of their SHA-256."""
    from harness.assets.cache import cache_folder
    from harness.cli.progress import download_with_bar
    from harness.predict.detect import zoo_weights
    from harness.suites.schema import named_hash

    url = zoo_weights(config)
    if url is None:
        name = Path(config.filename).name
        raise UsageError(f"mmdet's zoo has no weights of {name}", "use --checkpoint FILE or --weights random:SEED")
    name = url.rpartition("/")[2]
    target = cache_folder() / "detectors" / name
    return download_with_bar(url, target, "the detector's weights", sha256=named_hash(name)).path


def _published(dataset: "Dataset", measured: "PersonAP") -> dict[str, Any] | None:
    """Compare with the published AP; the difference is None if not all images of the published AP were measured."""
    if dataset.box_person_ap is None:
        return None
    images = dataset.counts.images if dataset.counts else None
    applies = measured.images == images and measured.ap is not None
    difference = round(100 * measured.ap - dataset.box_person_ap, 2) if applies and measured.ap is not None else None
    return {"AP_percent": dataset.box_person_ap, "images": images, "difference_percent": difference}


def _comparison(measured: int, images: int | None, difference_percent: float | None, **_: float) -> str:
    if images is None:
        return f"{counted(measured, 'image')}; the number of all images is not known"
    if difference_percent is None:
        return f"{measured} of {images} images, so the two values are not comparable"
    return f"{measured} of {images} images, difference {difference_percent:+.2f}"


def _text(document: dict[str, Any], dataset: str) -> str:
    ap, ap50, ap75 = ("undefined" if value is None else f"{100 * value:.2f}" for value in document["person"].values())
    fields = {
        "images": document["images"],
        "boxes": document["boxes"],
        "person AP": f"{ap}   AP@0.5 {ap50}   AP@0.75 {ap75}",
    }
    if (corners := document["person_as_corners"]) is not None:
        fields["as corners"] = f"{100 * corners:.2f}: the boxes look like x1, y1, x2, y2; MMPose reads x, y, w, h"
    if published := document["published"]:
        fields["published"] = (
            f"{published['AP_percent']} of all images of {dataset}; here {_comparison(document['images'], **published)}"
        )
    if made := document["detector"]:
        fields["detector"] = ", ".join(f"{field} {value}" for field, value in made.items())
    heading = f"{document['suite']} boxes   [{document['file']}, sha256 {document['sha256'][:8]}]"
    return "\n".join([heading, *(f"  {field:<12}{value}" for field, value in fields.items())])
