"""A part of a data set is never reported as the whole."""

import shutil
from pathlib import Path

import pytest
import torch
from conftest import Harness
from miniature import Miniature

from harness.files import sha256_file
from harness.predict.networks import build_network
from harness.predict.seeded import seed_weights
from harness.record import Record
from harness.suites.configs import configs_folder, read_config

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
