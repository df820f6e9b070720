"""Shards on disk: loading returns the saved content, or nothing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.predictions import Predictions
from harness.run.shards import Shard, ShardNotes, ShardStore, covered, share_done

KEY = "0123456789abcdef" * 4
TOTAL = 10


def shard(start: int, end: int) -> Shard:
    rng, people = np.random.default_rng(start), end - start
    predictions = Predictions(
        person_ids=np.arange(start, end),
        image_ids=np.arange(start, end) // 3,
        boxes=rng.random((people, 4), np.float32),
        box_scores=rng.random(people, np.float32),
        crop_areas=rng.random(people, np.float32),
        keypoints=rng.random((people, 17, 2)),
        keypoint_scores=rng.random((people, 17), np.float32),
    )
    notes = ShardNotes(
        worker="cpu", network_seconds=1, predict_seconds=2, forward_seconds=1.5, together=3, warnings=["of memory"]
    )
    return Shard(start, end, predictions, notes)


@pytest.fixture
def store(tmp_path: Path) -> ShardStore:
    return ShardStore(tmp_path / "shards", KEY, TOTAL)


def ranges(store: ShardStore) -> list[tuple[int, int]]:
    return [(found.start, found.end) for found in store.load()]


def test_what_is_kept_comes_back_in_order(store: ShardStore) -> None:
    assert ranges(store) == []
    for start, end in ((8, 10), (0, 4)):
        store.save(shard(start, end))
    for found in store.load():
        expected = shard(found.start, found.end)
        assert found.notes == expected.notes
        for name, values in vars(expected.predictions).items():
            np.testing.assert_array_equal(getattr(found.predictions, name), values, strict=True)
    assert ranges(store) == [(0, 4), (8, 10)]
    assert share_done(store.folder) == 0.6


def test_other_content_is_another_shard(store: ShardStore) -> None:
    store.save(shard(0, 4))
    other = ShardStore(store.folder, KEY[::-1], TOTAL)
    assert ranges(other) == []
    other.save(shard(0, 9))
    assert ranges(store) == [(0, 4)]
    assert share_done(store.folder) == 0.9
    assert ranges(ShardStore(store.folder, KEY, TOTAL + 1)) == []


@settings(max_examples=100, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_shard_is_none(
    tmp_path_factory: pytest.TempPathFactory, place: float, change: int, cut: bool
) -> None:
    store = ShardStore(tmp_path_factory.getbasetemp() / "damaged", KEY, TOTAL)
    store.save(shard(0, 4))
    (path,) = store.folder.rglob("*.shard")
    content = bytearray(path.read_bytes())
    index = int(place * len(content))
    same = not cut and content[index] == change
    content[index] = change
    path.write_bytes(content[:index] if cut else content)
    assert ranges(store) == ([(0, 4)] if same else [])
    assert path.exists() == same


def test_foreign_files_are_left_alone(store: ShardStore) -> None:
    store.save(shard(0, 4))
    folder = store.folder / KEY[:16]
    for name in (".0-4-of-10.shard.x.part", "4-2-of-10.shard", "0-11-of-10.shard", "notes.txt"):
        (folder / name).write_text("x")
    assert ranges(store) == [(0, 4)]
    assert len(list(folder.iterdir())) == 5


def test_covered() -> None:
    assert covered([(0, 2), (1, 3), (5, 6)], 6).tolist() == [True, True, True, False, False, True]
