"""Builds MMPose's networks for testing: evaluation mode, single precision, no pretrained weights."""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings
from torch.nn.attention import SDPBackend, sdpa_kernel

from harness.codecs.interface import Codec, codec_of
from harness.errors import RunError
from harness.imports import quick_imports
from harness.openmmlab.stand_ins import install_stand_ins
from harness.suites.decoding import heatmap_head, read_decoder


def build_network(config: Config) -> torch.nn.Module:
    """Return a config's pose estimator on the CPU, with arbitrary weights, which the caller then loads or seeds.

    The config's initialisers do not run, so nothing is downloaded. SyncBN is replaced by BN; gradients are off. Torch's
    global random state does not change.

    Raises:
        RunError: MMPose cannot build the model: a module of the config is unknown or cannot be imported.
    """
    try:
        _import_models()
        if custom_imports := config.get("custom_imports"):
            import_modules_from_strings(**custom_imports)
        from mmpose.registry import MODELS

        with DefaultScope.overwrite_default_scope("mmpose"), torch.random.fork_rng(devices=[]):
            network = MODELS.build(copy.deepcopy(config.model))
    except (ImportError, KeyError) as error:
        raise RunError(f"MMPose cannot build the model of {config.filename}: {error}") from error
    network = revert_sync_batchnorm(network).float().eval().requires_grad_(False)
    return cast(torch.nn.Module, network)


def _import_models() -> None:
    install_stand_ins()
    # mmdet's layers use a deprecated name of torch.
    warnings.filterwarnings("ignore", r"`torch\.cuda\.amp", FutureWarning)
    with quick_imports():
        import mmpose.models  # noqa: F401 (registers the networks)


@contextmanager
def without_initialisers() -> Iterator[None]:
    """In this context, new layers have uninitialised weights, which makes building fast.

    Use it for networks that get all their weights from a file, or that compute nothing.
    """
    _import_models()  # before the replacement: a module imported later would keep the replaced initialisers
    names = [name for name in dir(torch.nn.init) if name.endswith("_") and not name.startswith("_")]
    saved = {name: getattr(torch.nn.init, name) for name in names}
    for name in names:
        setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, initialiser in saved.items():
            setattr(torch.nn.init, name, initialiser)


def normalise(
    network: Any, crops: torch.Tensor, memory_format: torch.memory_format = torch.contiguous_format
) -> torch.Tensor:
    """Return a network's inputs [n, 3, H, W] for crops [n, H, W, 3] BGR, equal to mmengine's ImgDataPreprocessor.

    Exact precision needs contiguous inputs, as in MMPose: for channels-last inputs torch uses other kernels, which
    round differently.
    """
    preprocessor = network.data_preprocessor
    inputs = crops.permute(0, 3, 1, 2).contiguous(memory_format=memory_format)
    if preprocessor._channel_conversion:
        inputs = inputs.flip(1)
    normalised: torch.Tensor = (inputs.float() - preprocessor.mean) / preprocessor.std
    return normalised


def codec_of_config(config: Config) -> Codec:
    """Return the codec of a config's model.

    Raises:
        SpecError: No codec supports its decoder.
    """
    head, field = heatmap_head(config)
    return codec_of(read_decoder(head.decoder, f"config field {field}.decoder of {config.filename}"))


def forward_head(network: Any, crops: torch.Tensor) -> Any:
    """Return the head's outputs for normalised crops [N, 3, H, W], without the flip test, for `Codec.joined`.

    Multi-stage heads (MMPose's CPMHead, MSPNHead) return one entry per stage and unit; the last entry is decoded. For
    VisPredictHead only the pose head runs, because no metric uses the predicted visibility.
    """
    head = getattr(network.head, "pose_head", network.head)
    outputs = head(network.extract_feat(crops))
    return outputs[-1] if isinstance(outputs, list) else outputs


@torch.inference_mode()
def count_flops(network: torch.nn.Module, input_size: tuple[int, int]) -> int:
    """Return the number of floating-point operations of one forward pass for one crop, without the flip test.

    Only convolutions and matrix products count. A multiplication and an addition count as one operation each.

    Args:
        network: From `build_network`.
        input_size: Width, height.
    """
    from torch.utils.flop_counter import FlopCounterMode  # imports Triton, which takes a while

    width, height = input_size
    # The counter ignores fused attention, so attention is computed as matrix products.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        forward_head(network, torch.zeros(1, 3, height, width, device=next(network.parameters()).device))
    return int(counter.get_total_flops())
