"""Detects people with an mmdet detector: custom boxes for data without a published box file.

Follows mmdet's test: its test pipeline, its data preprocessor, its post-processing (mmdet/apis/inference.py).
"""

import copy
import difflib
import importlib.util
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import yaml
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings
from torch.nn.modules.batchnorm import _BatchNorm

from harness.assets.checkpoints import load_weights
from harness.datasets.coco_file import PERSON, read_coco
from harness.datasets.people import check_images
from harness.errors import ObtainError, RunError, SpecError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict.seeded import synthetic_crops

_SYNTHETIC, _SIDE = 2, 320
"""Number and side (px) of synthetic images that set the scale of random weights."""


@dataclass(frozen=True)
class Detector:
    """A detector that is ready to run."""

    network: Any
    """An mmdet model in evaluation mode, on its device."""
    pipeline: Callable[[dict[str, Any]], Any]
    """The config's test pipeline."""
    person: int
    """The label of the class person."""


def zoo() -> Path:
    """Return the folder of the installed mmdet's configs.

    Raises:
        ObtainError: mmdet is not installed, or its configs are missing.
    """
    found = importlib.util.find_spec("mmdet")
    folder = Path(found.origin).parent / ".mim" / "configs" if found and found.origin else None
    if folder is None or not folder.is_dir():
        raise ObtainError("mmdet is not installed with its configs", 'pip install "mmdet>=3.3,<4"')
    return folder


def load_detector_config(name: str) -> Config:
    """Read a detector's config: a file, or a config of mmdet's zoo by name, such as faster-rcnn_r50_fpn_1x_coco.

    Raises:
        ObtainError: mmdet is not installed, or its configs are missing.
        SpecError: The config does not exist, cannot be read or has no test settings.
    """
    stem = name.removesuffix(".py")
    in_zoo = [
        path for path in sorted(zoo().glob("[!_]*/*.py")) if stem in (path.stem, f"{path.parent.name}/{path.stem}")
    ]
    path = next((path for path in (Path(name), *in_zoo) if path.is_file()), None)
    if path is None:
        close = difflib.get_close_matches(Path(stem).name, [path.stem for path in zoo().glob("[!_]*/*.py")])
        hint = f"did you mean {' or '.join(close)}?" if close else "name a file, or a config of mmdet's zoo"
        raise SpecError(f"there is no detector config {name}", hint)
    try:
        config = Config.fromfile(path, import_custom_modules=False)
    except Exception as error:  # a config is a program, which can raise any error
        raise SpecError(f"config {path} cannot be read: {type(error).__name__}: {error}") from error
    for field in ("model", "test_dataloader"):
        if not config.get(field):
            raise SpecError(f"config {path} has no {field}, so it is not a detector's config")
    return config


def zoo_weights(config: Config) -> str | None:
    """Return the URL of mmdet's published weights of a config of its zoo; None for any other config."""
    path = Path(config.filename)
    metafile = path.parent / "metafile.yml"
    if not metafile.is_file():
        return None
    models = yaml.safe_load(metafile.read_text(encoding="utf-8")).get("Models", [])
    return next((m.get("Weights") for m in models if Path(str(m.get("Config"))).name == path.name), None)


def build_detector(config: Config, weights: Path | int, device: str, *, trusted: bool = False) -> Detector:
    """Build a config's detector with the weights of a checkpoint, or with random weights from a seed.

    The config's initialisers do not run, so nothing is downloaded. Torch's global random state is preserved.

    Raises:
        RunError: mmdet cannot build it.
        SpecError: It does not detect people.
        ObtainError: The checkpoint is missing, belongs to another network, or needs to execute code.
    """
    install_stand_ins()
    # mmdet uses a name that torch has moved and a default that torch will change.
    warnings.filterwarnings("ignore", r"`torch\.cuda\.amp", FutureWarning)
    warnings.filterwarnings("ignore", r"torch\.meshgrid", UserWarning)
    try:
        if custom_imports := config.get("custom_imports"):
            import_modules_from_strings(**custom_imports)
        import mmdet.datasets
        import mmdet.models  # noqa: F401 (registers the networks)
        from mmcv.transforms import Compose
        from mmdet.registry import DATASETS, MODELS
        from mmdet.utils import get_test_pipeline_cfg

        with DefaultScope.overwrite_default_scope("mmdet"), torch.random.fork_rng(devices=[]):
            if isinstance(weights, int):
                torch.manual_seed(weights)
            network = MODELS.build(copy.deepcopy(config.model))
            network = revert_sync_batchnorm(network).float().eval().requires_grad_(False)
            if isinstance(weights, int):
                _calibrate(network, weights)
            pipeline = Compose(get_test_pipeline_cfg(config))
            # Labels have the order of the classes in the config's data set, as in mmdet's own test.
            dataset = config.test_dataloader.dataset
            meta = {**getattr(DATASETS.get(dataset.type), "METAINFO", {}), **(dataset.get("metainfo") or {})}
    except Exception as error:  # the modules of a config can raise any error
        raise RunError(f"mmdet cannot build the detector of {config.filename}: {error}") from error
    classes = list(meta.get("classes", ()))
    if "person" not in classes:
        raise SpecError(f"config {config.filename}: there is no `person` among the classes of its test data set")
    if isinstance(weights, Path):
        load_weights(network, weights, trusted=trusted)
    return Detector(network.to(device), pipeline, classes.index("person"))


def _calibrate(network: Any, seed: int) -> None:
    """Set the batch norms by one pass over synthetic images; with random weights, boxes would become infinite."""
    from mmdet.structures import DetDataSample

    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    for norm in norms:
        norm.train().momentum = 1.0
    crops = torch.from_numpy(synthetic_crops(_SYNTHETIC, _SIDE, _SIDE, seed))
    size = (_SIDE, _SIDE)
    meta = {"img_id": 0, "img_shape": size, "ori_shape": size, "scale_factor": (1.0, 1.0)}
    samples = [DetDataSample(metainfo=meta) for _ in crops]
    network.test_step({"inputs": list((crops + 2.5).mul(51).byte()), "data_samples": samples})
    for norm in norms:
        norm.eval()


def listed_images(annotations: Path, folder: Path, limit: int | None = None) -> dict[int, Path]:
    """Return the file of each image id of an annotation file, in file order; only the first `limit` if given.

    Raises:
        ObtainError: The annotation file is missing or malformed, or images are missing.
    """
    ids, names = read_coco(annotations).listed(annotations)
    files = {image: folder / name for image, name in zip(ids.tolist(), names, strict=True)}
    images = dict(islice(files.items(), limit))
    check_images(images)
    return images


@torch.inference_mode()
def detect_people(
    detector: Detector,
    images: dict[int, Path],
    *,
    batch_size: int = 1,
    score_threshold: float = 0.0,
    advance: Callable[[int], object],
) -> list[dict[str, Any]]:
    """Detect people in images.

    Args:
        detector: A detector of `build_detector`.
        images: The file of each image id.
        batch_size: Images per batch; smaller images in a batch are padded, which moves their boxes slightly.
        score_threshold: Boxes with a lower score are removed, in addition to those that the config removes.
        advance: Called with the number of images done since the last call.

    Returns:
        Detections as in COCO results, bbox [x, y, w, h] in image px; by image, then by descending score.

    Raises:
        ObtainError: An image cannot be read.
        RunError: The detector gives values that are not finite.
    """
    numbered = list(images.items())
    boxes = []
    for start in range(0, len(numbered), batch_size):
        batch = numbered[start : start + batch_size]
        data = pseudo_collate([_load(detector, image_id, path) for image_id, path in batch])
        for (image_id, path), sample in zip(batch, detector.network.test_step(data), strict=True):
            people = sample.pred_instances
            people = people[people.labels == detector.person].cpu()
            order = people.scores.argsort(descending=True, stable=True)
            for (x1, y1, x2, y2), score in zip(
                people.bboxes[order].tolist(), people.scores[order].tolist(), strict=True
            ):
                bbox = [x1, y1, x2 - x1, y2 - y1]
                if not all(map(math.isfinite, [*bbox, score])):
                    raise RunError(f"the detector gives a box that is not finite in {path}: {bbox}, score {score}")
                if score >= score_threshold:
                    boxes.append({"bbox": bbox, "category_id": PERSON, "image_id": image_id, "score": score})
        advance(len(batch))
    return boxes


def _load(detector: Detector, image_id: int, path: Path) -> Any:
    try:
        return detector.pipeline({"img_path": str(path), "img_id": image_id})
    except Exception as error:  # a decoder of damaged data can raise any error
        raise ObtainError(f"the detector's pipeline cannot read {path}: {type(error).__name__}: {error}") from error
