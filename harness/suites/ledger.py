"""Reads the protocol, all settings that affect the result, from a row's MMPose config."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from mmengine.config import Config

from harness.errors import MALFORMED, SpecError, brief, first_problems
from harness.plugins import plugins
from harness.protocol import (
    Boxes,
    Compute,
    Crop,
    DataFile,
    Normalisation,
    PoseSelection,
    Protocol,
    Scoring,
)
from harness.suites.configs import first_part
from harness.suites.data_paths import DATA_ROOT, without_data_root
from harness.suites.decoding import decoder_of, flip_of
from harness.suites.metainfo import read_metainfo
from harness.suites.pool import annotations_of, images_of, is_pool, parts_of, pool_of
from harness.suites.yaml_file import did_you_mean

_NOT_EVALUATED = frozenset({"pred_converter", "gt_converter", "format_only"})
_NO_MATTER = frozenset({"type", "_scope_", "ann_file", "prefix", "collect_device", "collect_dir", "outfile_prefix"})
"""Settings of an evaluator that do not affect a number; its annotation file is compared with the data set's."""
_ANY_COMPUTE = Compute(engine="shared", batch_size=1, device="cpu")
"""The settings of computation where only the others matter."""
PIPELINE = ["LoadImage", "GetBBoxCenterScale", "TopdownAffine", "PackPoseInputs"]


def read_protocol(
    config: Config, data_file: Callable[[str, str], DataFile], limit: int | None, compute: Compute
) -> Protocol:
    """Return the protocol of a config's test.

    Args:
        config: A row's config with its overrides; its paths are in MMPose's `data/` folder.
        data_file: Returns a file of the data folder with its sha256, from its path there and its name for messages.
        limit: Evaluate only this number of images, the first ones.
        compute: The settings of computation.

    Raises:
        SpecError: The config has a setting that the harness does not evaluate.
        ObtainError: From `data_file`: an annotation or box file is missing.
    """
    with _of(config):
        dataset = config.test_dataloader.dataset
        meta = read_metainfo(config.test_dataloader.dataset)
        _refuse_other_samples(dataset)
        transforms = _transforms(config)
        input_size = tuple(transforms["TopdownAffine"]["input_size"])
        decoder = decoder_of(config, input_size, meta)
        return Protocol(
            dataset=pool_of(dataset, data_file) if is_pool(dataset) else dataset.type,
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
            flip=flip_of(config, decoder, meta),
            decoder=decoder,
            scoring=read_scoring(config, data_file),
            compute=compute,
        )


@contextmanager
def _of(config: Config) -> Iterator[None]:
    """Turn errors of reading a config into a SpecError that names its file.

    Raises:
        SpecError: The harness does not evaluate a field, or the field is missing or of another type.
    """
    try:
        yield
    except SpecError as error:
        text = str(error.args[0])
        named = str(config.filename) in text or text.startswith("metainfo file")
        raise SpecError(text if named else f"{config.filename}: {text}", error.hint) from error
    except MALFORMED as error:
        what = str(error) if isinstance(error, AttributeError) else f"{type(error).__name__}: {first_problems(error)}"
        raise SpecError(f"config {config.filename} has a field that is missing or of another type: {what}") from error


def _refuse_other_samples(dataset: Any) -> None:
    """Check that no setting makes a data set class list other samples.

    Raises:
        SpecError: A setting does; names the field.
    """
    usual_values = {"data_mode": "topdown", "indices": None, "sample_interval": 1, "sample_ratio_factor": None}
    for field, usual in usual_values.items():
        for place, one in [("test_dataloader.dataset", dataset), *parts_of(dataset)]:
            if (found := one.get(field, usual)) != usual:
                raise SpecError(f"config field {place}.{field}: {brief(found)} is not supported; {usual!r} is")


def protocol_without_files(config: Config, compute: Compute | None = None) -> Protocol:
    """Return the protocol of a config's test without reading the data folder: the sha256 of its files is empty.

    Raises:
        SpecError: As in `read_protocol`.
    """
    return read_protocol(config, lambda path, _: DataFile(path=path, sha256=""), None, compute or _ANY_COMPUTE)


def annotation_path(config: Config) -> str:
    """Return the annotation file's path in the data folder; of several data sets, the first one's."""
    with _of(config):
        return annotations_of(first_part(config.test_dataloader.dataset))


def image_folder(config: Config) -> str:
    """Return the folder of images in the data folder, which images' file names are relative to.

    Of several data sets, it is the data folder itself: "".
    """
    with _of(config):
        dataset = config.test_dataloader.dataset
        return "" if is_pool(dataset) else images_of(dataset)


def image_folders(config: Config) -> list[str]:
    """Return the folders of images in the data folder: one or, of several data sets, one for each."""
    with _of(config):
        return list(dict.fromkeys(images_of(one) for _, one in parts_of(config.test_dataloader.dataset)))


def data_paths(config: Config) -> list[str]:
    """Return the files and folders of the data folder that a run with this config reads.

    Raises:
        SpecError: The config has a setting that the harness does not evaluate.
    """
    paths = image_folders(config)

    def collect(path: str, what: str) -> DataFile:
        paths.append(path)
        return DataFile(path=path, sha256="")

    read_protocol(config, collect, None, _ANY_COMPUTE)
    return paths


def _transforms(config: Config) -> dict[str, Any]:
    steps = {step["type"]: step for step in config.test_dataloader.dataset.pipeline}
    if list(steps) != PIPELINE:
        raise SpecError(
            f"config field test_dataloader.dataset.pipeline of {config.filename}: {' > '.join(steps)} is not "
            f"supported; the supported top-down pipeline is {' > '.join(PIPELINE)}"
        )
    return steps


def _boxes(dataset: Any, data_file: Callable[[str, str], DataFile]) -> Boxes:
    box_file = dataset.get("bbox_file")
    if not box_file:
        return Boxes(source="ground-truth")
    return Boxes(
        source="detector",
        file=data_file(without_data_root(box_file), "the box file"),
        score_threshold=(dataset.get("filter_cfg") or {}).get("bbox_score_thr"),
    )


def _normalisation(config: Config) -> Normalisation | None:
    """Return the normalisation of MMPose's PoseDataPreprocessor, whose input images are BGR; None without one."""
    preprocessor = config.model.get("data_preprocessor") or {}
    if "mean" not in preprocessor or "std" not in preprocessor:
        return None
    colours: Literal["RGB", "BGR"] = "RGB" if preprocessor.get("bgr_to_rgb") else "BGR"
    return Normalisation(mean=tuple(preprocessor["mean"]), std=tuple(preprocessor["std"]), colours=colours)


def read_scoring(config: Config, data_file: Callable[[str, str], DataFile]) -> Scoring:
    """Return the scoring of a config.

    Raises:
        SpecError: The config has a metric that the harness does not evaluate.
        ObtainError: From `data_file`: a file that the metric reads is missing.
    """
    with _of(config):
        evaluators = _evaluators(config)
        families = _families()
        for evaluator in evaluators:
            if evaluator.get("type") not in families:
                raise SpecError(
                    f"config field test_evaluator.type of {config.filename}: {evaluator.get('type')} is not "
                    f"supported; supported are {', '.join(sorted(families))}",
                    "to add another metric, use a package with an entry point of the group pose_harness.metrics",
                )
        named = ", ".join(evaluator.type for evaluator in evaluators)
        family, *others = dict.fromkeys(families[evaluator.type] for evaluator in evaluators)
        if others:
            raise SpecError(
                f"config field test_evaluator of {config.filename}: metrics of one family are evaluated together, not "
                f"of several: {named}",
                "keep the metrics of one family in each config, and write a row for each",
            )
        for evaluator in evaluators:
            _check_settings(evaluator, family.settings)
        dataset = config.test_dataloader.dataset
        if is_pool(dataset) and not family.pools:
            raise SpecError(
                f"config field test_evaluator of {config.filename}: {named} is not evaluated on several data sets "
                f"together ({dataset.type})",
                "use PCKAccuracy, AUC, EPE or NME, which compare each person with its own annotation",
            )
        meta = read_metainfo(dataset)
        scoring: Scoring = family.read_evaluators(evaluators, dataset, meta.sigmas, data_file)
        if isinstance(scoring, PoseSelection) and not meta.sigmas:
            raise SpecError(
                f"{meta.source}: sigmas: it is empty; OKS, which {named} computes, needs {len(meta.names)} "
                "numbers, one per keypoint",
                "write them (COCO's are from 0.025 to 0.107), or use a metric without sigmas",
            )
        return scoring


def evaluating_family(config: Config) -> Any:
    """Return the family of metrics of a config's evaluator; None if there is none."""
    stated = config.get("test_evaluator")
    first = stated[0] if isinstance(stated, list | tuple) and stated else stated
    return _families().get(str(first.get("type"))) if isinstance(first, dict) else None


def _families() -> dict[str, Any]:
    """Return the families of metrics by MMPose's classes that compute them."""
    return {name: family for family in plugins("metrics").values() for name in family.evaluators}


def _evaluators(config: Config) -> list[Any]:
    """Return the settings of each metric of a config.

    Raises:
        SpecError: There is none, or an evaluator names another annotation file than the data set.
    """
    stated = config.get("test_evaluator")
    evaluators = list(stated) if isinstance(stated, list | tuple) else [stated]
    if not evaluators:
        raise SpecError(
            f"config field test_evaluator of {config.filename}: the list is empty", "name a metric of MMPose"
        )
    for evaluator in evaluators:
        if not isinstance(evaluator, dict):
            raise SpecError(
                f"config field test_evaluator of {config.filename}: found {brief(evaluator)}; it must be a dict"
            )
        measured, listed_by = evaluator.get("ann_file"), annotation_path(config)
        if measured and without_data_root(str(measured)) != listed_by:
            raise SpecError(
                f"config field test_evaluator.ann_file of {config.filename}: {measured} is not the annotation file of "
                f"test_dataloader.dataset, {listed_by}",
                "name the same file in both",
            )
    return evaluators


def _check_settings(evaluator: Any, known: frozenset[str] | None) -> None:
    """Check the settings of an evaluator; `known` are those that its family reads.

    Raises:
        SpecError: A setting is not supported.
    """
    for field, value in evaluator.items():
        if field in _NOT_EVALUATED:
            if value:
                raise SpecError(f"config field test_evaluator.{field}: it is not supported", "leave it out")
        elif known is not None and field not in known | _NO_MATTER:
            raise SpecError(
                f"config field test_evaluator.{field}: it is not supported for {evaluator.type}"
                f"{did_you_mean(field, known)}; there are {', '.join(sorted(known))}"
            )


def point_at(config: Config, data: str) -> Config:
    """Return a copy of the config with paths in the folder `data` in place of MMPose's `data/`.

    If the data set has a `data_root`, its annotations and images are relative to it, and are not changed even if they
    begin with `data/`: AP-10K's images are in data/ap10k/data.
    """

    def moved(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: moved(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(moved(item) for item in value)
        if isinstance(value, str) and value.startswith(DATA_ROOT):
            return f"{data}/{value.removeprefix(DATA_ROOT)}"
        return value

    relative = [
        {name: one[name] for name in ("ann_file", "data_prefix") if one.get("data_root") and name in one}
        for _, one in parts_of(config.test_dataloader.dataset)
    ]
    config = config.copy()
    for field in ("test_dataloader", "test_evaluator"):
        config[field] = moved(config[field])
    for (_, one), fields in zip(parts_of(config.test_dataloader.dataset), relative, strict=True):
        one.update(fields)
    return config
