"""Reads from a config's model which head makes the outputs, and how these are mirrored back and decoded."""

import math
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from harness.errors import SpecError, brief
from harness.plugins import plugin, plugins
from harness.protocol import Decoder, Flip
from harness.suites.metainfo import Metainfo, model_metainfo


def heatmap_head(config: Config) -> tuple[Any, str]:
    """Return the settings of the head that makes the outputs, and the config field that has them.

    MMPose's VisPredictHead also predicts which keypoints are visible; it has the pose head in its field `pose_cfg`.
    """
    head = config.model.head
    return (head.pose_cfg, "model.head.pose_cfg") if "pose_cfg" in head else (head, "model.head")


def evaluated_keypoints(config: Config) -> int | None:
    """Return the number of evaluated keypoints according to a config's model; None if the model does not state it.

    Raises:
        SpecError: No codec supports the decoder, or the number of heatmaps is not a multiple of those per keypoint.
    """
    if "head" not in config.get("model", {}):
        return None
    listed = (config.model.get("test_cfg") or {}).get("output_keypoint_indices")
    if listed is not None:
        return len(listed)
    head, field = heatmap_head(config)
    return _predicted_keypoints(config, read_decoder(head.decoder, f"config field {field}.decoder"))


def read_decoder(settings: Mapping[str, Any], where: str) -> Decoder:
    """Return the decoder that a config's `model.head.decoder` describes.

    Args:
        settings: The value of the field.
        where: Names the field and the config, for the error.

    Raises:
        SpecError: No codec supports it.
    """
    for codec in plugins("codecs").values():
        if decoder := codec.read(settings):
            return decoder  # type: ignore[no-any-return]
    raise SpecError(
        f"{where}: {settings['type']} is not supported",
        "a package adds another codec by an entry point of the group pose_harness.codecs",
    )


def flip_of(config: Config, decoder: Decoder, meta: Metainfo) -> Flip:
    """Return the flip test of a config.

    Args:
        config: A row's config with its overrides.
        decoder: The config's decoder.
        meta: The metainfo of the evaluated data set.

    Raises:
        SpecError: The flip mode does not fit the decoder, or the mirror pairs are for other keypoints than the
            network's.
    """
    test = config.model.get("test_cfg") or {}
    codec = _codec(decoder)
    field, default = codec.shift_setting or ("", False)
    shift = bool(test.get(field, default))
    if not test.get("flip_test"):
        return Flip(enabled=False, shift=shift)
    mode = codec.flip_mode
    if codec.flip_mode_stated and (stated := test.get("flip_mode", "heatmap")) != mode:
        raise SpecError(f"config field model.test_cfg.flip_mode: {stated} is not supported; `{mode}` is")
    own = model_metainfo(config)
    indices, source = (own.flip_indices, own.source) if own else (meta.flip_indices, meta.source)
    predicted = _predicted_keypoints(config, decoder)
    if predicted is not None and len(indices) != predicted:
        raise SpecError(
            f"config field model.test_cfg.flip_test: the network has {predicted} keypoints to mirror, and {source} has "
            f"{len(indices)}",
            "state those of the network: model.metainfo = dict(from_file='info.py')",
        )
    return Flip(
        enabled=True,
        shift=shift,
        mode=mode,
        indices=None if indices == meta.flip_indices else indices,
    )


def _codec(decoder: Decoder) -> Any:
    return plugin("codecs", decoder.codec, "protocol field decoder.codec")


def decoder_of(config: Config, input_size: tuple[int, ...], meta: Metainfo) -> Decoder:
    """Return the decoder of a config's outputs.

    Args:
        config: A row's config with its overrides.
        input_size: Width and height of the config's crops, px.
        meta: The metainfo of the evaluated data set.

    Raises:
        SpecError: No codec supports the decoder; the decoder is for another input size; or the network has other
            keypoints than the data set, and the config does not state which of them are kept.
    """
    head, field = heatmap_head(config)
    decoder = read_decoder(head.decoder, f"config field {field}.decoder of {config.filename}")
    if tuple(head.decoder.input_size) != input_size:
        raise SpecError(
            f"config field {field}.decoder.input_size of {config.filename}: {tuple(head.decoder.input_size)} is not "
            f"the {input_size} of its TopdownAffine"
        )
    return decoder.model_copy(update={"kept": _kept(config, decoder, meta)})


def _predicted_keypoints(config: Config, decoder: Decoder) -> int | None:
    """Return the network's number of keypoints; None if its head does not state it.

    Raises:
        SpecError: The number of heatmaps is not a multiple of the codec's heatmaps per keypoint.
    """
    head, field = heatmap_head(config)
    heatmaps: Any = head.get("out_channels", head.get("num_joints"))
    channels: int = _codec(decoder).channels
    if not isinstance(heatmaps, int):
        return None
    if heatmaps % channels:
        raise SpecError(
            f"config field {field}.out_channels of {config.filename}: {heatmaps} is not a multiple of {channels}, the "
            "number of heatmaps per keypoint"
        )
    return heatmaps // channels


def _kept(config: Config, decoder: Decoder, meta: Metainfo) -> tuple[int, ...] | None:
    """Return the indices of the data set's keypoints among the network's; None if both have the same keypoints.

    Raises:
        SpecError: The numbers of keypoints differ.
    """
    predicted, count = _predicted_keypoints(config, decoder), len(meta.names)
    listed = (config.model.get("test_cfg") or {}).get("output_keypoint_indices")
    if listed is not None:
        kept = tuple(listed)
        if len(kept) != count or not all(0 <= index < (predicted or math.inf) for index in kept):
            raise SpecError(
                f"config field model.test_cfg.output_keypoint_indices of {config.filename}: {brief(listed)} does not "
                f"list {count} keypoints, as {meta.source} has, of the {predicted} of the network"
            )
        return None if kept == tuple(range(predicted or 0)) else kept
    if predicted is not None and predicted != count:
        dataset = config.test_dataloader.dataset
        stated = f"{meta.source} has {count}"
        if not dataset.get("metainfo"):
            stated = f"metainfo is not stated, so {dataset.type}'s {count} keypoints are evaluated"
        raise SpecError(
            f"config field {heatmap_head(config)[1]}.out_channels of {config.filename}: the network has {predicted} "
            f"keypoints, and {stated}",
            "state those of the network: test_dataloader.dataset.metainfo = dict(from_file='info.py'), which is found "
            "beside the suite",
        )
    return None
