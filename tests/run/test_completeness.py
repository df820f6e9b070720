"""A part of a data set is never reported as the whole."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Harness
from miniature import Miniature

from harness.files import sha256_file
from harness.metrics.foreign_poses import as_predictions
from harness.predict.networks import build_network
from harness.predict.seeded import seed_weights
from harness.record import Record
from harness.run.completeness import part_of
from harness.run.plan import Settings, make_plan
from harness.suites.configs import configs_folder, read_config
from harness.suites.load import load_suite

CONFIG = "body_2d_keypoint/topdown_heatmap/mpii/td-hm_mobilenetv2_8xb64-210e_mpii-256x256.py"
SUITE = """\
schema_version: 1
name: own
title: My models
dataset:
  name: MPII
  num_keypoints: 16
  annotations: mpii/annotations/mpii_val.json
  images: mpii/images
  extra: {headboxes: mpii/annotations/mpii_gt_val.mat}
COUNTS
metrics:
  PCKh@0.5: {label: Mean, unit: fraction, decimals: 3}
rows:
  - id: mine
    label: Mine
    input_size: 256x256
    boxes: ground-truth
    published:
      table: {PCKh@0.5: 0.854}
    runs:
      val:
        config: CONFIG
        checkpoint: {url: "URL", sha256: "SHA256"}
"""


@pytest.mark.parametrize(
    ("counts", "status", "said"),
    [
        ("  counts: {people: 2958}", "partial", "partial: a part of the data set: PEOPLE of 2,958 people"),
        ("  counts: {people: PEOPLE}", "complete", "0 differs"),
        ("", "complete", "the suite does not state the size of its data set (dataset.counts)"),
    ],
)
def test_part(harness: Harness, miniature: Miniature, tmp_path: Path, counts: str, status: str, said: str) -> None:
    """The checkpoint is a local file, which its row's URL names."""
    shutil.copytree(miniature.folder / "mpii", tmp_path / "data" / "mpii", copy_function=shutil.copyfile)
    config = read_config(configs_folder() / CONFIG)
    network = build_network(config)
    seed_weights(network, config, 0)
    checkpoint = tmp_path / "my net.pth"
    torch.save({"state_dict": network.state_dict()}, checkpoint)
    people = miniature.mpii.people
    filled = {"COUNTS": counts, "CONFIG": CONFIG, "URL": checkpoint.as_uri(), "SHA256": sha256_file(checkpoint)}
    filled |= {"PEOPLE": str(people)}
    text = SUITE
    for name, value in filled.items():
        text = text.replace(name, value)
    Path("own.yaml").write_text(text)
    code, out, _ = harness("run", "own.yaml", "--offline")
    record = Record.load(Path("runs/own/mine/val/record.json"))
    assert (record.status, record.people) == (status, people)
    assert code == (0 if status == "partial" else 1)
    assert said.replace("PEOPLE", str(people)) in out or said == "0 differs"


def test_counts_are_those_of_the_own_file_of_a_data_set(
    miniature: Miniature, settings: Settings, tmp_path: Path
) -> None:
    shutil.copytree(miniature.folder / "mpii", tmp_path / "mpii", copy_function=shutil.copyfile)
    annotations = tmp_path / "mpii" / "annotations"
    shutil.copyfile(annotations / "mpii_val.json", annotations / "half.json")
    suite = load_suite("mpii")
    run = suite.rows[0].runs["val"]
    half = run.model_copy(update={"annotations": "mpii/annotations/half.json"})
    row = suite.rows[0].model_copy(update={"runs_are": "subsets", "runs": {"val": run, "half": half}})

    def part(run: str) -> tuple[str | None, list[str]]:
        seeded = make_plan(suite, row, run, replace(settings, data=tmp_path))
        plan = replace(seeded, settings=replace(seeded.settings, seed=None))
        people = plan.people()
        poses = np.zeros((len(people), 16, 2))
        return part_of(plan, suite.dataset, as_predictions(people.ids, people.image_ids, people.boxes, poses))

    assert part("val") == (f"{miniature.mpii.people} of 2,958 people", [])
    of_half = "the suite does not state the size of mpii/annotations/half.json, so a part of it cannot be detected"
    assert part("half") == (None, [of_half])
