"""PCK, AUC and EPE of samples of real data sets, against what MMPose's own classes gave through its own data sets."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config

from harness.assets.dataset import data_file
from harness.metrics.families.pck import PLUGIN, PckScoring
from harness.metrics.match import evaluate, read_truth
from harness.plugins import plugins
from harness.predictions import Predictions
from harness.protocol import Compute
from harness.suites.configs import configs_folder
from harness.suites.ledger import read_protocol

NESTED = {"Rhd2DDataset"}
"""Data sets whose files have a list for each keypoint; `harness.datasets.coco_file` reads flat lists only."""
FOLDERS = ("animal_2d_keypoint", "fashion_2d_keypoint", "hand_2d_keypoint")


def entries(samples: Path) -> dict[str, Any]:
    """Return the reference scores of top-down heatmap configs that this family evaluates."""
    runs = json.loads((samples / "reference_scores.json").read_text())["runs"]
    return {
        name: entry
        for name, entry in runs.items()
        if name.split("/")[:2] in [[folder, "topdown_heatmap"] for folder in FOLDERS]
        and set(entry["perfect"]) <= {"PCK", "AUC", "EPE"}
    }


def test_reference_scores(zoo_samples: Path) -> None:
    met, waiting = [], []
    for name, entry in entries(zoo_samples).items():
        config = Config.fromfile(configs_folder() / name, import_custom_modules=False)
        if config.test_dataloader.dataset.type not in plugins("datasets").keys() - NESTED:
            waiting.append(name)
            continue
        protocol = read_protocol(
            config,
            lambda path, what: data_file(zoo_samples, path, what),
            None,
            Compute(engine="shared", batch_size=1, device="cpu"),
        )
        scoring = protocol.scoring
        assert isinstance(scoring, PckScoring)
        truth = read_truth(protocol, zoo_samples)
        count = len(truth.ids)
        assert (count, len(np.unique(truth.image_ids))) == (entry["samples"], entry["images"]), name
        steps = 2 * (1 + np.arange(protocol.num_keypoints) / protocol.num_keypoints)
        for kind, offsets in (("perfect", 0.0), ("shifted", np.stack([steps, steps / 2], axis=-1))):
            found = Predictions(
                person_ids=truth.ids,
                image_ids=truth.image_ids,
                boxes=truth.boxes,
                box_scores=np.ones(count, np.float32),
                crop_areas=np.ones(count, np.float32),
                keypoints=(truth.keypoints + offsets).astype(np.float32),
                keypoint_scores=np.full(truth.labelled.shape, 0.9, np.float32),
            )
            expected = {PLUGIN.our_name(key, scoring): value for key, value in entry[kind].items()}
            assert evaluate(found, protocol, zoo_samples) == pytest.approx(expected, abs=1e-6), (name, kind)
        met.append(name)
    print(f"{len(met)} met, {len(waiting)} wait for their data set class:", *waiting, sep="\n")
    assert len(met) >= 10
