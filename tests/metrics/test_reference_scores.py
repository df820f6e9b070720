"""All scores of MMPose's own evaluators on the samples of the further data sets, for known predictions.

The samples' `reference_scores.json` contains one config of each kind with its scores of the labelled keypoints
(`perfect`), and of keypoint j of K moved by 2 (1 + j / K) px to the right and half as far down (`shifted`). All
keypoint scores are 0.9; the boxes are the annotated ones.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine import Config

from harness.assets.dataset import data_file
from harness.datasets.lookup import dataset_class
from harness.datasets.people import load_people
from harness.errors import SpecError
from harness.metrics.match import evaluate
from harness.plugins import plugin
from harness.predict.crops import crop_regions
from harness.predictions import Predictions
from harness.protocol import Compute, Protocol
from harness.suites.configs import configs_folder
from harness.suites.ledger import image_folder, read_protocol

REFUSED = {
    "face_2d_keypoint/topdown_heatmap/300wlp/td-hm_hrnetv2-w18_8xb64-60e_300wlp-256x256.py": "keypoint_indices",
    "body_2d_keypoint/rtmpose/body8/rtmpose-l_8xb512-700e_body8-halpe26-256x192.py": "keypoints_3d=None",
    "hand_2d_keypoint/rtmpose/hand5/rtmpose-m_8xb256-210e_hand5-256x256.py": "HalpeHandDataset",
}
"""Configs that are not supported, and the words of our message."""


@pytest.fixture(scope="module")
def references(zoo_samples: Path) -> dict[str, Any]:
    """Return the entries by the path of the config."""
    runs: dict[str, Any] = json.loads((zoo_samples / "reference_scores.json").read_text())["runs"]
    return runs


def read(zoo_samples: Path, name: str) -> tuple[Config, Protocol]:
    """Return a config on annotated boxes, and its protocol."""
    config = Config.fromfile(configs_folder() / name, import_custom_modules=False)
    config.test_dataloader.dataset.bbox_file = None
    compute = Compute(engine="shared", batch_size=1, device="cpu")
    return config, read_protocol(config, lambda path, what: data_file(zoo_samples, path, what), None, compute)


def predicted(samples: Path, config: Config, protocol: Protocol, shift: float) -> Predictions:
    """Return the labelled keypoints of all people, moved by `shift` times (1 + j / K) px."""
    annotations, count = samples / protocol.annotations.path, protocol.num_keypoints
    people = load_people(protocol.dataset, annotations, samples / image_folder(config), None, None)
    labelled = dataset_class(protocol.dataset).labelled(annotations, count)
    moved = shift * (1 + np.arange(count) / count)
    keypoints = labelled.keypoints[labelled.places(people.ids)] + np.column_stack([moved, moved / 2])
    return Predictions(
        person_ids=people.ids,
        image_ids=people.image_ids,
        boxes=people.boxes,
        box_scores=people.scores,
        crop_areas=crop_regions(people, protocol.crop).sizes.prod(axis=1),
        keypoints=keypoints.astype(np.float32),
        keypoint_scores=np.full((len(people), count), 0.9, np.float32),
    )


def test_scores(all_samples: Path, references: dict[str, Any]) -> None:
    met = []
    for name, entry in references.items():
        if "perfect" not in entry or name in REFUSED:
            continue
        config, protocol = read(all_samples, name)
        family = plugin("metrics", protocol.scoring.metric, "scoring.metric")
        for kind, shift in (("perfect", 0), ("shifted", 2)):
            predictions = predicted(all_samples, config, protocol, shift)
            assert len(predictions) == entry["samples"], name
            found = evaluate(predictions, protocol, all_samples)
            for key, value in entry[kind].items():
                ours = found[family.our_name(key.rpartition("/")[2], protocol.scoring)]
                expected = None if value == -1 else pytest.approx(value * family.upstream_unit, abs=1e-6)
                assert ours == expected, (name, kind, key)
        met.append(name)
    scored = {name for name, entry in references.items() if "perfect" in entry}
    assert set(met) == scored - set(REFUSED)
    assert len(met) > 45


@pytest.mark.parametrize("name", REFUSED)
def test_configs_that_are_not_evaluated(name: str, zoo_samples: Path) -> None:
    with pytest.raises(SpecError, match=REFUSED[name]):
        read(zoo_samples, name)
