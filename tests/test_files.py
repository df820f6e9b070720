"""Files are written completely or not at all."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ObtainError
from harness.files import atomic_path, content_key, read_json, sha256_file, write_json
from harness.predictions import Predictions


def test_a_failure_leaves_the_old_file_and_no_debris(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "file.json"
    write_json(path, {"old": 1})
    with pytest.raises(FileNotFoundError), atomic_path(path) as part:
        part.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"new": float("nan")})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(path.parent.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, ["old"])
    program = (
        "import sys, time; from pathlib import Path; from harness.files import atomic_path\n"
        "with atomic_path(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.kill()
    assert read_json(path, "x") == ["old"]


def test_a_file_is_flushed_while_open_for_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows flushes only files open for writing: os.fsync then fails as a write to the file would."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: os.write(descriptor, b""))
    write_json(tmp_path / "file.json", ["new"])
    assert read_json(tmp_path / "file.json", "x") == ["new"]


def test_written_files_have_the_usual_permissions(tmp_path: Path) -> None:
    write_json(tmp_path / "atomic", 1)
    (tmp_path / "usual").write_text("1")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_read_json_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(ObtainError, match=r"the spec is missing: .*x\.json\n  next step"):
        read_json(path, "the spec", "next step")
    path.write_text("{")
    with pytest.raises(ObtainError, match=r"the spec cannot be read: .*x\.json"):
        read_json(path, "the spec")


def test_content_key_depends_on_content_alone(tmp_path: Path) -> None:
    assert content_key({"a": 1, "b": [2.5]}) == content_key({"b": [2.5], "a": 1})
    assert content_key({"a": 1}) != content_key({"a": 2})
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    before = sha256_file(path)
    os.utime(path, (time.time() + 100, time.time() + 100))
    assert sha256_file(path) == before == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_predictions_come_back_bit_for_bit(tmp_path: Path, dtype: type, count: int) -> None:
    rng = np.random.default_rng(0)
    saved = Predictions(
        person_ids=rng.integers(0, 2**40, count),
        image_ids=rng.integers(0, 2**40, count),
        boxes=rng.normal(size=(count, 4)).astype(np.float32),
        box_scores=rng.normal(size=count).astype(np.float32),
        crop_areas=rng.normal(size=count).astype(np.float32),
        keypoints=rng.normal(size=(count, 17, 2)).astype(dtype),
        keypoint_scores=rng.normal(size=(count, 17)).astype(np.float32),
    )
    path = tmp_path / "predictions.parquet"
    assert Predictions.saved_key(path) is None
    saved.save(path, "key")
    loaded = Predictions.load(path)
    for name in Predictions.__dataclass_fields__:
        before, after = getattr(saved, name), getattr(loaded, name)
        assert before.dtype == after.dtype
        np.testing.assert_array_equal(before, after)
    assert Predictions.saved_key(path) == "key"


def test_damaged_predictions_are_not_taken_for_done(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    with pytest.raises(ObtainError, match="predictions are missing"):
        Predictions.load(path)
    path.write_bytes(b"PAR1 not really")
    assert Predictions.saved_key(path) is None
    with pytest.raises(ObtainError, match="predictions cannot be read"):
        Predictions.load(path)


def test_json_that_is_nested_too_deeply(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text("[" * 100_000)
    with pytest.raises(ObtainError, match=r"the file cannot be read: .*file\.json"):
        read_json(path, "the file")


def test_half_a_surrogate_pair_is_written_and_read(tmp_path: Path) -> None:
    """JSON can contain text that UTF-8 cannot encode, such as half of an emoji."""
    path = tmp_path / "file.json"
    for _ in range(2):
        write_json(path, {"name": "\ud83e"})
    assert read_json(path, "the file") == {"name": "\ud83e"}
