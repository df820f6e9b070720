"""Precisions: torch's settings during the computation, and afterwards."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from small_passes import SmallNetwork, protocol, some_crops

from harness.errors import UsageError
from harness.plugins import plugins
from harness.predict import forward as forward_module
from harness.predict.forward import Forward
from harness.predict.networks import forward_head, normalise
from harness.predict.precision import AUTOCAST, arithmetic, check_precision, fold_norms
from harness.protocol import Precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def torch_as_it_starts() -> Iterator[None]:
    """Let cuDNN use TF32, which is torch's default."""
    before = tf32()
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = True, False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def tf32() -> tuple[bool, bool]:
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


class Watched(SmallNetwork):
    """Records the settings under which it runs."""

    def extract_feat(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen = (*tf32(), inputs.is_contiguous(memory_format=torch.channels_last), torch.is_autocast_enabled("cpu"))
        return super().extract_feat(inputs)


@pytest.mark.parametrize(
    ("precision", "allowed", "autocast"),
    [
        ("fp32", False, None),
        ("fp32-fast", False, None),
        ("tf32", True, None),
        ("bf16", False, torch.bfloat16),
        ("fp16", False, torch.float16),
    ],
)
def test_settings_of_torch(precision: Precision, allowed: bool, autocast: torch.dtype | None) -> None:
    with arithmetic(precision, CPU):
        assert tf32() == (allowed, allowed)
        assert torch.is_autocast_enabled("cpu") == (autocast is not None)
        assert autocast in (None, torch.get_autocast_dtype("cpu"))
        with arithmetic("fp32", CPU):
            assert tf32() == (False, False)
            assert not torch.is_autocast_enabled("cpu")
        assert tf32() == (allowed, allowed)
    assert tf32() == (True, False)


def test_settings_are_restored_after_an_error() -> None:
    with pytest.raises(ValueError, match="it fails here"), arithmetic("tf32", CPU):
        raise ValueError("it fails here")
    assert tf32() == (True, False)
    assert not torch.is_autocast_enabled("cpu")


def test_exact_passes_have_no_tf32() -> None:
    network = Watched()
    Forward(network, protocol())(some_crops(4))
    assert network.seen == (False, False, False, False)
    assert tf32() == (True, False)


def test_a_pass_in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    crops = some_crops(4)
    exact = Forward(SmallNetwork(), protocol())(crops)
    monkeypatch.setattr(forward_module, "check_precision", lambda *_: None)
    forward = Forward(Watched(), protocol(precision="tf32"))
    forward.quicken()
    found = forward(crops)
    network = forward._network
    assert network.seen == (True, True, True, False)
    assert not isinstance(network.norm, torch.nn.BatchNorm2d)
    torch.testing.assert_close(found, exact, rtol=0, atol=1e-5 * float(exact.abs().max()))  # a CPU has no TF32
    assert tf32() == (True, False)


def test_tf32_is_refused_where_it_would_be_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"tf32 needs an NVIDIA GPU of compute capability 8\.0 or later .* not cpu"):
        check_precision("tf32", "cpu")
    with pytest.raises(UsageError, match="use --precision fp32-fast"):
        Forward(SmallNetwork(), protocol(precision="tf32")).quicken()
    check_precision("bf16", "cpu")
    check_precision("tf32", "cuda")  # of a cluster, perhaps: there is none here
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for capability, refused in (((7, 5), True), ((8, 0), False), ((9, 0), False)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, found=capability: found)
        if refused:
            with pytest.raises(UsageError, match="not cuda:1"):
                check_precision("tf32", "cuda:1")
        else:
            check_precision("tf32", "cuda:1")


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_weights_are_cast_once_to_what_autocast_makes_of_them(precision: Precision) -> None:
    crops = some_crops(4)
    forward = Forward(SmallNetwork(), protocol(precision=precision))
    forward.quicken()
    network, dtype, probe = forward._network, AUTOCAST[precision], forward._probe()
    assert (network.conv.weight.dtype, network.head.weight.dtype) == (dtype, dtype)
    plain: Any = fold_norms(SmallNetwork(), probe, forward_head(SmallNetwork(), probe), plugins("codecs")["msra"])
    inputs = normalise(network, crops, forward._format)
    with torch.inference_mode(), torch.autocast("cpu", dtype):
        assert torch.equal(forward_head(network, inputs), forward_head(plain, inputs))
