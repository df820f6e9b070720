"""Reads the protocol out of a row's MMPose config: the ledger of everything that can move the number."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

from mmengine.config import Config

from harness.errors import SpecError
from harness.plugins import plugins
from harness.protocol import (
    Boxes,
    Compute,
    Crop,
    DataFile,
    Decoder,
    Flip,
    Normalisation,
    Protocol,
    Scoring,
)
from harness.suites.data_paths import DATA_ROOT, in_data_folder
from harness.suites.metainfo import read_metainfo

PIPELINE = ["LoadImage", "GetBBoxCenterScale", "TopdownAffine", "PackPoseInputs"]


def read_protocol(
    config: Config, data_file: Callable[[str, str], DataFile], limit: int | None, compute: Compute
) -> Protocol:
    """Read what a config's test says.

    Args:
        config: A row's config with its overrides, its paths still those of MMPose's `data/` folder.
        data_file: Identifies a file of the data folder, given its path there and what it is.
        limit: Evaluate only the first so many images.
        compute: How the network is to run.

    Raises:
        SpecError: The config asks for something that this harness does not evaluate.
        ObtainError: From `data_file`: an annotation or box file is missing.
    """
    dataset = config.test_dataloader.dataset
    meta = read_metainfo(dataset)
    transforms = _transforms(config)
    input_size = tuple(transforms["TopdownAffine"]["input_size"])
    return Protocol(
        dataset=dataset.type,
        annotations=data_file(annotation_path(config), "the annotation file"),
        num_keypoints=len(meta.names),
        flip_indices=meta.flip_indices,
        boxes=_boxes(dataset, data_file),
        limit=limit,
        crop=Crop(
            input_size=input_size,
            padding=transforms["GetBBoxCenterScale"].get("padding", 1.25),
            affine="udp" if transforms["TopdownAffine"].get("use_udp") else "plain",
        ),
        normalisation=_normalisation(config),
        flip=_flip(config),
        decoder=_decoder(config, input_size),
        scoring=read_scoring(config, data_file),
        compute=compute,
    )


def protocol_without_files(config: Config, compute: Compute | None = None) -> Protocol:
    """Return what a config's test says, where the files of the data folder may be absent: their sha256 is empty.

    Raises:
        SpecError: As `read_protocol`.
    """
    how = compute or Compute(engine="shared", batch_size=1, device="cpu")
    return read_protocol(config, lambda path, _: DataFile(path=path, sha256=""), None, how)


def annotation_path(config: Config) -> str:
    """Return the annotation file's path in the data folder."""
    dataset = config.test_dataloader.dataset
    return in_data_folder(str(PurePosixPath(dataset.get("data_root") or "") / dataset.ann_file))


def image_folder(config: Config) -> str:
    """Return the folder, in the data folder, that the annotations' file names are relative to."""
    dataset = config.test_dataloader.dataset
    return in_data_folder(str(PurePosixPath(dataset.get("data_root") or "") / dataset.data_prefix["img"]))


def data_paths(config: Config) -> list[str]:
    """Return the files and folders of the data folder that a run with this config reads.

    Raises:
        SpecError: The config asks for something that this harness does not evaluate.
    """
    paths = [image_folder(config)]

    def collect(path: str, what: str) -> DataFile:
        paths.append(path)
        return DataFile(path=path, sha256="")

    read_protocol(config, collect, None, Compute(engine="shared", batch_size=1, device="cpu"))
    return paths


def _transforms(config: Config) -> dict[str, Any]:
    steps = {step["type"]: step for step in config.test_dataloader.dataset.pipeline}
    if list(steps) != PIPELINE:
        raise SpecError(
            f"config field test_dataloader.dataset.pipeline of {config.filename}: {' > '.join(steps)} is not the "
            f"top-down pipeline that is evaluated here, {' > '.join(PIPELINE)}"
        )
    return steps


def _boxes(dataset: Any, data_file: Callable[[str, str], DataFile]) -> Boxes:
    box_file = dataset.get("bbox_file")
    if not box_file:
        return Boxes(source="ground-truth")
    return Boxes(
        source="detector",
        file=data_file(in_data_folder(box_file), "the box file"),
        score_threshold=(dataset.get("filter_cfg") or {}).get("bbox_score_thr"),
    )


def _normalisation(config: Config) -> Normalisation | None:
    """Return what MMPose's PoseDataPreprocessor does to pixels, which images are read as BGR."""
    preprocessor = config.model.get("data_preprocessor") or {}
    if "mean" not in preprocessor or "std" not in preprocessor:
        return None
    colours: Literal["RGB", "BGR"] = "RGB" if preprocessor.get("bgr_to_rgb") else "BGR"
    return Normalisation(mean=tuple(preprocessor["mean"]), std=tuple(preprocessor["std"]), colours=colours)


def _flip(config: Config) -> Flip:
    test = config.model.get("test_cfg") or {}
    if test.get("flip_test") and test.get("flip_mode", "heatmap") != "heatmap":
        raise SpecError(
            f"config field model.test_cfg.flip_mode: {test['flip_mode']} is not evaluated here, `heatmap` is"
        )
    return Flip(enabled=bool(test.get("flip_test")), shift=bool(test.get("shift_heatmap")))


def _decoder(config: Config, input_size: tuple[int, ...]) -> Decoder:
    codec = config.model.head.decoder
    decoder = read_decoder(codec, f"config field model.head.decoder of {config.filename}")
    if tuple(codec.input_size) != input_size:
        raise SpecError(
            f"config field model.head.decoder.input_size of {config.filename}: {tuple(codec.input_size)} is not the "
            f"{input_size} of its TopdownAffine"
        )
    return decoder


def read_decoder(settings: Mapping[str, Any], where: str) -> Decoder:
    """Return the decoder that a config's `model.head.decoder` describes.

    Args:
        settings: That field.
        where: Names the field and the config, for the error.

    Raises:
        SpecError: No codec reads it.
    """
    for codec in plugins("codecs").values():
        if decoder := codec.read(settings):
            return decoder  # type: ignore[no-any-return]
    raise SpecError(
        f"{where}: {settings['type']} is not evaluated here",
        "a package adds another codec by an entry point of the group pose_harness.codecs",
    )


def read_scoring(config: Config, data_file: Callable[[str, str], DataFile]) -> Scoring:
    """Read how a config scores predictions.

    Raises:
        SpecError: The config asks for a metric that is not evaluated here.
        ObtainError: From `data_file`: a file that the metric reads is missing.
    """
    evaluator = config.test_evaluator
    if isinstance(evaluator, list | tuple):
        if len(evaluator) != 1:
            raise SpecError(f"config field test_evaluator of {config.filename}: one metric is evaluated, not several")
        evaluator = evaluator[0]
    converters = [name for name in ("pred_converter", "gt_converter") if evaluator.get(name)]
    if converters:
        raise SpecError(f"config field test_evaluator.{converters[0]} of {config.filename} is not evaluated here")
    sigmas = read_metainfo(config.test_dataloader.dataset).sigmas
    family = next((one for one in plugins("metrics").values() if evaluator.type in one.evaluators), None)
    if family is None:
        raise SpecError(
            f"config field test_evaluator.type of {config.filename}: {evaluator.type} is not evaluated here"
        )
    scoring: Scoring = family.read_scoring(evaluator, config.test_dataloader.dataset, sigmas, data_file)
    return scoring


def point_at(config: Config, data: str) -> Config:
    """Return a copy of the config whose paths point into the folder `data` in place of MMPose's `data/`."""

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: moved(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(moved(item) for item in value)
        if isinstance(value, str) and value.startswith(DATA_ROOT):
            return f"{data}/{value.removeprefix(DATA_ROOT)}"
        return value

    config = config.copy()
    for field in ("test_dataloader", "test_evaluator"):
        config[field] = moved(config[field])
    return config
