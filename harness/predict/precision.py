"""Precisions: the arithmetic of a network's products, and changes to a network that make it faster."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmcv.cnn import fuse_conv_bn

from harness.codecs.interface import Codec
from harness.errors import UsageError
from harness.predict.networks import forward_head
from harness.protocol import Precision

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""The precisions that use torch's autocast, with its data type."""
PRODUCTS = (torch.nn.Conv2d, torch.nn.ConvTranspose2d, torch.nn.Linear)
"""The layers that compute nearly all products of a network."""
_FOLDED = 1e-2
"""Folding norms may change outputs by at most this share of their maximum; a larger change means that the network does
not apply a norm directly after the convolution."""
_AMPERE = (8, 0)
"""The first compute capability with TF32."""


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """In this context, products are computed in a precision; torch's settings are restored at the end.

    TF32 is off in all other precisions; by default, torch lets cuDNN use it for single-precision convolutions.
    """
    dtype = AUTOCAST.get(precision)
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    convolutions.allow_tf32 = products.allow_tf32 = precision == "tf32"
    try:
        with torch.autocast(device.type, dtype, enabled=dtype is not None):
            yield
    finally:
        convolutions.allow_tf32, products.allow_tf32 = before


def check_precision(precision: Precision, device: str | torch.device) -> None:
    """Check that a device supports TF32; otherwise it would compute in single precision and the record state TF32.

    A GPU of another machine cannot be checked, and is assumed to support it.

    Raises:
        UsageError: The device does not support TF32.
    """
    device = torch.device(device)
    if precision != "tf32" or (device.type == "cuda" and not torch.cuda.is_available()):
        return
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < _AMPERE:
        raise UsageError(
            f"--precision tf32 needs an NVIDIA GPU of compute capability 8.0 or later (A100, RTX 30), not {device}",
            "use --precision fp32-fast",
        )


@torch.no_grad()
def fold_norms(
    network: torch.nn.Module, probe: torch.Tensor, outputs: torch.Tensor, codec: Codec
) -> torch.nn.Module | None:
    """Return a copy of a network with its norms folded into its convolutions.

    Args:
        network: In evaluation mode.
        probe: Inputs [n, 3, H, W].
        outputs: The network's outputs for the probe.
        codec: The codec that joins the outputs.

    Returns:
        The copy; None if folding changes the outputs, because a norm is not applied directly after its convolution.
    """
    folded: torch.nn.Module = fuse_conv_bn(copy.deepcopy(network)).requires_grad_(False)
    with arithmetic("fp32", probe.device):
        difference = (codec.joined(forward_head(folded, probe)) - outputs).abs().max()
    return None if difference > _FOLDED * outputs.abs().max() else folded


def cast_weights(network: torch.nn.Module, precision: Precision) -> None:
    """Cast the weights of convolutions and linear layers once, so that autocast does not cast them in each pass.

    Other layers keep single precision: norms, softmax and the residual sums of transformers would lose digits.
    """
    for layer in network.modules() if precision in AUTOCAST else ():
        if isinstance(layer, PRODUCTS):
            layer.to(AUTOCAST[precision])
