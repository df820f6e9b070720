"""Checks the rounding of single precision on the device, and measures the effect of each other precision."""

from pathlib import Path

import numpy as np
import torch

from harness.doctor.check import Finding
from harness.doctor.networks import RunId, protocol_of, read_config_of, seeded_network
from harness.doctor.outcome import NotRun
from harness.doctor.people import rendered_people
from harness.predict.forward import Forward
from harness.predict.shared import Estimator, predict_together
from harness.predictions import Predictions
from harness.protocol import Precision, Protocol
from harness.run.device import has_tf32, torch_defaults

SINGLE = 2e-5
"""Largest relative error of sums of a few thousand products in single precision, as a share of the largest value; in
TF32, the error is 1e-4 and more."""
PEOPLE = 12
MEDIAN_PX = {"fp32-fast": 0.01, "tf32": 0.25, "fp16": 0.25, "bf16": 1.5}
"""Largest median distance between keypoints of seeded networks in fp32 and in a precision, image px."""
OTHERS = 1.5
"""The same limit for all other precisions."""


def check_single_precision(device: str) -> Finding:
    """Compare a convolution and a matrix product on the device with double precision on the CPU."""
    generator = torch.Generator().manual_seed(0)
    images, weights = (torch.randn(*shape, generator=generator) for shape in ((2, 256, 32, 24), (64, 256, 3, 3)))
    left, right = (torch.randn(512, 2048, generator=generator) for _ in range(2))
    convolved = torch.nn.functional.conv2d(images.double(), weights.double(), padding=1)
    product = left.double() @ right.double().T

    def error(found: torch.Tensor, exact: torch.Tensor) -> float:
        return float((found.cpu().double() - exact).abs().max() / exact.abs().max())

    def convolve() -> torch.Tensor:
        return torch.nn.functional.conv2d(images.to(device), weights.to(device), padding=1)

    finding = Finding()
    finding.at_most("convolution_error", error(convolve(), convolved), SINGLE)
    finding.at_most("matrix_product_error", error(left.to(device) @ right.to(device).T, product), SINGLE)
    if has_tf32(device):
        with torch_defaults():
            finding.add("convolution_error_by_default", error(convolve(), convolved))
        finding.note = "torch's default for convolutions is TF32"
    return finding


def require_precision(precision: Precision, device: str) -> None:
    """Check that a device supports a precision.

    Raises:
        NotRun: It does not support it.
    """
    if str(precision) == "tf32" and not has_tf32(device):
        raise NotRun("needs a GPU of compute capability 8 or later")


def check_precision(precision: Precision, run: RunId, device: str, data: Path) -> Finding:
    """Measure the distances of keypoints between exact single precision and another precision, both on the device."""
    require_precision(precision, device)
    config = read_config_of(run)
    people = rendered_people(data, PEOPLE)

    def predict(protocol: Protocol) -> tuple[Predictions, list[str]]:
        forward = Forward(seeded_network(config), protocol)
        forward.quicken()
        (outcome,) = predict_together([Estimator(forward, protocol, lambda _: None)], people)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome, forward.warnings

    exact, _ = predict(protocol_of(config, device, len(people)))
    faster, warnings = predict(protocol_of(config, device, len(people), precision=precision))
    moved = np.linalg.norm(faster.keypoints - exact.keypoints, axis=-1)
    finding = Finding(note="; ".join(warnings))
    finding.figures |= {"people": len(people), "keypoints": moved.size}
    finding.at_most("median_px", float(np.median(moved)), MEDIAN_PX.get(precision, OTHERS))
    for name, value in (
        ("p90_px", np.quantile(moved, 0.9)),
        ("max_px", moved.max()),
        ("score", np.abs(faster.keypoint_scores - exact.keypoint_scores).max()),
    ):
        finding.add(name, float(value))
    return finding
