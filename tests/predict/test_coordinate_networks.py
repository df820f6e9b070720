"""MMPose's networks whose heads return vectors or coordinates: the outputs have the form that the codec decodes."""

from typing import Any

import numpy as np
import pytest
import torch
from fake_cuda import RecordableOnMeta
from mmengine.config import Config

from harness.codecs.interface import codec_of
from harness.predict.decoding import decode
from harness.predict.networks import build_network, codec_of_config, forward_head, without_initialisers
from harness.predict.seeded import seed_weights
from harness.suites.configs import configs_folder, read_config
from harness.suites.decoding import heatmap_head, read_decoder

FOLDERS = ("rtmpose", "simcc", "topdown_regression", "integral_regression")
SEEDED = (
    "body_2d_keypoint/rtmpose/coco/rtmpose-t_8xb256-420e_coco-256x192.py",
    "body_2d_keypoint/simcc/coco/simcc_mobilenetv2_wo-deconv-8xb64-210e_coco-256x192.py",
    "body_2d_keypoint/topdown_regression/coco/td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192.py",
    "body_2d_keypoint/topdown_regression/coco/td-reg_res50_8xb64-210e_coco-256x192.py",
    "body_2d_keypoint/integral_regression/coco/ipr_res50_dsnt-8xb64-210e_coco-256x256.py",
    "wholebody_2d_keypoint/rtmpose/cocktail14/rtmw-m_8xb1024-270e_cocktail14-256x192.py",
)


def configs() -> list[str]:
    folder = configs_folder()
    paths = sorted(path for name in FOLDERS for path in folder.glob(f"*/{name}/*/*.py"))
    return [path.relative_to(folder).as_posix() for path in paths]


def read(name: str) -> Config:
    return read_config(configs_folder() / name)


def decoder_of(config: Config) -> Any:
    return read_decoder(heatmap_head(config)[0].decoder, "here")


def test_they_are_many() -> None:
    assert len(configs()) >= 80
    assert set(SEEDED) < set(configs())


@pytest.mark.parametrize("name", configs())
def test_form(name: str) -> None:
    """The outputs can be decoded, and a CUDA graph can contain the whole computation."""
    config = read(name)
    decoder, codec = decoder_of(config), codec_of_config(config)
    width, height = heatmap_head(config)[0].decoder.input_size
    with without_initialisers():
        network = build_network(config).to("meta")
    with torch.inference_mode(), RecordableOnMeta():  # type: ignore[no-untyped-call]
        outputs = codec.joined(forward_head(network, torch.zeros(1, 3, height, width, device="meta")))
    head: Any = network.head
    keypoints = getattr(head, "out_channels", None) or head.num_joints
    assert not codec.has_heatmaps
    values = sum(decoder.simcc_lengths) if codec.form == "vectors" else 4 if "RLE" in config.model.head.type else 2
    assert outputs.shape == (1, keypoints, values)


@pytest.mark.parametrize("name", SEEDED)
def test_seeded_weights_move_keypoints_with_the_image(name: str) -> None:
    config = read(name)
    decoder = decoder_of(config)
    size = tuple(heatmap_head(config)[0].decoder.input_size)
    network = build_network(config)
    seed_weights(network, config, 0)
    rng = np.random.default_rng(0)
    crops = rng.normal(0, 1, (3, 3, size[1] // 16, size[0] // 16)).repeat(16, 2).repeat(16, 3)
    with torch.inference_mode():
        outputs = codec_of(decoder).joined(forward_head(network, torch.from_numpy(crops).float()))
    codec = codec_of(decoder)
    points, scores = decode(codec.finished(outputs), decoder, (size[0], size[1]))
    assert np.isfinite(scores).all()
    inside = ((points >= 0) & (points < size)).all(-1)
    assert inside.mean() > 0.7
    assert np.median(points.std(axis=0)) > 1
    assert codec.unique(np.asarray(outputs), decoder, 1e-4).mean() > 0.9
