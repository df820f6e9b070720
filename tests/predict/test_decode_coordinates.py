"""SimCC's vectors and regressed coordinates: decoded as MMPose's codecs do, mirrored and averaged as its heads do."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.registry import DefaultScope
from upstream_config import build_codec

from harness.arrays import Float32, Floating
from harness.codecs.interface import codec_of
from harness.errors import SpecError
from harness.plugins import plugins
from harness.predict.decoding import begin_decoding
from harness.predict.forward import flip_tested
from harness.predict.networks import forward_head
from harness.protocol import Decoder, Flip, Protocol, Size

KEYPOINTS = 5
MIRRORED = (0, 2, 1, 4, 3)
SIMCC = {"type": "SimCCLabel", "sigma": 6.0}
RTMPOSE = {"type": "SimCCLabel", "sigma": (4.9, 5.66), "normalize": False, "use_dark": False}
RTMW = {**RTMPOSE, "decode_visibility": True}
REGRESSION = {"type": "RegressionLabel"}
INTEGRAL = {"type": "IntegralRegressionLabel", "sigma": 2.0}
PATHS = ("on_cpu", "on_device")


def decoder_of(settings: dict[str, Any], input_size: Size) -> Decoder:
    """Return the decoder of one of MMPose's configs."""
    (decoder,) = filter(
        None, (codec.read({**settings, "input_size": input_size}) for codec in plugins("codecs").values())
    )
    assert isinstance(decoder, Decoder)
    return decoder


def decoded(outputs: Float32, decoder: Decoder, input_size: Size, path: str) -> tuple[Floating, Floating]:
    codec = codec_of(decoder)
    with patch.object(codec, "on_cpu", getattr(codec, path) if path != "exact" else None):
        return begin_decoding(torch.from_numpy(outputs), decoder, input_size).result()


def check(settings: dict[str, Any], outputs: Float32, upstream: Any, decoder: Decoder, input_size: Size) -> None:
    """Compare the exact form and both fast paths with MMPose's codec, to the last bit."""
    for path in ("exact", *PATHS):
        points, scores = decoded(outputs, decoder, input_size, path)
        for person, (expected_points, expected_scores) in enumerate(upstream):
            if settings.get("decode_visibility"):
                expected_scores, _ = expected_scores
            assert points.dtype == expected_points.dtype
            assert scores.dtype == expected_scores.dtype
            np.testing.assert_array_equal(points[person], expected_points[0])
            np.testing.assert_array_equal(scores[person], expected_scores[0])


def vectors(rng: np.random.Generator, people: int, length: int) -> Float32:
    """Return vectors [people, K, length]: peaks of any height on noise, ties, constants, only negative values."""
    places = np.arange(length)
    centres = rng.uniform(-3, length + 3, (people, KEYPOINTS, 1))
    peaks = rng.choice([0, 0.01, 1, 6, 70]) * np.exp(-((places - centres) ** 2) / (2 * rng.uniform(0.5, 8) ** 2))
    drawn = peaks + rng.normal(rng.choice([0, -0.1, -80]), rng.choice([0, 1e-3, 0.2]), peaks.shape)
    return np.asarray(np.round(drawn, rng.choice([1, 8])), np.float32)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([(192, 256), (288, 384), (256, 256), (7, 5)]),
    ratio=st.sampled_from([2.0, 1.0, 3.0, 1.5]),
    codec=st.sampled_from([SIMCC, RTMPOSE, RTMW]),
)
def test_simcc(seed: int, size: Size, ratio: float, codec: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    across, down = (vectors(rng, 3, int(side * ratio)) for side in size)
    described = {**codec, "simcc_split_ratio": ratio}
    upstream = build_codec(**described, input_size=size)
    theirs = [upstream.decode(x.copy()[None], y.copy()[None]) for x, y in zip(across, down, strict=True)]
    decoder = decoder_of(described, size)
    assert decoder.simcc_split_ratio == ratio
    check(codec, np.concatenate([across, down], axis=-1), theirs, decoder, size)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([(192, 256), (256, 256), (367, 211)]),
    values=st.sampled_from([2, 4]),
    codec=st.sampled_from([REGRESSION, INTEGRAL]),
)
def test_regression(seed: int, size: Size, values: int, codec: dict[str, Any]) -> None:
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0.5, rng.choice([0.1, 1, 30]), (3, KEYPOINTS, values)).astype(np.float32)
    more = {"heatmap_size": (64, 64)} if codec is INTEGRAL else {}
    upstream = build_codec(**codec, **more, input_size=size)
    theirs = [upstream.decode(person.copy()[None]) for person in outputs]
    check(codec, outputs, theirs, decoder_of(codec, size), size)


def in_channels(width: int) -> dict[str, Any]:
    """Return the outputs of heads for features [N, width, 4, 3] of a 96 px wide and 128 px high input."""
    return {"in_channels": width, "in_featuremap_size": (3, 4)}


GAU = {"hidden_dims": 16, "s": 8, "expansion_factor": 2, "dropout_rate": 0.0, "drop_path": 0.0, "act_fn": "SiLU"}
GAU |= {"use_rel_bias": False, "pos_enc": False}
SIZED = {"out_channels": KEYPOINTS, "input_size": (96, 128)}
JOINTS = {"num_joints": KEYPOINTS, "in_channels": 16}
HEADS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "simcc": ({"type": "SimCCHead", **SIZED, **in_channels(16), "deconv_out_channels": (8,) * 3}, SIMCC),
    "simcc-without-deconvs": ({"type": "SimCCHead", **SIZED, **in_channels(16), "deconv_out_channels": None}, SIMCC),
    "rtmpose": ({"type": "RTMCCHead", **SIZED, **in_channels(16), "gau_cfg": GAU}, RTMPOSE),
    "rtmw": ({"type": "RTMWHead", **SIZED, **in_channels(16), "gau_cfg": GAU}, RTMW),
    "regression": ({"type": "RegressionHead", **JOINTS}, REGRESSION),
    "rle": ({"type": "RLEHead", **JOINTS}, REGRESSION),
    "dsnt": ({"type": "DSNTHead", **JOINTS, **in_channels(16), "deconv_out_channels": (8,) * 3}, INTEGRAL),
    "debias": ({"type": "DSNTHead", **JOINTS, **in_channels(16), "debias": True, "beta": 10.0}, INTEGRAL),
    "integral": (
        {"type": "IntegralRegressionHead", **JOINTS, **in_channels(16), "deconv_out_channels": None},
        INTEGRAL,
    ),
}


class Estimator:
    """A network for `forward_head` that consists of a head only, without a backbone."""

    def __init__(self, head: Any) -> None:
        self.head = head

    def extract_feat(self, features: Any) -> Any:
        return features


def build_head(name: str) -> Any:
    """Build a head of MMPose with its decoder and random weights, for the features of a small network."""
    settings, codec = HEADS[name]
    more = {"heatmap_size": (24, 32)} if codec is INTEGRAL else {}
    from mmpose.registry import MODELS

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmpose"):
        loss = {"loss": {"type": "RLELoss", "use_target_weight": True}} if name == "rle" else {}
        head = MODELS.build({**settings, **loss, "decoder": {**codec, **more, "input_size": (96, 128)}})
    return head.eval().requires_grad_(False)


def features(name: str, people: int, seed: int) -> Any:
    """Return random features, as from a backbone or, for regression, from pooling."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"rtmw": [(8, 8, 6), (16, 4, 3)], "regression": [(16, 1, 1)], "rle": [(16, 1, 1)]}
    return tuple(torch.randn(people, *shape, generator=generator) for shape in shapes.get(name, [(16, 4, 3)]))


class Sample:
    """The part of a data sample that heads read."""

    metainfo = {"flip_indices": list(MIRRORED), "input_size": (96, 128)}


def protocol_with(decoder: Decoder, flip: Flip) -> Any:
    """Return the part of a protocol that a flip test reads."""
    crop = type("Crop", (), {"input_size": (96, 128)})
    return Protocol.model_construct(decoder=decoder, flip=flip, flip_indices=MIRRORED, crop=crop)


@pytest.mark.parametrize("name", HEADS)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31), flip=st.booleans(), shift=st.booleans())
def test_heads(name: str, seed: int, flip: bool, shift: bool) -> None:
    """The averaged outputs equal those of `predict` of MMPose's heads, with and without a flip test and a shift."""
    head = build_head(name)
    decoder = decoder_of(HEADS[name][1], (96, 128))
    codec = codec_of(decoder)
    sides = [features(name, 2, seed), features(name, 2, seed + 1)]
    test = {"flip_test": flip, "shift_coords": shift}
    expected = head.predict(sides if flip else sides[0], [Sample()] * 2, test)
    plain, mirrored = (codec.joined(forward_head(Estimator(head), side)) for side in sides)
    kept = plain.clone(), mirrored.clone()
    outputs = flip_tested(plain, mirrored, protocol_with(decoder, Flip(enabled=flip, shift=shift)))
    assert torch.equal(plain, kept[0])
    assert torch.equal(mirrored, kept[1])
    points, scores = begin_decoding(outputs, decoder, (96, 128)).result()
    for person, instance in enumerate(expected):
        np.testing.assert_array_equal(points[person], instance.keypoints[0])
        np.testing.assert_array_equal(scores[person], instance.keypoint_scores[0])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [np.nan, -np.nan])
@pytest.mark.parametrize("place", [3, 400])
def test_scores_tell_of_vectors_that_are_no_numbers(value: float, path: str, place: int) -> None:
    rng = np.random.default_rng(0)
    outputs = np.concatenate([vectors(rng, 2, 384), vectors(rng, 2, 512)], axis=-1)
    outputs[1, 2, place] = value
    _, scores = decoded(outputs, decoder_of(SIMCC, (192, 256)), (192, 256), path)
    assert np.isnan(scores[1, 2])
    assert np.isfinite(scores).sum() == scores.size - 1


@pytest.mark.parametrize("values", [2, 4])
def test_scores_tell_of_coordinates_that_are_no_numbers(values: int) -> None:
    outputs = np.full((1, 3, values), 0.5, np.float32)
    outputs[0, 1, 0] = np.inf
    outputs[0, 2, 1] = np.nan
    _, scores = decoded(outputs, decoder_of(REGRESSION, (192, 256)), (192, 256), "on_cpu")
    np.testing.assert_array_equal(np.isfinite(scores), [[True, False, False]])


def test_vectors_of_another_length() -> None:
    outputs = torch.zeros(1, 2, 500)
    with pytest.raises(ValueError, match="outputs have 500 values, but the decoder needs 384"):
        begin_decoding(outputs, decoder_of(SIMCC, (192, 256)), (192, 256)).result()


def test_dark_of_vectors_is_refused() -> None:
    with pytest.raises(SpecError, match="SimCCLabel: use_dark: it is not supported"):
        decoder_of({**SIMCC, "use_dark": True}, (192, 256))


@pytest.mark.parametrize("name", ["simcc", "regression", "integral"])
def test_settings_of_mmpose_are_read_by_one_codec(name: str) -> None:
    codec = plugins("codecs")[name]
    described = {**HEADS[name][1], "heatmap_size": (24, 32)}
    assert decoder_of(described, (96, 128)).codec == name
    assert codec.settings is None or decoder_of(codec.settings, (96, 128)).codec == name


def test_which_keypoints_are_ties() -> None:
    decoder = decoder_of(SIMCC, (4, 4))
    outputs = np.zeros((1, 4, 16), np.float32)
    outputs[0, :, [2, 11]] = 1
    outputs[0, 1, 3] = outputs[0, 2, 12] = 0.999
    outputs[0, 3, 3] = 0.9
    np.testing.assert_array_equal(codec_of(decoder).unique(outputs, decoder, 0.01), [[True, False, False, True]])
    regression = decoder_of(REGRESSION, (4, 4))
    assert codec_of(regression).unique(np.zeros((1, 4, 2), np.float32), regression, 0.01).all()


@pytest.mark.parametrize(("settings", "values"), [(SIMCC, 1), (REGRESSION, 2), (REGRESSION, 4)])
def test_what_is_encoded_is_decoded(settings: dict[str, Any], values: int) -> None:
    rng = np.random.default_rng(0)
    decoder = decoder_of(settings, (96, 128))
    points = rng.uniform(0, 95, (3, KEYPOINTS, 2))
    scores = rng.uniform(0.1, 1, (3, KEYPOINTS))
    codec: Any = codec_of(decoder)
    given_scores = scores if values != 2 else None
    last = decoder if settings is SIMCC else (96, 128)
    found, values_found = codec.decode(codec.encoded(points, given_scores, last), decoder, (96, 128))
    np.testing.assert_allclose(found, points, atol=0.25 if settings is SIMCC else 1e-4)
    np.testing.assert_allclose(values_found, 1 if values == 2 else scores, rtol=1e-6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["simcc", "regression"])
def test_on_a_gpu(name: str) -> None:
    codec = plugins("codecs")[name]
    decoder = decoder_of(HEADS[name][1], (192, 256))
    outputs = codec.drawn(40, 17, decoder, (192, 256))
    points, scores = begin_decoding(torch.from_numpy(outputs).cuda(), decoder, (192, 256)).result()
    expected_points, expected_scores = codec.decode(outputs, decoder, (192, 256))
    np.testing.assert_allclose(points, expected_points, rtol=0, atol=1e-4)
    np.testing.assert_allclose(scores, expected_scores, rtol=1e-6)
