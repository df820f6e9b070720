"""Other heatmaps from the same forward passes, compared with their definitions."""

from collections.abc import Callable

import numpy as np
import pytest
import small_passes
import torch

from harness.predict import forward
from harness.predict.forward import Forward, SharedForward, flip_tested
from harness.predict.other_heatmaps import FLIPPED_HEATMAPS, ROUNDED_HEATMAPS, ROUNDED_INPUTS
from harness.protocol import Flip, Protocol

PAIRS = (0, 2, 1)


def protocol(shift: bool = False) -> Protocol:
    made: Protocol = small_passes.protocol()
    return made.model_copy(update={"flip": Flip(enabled=True, shift=shift)})


class Drawn:
    """A network with random heatmaps, for the crops and for the mirrored crops."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.plain, self.mirrored = torch.rand(2, 2, 3, 8, 6, generator=generator)

    def both(self, crops: torch.Tensor, mirrored: bool) -> tuple[torch.Tensor, torch.Tensor | None]:
        return self.plain.clone(), self.mirrored.clone() if mirrored else None


def heatmaps(name: tuple[str, str], shift: bool = False) -> tuple[Drawn, torch.Tensor]:
    drawn = Drawn()
    (source,) = [make for setting, _, tried, make in (*FLIPPED_HEATMAPS, *ROUNDED_HEATMAPS) if (setting, tried) == name]
    made = source(SharedForward(drawn), protocol(shift=shift))  # type: ignore[arg-type]
    found: torch.Tensor = made(torch.zeros(2, 3, 32, 24))
    return drawn, found


def mirrored_back(drawn: Drawn) -> torch.Tensor:
    back: torch.Tensor = drawn.mirrored.flip(-1)[:, list(PAIRS)]
    return back


@pytest.mark.parametrize("shift", [False, True])
def test_shifted_twice(shift: bool) -> None:
    """The shift is two columns to the right; like MMPose's shift, it leaves the first column in place."""
    drawn, found = heatmaps(("shift of the mirrored heatmaps", "twice"), shift)
    expected = (mirrored_back(drawn)[..., :-2] + drawn.plain[..., 2:]) / 2
    np.testing.assert_allclose(found[..., 2:], expected, atol=1e-6)
    once = flip_tested(drawn.plain, drawn.mirrored, protocol(shift=True))
    assert not torch.equal(found, once)


@pytest.mark.parametrize("shift", [False, True])
def test_mirrored_side_alone(shift: bool) -> None:
    drawn, found = heatmaps(("flip test", "the mirrored side alone"), shift)
    back = mirrored_back(drawn)
    np.testing.assert_allclose(found[..., 1:], back[..., :-1] if shift else back[..., 1:], atol=1e-6)


@pytest.mark.parametrize(("tried", "dtype"), [("half precision", torch.float16), ("bfloat16", torch.bfloat16)])
def test_rounded(tried: str, dtype: torch.dtype) -> None:
    drawn, found = heatmaps(("heatmaps", tried))
    exact = flip_tested(drawn.plain, drawn.mirrored, protocol())
    assert found.dtype == torch.float32
    assert torch.equal(found, exact.to(dtype).float())
    assert not torch.equal(found, exact)


@pytest.mark.parametrize(("name", "rounding"), ROUNDED_INPUTS)
def test_inputs_have_fewer_digits(name: str, rounding: Callable[[torch.Tensor], torch.Tensor]) -> None:
    """Single precision has 24 digits in binary, half precision and TF32 have 11, bfloat16 has 8."""
    digits = 8 if name == "bfloat16" else 11
    inputs = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    found = rounding(inputs)
    steps = 2.0 ** (torch.floor(torch.log2(inputs.abs())) - digits + 1)
    off = (found - inputs) / steps
    assert found.dtype == torch.float32
    assert torch.equal(found / steps, (found / steps).round())
    if name.endswith("cut"):
        assert ((off * inputs.sign() <= 0) & (off.abs() < 1)).all()
        assert off.abs().max() > 0.9
    else:
        assert off.abs().max() <= 0.5
        assert off.abs().max() > 0.45


def test_network_gets_the_rounded_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Forward(torch.nn.Identity(), protocol())
    monkeypatch.setattr(forward, "normalise", lambda *_: torch.full((1, 3, 2, 2), 1.4))
    monkeypatch.setattr(forward, "forward_head", lambda _, inputs: inputs * 2)
    for rounding, expected in ((torch.round, 2.0), (None, 2.8)):
        network.round_inputs(rounding)
        for heatmaps in network.both(torch.zeros(1, 2, 2, 3), True):
            assert heatmaps is not None
            assert heatmaps.max().item() == pytest.approx(expected)
