"""The project's own suites compared with a transcription of the published tables."""

from collections import Counter
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.suites.load import BENCHMARKS, load_suite, matching_rows, select, select_rows, suite_names
from harness.suites.schema import Row, Suite

# From configs/body_2d_keypoint/topdown_heatmap/README.md of MMPose 1.3.2. MPII's CPM is printed as 368x368*; the
# asterisk has no footnote.
PUBLISHED = """
coco
  ViTPose-h        256x192  AP 0.790  AR 0.840
  HRNet-w48+UDP    256x192  AP 0.768  AR 0.817
  MSPN 4-stg       256x192  AP 0.765  AR 0.826
  HRNet-w48+Dark   256x192  AP 0.764  AR 0.814
  HRNet-w48        256x192  AP 0.756  AR 0.809
  HRFormer-B       256x192  AP 0.754  AR 0.807
  RSN-50-3x        256x192  AP 0.750  AR 0.814
  CSPNeXt-l        256x192  AP 0.750  AR 0.800
  HRNet-w32        256x192  AP 0.749  AR 0.804
  Swin-L           256x192  AP 0.743  AR 0.798
  ViTPose-s        256x192  AP 0.739  AR 0.792
  HRFormer-S       256x192  AP 0.738  AR 0.793
  Swin-B           256x192  AP 0.737  AR 0.794
  SEResNet-101     256x192  AP 0.734  AR 0.790
  SCNet-101        256x192  AP 0.733  AR 0.789
  ResNet-101+Dark  256x192  AP 0.733  AR 0.786
  CSPNeXt-m        256x192  AP 0.732  AR 0.785
  ResNetV1d-101    256x192  AP 0.732  AR 0.785
  SEResNet-50      256x192  AP 0.729  AR 0.784
  SCNet-50         256x192  AP 0.728  AR 0.784
  ResNet-101       256x192  AP 0.726  AR 0.783
  ResNeXt-101      256x192  AP 0.726  AR 0.781
  HourglassNet     256x256  AP 0.726  AR 0.780
  ResNeSt-101      256x192  AP 0.725  AR 0.781
  RSN-50           256x192  AP 0.724  AR 0.790
  Swin-T           256x192  AP 0.724  AR 0.782
  MSPN 1-stg       256x192  AP 0.723  AR 0.788
  ResNetV1d-50     256x192  AP 0.722  AR 0.777
  ResNeSt-50       256x192  AP 0.720  AR 0.775
  ResNet-50        256x192  AP 0.718  AR 0.774
  ResNeXt-50       256x192  AP 0.715  AR 0.771
  PVT-S            256x192  AP 0.714  AR 0.773
  CSPNeXt-s        256x192  AP 0.697  AR 0.753
  LiteHRNet-30     256x192  AP 0.676  AR 0.736
  CSPNeXt-tiny     256x192  AP 0.665  AR 0.723
  MobileNet-v2     256x192  AP 0.648  AR 0.709
  LiteHRNet-18     256x192  AP 0.642  AR 0.705
  CPM              256x192  AP 0.627  AR 0.689
  ShuffleNet-v2    256x192  AP 0.602  AR 0.668
  ShuffleNet-v1    256x192  AP 0.587  AR 0.654
  AlexNet          256x192  AP 0.448  AR 0.521
mpii
  HRNet-w48+Dark   256x256  PCKh@0.5 0.905  PCKh@0.1 0.360
  HRNet-w48        256x256  PCKh@0.5 0.902  PCKh@0.1 0.303
  HRNet-w48        256x256  PCKh@0.5 0.901  PCKh@0.1 0.337
  HRNet-w32        256x256  PCKh@0.5 0.900  PCKh@0.1 0.334
  HourglassNet     256x256  PCKh@0.5 0.889  PCKh@0.1 0.317
  ResNet-152       256x256  PCKh@0.5 0.889  PCKh@0.1 0.303
  ResNetV1d-152    256x256  PCKh@0.5 0.888  PCKh@0.1 0.300
  SCNet-50         256x256  PCKh@0.5 0.888  PCKh@0.1 0.290
  ResNeXt-152      256x256  PCKh@0.5 0.887  PCKh@0.1 0.294
  SEResNet-50      256x256  PCKh@0.5 0.884  PCKh@0.1 0.292
  ResNet-50        256x256  PCKh@0.5 0.882  PCKh@0.1 0.286
  ResNetV1d-50     256x256  PCKh@0.5 0.881  PCKh@0.1 0.290
  CPM              368x368  PCKh@0.5 0.876  PCKh@0.1 0.285
  LiteHRNet-30     256x256  PCKh@0.5 0.869  PCKh@0.1 0.271
  LiteHRNet-18     256x256  PCKh@0.5 0.859  PCKh@0.1 0.260
  MobileNet-v2     256x256  PCKh@0.5 0.854  PCKh@0.1 0.234
  ShuffleNet-v2    256x256  PCKh@0.5 0.828  PCKh@0.1 0.205
  ShuffleNet-v1    256x256  PCKh@0.5 0.824  PCKh@0.1 0.195
crowdpose
  HRNet-w32        256x192  AP 0.675  AR 0.816
  CSPNeXt-m        256x192  AP 0.662  AR 0.755
  ResNet-101       256x192  AP 0.647  AR 0.800
  HRNet-w32        256x192  AP 0.637  AR 0.785
aic
  HRNet-w32        256x192  AP 0.323  AR 0.366
  ResNet-101       256x192  AP 0.294  AR 0.337
jhmdb
  ResNet-50        256x256  PCK(norm. by person size) 96.0  PCK (norm. by torso size) 80.1
  CPM              368x368  PCK(norm. by person size) 89.8  PCK (norm. by torso size) 65.7
posetrack18
  HRNet-w48        256x192  AP 84.6
  HRNet-w32        256x192  AP 83.4
  ResNet-50        256x192  AP 81.2
humanart
  ViTPose-s        256x192  AP 0.381  AR 0.448
  ViTPose-b        256x192  AP 0.410  AR 0.475
  ViTPose-s        256x192  AP 0.738  AR 0.768
  ViTPose-b        256x192  AP 0.759  AR 0.790
"""
NAMES = [line for line in PUBLISHED.splitlines() if line and not line.startswith(" ")]


@pytest.fixture(scope="module")
def suites() -> list[Suite]:
    return [load_suite(name) for name in NAMES]


def printed(suite: Suite, row: Row) -> str:
    values = []
    for claim in row.claims:
        if claim.source == "table":
            metric = suite.metrics[claim.metric]
            values.append(f"{claim.published_as or metric.label} {claim.value:.{metric.decimals}f}")
    return "  ".join([f"  {row.label:15}", row.input_size, *values])


def test_tables_are_as_published(suites: list[Suite]) -> None:
    lines = [line for suite in suites for line in (suite.name, *(printed(suite, row) for row in suite.rows))]
    assert lines == PUBLISHED.strip("\n").splitlines()


def test_counts(suites: list[Suite]) -> None:
    runs = [run for suite in suites for row in suite.rows for run in row.runs.values()]
    assert sum(len(suite.rows) for suite in suites) == 74
    assert len(runs) == 78
    assert len({run.config for run in runs}) == 76
    assert len({run.checkpoint.url for run in runs}) == 76
    assert len({run.checkpoint.sha256 for run in runs}) == 76


def test_suites_are_found_by_file_name(suites: list[Suite]) -> None:
    assert set(NAMES) <= set(suite_names())
    assert [suite.path and suite.path.stem for suite in suites] == [suite.name for suite in suites]


def test_what_is_known_to_be_wrong(suites: list[Suite]) -> None:
    wrong_labels = [suite.row_id(row) for suite in suites for row in suite.rows if row.label_note]
    assert wrong_labels == ["mpii/cspnext-m-256x256", "crowdpose/resnet-50-256x192"]
    refuted = [
        f"{suite.row_id(row)} {claim.source} {claim.metric} {claim.value}"
        for suite in suites
        for row in suite.rows
        for claim in row.claims
        if claim.refuted and claim.gates
    ]
    assert refuted == [
        "coco/hrnet-w48-256x192 metafile AR 0.806",
        "coco/hrnet-w32-256x192 metafile AP 0.746",
        "coco/hrnet-w32-256x192 metafile AR 0.799",
        "coco/resnet-101-256x192 table AP 0.726",
        "coco/alexnet-256x192 history AP 0.397",
        "coco/alexnet-256x192 history AR 0.478",
        "crowdpose/resnet-101-256x192 table AR@0.75 0.8",
    ]


def test_every_metric_of_a_table_is_judged_by_one_value(suites: list[Suite]) -> None:
    for suite in suites:
        for row in suite.rows:
            judged = Counter(claim.metric for claim in row.claims if claim.gates and not claim.refuted)
            assert judged == dict.fromkeys(row.published["table"], 1), row.id


def test_overrides(suites: list[Suite]) -> None:
    overridden = {
        suite.row_id(row): [change.field for change in row.overrides] for suite in suites for row in suite.rows
    }
    assert {name: fields for name, fields in overridden.items() if fields} == {
        "coco/cspnext-l-256x192": ["bbox_file"],
        "coco/cspnext-m-256x192": ["bbox_file"],
        "coco/cspnext-s-256x192": ["bbox_file"],
        "coco/cspnext-tiny-256x192": ["bbox_file"],
        "crowdpose/cspnext-m-256x192": ["data_prefix"],
        "posetrack18/hrnet-w48-256x192": ["bbox_file", "filter_cfg"],
        "posetrack18/hrnet-w32-256x192": ["bbox_file", "filter_cfg"],
        "humanart/vitpose-s-256x192-gt": ["bbox_file"],
        "humanart/vitpose-b-256x192-gt": ["bbox_file"],
    }


def test_stale_hashes_are_those_of_cspnext(suites: list[Suite]) -> None:
    stale = [
        suite.row_id(row)
        for suite in suites
        for row in suite.rows
        for run in row.runs.values()
        if run.checkpoint.hash_is_stale
    ]
    assert stale == [suite.row_id(row) for suite in suites for row in suite.rows if row.id.startswith("cspnext")]
    assert len(stale) == 6


def test_size_is_width_and_height() -> None:
    row = next(row for row in load_suite("coco").rows if row.id == "hrnet-w32-256x192")
    assert row.size == (192, 256)


def test_annotations_of_a_split() -> None:
    suite = load_suite("jhmdb")
    annotations = [suite.annotations(suite.rows[0], run) for run in suite.rows[0].runs.values()]
    assert annotations == [f"jhmdb/annotations/Sub{split}_test.json" for split in (1, 2, 3)]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        (None, ["vitpose-s-256x192", "vitpose-b-256x192", "vitpose-s-256x192-gt", "vitpose-b-256x192-gt"]),
        ("vitpose-s-256x192", ["vitpose-s-256x192"]),
        ("humanart/vitpose-s*", ["vitpose-s-256x192", "vitpose-s-256x192-gt"]),
        ("*-gt", ["vitpose-s-256x192-gt", "vitpose-b-256x192-gt"]),
    ],
)
def test_select_rows(glob: str | None, expected: list[str]) -> None:
    assert [row.id for row in select_rows(load_suite("humanart"), glob)] == expected


def test_no_row_matches() -> None:
    suite = load_suite("humanart")
    assert matching_rows(suite, "coco/*") == []
    with pytest.raises(UsageError) as caught:
        select_rows(suite, "vitpose-s-256x129")
    assert str(caught.value) == (
        "no row of humanart matches vitpose-s-256x129"
        " (did you mean vitpose-s-256x192 or vitpose-b-256x192 or vitpose-s-256x192-gt?)\n"
        "  harness list humanart shows its rows"
    )


def test_each_pattern_must_match(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^no row of humanart matches vitpose-x-1 \(did you mean .*\?\), nosuch\*\n"):
        select_rows(load_suite("humanart"), "*-gt,vitpose-x-1,nosuch*")
    assert len(select_rows(load_suite("humanart"), "*-gt, vitpose-s-256x192,")) == 3
    with pytest.raises(UsageError, match=r"^no row matches nosuch\n"):
        select(["humanart", "aic"], "*-gt,nosuch")
    assert [suite.name for suite, _ in select(["humanart", "aic"], "*-gt")] == ["humanart"]
    own = tmp_path / "own.yaml"
    own.write_text((BENCHMARKS / "humanart.yaml").read_text())
    with pytest.raises(UsageError, match=f"harness list {own} shows its rows"):
        select_rows(load_suite(own), "*-gt,nosuch")


def test_unknown_suite() -> None:
    with pytest.raises(UsageError, match=r"^unknown suite: cocoo \(did you mean coco\?\)\n  your own suite: "):
        load_suite("cocoo")
    with pytest.raises(UsageError, match=r"^unknown suite: zzz\n  suites: .*posetrack18"):
        load_suite("zzz")


def test_own_suite_by_path(tmp_path: Path, suites: list[Suite]) -> None:
    path = tmp_path / "mine.yaml"
    assert suites[0].path
    path.write_text(suites[0].path.read_text())
    suite = load_suite(str(path))
    assert suite.model_dump() == suites[0].model_dump()
    assert suite.path == path
