"""The suites beyond MMPose's overview of bodies: their rows, and the errors in their tables."""

import re
from collections import Counter

import pytest

from harness.suites.audit import Audit, audit_suite
from harness.suites.load import GROUPS, load_suite, published_suites, suites_of
from harness.suites.schema import Column, Row, Suite

ROWS = {
    "body": {
        "exlpose": 1,
        "coco-pages": 83,
        "crowdpose-pages": 2,
        "humanart-pages": 20,
        "jhmdb-pages": 1,
        "mpii-pages": 7,
        "posetrack18-pages": 6,
    },
    "wholebody": {"coco-wholebody": 18, "ubody": 1},
    "hand": {"coco-wholebody-hand": 7, "freihand": 1, "onehand10k": 5, "rhd": 5},
    "face": {"300w": 1, "300wlp": 1, "aflw": 2, "coco-wholebody-face": 6, "cofw": 1, "wflw": 3},
    "animal": {"animalkingdom": 7, "animalpose": 5, "ap10k": 5, "locust": 3, "zebra": 3},
    "fashion": {"deepfashion": 6, "deepfashion2": 13},
}
COORDINATES = re.compile(r".*-(rtmpose|simcc|regression|integral)|body8|halpe26|hand5|lapa")
"""Suites of networks without heatmaps: `test_coordinate_suites.py`."""
OVERVIEW = {"aic", "coco", "crowdpose", "humanart", "jhmdb", "mpii", "posetrack18"}
"""Suites of the overview's tables, which `test_suites.py` transcribes."""

# Where page and metafile of MMPose 1.3.2 state different values for a checkpoint, or the metafile names another one.
DIFFERENT = """\
300wlp/hrnetv2-w18-256x256 test NME 0.0413 no value
aflw/hrnetv2-w18-dark-256x256 full NME 1.35 1.34
coco-pages/hrnet-w32-384x288 AP 0.761 0.760
coco-pages/hrnet-w32-384x288 AP@0.5 0.908 0.906
coco-pages/hrnet-w32-384x288 AP@0.75 0.826 0.830
coco-pages/hrnet-w32-384x288 AR 0.811 0.810
coco-pages/hrnet-w32-384x288 AR@0.5 0.944 0.943
coco-pages/hrnet-w32-aic-combine-256x192 AP 0.755 no value
coco-pages/hrnet-w32-aic-combine-256x192 AP@0.5 0.904 no value
coco-pages/hrnet-w32-aic-combine-256x192 AP@0.75 0.825 no value
coco-pages/hrnet-w32-aic-combine-256x192 AR 0.807 no value
coco-pages/hrnet-w32-aic-combine-256x192 AR@0.5 0.942 no value
coco-pages/hrnet-w32-aic-merge-256x192 AP 0.756 no value
coco-pages/hrnet-w32-aic-merge-256x192 AP@0.5 0.907 no value
coco-pages/hrnet-w32-aic-merge-256x192 AP@0.75 0.828 no value
coco-pages/hrnet-w32-aic-merge-256x192 AR 0.809 no value
coco-pages/hrnet-w32-aic-merge-256x192 AR@0.5 0.944 no value
coco-pages/hrnet-w32-dark-384x288 AR@0.5 0.943 0.942
coco-pages/hrnet-w48-384x288 AP@0.5 0.911 0.910
coco-pages/hrnet-w48-384x288 AP@0.75 0.832 0.831
coco-pages/hrnet-w48-384x288 AR 0.817 0.816
coco-pages/hrnet-w48-384x288 AR@0.5 0.947 0.946
coco-pages/resnet-152-dark-384x288 AP 0.755 0.757
coco-wholebody/cspnext-m-udp-256x192 AR(hand) 0.543 0.567
coco-wholebody/hrnet-w32-ubody-256x192 AP(body) 0.685 0.678
coco-wholebody/hrnet-w32-ubody-256x192 AP(face) 0.625 0.630
coco-wholebody/hrnet-w32-ubody-256x192 AP(foot) 0.564 0.543
coco-wholebody/hrnet-w32-ubody-256x192 AP(hand) 0.516 0.467
coco-wholebody/hrnet-w32-ubody-256x192 AP(whole) 0.549 0.536
coco-wholebody/hrnet-w32-ubody-256x192 AR(body) 0.759 0.755
coco-wholebody/hrnet-w32-ubody-256x192 AR(face) 0.705 0.708
coco-wholebody/hrnet-w32-ubody-256x192 AR(foot) 0.675 0.661
coco-wholebody/hrnet-w32-ubody-256x192 AR(hand) 0.609 0.566
coco-wholebody/hrnet-w32-ubody-256x192 AR(whole) 0.646 0.636
coco-wholebody/resnet-101-384x288 AP(whole) 0.597 0.598
coco-wholebody/resnet-101-384x288 AR(whole) 0.693 0.691
deepfashion/resnet-50-lower-256x192 EPE 10.5 96.5
deepfashion/resnet-50-lower-256x192 PCK@0.2 96.5 10.5
deepfashion2/resnet-50-long-sleeved-shirt-256x192 EPE 16.6 16.5
posetrack18-pages/hrnet-w32-384x288-gt AP(elbow) 85.1 84.5
posetrack18-pages/hrnet-w48-256x192 AP(ankle) 70.5 70.4
posetrack18-pages/hrnet-w48-384x288-gt AP(ankle) 80.9 80.6
"""


@pytest.fixture(scope="module")
def suites() -> list[Suite]:
    return [load_suite(name) for names in ROWS.values() for name in names]


@pytest.fixture(scope="module")
def audits(suites: list[Suite]) -> list[Audit]:
    return [audit_suite(suite) for suite in suites]


def rows(suites: list[Suite]) -> list[tuple[str, Row]]:
    return [(suite.row_id(row), row) for suite in suites for row in suite.rows]


def test_groups_are_of_these_suites(suites: list[Suite]) -> None:
    others = {name for name in published_suites() if COORDINATES.fullmatch(name)}
    assert {group: set(suites_of(group)) - others for group in ROWS} == {
        group: {*names, *(OVERVIEW if group == "body" else ())} for group, names in ROWS.items()
    }
    assert set(suites_of("all")) == {suite.name for suite in suites} | OVERVIEW | others
    assert set(GROUPS) == {*ROWS, "all"}
    for group in ROWS:
        assert {load_suite(name).group for name in suites_of(group)} == {group}


def test_rows_and_runs(suites: list[Suite]) -> None:
    assert {suite.name: len(suite.rows) for suite in suites} == {
        name: count for names in ROWS.values() for name, count in names.items()
    }
    assert sum(len(suite.rows) for suite in suites) == 213
    assert sum(len(row.runs) for _, row in rows(suites)) == 239


def test_223_printed_rows_are_entered_once(suites: list[Suite]) -> None:
    """Three rows are printed on two pages; a row of JHMDB is 8 lines: 3 splits and their mean, in each of 2 tables."""
    twice = {name: row.also_printed for name, row in rows(suites) if row.also_printed}
    page = "configs/body_2d_keypoint/topdown_heatmap/humanart/vitpose_humanart.md, as ViTPose-{}-coco"
    assert twice == {f"coco-pages/vitpose-{size}-256x192": [page.format(size.upper())] for size in "blh"}
    lines = {name: 8 if row.has_mean else 1 for name, row in rows(suites)}
    assert sum(lines.values()) + len(twice) == 223


def test_no_row_is_one_of_the_overview(suites: list[Suite]) -> None:
    def measured(suite: Suite, row: Row) -> tuple[object, ...]:
        run = next(iter(row.runs.values()))
        return (
            suite.dataset_of(row).name,
            row.boxes,
            row.input_size,
            run.checkpoint.url,
            run.annotations,
            suite.name == "ubody",
        )

    everything = [(suite, row) for suite in [*suites, *map(load_suite, OVERVIEW)] for row in suite.rows]
    assert [found for found, count in Counter(measured(*one) for one in everything).items() if count > 1] == []


def test_every_column_of_a_row_is_judged_by_one_value(suites: list[Suite]) -> None:
    for name, row in rows(suites):
        judged = Counter(
            Column(claim.metric, claim.run if row.runs_are == "subsets" else None)
            for claim in row.claims
            if claim.gates and not claim.refuted
        )
        assert judged == dict.fromkeys(row.columns, 1), name


def test_only_these_rows_have_subsets(suites: list[Suite]) -> None:
    subsets = {name: list(row.runs) for name, row in rows(suites) if row.runs_are == "subsets"}
    wflw = ["test", "pose", "illumination", "occlusion", "blur", "makeup", "expression"]
    assert subsets == {
        "300w/hrnetv2-w18-256x256": ["common", "challenge", "full", "test"],
        "300wlp/hrnetv2-w18-256x256": ["full", "test"],
        "aflw/hrnetv2-w18-256x256": ["full", "frontal"],
        "aflw/hrnetv2-w18-dark-256x256": ["full", "frontal"],
        "wflw/hrnetv2-w18-256x256": wflw,
        "wflw/hrnetv2-w18-dark-256x256": wflw,
        "wflw/hrnetv2-w18-awing-256x256": wflw,
    }


def test_columns_of_subsets() -> None:
    assert list(load_suite("aflw").columns) == ["NME full", "NME frontal"]
    assert load_suite("aflw").metric_of("NME full").unit == "percent"


def test_rows_that_nobody_can_run(suites: list[Suite]) -> None:
    assert [name for name, row in rows(suites) if row.cannot_run] == [
        "coco-pages/swin-b-fpn-256x192",
        "ubody/hrnet-w32-256x192",
    ]


def test_stale_and_missing_hashes(suites: list[Suite]) -> None:
    """All networks of CSPNeXt were moved under the same names; the name of ExLPose's file contains no hash."""
    checkpoints = [(name, run.checkpoint) for name, row in rows(suites) for run in row.runs.values()]
    cspnext = [name for name, row in rows(suites) if row.id.startswith("cspnext")]
    assert [name for name, checkpoint in checkpoints if checkpoint.hash_is_stale] == cspnext
    assert len(cspnext) == 6
    assert [name for name, checkpoint in checkpoints if not checkpoint.sha256] == ["exlpose/hrnet-w32-256x192"]


def test_rows_of_another_data_set_than_their_config(suites: list[Suite]) -> None:
    found = {name for name, row in rows(suites) if row.evaluated_like}
    models = ["hrnet-w32", "hrnet-w48", *(f"vitpose-{size}" for size in "sblh")]
    assert found == {
        *(f"humanart-pages/{model}-coco-256x192{boxes}" for model in models for boxes in ("", "-gt")),
        *(f"coco-pages/{model}-humanart-256x192" for model in models),
    }


def test_overrides(suites: list[Suite]) -> None:
    overridden = Counter(tuple(change.field for change in row.overrides) for _, row in rows(suites) if row.overrides)
    network = ("model.backbone.type", "model.backbone.out_type", "model.backbone.output_cls_token")
    assert overridden == {
        ("bbox_file",): 8,  # models on annotated people of Human-Art
        (*network, "bbox_file"): 2,
        network: 4,  # ViTPose-L and ViTPose-H of Human-Art
        ("bbox_file", "filter_cfg"): 2,  # PoseTrack18's first table
        ("data_prefix",): 4,  # CSPNeXt, trained on AI Challenger and COCO
        ("test_evaluator.keypoint_indices",): 1,  # 300W-LP
    }


def test_known_disagreements_are_exactly_these(audits: list[Audit]) -> None:
    claims = [finding for audit in audits for finding in audit.findings]
    assert {finding.status for finding in claims} == {"known"}
    assert all(finding.reason and finding.in_table for finding in claims)
    absent = {name: row.no_metafile for audit in audits for name, row in rows([audit.suite]) if row.no_metafile}
    assert len(absent) == 16
    whole = {name for name in absent if not name.startswith("coco-pages/hrnet-w32-aic")}
    assert {name.split("/")[0] for name in whole} == {"coco-pages", "humanart-pages", "ubody"}
    lines = [f"{found.row} {found.subject} {found.stated} {found.found}" for found in claims if found.row not in whole]
    assert sorted(lines) == DIFFERENT.splitlines()
    assert len({line.split()[0] for line in lines}) == 16
    assert {found.found for found in claims if found.row in whole} == {"no value"}
