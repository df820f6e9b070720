"""Runs on several data sets together (MMPose's CombinedDataset): people, ground truth, engines and messages."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engines import compare, compare_row
from mmengine.config import Config, ConfigDict
from upstream_config import build_dataset

from harness.datasets.inspection import data_files, inspect_suite
from harness.datasets.lookup import dataset_class, file_names, videos
from harness.errors import ObtainError, RunError, SpecError
from harness.metrics.foreign import read_foreign_protocol
from harness.metrics.match import evaluate
from harness.predict.upstream_pool import of_people
from harness.protocol import DatasetPool, Protocol
from harness.run.plan import Plan, Settings, make_plan
from harness.suites.configs import configs_folder, first_part, load_config
from harness.suites.ledger import image_folders, protocol_without_files
from harness.suites.load import load_suite
from harness.suites.pool import parts_of
from harness.suites.schema import Override, Suite

BODY8 = "body_2d_keypoint/rtmpose/body8/rtmpose-t_8xb256-420e_body8-256x192.py"
HALPE26 = "body_2d_keypoint/rtmpose/body8/rtmpose-t_8xb1024-700e_body8-halpe26-256x192.py"
FACE6 = "face_2d_keypoint/rtmpose/face6/rtmpose-t_8xb256-120e_face6-256x256.py"
BODIES = {
    0: "coco/val2017/",
    1: "aic/ai_challenger_keypoint_validation_20170911/keypoint_validation_images_20170911/",
    2: "crowdpose/images/",
    3: "mpii/images/",
    4: "jhmdb/",
    6: "coco/val2017/",  # OCHuman's class reads COCO's people again, whose ids are those of the first part
    7: "posetrack18/",
}
FACES = {0: "LaPa/", 1: "coco/val2017/", 2: "wflw/images/", 3: "300w/images/", 4: "cofw/images/"}
"""The parts that the miniature has, by their number in the config, with the folder of their images."""
METRICS = {
    BODY8: "{PCK@0.1: {label: PCK, unit: percent, decimals: 2}}",
    HALPE26: "{PCK@0.1: {label: PCK, unit: percent, decimals: 2}}",
    FACE6: "{NME: {label: NME, unit: percent, decimals: 2}}",
}
KEYPOINTS = {BODY8: 17, HALPE26: 26, FACE6: 106}
SUITE = """\
schema_version: 1
name: pooled
title: Pooled
dataset: {{name: Pooled, num_keypoints: {count}, annotations: {annotations}, images: {images}}}
metrics: {metrics}
rows:
  - id: mine
    label: Mine
    input_size: {size}
    boxes: ground-truth
    published:
      page: {{{metric}: 50}}
    runs:
      val: {{config: pooled.py, checkpoint: {{url: https://example.org/none.pth, sha256: "{sha256}"}}}}
"""


def without_3d(transforms: Any) -> dict[str, Any]:
    """Return MMCV's mapper that hides `keypoints_3d` from transforms."""
    hidden = {"mapping": {"keypoints_3d": "no_such_key"}, "allow_nonexist_keys": True, "auto_remap": False}
    return {"type": "KeyMapper", "transforms": list(transforms), **hidden}


def write(folder: Path, name: str, change: Callable[[Any], None] = lambda _: None) -> Suite:
    """Write a config of the parts that the miniature has, and a suite of it; `change` edits the data set."""
    config = Config.fromfile(configs_folder() / name, import_custom_modules=False)
    parts = config.test_dataloader.dataset.datasets
    prefixes = FACES if name == FACE6 else BODIES
    for number, prefix in prefixes.items():
        parts[number].data_prefix = {"img": prefix}
    if name != FACE6:
        parts[6].ann_file = "coco/annotations/person_keypoints_val2017.json"
    if name == HALPE26:  # as the suite's override
        parts[0].pipeline = [without_3d(parts[0].pipeline)]
    config.test_dataloader.dataset.datasets = [parts[number] for number in prefixes]
    change(config.test_dataloader.dataset)
    folder.mkdir(parents=True, exist_ok=True)
    save(config, folder / "pooled.py")
    path = folder / "pooled.yaml"
    path.write_text(
        SUITE.format(
            count=KEYPOINTS[name],
            annotations=parts[0].ann_file,
            images=prefixes[0].rstrip("/"),
            metrics=METRICS[name],
            metric="NME" if name == FACE6 else "PCK@0.1",
            size="256x256" if name == FACE6 else "256x192",
            sha256="0" * 64,
        )
    )
    return load_suite(path)


def save(config: Config, path: Path) -> None:
    """Write a config without formatting it, as `Config.dump` does in seconds."""
    path.write_text("".join(f"{name} = {value!r}\n" for name, value in config.to_dict().items()))


def planned(suite: Suite, settings: Settings) -> Plan:
    return make_plan(suite, suite.rows[0], "val", settings)


def upstream(plan: Plan) -> Any:
    """Build MMPose's own data set."""
    return build_dataset(plan.config, plan.settings.data)


@pytest.mark.parametrize("name", [BODY8, FACE6])
def test_people_are_those_of_mmpose_in_its_order(name: str, settings: Settings, tmp_path: Path) -> None:
    plan = planned(write(tmp_path / "suite", name), settings)
    people, theirs = plan.people(), upstream(plan)
    count = len(theirs.datasets)
    assert len(people) == len(theirs) > 0
    assert len(set(people.ids.tolist())) == len(people)
    truth = dataset_class(plan.protocol.dataset).labelled(
        settings.data / plan.protocol.annotations.path, plan.protocol.num_keypoints
    )
    places = truth.places(people.ids)
    names = file_names(plan.protocol.dataset, settings.data / plan.protocol.annotations.path)
    for index in range(len(theirs)):
        info, part = theirs.get_data_info(index), theirs._get_subset_index(index)[0]
        person, image = divmod(int(people.ids[index]), count), divmod(int(people.image_ids[index]), count)
        assert person == (info["id"], part)
        assert image == (info["img_id"], part)
        assert people.images[int(people.image_ids[index])] == Path(info["img_path"])
        assert settings.data / names[int(people.image_ids[index])] == Path(info["img_path"])
        np.testing.assert_array_equal(people.boxes[index], info["bbox"][0])
        place = places[index]
        np.testing.assert_array_equal(truth.keypoints[place], info["keypoints"][0])
        visible = info["keypoints_visible"][0]
        np.testing.assert_array_equal(truth.visible[place], (visible if visible.ndim == 1 else visible[:, 0]) != 0)


def test_ids_of_people_and_images_repeat_between_parts_alone(settings: Settings, tmp_path: Path) -> None:
    plan = planned(write(tmp_path / "suite", BODY8), settings)
    people = plan.people()
    own = people.image_ids // len(BODIES)
    assert len(set(own.tolist())) < len(people.images) == len(set(people.image_ids.tolist()))


@pytest.mark.parametrize(
    ("name", "limit"),
    [(BODY8, None), (HALPE26, 9), (FACE6, 9)]
    + [pytest.param(*case, marks=pytest.mark.long) for case in ((BODY8, 9), (HALPE26, None), (FACE6, None))],
)
def test_both_engines_are_equal(
    name: str, limit: int | None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = write(tmp_path / "suite", name)
    parity = compare_row(suite, "mine", "val", replace(settings, limit=limit))
    assert parity.equal
    assert parity.people == parity.people_total > 0
    assert parity.keypoint_max_px == 0
    assert parity.metric_max is not None
    assert parity.metric_max <= 1e-6


def test_images_of_a_config_with_a_storage_server_are_in_the_data_folder(settings: Settings, tmp_path: Path) -> None:
    """As in the config of Halpe26's RTMPose-m 384x288."""

    def change(dataset: Any) -> None:
        dataset.pipeline[0].backend_args = {"backend": "petrel"}

    suite = write(tmp_path / "suite", FACE6, change)
    assert compare_row(suite, "mine", "val", replace(settings, limit=2)).equal


@pytest.mark.parametrize(
    "row",
    [
        "body8/rtmpose-t-256x192",
        pytest.param("body8/rtmpose-m-384x288", marks=pytest.mark.long),
        "halpe26/rtmpose-t-256x192",
    ],
)
def test_on_real_images(row: str, settings: Settings, all_samples: Path) -> None:
    parity = compare(f"{row}/val", replace(settings, data=all_samples))
    assert parity.equal
    assert parity.people == 64


def test_videos_are_the_folders_of_parts_with_videos(settings: Settings, tmp_path: Path) -> None:
    protocol = planned(write(tmp_path / "suite", BODY8), settings).protocol
    assert isinstance(protocol.dataset, DatasetPool)
    found = videos(protocol.dataset, settings.data / protocol.annotations.path)
    assert found is not None
    images = {number: [video for image, video in found.items() if image % 7 == number] for number in range(7)}
    assert len(set(images[0])) == len(images[0])
    assert all((settings.data / video).is_dir() for number in (4, 6) for video in images[number])
    assert not set(images[0]) & set(images[5])


def test_the_protocol_has_every_part(settings: Settings, tmp_path: Path) -> None:
    plan = planned(write(tmp_path / "suite", BODY8), settings)
    protocol = plan.protocol
    assert Protocol.model_validate_json(protocol.model_dump_json()) == protocol
    assert isinstance(protocol.dataset, DatasetPool)
    aic = protocol.dataset.parts[1]
    assert (aic.dataset, aic.num_keypoints, aic.annotations.path) == ("AicDataset", 14, "aic/annotations/aic_val.json")
    assert aic.mapping is not None
    assert aic.mapping[:2] == ((6, 0, 0), (8, 1, 1))
    assert len(protocol.annotation_files) == 7
    assert all(len(file.sha256) == 64 for file in protocol.annotation_files)
    assert image_folders(plan.config)[0] == "coco/val2017"
    single = json.loads(protocol_without_files(plan.config).model_dump_json())["dataset"]
    assert single["name"] == "CombinedDataset"


def test_a_changed_part_is_noticed(settings: Settings, tmp_path: Path) -> None:
    plan = planned(write(tmp_path / "suite", BODY8), settings)
    pool = plan.protocol.dataset
    assert isinstance(pool, DatasetPool)
    part = pool.parts[3]
    changed = part.model_copy(update={"annotations": part.annotations.model_copy(update={"sha256": "0" * 64})})
    parts = (*pool.parts[:3], changed, *pool.parts[4:])
    protocol = plan.protocol.model_copy(update={"dataset": pool.model_copy(update={"parts": parts})})
    with pytest.raises(ObtainError, match=r"not the one that the run used: .*mpii_val\.json"):
        evaluate(None, protocol, settings.data)  # type: ignore[arg-type]


def test_inspection_counts_all_parts(settings: Settings, tmp_path: Path) -> None:
    suite = write(tmp_path / "suite", BODY8)
    (found,) = inspect_suite(suite, settings.data)
    people = planned(suite, settings).people()
    assert found.found.people == len(people)
    assert found.found.images == found.found.on_disk
    assert not [problem for problem in found.problems if problem.severity in ("fatal", "error")]


def test_every_pool_of_a_suite_is_inspected() -> None:
    suite = load_suite("body8")
    row = suite.rows[0]
    field, value = "test_dataloader.dataset.datasets.1.ann_file", "aic/annotations/other.json"
    other = Override(field=field, value=value, reason="x")
    changed = row.model_copy(update={"id": "other", "overrides": [*row.overrides, other]})
    found = data_files(suite.model_copy(update={"rows": [row, changed, row]}))
    pools = [files.dataset for files in found]
    assert [pool.parts[1].annotations.path for pool in pools if isinstance(pool, DatasetPool)] == [
        "aic/annotations/aic_val.json",
        "aic/annotations/other.json",
    ]


def test_other_people_than_mmposes_are_an_error(settings: Settings, tmp_path: Path) -> None:
    plan = planned(write(tmp_path / "suite", FACE6), settings)
    people, theirs = plan.people(), upstream(plan)
    with pytest.raises(RunError, match="MMPose does not list person"):
        of_people(theirs, people.take(np.arange(len(people))[::-1]), whole=True)
    with pytest.raises(RunError, match=f"MMPose lists {len(people)} people, but 3 are evaluated"):
        of_people(theirs, people.first_people(3), whole=True)


def _set(place: str, value: Any) -> Callable[[Any], None]:
    def change(dataset: Any) -> None:
        *path, last = place.split(".")
        for name in path:
            dataset = dataset[int(name)] if name.isdecimal() else dataset[name]
        dataset[int(last) if last.isdecimal() else last] = value

    return change


def _mapper(changes: dict[str, Any]) -> Callable[[Any], None]:
    """Change a mapper whose converter has a source of no keypoint, an error if the mapper is read."""

    def change(dataset: Any) -> None:
        part = dataset.datasets[1]
        part.pipeline[0].mapping[0] = (14, 6)
        part.pipeline = [without_3d(part.pipeline) | changes]

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("datasets.0.bbox_file", "data/boxes.json"), r"datasets\.0\.bbox_file: detected people"),
        (_set("datasets.1.data_mode", "bottomup"), r"datasets\.1\.data_mode: .*'topdown' is"),
        (_set("sample_ratio_factor", [1] * 7), r"dataset\.sample_ratio_factor: .*None is"),
        (_set("datasets.1.type", "AicHandDataset"), "AicHandDataset is not supported"),
        (_set("datasets.1.pipeline", []), r"datasets\.1\.pipeline: it is empty, but AicDataset has 14 keypoints"),
        (_set("datasets.1.pipeline.0.type", "RandomFlip"), r"datasets\.1\.pipeline: RandomFlip is not supported"),
        (_set("datasets.1.pipeline.0.num_keypoints", 16), r"pipeline\.0\.num_keypoints: found 16; 17"),
        (_set("datasets.1.pipeline.0.mapping.0", (14, 6)), r"mapping: found .*sources from 0 to 13"),
        (_set("datasets.1.pipeline.0.mapping.0", (0, 17)), r"mapping: found .*targets from 0 to 16"),
        (_set("datasets.1.type", "CocoWholeBodyDataset"), "cannot convert samples of CocoWholeBodyDataset"),
        (_mapper({}), "found .*sources from 0 to 13"),
        (_mapper({"mapping": {"keypoints_3d": ...}}), "found .*sources from 0 to 13"),
        (_mapper({"auto_remap": None}), r"datasets\.1\.pipeline: KeyMapper is not supported"),
        (_mapper({"allow_nonexist_keys": False}), r"datasets\.1\.pipeline: KeyMapper is not supported"),
        (_mapper({"remapping": {}}), r"datasets\.1\.pipeline: KeyMapper is not supported"),
        (_mapper({"mapping": {"keypoints": ...}}), r"datasets\.1\.pipeline: KeyMapper is not supported"),
        (_mapper({"transforms": []}), r"datasets\.1\.pipeline: it is empty"),
    ],
)
def test_settings_that_are_not_evaluated(
    change: Callable[[Any], None], message: str, settings: Settings, tmp_path: Path
) -> None:
    suite = write(tmp_path / "suite", BODY8, change)
    with pytest.raises(SpecError, match=message):
        planned(suite, settings)


@pytest.mark.parametrize("parts", [[], None, ["coco"], "coco"])
def test_parts_are_data_sets(parts: Any) -> None:
    dataset = ConfigDict(type="CombinedDataset", datasets=parts)
    assert first_part(dataset) is dataset
    with pytest.raises(SpecError, match=r"datasets: found .*; it must be a list of data sets"):
        parts_of(dataset)


def test_metrics_of_one_annotation_file_are_refused(settings: Settings, tmp_path: Path) -> None:
    suite = write(tmp_path / "suite", BODY8)
    path = tmp_path / "suite" / "pooled.py"
    config = Config.fromfile(path)
    config.test_evaluator = {"type": "CocoMetric"}
    save(config, path)
    with pytest.raises(SpecError, match="CocoMetric is not evaluated on several data sets together"):
        planned(suite, settings)


def test_external_predictions_are_refused(settings: Settings, tmp_path: Path) -> None:
    suite = write(tmp_path / "suite", BODY8)
    (row,) = suite.rows
    with pytest.raises(SpecError, match="external predictions of several data sets together"):
        read_foreign_protocol(suite.row_id(row), load_config(suite, row, row.runs["val"]), settings.data)
