"""Other heatmaps from the same forward passes, against how they are defined."""

import numpy as np
import pytest
import small_passes
import torch

from harness.predict.forward import SharedForward, flip_tested
from harness.predict.other_heatmaps import FLIPPED_HEATMAPS, ROUNDED_HEATMAPS
from harness.protocol import Flip, Protocol

PAIRS = (0, 2, 1)


def protocol(shift: bool = False) -> Protocol:
    made: Protocol = small_passes.protocol()
    return made.model_copy(update={"flip": Flip(enabled=True, shift=shift)})


class Drawn:
    """A network whose heatmaps are drawn: those of the crops, and those of the mirrored ones."""

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
    return drawn.mirrored.flip(-1)[:, list(PAIRS)]


@pytest.mark.parametrize("shift", [False, True])
def test_shifted_twice(shift: bool) -> None:
    """Two columns to the right; the first column stays where it was, as MMPose's shift leaves it."""
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
