"""Suites drafted from metafiles have the metafile's values, and name the fields that the user must complete."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Harness

from harness.errors import SpecError
from harness.measures import is_measured
from harness.suites.configs import configs_folder
from harness.suites.draft import draft_suite
from harness.suites.draft_yaml import to_yaml
from harness.suites.load import load_suite, published_suites
from harness.suites.metafile import read_metafile
from harness.suites.schema import Claim, Row, Suite

Key = tuple[str, str, str, str, str | None]
"""The config's file name, the address of the weights, the data set, the metric, the subset."""


@cache
def metafiles() -> list[Path]:
    """Return MMPose's metafiles of top-down heatmap models."""
    return sorted(configs_folder().rglob("topdown_heatmap/**/*.yml"))


def claims_of(suite: Suite) -> Iterator[tuple[Key, Row, list[Claim]]]:
    """Yield the claims of each metric of a run, or of the row if it has one run."""
    for row in suite.rows:
        for name, run in row.runs.items():
            scope = name if len(row.runs) > 1 else None
            by_metric: dict[str, list[Claim]] = defaultdict(list)
            for claim in row.claims:
                if claim.run == scope:
                    by_metric[claim.metric].append(claim)
            subset = name if row.runs_are == "subsets" else None
            for ours, claims in by_metric.items():
                # The draft keeps a metafile's name of another metric, which a person corrects (rhd).
                stated = run.metafile_keys.get(ours, ours)
                metric = stated if "@" in stated and is_measured(stated) else ours
                weights = run.metafile_weights or run.checkpoint.url
                yield (Path(run.config).name, weights, suite.dataset_of(row).name, metric, subset), row, claims


def in_metafile(row: Row, claims: list[Claim]) -> float | None:
    """Return the metafile's value according to a suite; None if it has none."""
    if row.no_metafile or (claims[0].run is None and claims[0].metric in row.unconfirmed):
        return None
    by_source = {claim.source: claim for claim in claims}
    stated = [by_source[source] for source in ("metafile", "page", "table") if source in by_source]
    return next((claim.value for claim in stated if claim.source == "metafile" or not claim.refuted), None)


@pytest.mark.long
def test_all_of_mmposes_metafiles_give_the_claims_of_the_suites_back(tmp_path: Path) -> None:
    drafted: dict[Key, dict[str, float]] = defaultdict(dict)
    for number, metafile in enumerate(metafiles()):
        path = tmp_path / f"{number}.yaml"
        path.write_text(to_yaml(draft_suite(metafile, tmp_path), metafile.name))
        for key, row, claims in claims_of(load_suite(path)):
            (claim,) = claims
            assert claim.source == "metafile"
            assert claim.gates
            drafted[key][row.boxes] = claim.value
    assert len(metafiles()) == 103

    compared = 0
    without_config = set()
    for suite in map(load_suite, published_suites()):
        for key, row, claims in claims_of(suite):
            if not any("/topdown_heatmap/" in run.config for run in row.runs.values()):
                continue
            value = in_metafile(row, claims)
            if not all((configs_folder() / run.config).is_file() for run in row.runs.values()):
                without_config.add(row.id)
                continue
            if value is None or (row.unconfirmed and key not in drafted):
                continue
            found = drafted[key]
            by_boxes = found.get(row.boxes) if len(found) > 1 else next(iter(found.values()), None)
            assert by_boxes == pytest.approx(value), (suite.row_id(row), key)
            compared += 1
    assert compared > 300
    assert without_config == {"swin-b-fpn-256x192"}


NET = """
_base_ = ["mmpose::body_2d_keypoint/topdown_heatmap/coco/td-hm_res50_8xb64-210e_coco-256x192.py"]
"""


BOMB = (
    "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}' if level else 'x'] * 10)}]\n" for level in range(9))
    + "Models: [{Config: c.py, Results: [{Dataset: COCO, Metrics: {AP: *a8}}]}]"
)
"""A metafile of a few lines whose aliases stand for a thousand million values."""


def write_fork(folder: Path, **changes: Any) -> Path:
    """Write a custom metafile with a config and weights, and return its path."""
    (folder / "configs/nets").mkdir(parents=True)
    (folder / "configs/nets/net.py").write_text(NET)
    (folder / "configs/nets/net.pth").write_bytes(b"weights")
    model = {
        "Name": "my: net_256x192 #1",
        "Config": "configs/nets/net.py",
        "Weights": "net.pth",
        "Results": [{"Dataset": "COCO", "Task": "Body 2D Keypoint", "Metrics": {"AP": 0.7, "AR (L)": 0.25}}],
    }
    path = folder / "configs/nets/metafile.yml"
    path.write_text(yaml.safe_dump({"Models": [model | changes]}, sort_keys=False))
    return path


def test_a_fork_of_ones_own(tmp_path: Path, harness: Harness) -> None:
    metafile = write_fork(tmp_path / "fork")
    code, out, err = harness("import", metafile, "--out", tmp_path / "suites")
    assert (code, err) == (0, "")
    assert "metafile.yaml: 1 row; 1 to be completed" in out  # whether its data is the published one
    assert "dataset.counts and dataset.box_person_ap: the values of the published files" in (
        tmp_path / "suites/metafile.yaml"
    ).read_text().replace("\n#  ", "")
    suite = load_suite(tmp_path / "suites" / "metafile.yaml")
    (row,) = suite.rows
    assert (row.id, row.label, row.boxes, row.input_size) == (
        "my-net-256x192-1",
        "my: net_256x192 #1",
        "detector",
        "256x192",
    )
    assert [(claim.metric, claim.value, claim.gates) for claim in row.claims] == [
        ("AP", 0.7, True),
        ("AR(L)", 0.25, True),
    ]
    assert (suite.metrics["AP"].decimals, suite.metrics["AR(L)"].decimals) == (1, 2)
    run = row.runs["val"]
    assert run.config == "../fork/configs/nets/net.py"
    assert run.checkpoint.local is not None
    assert run.checkpoint.local.samefile(tmp_path / "fork/configs/nets/net.pth")
    assert suite.dataset.counts is not None  # of the project's own suite on COCO
    assert harness("check", tmp_path / "suites" / "metafile.yaml")[0] == 0

    code, _, err = harness("import", metafile, "--out", tmp_path / "suites")
    assert code == 2
    assert "metafile.yaml exists" in err


def test_what_cannot_be_known_is_named(tmp_path: Path, harness: Harness) -> None:
    results = [{"Dataset": "COCO", "Metrics": {"AP": 0.7, "mIoU": 0.5, "AR": "n/a"}}]
    metafile = write_fork(tmp_path, Weights="https://example.org/net.pth", Results=results)
    _, out, _ = harness("import", metafile, "--out", tmp_path)
    assert "1 row; 4 to be completed" in out
    head = (tmp_path / "metafile.yaml").read_text().split("schema_version")[0].replace("\n#  ", "")
    assert "checkpoint.sha256: the address has no hash in its name: https://example.org/net.pth" in head
    assert "mIoU 0.5 on COCO is left out" in head
    assert "AR n/a on COCO is left out" in head


def test_a_model_without_config_leaves_the_others(tmp_path: Path, harness: Harness) -> None:
    good, lost = write_fork(tmp_path / "a"), write_fork(tmp_path / "b", Config="configs/nets/lost.py")
    lost.rename(lost.with_name("lost.yml"))
    code, out, err = harness("import", lost.with_name("lost.yml"), good, "--out", tmp_path)
    assert code == 2
    (head, line) = err.splitlines()
    assert head.endswith("lost.yml: no model can be drafted")
    lost_folder = tmp_path / "b/configs/nets"
    assert line == (
        f"  my: net_256x192 #1 is left out: there is no config configs/nets/lost.py in {lost_folder}, in the folders "
        f"above it or in MMPose's {configs_folder()}; correct the key Config"
    )
    assert "metafile.yaml: 1 row" in out
    assert not (tmp_path / "lost.yaml").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"Results": [{"Dataset": "COCO", "Metrics": {"AP": 749}}]},
            "rows[0].published.metafile.AP: found 749; in percent, AP is at most 100: correct the value",
        ),
        ({"Weights": "https://example.org/my net.pth"}, "rows[0].runs.val.checkpoint.url: found 'https://example.org/"),
    ],
)
def test_a_draft_that_is_no_suite_is_not_written(
    changes: dict[str, Any], message: str, tmp_path: Path, harness: Harness
) -> None:
    wrong, good = write_fork(tmp_path / "a", **changes), write_fork(tmp_path / "b")
    wrong = wrong.rename(wrong.with_name("wrong.yml"))
    code, out, err = harness("import", wrong, good, "--out", tmp_path)
    assert code == 2
    assert err.startswith(f"error: metafile {wrong}: the drafted suite is invalid, and is not written: wrong.yaml:")
    assert message in err
    assert "metafile.yaml: 1 row" in out
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["metafile.yaml"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Models: [", "is not YAML"),
        ("Collections: []", "has no list `Models`"),
        (BOMB, r"metafile\.yml:6: more than 1000000 values, with all aliases expanded$"),
        ("Models: &all [*all]", r"metafile\.yml:1: the alias 'all' is inside its own anchor$"),
        ("Models: " + "[" * 5000 + "]" * 5000, r"metafile\.yml:1: nested more than 50 deep$"),
        ("Models: [3]", r"Models\[0\]: a field is of another type.*: '3'"),
        ("Models: [{Name: net, Config: net.py}]", r"Models\[0\]: the field Results is missing"),
        ("Models: [{Name: net, Config: net.py, Results: [{Dataset: COCO, Metrics: [0.7]}]}]", r"Models\[0\]: a field"),
    ],
)
def test_other_forms_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "metafile.yml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message):
        read_metafile(path)
    with pytest.raises(SpecError, match=r"none.yml does not exist$"):
        read_metafile(tmp_path / "none.yml")


def test_values_with_the_digits_that_were_printed(tmp_path: Path) -> None:
    results = [{"Dataset": "COCO", "Metrics": {"AP": 0.7}}]
    metafile = write_fork(tmp_path, Results=results)
    metafile.write_text(metafile.read_text().replace("0.7", "0.700"))
    draft = draft_suite(metafile, tmp_path)
    assert "metafile: {AP: 0.700}" in to_yaml(draft, "metafile.yml")
    assert draft.suite["metrics"]["AP"]["decimals"] == 3


def write_boxes(config: Path, boxes: str | None) -> None:
    """Write a config that evaluates a box file, or none."""
    config.write_text(
        f"{NET}test_dataloader = dict(dataset=dict(bbox_file={boxes!r}))\nval_dataloader = test_dataloader\n"
    )


def test_boxes_of_the_config_without_facts_about_others(tmp_path: Path) -> None:
    metafile = write_fork(tmp_path)
    config = metafile.with_name("net.py")
    write_boxes(config, "data/coco/mine/tiny.json")
    draft = draft_suite(metafile, tmp_path)
    dataset = draft.suite["dataset"]
    assert dataset["boxes"] == "coco/mine/tiny.json"
    assert "box_person_ap" not in dataset
    assert dataset["counts"].keys() == {"images", "people"}
    assert [remark.partition(":")[0] for remark in draft.remarks] == ["dataset.box_person_ap", "dataset.counts"]

    write_boxes(config, None)
    draft = draft_suite(metafile, tmp_path)
    assert draft.suite["rows"][0]["boxes"] == "ground-truth"
    assert not draft.suite["dataset"].keys() & {"boxes", "box_person_ap"}


def test_a_config_of_mmpose_has_published_data(tmp_path: Path) -> None:
    (metafile,) = configs_folder().glob("body_2d_keypoint/topdown_heatmap/coco/alexnet_coco.yml")
    draft = draft_suite(metafile, tmp_path)
    assert draft.remarks == []
    assert draft.suite["dataset"]["box_person_ap"] == 56.4


def test_a_copy_of_mmposes_metafile_with_another_model(tmp_path: Path, harness: Harness) -> None:
    (metafile,) = configs_folder().glob("body_2d_keypoint/topdown_heatmap/coco/alexnet_coco.yml")
    document = yaml.load(metafile.read_text(), yaml.BaseLoader)
    document["Models"].append(document["Models"][0] | {"Name": "lost", "Config": "configs/lost.py"})
    (tmp_path / "own.yml").write_text(yaml.safe_dump(document))
    code, out, err = harness("import", tmp_path / "own.yml", "--out", tmp_path)
    assert (code, err) == (0, "")
    assert "own.yaml: 1 row; 1 model left out, listed in its first lines" in out
    text = (tmp_path / "own.yaml").read_text()
    assert "# Models without a row:\n# - lost is left out: there is no config configs/lost.py" in text
    assert "Complete or check" not in text
    (row,) = load_suite(tmp_path / "own.yaml").rows
    assert row.runs["val"].config.startswith("body_2d_keypoint/")
