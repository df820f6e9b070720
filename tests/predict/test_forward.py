"""The forward pass: out-of-memory errors, and faster precisions."""

import shutil
from typing import Any

import pytest
import torch
from small_passes import SmallNetwork, protocol, some_crops

from harness.errors import RunError
from harness.openmmlab.stand_ins import install_stand_ins
from harness.predict import forward as forward_module
from harness.predict.forward import Forward, SharedForward, flip_tested
from harness.predict.networks import build_network
from harness.predict.seeded import seed_weights
from harness.protocol import Flip
from harness.suites.configs import configs_folder, read_config


@pytest.fixture(autouse=True)
def small_networks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat networks with few parameters as large."""
    monkeypatch.setattr(forward_module, "_SMALL", 0)


def test_out_of_memory_halves_the_batch_and_is_told() -> None:
    crops = some_crops(8)
    whole = Forward(SmallNetwork(), protocol(batch_size=8))(crops)
    network = SmallNetwork(room=3)
    forward = Forward(network, protocol(batch_size=8))
    torch.testing.assert_close(forward(crops), whole)
    assert forward.warnings == [
        "out of memory on cpu: later passes take 4 people, not 8",
        "out of memory on cpu: later passes take 2 people, not 4",
    ]
    network.sizes.clear()
    forward(crops)
    assert network.sizes == [2] * 8  # the batch size stays small; each batch has two sides of the flip test


def test_the_cpu_says_it_in_other_words() -> None:
    class Huge(SmallNetwork):
        def extract_feat(self, inputs: torch.Tensor) -> torch.Tensor:
            if len(inputs) > 1:
                torch.empty(2**60)
            return super().extract_feat(inputs)

    forward = Forward(Huge(), protocol(batch_size=2))
    torch.testing.assert_close(forward(some_crops(2)), Forward(SmallNetwork(), protocol())(some_crops(2)))
    assert len(forward.warnings) == 1


def test_no_memory_for_one_person() -> None:
    with pytest.raises(RunError, match="cpu does not have enough memory for one person"):
        Forward(SmallNetwork(room=0), protocol())(some_crops(4))


def test_other_errors_are_no_lack_of_memory() -> None:
    with pytest.raises(RuntimeError, match="size of tensor"):
        Forward(SmallNetwork(), protocol())(some_crops(1)[..., :2])


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32-fast", 1e-5), ("bf16", 0.03), ("fp16", 0.01)])
def test_precisions(precision: str, tolerance: float) -> None:
    crops = some_crops(6)
    exact = Forward(SmallNetwork(), protocol())(crops)
    forward = Forward(SmallNetwork(), protocol(precision=precision))
    torch.testing.assert_close(forward(crops), exact, rtol=0, atol=0)  # before the switch
    forward.quicken()
    faster = forward(crops)
    assert faster.dtype == torch.float32
    difference = float((faster - exact).abs().max())
    assert 0 < difference < tolerance * float(exact.abs().max())
    assert forward.warnings == []


def test_both_sides_of_the_flip_test_in_one_batch() -> None:
    network = SmallNetwork()
    forward = Forward(network, protocol(precision="fp32-fast", batch_size=4))
    network.sizes.clear()
    forward.quicken()
    folded: Any = forward._network
    folded.sizes.clear()
    forward(some_crops(4))
    assert folded.sizes == [8]


def test_layers_too_small_to_gain_are_computed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forward_module, "_SMALL", 1e6)
    crops = some_crops(4)
    exact = Forward(SmallNetwork(), protocol())(crops)
    forward = Forward(SmallNetwork(), protocol(precision="fp32-fast"))
    forward.quicken()
    assert torch.equal(forward(crops), exact)
    assert forward.warnings == ["computed exactly: fp32-fast does not speed up networks with layers as small as these"]


def test_protocols_share_a_network_that_computes_each_batch_once() -> None:
    network = SmallNetwork()
    shared = SharedForward(Forward(network, protocol()))
    flips = [
        protocol().model_copy(update={"flip": Flip(enabled=enabled, shift=shift)})
        for enabled, shift in ((True, False), (True, True), (False, False))
    ]
    sources = [shared.of(flip) for flip in flips]
    for batch in (some_crops(4), some_crops(3)):
        network.sizes.clear()
        found = [source(batch) for source in sources]
        assert network.sizes == [len(batch), len(batch)]
        for flip, heatmaps in zip(flips, found, strict=True):
            assert torch.equal(heatmaps, Forward(SmallNetwork(), flip)(batch))
    assert not torch.equal(found[0], found[1])
    assert torch.equal(flip_tested(found[2], None, flips[2]), found[2])


def test_a_norm_that_only_seems_to_follow_a_convolution_is_not_folded() -> None:
    crops = some_crops(4)
    exact = Forward(SmallNetwork(applies_norm=False), protocol())(crops)
    forward = Forward(SmallNetwork(applies_norm=False), protocol(precision="fp32-fast"))
    forward.quicken()
    torch.testing.assert_close(forward(crops), exact)
    assert forward.warnings == ["norms are not folded into the convolutions: in this network that changes the heatmaps"]


def test_a_published_network_in_fast_precision() -> None:
    config = read_config(
        configs_folder() / "body_2d_keypoint/topdown_heatmap/coco/td-hm_mobilenetv2_8xb64-210e_coco-256x192.py"
    )
    network = build_network(config)
    seed_weights(network, config, 0)
    forward = Forward(network, protocol(precision="fp32-fast").model_copy(update={"flip_indices": tuple(range(17))}))
    crops = some_crops(2, 256, 192)
    exact = forward(crops)
    forward.quicken()
    torch.testing.assert_close(forward(crops), exact, rtol=0, atol=1e-3 * float(exact.abs().max()))
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in forward._network.backbone.modules())


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler on the CPU")
def test_compiled() -> None:
    crops = some_crops(4)
    forward = Forward(SmallNetwork(), protocol(compiled=True))
    exact = forward(crops)
    forward.quicken()
    torch.testing.assert_close(forward(crops), exact)
    torch.testing.assert_close(forward(crops[:3]), exact[:3])  # the last batch is smaller


@pytest.mark.parametrize("shift", [True, False])
@pytest.mark.parametrize("mode", ["heatmap", "udp_combined"])
def test_heatmaps_are_mirrored_back_as_mmposes(mode: Any, shift: bool) -> None:
    """Also if the network has other keypoints than the data set."""
    install_stand_ins()
    from mmpose.models.utils.tta import flip_heatmaps

    indices = (0, 2, 1, 4, 3)
    channels = 3 if mode == "udp_combined" else 1
    plain, turned = torch.randn(2, 3, channels * len(indices), 8, 6, generator=torch.Generator().manual_seed(0))
    expected = (plain + flip_heatmaps(turned.clone(), list(indices), mode, shift)) * 0.5
    flip = Flip(enabled=True, shift=shift, mode=mode, indices=indices)
    before = turned.clone()
    own = protocol()
    decoder = own.decoder.model_copy(update={"codec": "udp-combined" if channels == 3 else "msra"})
    changes = {"flip": flip, "flip_indices": (0, 1, 2), "decoder": decoder}
    found = flip_tested(plain, turned, own.model_copy(update=changes))
    assert torch.equal(found, expected)
    assert torch.equal(turned, before)
