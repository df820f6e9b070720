"""Checkpoints in OpenMMLab's format load; other files are rejected with a clear message, and their code never runs."""

import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import save_checkpoint
from upstream_config import config

from harness.assets.checkpoint_files import find_checkpoint, identify_checkpoint
from harness.assets.checkpoints import load_weights
from harness.errors import ObtainError
from harness.files import sha256_file
from harness.predict.networks import build_network, forward_head
from harness.suites.schema import Checkpoint

SMALL = "coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192"
META = {"state_dict": {"a": torch.ones(2, device="meta")}}
CROPS = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 256, 192)).astype(np.float32))


def published(url_hash: str = "00000000", **fields: Any) -> Checkpoint:
    url = f"https://example.org/mmpose/net_coco_256x192-{url_hash}_20200708.pth"
    return Checkpoint(url=url, sha256=url_hash, **fields)


@pytest.fixture(scope="module")
def small() -> Config:
    return config(SMALL)


@pytest.fixture
def trained(small: Config) -> torch.nn.Module:
    """Return a network with other weights than its initial ones."""
    network = build_network(small)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.01)
    return network


def rewritten(path: Path, old: bytes, new: bytes, compression: int = zipfile.ZIP_STORED, factor: int = 1) -> None:
    """Change the pickle of a checkpoint; for a zip archive, also the compression and the stated sizes."""
    if not zipfile.is_zipfile(path):
        path.write_bytes(path.read_bytes().replace(old, new))
        return
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(old, new) if name.endswith(".pkl") else content)
        for member in archive.infolist():
            member.file_size *= factor


def heatmaps(network: torch.nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        heatmaps: torch.Tensor = forward_head(network, CROPS)
        return heatmaps


def loads_the_same(path: Path, small: Config, trained: torch.nn.Module) -> None:
    network = build_network(small)
    assert not torch.equal(heatmaps(network), heatmaps(trained))
    load_weights(network, path)
    assert torch.equal(heatmaps(network), heatmaps(trained))


def test_mmengine_1x_with_all_its_metadata(tmp_path: Path, small: Config, trained: torch.nn.Module) -> None:
    hub = MessageHub.get_instance("test_checkpoints")
    for step in range(3):
        hub.update_scalar("train/loss", np.float64(step))
        hub.update_scalar("train/lr", 0.1)
        hub.update_info("iter", step)
    assert isinstance(hub.log_scalars["train/loss"], HistoryBuffer)
    path = tmp_path / "epoch_1.pth"
    meta = {
        "epoch": 1,
        "iter": 3,
        "cfg": small.pretty_text,
        "seed": 0,
        "mmengine_version": "0.10.7",
        "dataset_meta": {"sigmas": np.ones(17, np.float32), "colors": np.zeros((2, 3), np.uint8), "name": "coco"},
    }
    save_checkpoint({"meta": meta, "state_dict": trained.state_dict(), "message_hub": hub.state_dict()}, str(path))
    with pytest.raises(pickle.UnpicklingError):  # torch alone refuses it
        torch.load(path, weights_only=True)
    loads_the_same(path, small, trained)


@pytest.mark.parametrize("core", [b"numpy.core", b"numpy._core"], ids=["NumPy 1", "NumPy 2"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_arrays_of_every_numpy(tmp_path: Path, zipped: bool, core: bytes) -> None:
    """Both releases read files of both: the training log, scalars, texts and empty arrays in the metadata."""
    network, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    hub = MessageHub.get_instance(f"numpy {core!r} {zipped}")
    hub.update_scalar("train/loss", np.float64(0.5))
    hub.update_info("best_score", np.float32(0.25))
    meta = {
        "names": np.array(["nose", "ear"]),
        "flags": np.array([True]),
        "none": np.zeros((0, 2), np.int16),
        "n": np.int64(3),
    }
    path = tmp_path / "net.pth"
    torch.save(
        {"state_dict": network.state_dict(), "meta": meta, "message_hub": hub.state_dict()},
        path,
        _use_new_zipfile_serialization=zipped,
    )
    for written in (b"cnumpy.core.", b"cnumpy._core."):
        rewritten(path, written, b"c" + core + b".")
    load_weights(other, path)
    assert torch.equal(other.weight, network.weight)


@pytest.mark.parametrize("name", ["fromfile", "_frombuffer", "multiarray._reconstruct2"])
def test_other_names_of_numpy_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "net.pth"
    torch.save({"state_dict": {"a": CROPS}, "x": np.float64(1)}, path)
    for core in (b"core", b"_core"):
        rewritten(path, b"cnumpy." + core + b".multiarray\nscalar", f"cnumpy._core\n{name}".encode())
    with pytest.raises(ObtainError, match=rf"refused: .*net\.pth needs numpy\._core\.{name}"):
        load_weights(torch.nn.Linear(3, 2), path)


def test_compressed_checkpoints(tmp_path: Path) -> None:
    """A checkpoint that was zipped again loads; one that states far larger content than weights is not unpacked."""
    network, other, path = torch.nn.Linear(300, 200), torch.nn.Linear(300, 200), tmp_path / "net.pth"
    torch.save(network.state_dict(), path)
    rewritten(path, b"", b"", zipfile.ZIP_DEFLATED)
    load_weights(other, path)
    assert torch.equal(other.weight, network.weight)
    rewritten(path, b"", b"", zipfile.ZIP_DEFLATED, factor=10_000)
    with pytest.raises(
        ObtainError, match=r"refused: .*net\.pth of 2\d\d,\d{3} bytes unpacks to 2,\d{3},\d{3},\d{3}, which"
    ):
        load_weights(other, path, trusted=True)


def test_torchscript(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(3, 2)), str(tmp_path / "net.pt"))
    with pytest.raises(ObtainError, match=r"net\.pt is a TorchScript program\n  save its weights: torch\.save"):
        load_weights(torch.nn.Linear(3, 2), tmp_path / "net.pt")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_0x_with_its_old_names(tmp_path: Path, small: Config, trained: torch.nn.Module, zipped: bool) -> None:
    old = collections.OrderedDict(
        (key.replace("head.", "keypoint_head."), value) for key, value in trained.state_dict().items()
    )
    assert any(key.startswith("keypoint_head.") for key in old)
    path = tmp_path / "old.pth"
    meta = {
        "mmpose_version": "0.18.0",
        "config": "text",
        "epoch": 210,
        "hook_msgs": {"best_score": 0.6, "x": np.float64(1)},
    }
    torch.save({"meta": meta, "state_dict": old}, path, _use_new_zipfile_serialization=zipped)
    loads_the_same(path, small, trained)


def test_data_parallel_and_bare_state_dicts(tmp_path: Path, small: Config, trained: torch.nn.Module) -> None:
    path = tmp_path / "bare.pth"
    torch.save({f"module.{key}": value for key, value in trained.state_dict().items()}, path)
    loads_the_same(path, small, trained)


def test_batch_counters_may_be_missing(tmp_path: Path, small: Config, trained: torch.nn.Module) -> None:
    path = tmp_path / "old.pth"
    torch.save({k: v for k, v in trained.state_dict().items() if not k.endswith("num_batches_tracked")}, path)
    loads_the_same(path, small, trained)


def test_another_networks_weights(tmp_path: Path, small: Config, trained: torch.nn.Module) -> None:
    path = tmp_path / "x.pth"
    state = trained.state_dict()
    dropped = next(iter(state))
    torch.save({"state_dict": {key: value for key, value in state.items() if key != dropped} | {"more": CROPS}}, path)
    with pytest.raises(ObtainError) as error:
        load_weights(build_network(small), path)
    for part in (f"{path} is for another network", f"missing {dropped}", "unexpected more"):
        assert part in str(error.value)

    torch.save({"state_dict": build_network(config("coco/td-hm_res50_8xb64-210e_coco-256x192")).state_dict()}, path)
    with pytest.raises(ObtainError, match=r"(?s)another network.*    and \d+ more"):
        load_weights(build_network(small), path)

    torch.save({"state_dict": state | {"head.final_layer.weight": torch.zeros(14, 40, 1, 1)}}, path)
    with pytest.raises(ObtainError, match=r"(?s)another network.*size mismatch for head\.final_layer\.weight"):
        load_weights(build_network(small), path)


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self._path), "w")


class Sneaky:
    """Gets an attribute with the getattr that training logs use."""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (np.ndarray, "tofile")


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_no_code_runs(tmp_path: Path, small: Config, trained: torch.nn.Module, zipped: bool) -> None:
    path, created = tmp_path / "bad.pth", tmp_path / "created"
    content = {"state_dict": trained.state_dict(), "meta": Malicious(created)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ObtainError, match=r"refused: .*bad\.pth needs \w+\.open"):
        load_weights(build_network(small), path)
    assert not created.exists()
    torch.save(content | {"meta": Sneaky()}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ObtainError, match=r"refused: .*bad\.pth needs builtins\.getattr"):
        load_weights(build_network(small), path)


def test_code_runs_for_who_trusts_it(tmp_path: Path, small: Config, trained: torch.nn.Module) -> None:
    path, created = tmp_path / "odd.pth", tmp_path / "created"
    torch.save({"state_dict": trained.state_dict(), "meta": Malicious(created)}, path)
    network = build_network(small)
    load_weights(network, path, trusted=True)
    assert created.exists()
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_truncated(tmp_path: Path, small: Config, trained: torch.nn.Module, zipped: bool, share: float) -> None:
    path = tmp_path / "cut.pth"
    torch.save({"state_dict": trained.state_dict()}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ObtainError, match=r"not a checkpoint, or damaged: .*cut\.pth"):
        load_weights(build_network(small), path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"state_dict": {}},
        {"state_dict": {"a": 1}},
        {"state_dict": {"a": torch.ones(1, dtype=torch.complex64)}},  # its imaginary part would be dropped
        {"state_dict": {1: CROPS}},
        [1, 2],
        {"model": {"a": CROPS}},
        META,
    ],
)
def test_no_weights(tmp_path: Path, small: Config, content: Any) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ObtainError, match=r"not a checkpoint: .* has no weights under `state_dict`.*\n  use the file"):
        load_weights(build_network(small), tmp_path / "x.pth")


@pytest.mark.parametrize("metadata", [5, {1: {}}, {"": {"version": "two"}}], ids=str)
def test_metadata_of_another_form(tmp_path: Path, small: Config, trained: torch.nn.Module, metadata: Any) -> None:
    state = trained.state_dict()
    if metadata and isinstance(metadata, dict):
        metadata = {
            key: value
            for name in state
            for key, value in {**metadata, name.rpartition(".")[0]: {"version": "2"}}.items()
        }
    setattr(state, "_metadata", metadata)  # noqa: B010  by its type, it has none
    torch.save({"state_dict": state}, tmp_path / "x.pth")
    with pytest.raises(ObtainError, match=r"not a checkpoint, or damaged: .*x\.pth"):
        load_weights(build_network(small), tmp_path / "x.pth")


def test_hash(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(b"weights")
    right = sha256_file(path)
    assert identify_checkpoint(path, published(right[:8])).warnings == ()
    with pytest.raises(
        ObtainError,
        match=rf"x\.pth has sha256 {right[:8]}, but the published sha256 is 00000000\n.* move it elsewhere, and get ",
    ):
        identify_checkpoint(path, published())
    stale = identify_checkpoint(path, published(hash_is_stale="republished smaller"))
    assert stale.sha256 == right
    assert stale.size == 7
    assert "republished smaller" in stale.warnings[0]
    with pytest.raises(ObtainError) as caught:
        identify_checkpoint(path, Checkpoint(url="x.pth", sha256="0" * 16))
    assert f"x.pth has sha256 {right[:16]}, but the suite states 0000000000000000\n  if it is the right" in str(
        caught.value
    )
    assert f'state in the suite: sha256: "{right[:16]}"' in str(caught.value)
    assert "delete" not in str(caught.value)


def test_finding(tmp_path: Path) -> None:
    wanted = published()
    with pytest.raises(ObtainError, match=rf"{wanted.file_name} is not in .*\n  download it from https://example\.org"):
        find_checkpoint(tmp_path, wanted)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / wanted.file_name).write_text("same")
    assert find_checkpoint(tmp_path, wanted) == tmp_path / "a" / wanted.file_name
    (tmp_path / "b" / wanted.file_name).write_text("other")
    with pytest.raises(ObtainError, match="different files are named"):
        find_checkpoint(tmp_path, wanted)
    (tmp_path / wanted.file_name).write_text("nearest")
    assert find_checkpoint(tmp_path, wanted) == tmp_path / wanted.file_name
