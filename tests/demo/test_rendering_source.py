"""The demo's data is rendered if it is missing: a folder is created completely or not at all."""

import json
from pathlib import Path

import pytest
from conftest import Harness

from harness.assets.fetch import Item, data_items, obtain
from harness.demo import dataset, scene
from harness.errors import ObtainError

FOLDER = "demo/crowdpose"
ANNOTATIONS = f"{FOLDER}/annotations/crowdpose_val.json"


def item_of(data: Path, path: str = ANNOTATIONS) -> Item:
    [item] = data_items([path], data)
    return item


def quiet(_name: str, _done: int, _total: int | None) -> None:
    """Show nothing."""


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_all_of_it_is_there(demo: Path) -> None:
    items = data_items(["demo/coco/val", "demo/mpii/val", "demo/crowdpose/val", ANNOTATIONS], demo)
    assert [(item.state, item.remark) for item in items] == [("there", "")] * 4
    assert {item.rendered for item in items} == {"demo/coco", "demo/mpii", "demo/crowdpose"}
    assert [item.urls + item.instructions for item in items] == [[]] * 4


def test_what_is_there_is_not_made_again(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "render_scene", None)
    obtain(item_of(demo), demo, quiet)


@pytest.mark.parametrize("damage", ["image", "annotations"])
def test_what_is_not_whole_is_made_again(demo: Path, tmp_path: Path, damage: str) -> None:
    original = files(demo / FOLDER)
    for name, content in original.items():
        path = tmp_path / FOLDER / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    if damage == "image":
        (tmp_path / FOLDER / "val/000000000007.png").unlink()
        item = item_of(tmp_path, f"{FOLDER}/val")
        assert (item.state, item.remark) == ("incomplete", "59 of 60 files")
    else:
        (tmp_path / ANNOTATIONS).write_text("{}")
        item = item_of(tmp_path)
        assert (item.state, item.remark) == ("incomplete", "rendered by another release of this project")
    obtain(item, tmp_path, quiet)
    assert files(tmp_path / FOLDER) == original


def test_nothing_is_left_of_a_rendering_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0

    def fail(*arguments: object) -> scene.Scene:
        nonlocal done
        done += 1
        if done > 3:
            raise OSError(28, "No space left on device")
        return scene.render_scene(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(dataset, "render_scene", fail)
    with pytest.raises(ObtainError, match="demo/crowdpose does not fit: the disk is full"):
        obtain(item_of(tmp_path), tmp_path, quiet)
    assert [path.name for path in (tmp_path / "demo").iterdir()] == [".crowdpose.lock"]


def test_other_pixels_are_no_ground_for_claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "SEED", 1)
    with pytest.raises(ObtainError, match=f"renders data that differ from the data of the claims: {ANNOTATIONS}"):
        obtain(item_of(tmp_path), tmp_path, quiet)


def test_a_dry_run_shows_that_nothing_is_downloaded(harness: Harness, tmp_path: Path) -> None:
    code, out, _ = harness("fetch", "demo", "--dry-run", "--data", tmp_path / "none")
    assert code == 0
    assert "  missing       rendered  demo/coco/val\n" in out
    assert out.splitlines()[-1].startswith("nothing to download; 9 to render; ")  # the demo is in no published table
    document = json.loads(harness("fetch", "demo", "--dry-run", "--json", "--data", tmp_path / "none")[1])
    assert {item["rendered"] for item in document["items"]} >= {"demo/coco", "demo/mpii", "demo/crowdpose"}
