"""A source of heatmaps that is not a network: found by its kind, and used like MMPose's networks."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from small_passes import NUM_KEYPOINTS, SmallNetwork, draw_people, protocol

from harness import plugins
from harness.errors import SpecError
from harness.predict.forward import Forward, SharedForward
from harness.predict.shared import Estimator, predict_together
from harness.predict.sources.interface import Model, ModelKind, ModelSize, OtherConfig, model_kind
from harness.predict.sources.mmpose import Mmpose
from harness.predictions import Predictions
from harness.protocol import Precision, Protocol
from harness.suites.schema import Run

CHECKPOINT = {"url": "https://models.example/none.pth", "sha256": "12345678"}


class Centre:
    """Outputs a peak at the centre of each crop; its height is the brightness of the crop."""

    def __init__(self, config: Config, protocol: Protocol) -> None:
        self.device = torch.device(protocol.compute.device)
        self.warnings: list[str] = []
        self.seconds, self.bytes = 0.0, 0
        self._size = protocol.decoder.map_size

    def __call__(self, crops: torch.Tensor) -> torch.Tensor:
        return self.both(crops, False)[0]

    def both(self, crops: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        width, height = self._size
        heatmaps = torch.zeros(len(crops), NUM_KEYPOINTS, height, width)
        heatmaps[:, :, height // 2, width // 2] = crops.float().mean((1, 2, 3))[:, None] / 255
        return heatmaps, heatmaps.flip(-1) if mirrored else None

    def quicken(self) -> None:
        """Do nothing: there is no faster computation."""


class CentreKind:
    name, release = "centre", "1"

    def content(self, config: Config) -> Any:
        return "centre"

    def build(self, config: Config, protocol: Protocol, **weights: Any) -> Model:
        return Centre(config, protocol)

    def size(self, config: Config) -> ModelSize:
        return ModelSize(0, 0)

    def trial(self, config: Config, device: torch.device, precision: Precision, people: int) -> Callable[[], object]:
        return lambda: None

    def alternatives(self, config: Config) -> Iterator[OtherConfig]:
        yield from ()


KIND = CentreKind()


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install a package toy, whose module is this one."""
    info = tmp_path / "installed" / "toy-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pose_harness.heatmaps]\ncentre = {__name__}:KIND\n")
    monkeypatch.syspath_prepend(info.parent)
    plugins.plugins.cache_clear()
    yield
    plugins.plugins.cache_clear()


def run_of(**fields: Any) -> Run:
    return Run.model_validate({"config": "x.py", "checkpoint": CHECKPOINT, **fields})


@pytest.mark.usefixtures("installed")
def test_a_kind_is_looked_up_by_name() -> None:
    assert isinstance(model_kind(run_of()), Mmpose)
    assert model_kind(run_of(heatmaps="centre")).name == "centre"
    with pytest.raises(SpecError, match="suite field heatmaps of a run: none is not supported; supported are centre,"):
        model_kind(run_of(heatmaps="none"))


@pytest.mark.parametrize("shared", [False, True])
def test_no_network(tmp_path: Path, shared: bool) -> None:
    """The source runs in one pass with a network; its keypoints are in the middle of the boxes."""
    people = draw_people(tmp_path, [3, 2])
    kind: ModelKind = KIND
    source = kind.build(Config(), protocol(), checkpoint=None, seed=0, trusted=False)
    network = Forward(SmallNetwork(), protocol())
    estimators = [
        Estimator(SharedForward(each).of(protocol()) if shared else each, protocol(), lambda _: None)
        for each in (source, network)
    ]
    found, beside = predict_together(estimators, people)
    assert isinstance(found, Predictions)
    assert isinstance(beside, Predictions)
    x, y, right, bottom = people.boxes.T
    centres = np.stack([x + right, y + bottom], axis=-1) / 2
    pixel = people.boxes[:, 2:] - people.boxes[:, :2]
    assert (np.abs(found.keypoints - centres[:, None]) <= 0.2 * pixel[:, None]).all()
    assert (found.keypoint_scores > 0).all()
    assert len(np.unique(found.keypoint_scores)) > 1
