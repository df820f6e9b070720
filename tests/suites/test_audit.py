"""The audit finds the known errors in MMPose's files, no others, and every change to a suite."""

import functools
from pathlib import Path

import pytest

from harness.errors import SpecError
from harness.suites.audit import AuditFinding, audit_suite
from harness.suites.configs import config_path, load_config, read_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import BENCHMARKS, load_suite

# Every difference between the published tables and the metafiles of MMPose 1.3.2: by row and metric, the published
# value and the metafile's. Those after a bar are of metrics that the tables do not print.
KNOWN = """\
coco/vitpose-h-256x192 AP 0.790 no value
coco/vitpose-h-256x192 AR 0.840 no value
coco/hrnet-w48-256x192 AR 0.809 0.806
coco/hrnet-w48-256x192 AP@0.5 0.908 0.907 |
coco/hrnet-w48-256x192 AP@0.75 0.826 0.825 |
coco/hrnet-w48-256x192 AR@0.5 0.945 0.942 |
coco/hrnet-w32-256x192 AP 0.749 0.746
coco/hrnet-w32-256x192 AR 0.804 0.799
coco/hrnet-w32-256x192 AP@0.5 0.906 0.904 |
coco/hrnet-w32-256x192 AP@0.75 0.821 0.819 |
coco/hrnet-w32-256x192 AR@0.5 0.945 0.942 |
coco/resnet-101-256x192 AP 0.726 (table) or 0.728 (page) 0.728
crowdpose/hrnet-w32-256x192 AR@0.75 0.816 no value
crowdpose/cspnext-m-256x192 AR 0.755 no value
crowdpose/resnet-101-256x192 AR@0.75 0.800 no value
crowdpose/resnet-50-256x192 AR@0.75 0.785 no value
jhmdb/resnet-50-256x256 PCK(person) 96.0 95.9
jhmdb/cpm-368x368 PCK(torso) 65.7 65.8
posetrack18/hrnet-w48-256x192 AP(elbow) 86.0 85.1 |
posetrack18/hrnet-w48-256x192 AP(hip) 80.7 80.6 |
posetrack18/hrnet-w48-256x192 AP(knee) 83.3 82.8 |
posetrack18/hrnet-w48-256x192 AP(ankle) 80.6 79.6 |
"""
PUBLISHED = ["coco", "mpii", "crowdpose", "aic", "jhmdb", "posetrack18", "humanart"]


def line(finding: AuditFinding) -> str:
    bar = "" if finding.in_table else " |"
    return f"{finding.row} {finding.subject} {finding.stated} {finding.found}{bar}"


def test_exactly_the_known_differences() -> None:
    audits = [audit_suite(load_suite(name)) for name in PUBLISHED]
    findings = [finding for audit in audits for finding in audit.findings]
    assert [line(finding) for finding in findings] == KNOWN.splitlines()
    assert {finding.status for finding in findings} == {"known"}
    assert all(finding.reason for finding in findings)
    assert [audit.agreeing for audit in audits] == [37, 18, 0, 2, 0, 3, 4]
    assert sum(audit.agreeing for audit in audits) == 64


@functools.cache
def findings_of(name: str) -> list[AuditFinding]:
    return audit_suite(load_suite(name)).findings


def changed(tmp_path: Path, name: str, old: str, new: str) -> list[tuple[str, str, str, str, str]]:
    """Return the findings that a change to one of the project's suites adds."""
    text = (BENCHMARKS / f"{name}.yaml").read_text()
    assert text.count(old) == 1
    path = tmp_path / f"{name}.yaml"
    path.write_text(text.replace(old, new))
    added = [finding for finding in audit_suite(load_suite(path)).findings if finding not in findings_of(name)]
    return [(finding.status, finding.row, finding.subject, finding.stated, finding.found) for finding in added]


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        pytest.param(
            "aic", "AP: 0.323", "AP: 0.324", [("new", "aic/hrnet-w32-256x192", "AP", "0.324", "0.323")], id="value"
        ),
        pytest.param(
            "aic",
            "AP@0.75: 0.218",
            "AP@0.75: 0.219",
            [("new", "aic/hrnet-w32-256x192", "AP@0.75", "0.219", "0.218")],
            id="value that no table prints",
        ),
        pytest.param(
            "jhmdb",
            "PCK(torso): 81.9",
            "PCK(torso): 81.8",
            [("new", "jhmdb/resnet-50-256x256", "sub1 PCK(torso)", "81.8", "81.9")],
            id="value of a split",
        ),
        pytest.param(
            "jhmdb",
            "PCK(torso): 65.7",
            "PCK(torso): 65.6",
            [("new", "jhmdb/cpm-368x368", "PCK(torso)", "65.6", "65.8")],
            id="mean further off than the tolerance",
        ),
        pytest.param(
            "posetrack18",
            "table: {AP: 83.4}",
            "table: {AP: 76.9}",
            [("new", "posetrack18/hrnet-w32-256x192", "AP", "76.9", "83.4")],
            id="value of the other boxes",
        ),
        pytest.param(
            "humanart",
            "table: {AP: 0.738, AR: 0.768}",
            "table: {AP: 0.381, AR: 0.768}",
            [("new", "humanart/vitpose-s-256x192-gt", "AP", "0.381", "0.738")],
            id="value of the other table",
        ),
        pytest.param(
            "coco",
            "page: {AP: 0.728, ",
            "page: {",
            [("new", "coco/resnet-101-256x192", "AP", "0.726", "0.728")],
            id="refuted without another value",
        ),
        pytest.param(
            "posetrack18",
            "value: 85.1",
            "value: 85.3",
            [("new", "posetrack18/hrnet-w48-256x192", "AP(elbow)", "86.0", "85.1")],
            id="another metafile value",
        ),
        pytest.param(
            "posetrack18",
            "AP(elbow): 86.0",
            "AP(elbow): 85.1",
            [("gone", "posetrack18/hrnet-w48-256x192", "AP(elbow)", "85.1", "85.1")],
            id="no difference any more",
        ),
        pytest.param(
            "aic",
            "      table: {AP: 0.294, AR: 0.337}\n      page: {",
            "      table: {AP: 0.294, AR: 0.337}\n      history: {",
            [],
            id="value that nobody states any more",
        ),
        pytest.param(
            "aic",
            "    published:\n      table: {AP: 0.294,",
            "    unconfirmed: {AP: so}\n    published:\n      table: {AP: 0.294,",
            [("gone", "aic/resnet-101-256x192", "AP", "no value: so", "0.294")],
            id="confirmed after all",
        ),
        pytest.param(
            "crowdpose",
            "    unconfirmed:\n      AR:",
            "    unconfirmed: {}\n    label_note:",
            [("new", "crowdpose/cspnext-m-256x192", "AR", "0.755", "no value")],
            id="unconfirmed without reason",
        ),
        pytest.param(
            "aic",
            "res101_aic_256x192-79b35445_20200826",
            "res101_aic_256x192-79b35445_20200827",
            [
                ("new", "aic/resnet-101-256x192", "AP", "0.294", "no value"),
                ("new", "aic/resnet-101-256x192", "AR", "0.337", "no value"),
            ],
            id="another checkpoint",
        ),
        pytest.param(
            "aic",
            "https://download.openmmlab.com/mmpose/top_down/resnet/res101",
            "https://example.com/res101",
            [],
            id="checkpoint of one's own, of which MMPose states nothing",
        ),
        pytest.param(
            "aflw",
            "page: {NME: 1.27}",
            "page: {NME: 1.28}",
            [("new", "aflw/hrnetv2-w18-256x256", "frontal NME", "1.28", "1.27")],
            id="value of a subset",
        ),
        pytest.param(
            "aflw",
            "value: 1.34",
            "value: 1.35",
            [("new", "aflw/hrnetv2-w18-dark-256x256", "full NME", "1.35", "1.34")],
            id="another metafile value of a subset",
        ),
        pytest.param(
            "300wlp",
            "      NME test: the",
            "      NME full: the",
            [
                (
                    "gone",
                    "300wlp/hrnetv2-w18-256x256",
                    "full NME",
                    "no value: the metafile has no such value; it is probably that of `full` with one more digit",
                    "0.0413",
                ),
                ("new", "300wlp/hrnetv2-w18-256x256", "test NME", "0.0413", "no value"),
            ],
            id="another subset unconfirmed",
        ),
        pytest.param(
            "rhd",
            "metafile_keys: {PCK@0.2: PCKh@0.7}",
            "metafile_keys: {}",
            [("new", "rhd/hrnetv2-w18-udp-256x256", "PCK@0.2", "0.992", "no value")],
            id="key that the metafile does not have",
        ),
        pytest.param(
            "coco-pages",
            "        metafile_weights: (https",
            "        metafile_weights: https",
            [
                ("new", "coco-pages/s-vipnas-mobilenetv3-256x192", metric, value, "no value")
                for metric, value in (
                    ("AP", "0.700"),
                    ("AR", "0.758"),
                    ("AP@0.5", "0.887"),
                    ("AP@0.75", "0.783"),
                    ("AR@0.5", "0.929"),
                )
            ],
            id="address of weights that the metafile does not have",
        ),
        pytest.param(
            "coco-pages",
            "    no_metafile: no metafile has an entry for this config\n",
            "",
            [
                ("new", "coco-pages/resnet-50-vis-256x192", metric, value, "no value")
                for metric, value in (
                    ("AP", "0.729"),
                    ("AR", "0.783"),
                    ("AP@0.5", "0.900"),
                    ("AP@0.75", "0.807"),
                    ("AR@0.5", "0.938"),
                )
            ],
            id="row that no metafile states, without reason",
        ),
        pytest.param(
            "coco-pages",
            "      metafile: {AP: 0.741, AR: 0.798,",
            "      metafile: {AP: 0.742, AR: 0.798,",
            [("gone", "coco-pages/swin-b-fpn-256x192", "AP", "0.742", "0.741")],
            id="value that nothing but the metafile states",
        ),
        pytest.param(
            "deepfashion",
            "PCK@0.2: 96.5, AUC: 74.4, EPE: 10.5",
            "PCK@0.2: 10.5, AUC: 74.4, EPE: 96.5",
            [
                ("gone", "deepfashion/resnet-50-lower-256x192", "PCK@0.2", "10.5", "10.5"),
                ("gone", "deepfashion/resnet-50-lower-256x192", "EPE", "96.5", "96.5"),
            ],
            id="values exchanged as the metafile has them",
        ),
        pytest.param(
            "jhmdb-pages",
            '"PCK(torso, hip)": 82.3',
            '"PCK(torso, hip)": 99.4',
            [("new", "jhmdb-pages/resnet-50-2deconv-256x256", "sub1 PCK(torso, hip)", "99.4", "82.3")],
            id="value of the other norm",
        ),
        pytest.param(
            "posetrack18-pages",
            "page: {AP: 77.8,",
            "page: {AP: 84.6,",
            [("new", "posetrack18-pages/hrnet-w48-384x288", "AP", "84.6", "77.8")],
            id="value of the table with other boxes",
        ),
    ],
)
def test_changed_claim(
    tmp_path: Path, name: str, old: str, new: str, expected: list[tuple[str, str, str, str, str]]
) -> None:
    assert changed(tmp_path, name, old, new) == expected


BOXES = "data/HumanArt/person_detection_results/HumanArt_validation_detections_AP_H_56_person.json"


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        pytest.param(
            "aic",
            "input_size: 256x192\n    boxes: ground-truth\n    published:\n      table: {AP: 0.294",
            "input_size: 384x288\n    boxes: ground-truth\n    published:\n      table: {AP: 0.294",
            [
                ("codec's input size", "(288, 384)", "(192, 256)"),
                ("val_dataloader's input size", "(288, 384)", "(192, 256)"),
                ("test_dataloader's input size", "(288, 384)", "(192, 256)"),
            ],
            id="input size",
        ),
        pytest.param(
            "humanart",
            "id: vitpose-b-256x192-gt\n    label: ViTPose-b\n    input_size: 256x192\n    boxes: ground-truth",
            "id: vitpose-b-256x192-gt\n    label: ViTPose-b\n    input_size: 256x192\n    boxes: detector",
            [
                ("val_dataloader's boxes", BOXES, "none"),
                ("test_dataloader's boxes", BOXES, "none"),
                ("AP", "0.759", "0.410"),
                ("AR", "0.790", "0.475"),
                ("AP@0.5", "0.905", "0.549"),
                ("AP@0.75", "0.823", "0.434"),
                ("AR@0.5", "0.917", "0.615"),
            ],
            id="boxes",
        ),
        pytest.param(
            "posetrack18",
            "value: null\n        reason: the table says ground-truth boxes; with the unchanged config the"
            " page has its second table (76.9)",
            "value: data/other.json\n        reason: so",
            [
                ("val_dataloader's boxes", "none", "data/other.json"),
                ("test_dataloader's boxes", "none", "data/other.json"),
            ],
            id="override's value",
        ),
        pytest.param(
            "posetrack18",
            "boxes: ground-truth\n    published:\n      table: {AP: 81.2}",
            "boxes: ground-truth\n    overrides: [{field: bbox_file, value: null, reason: so}]\n"
            "    published:\n      table: {AP: 81.2}",
            [("override of bbox_file", "None", "the same value in the config")],
            id="override of nothing",
        ),
        pytest.param(
            "crowdpose",
            "value: {img: crowdpose/images/}",
            "value: {img: crowdpose/pictures/}",
            [
                ("val_dataloader's images", "data/crowdpose/images", "data/crowdpose/pictures"),
                ("test_dataloader's images", "data/crowdpose/images", "data/crowdpose/pictures"),
            ],
            id="images",
        ),
        pytest.param(
            "jhmdb",
            'sub1_256x256-932cb3b4_20201122.pth\n          sha256: "932cb3b4"\n'
            "        annotations: jhmdb/annotations/Sub1_test.json",
            "sub1_256x256-932cb3b4_20201122.pth\n"
            '          sha256: "932cb3b4"\n        annotations: jhmdb/annotations/Sub2_test.json',
            [
                (
                    f"sub1 {loader}'s annotations",
                    "data/jhmdb/annotations/Sub2_test.json",
                    "data/jhmdb/annotations/Sub1_test.json",
                )
                for loader in ("val_dataloader", "test_dataloader")
            ],
            id="annotations of another split",
        ),
    ],
)
def test_changed_protocol(tmp_path: Path, name: str, old: str, new: str, expected: list[tuple[str, str, str]]) -> None:
    added = changed(tmp_path, name, old, new)
    assert [finding[2:] for finding in added] == expected
    assert {finding[0] for finding in added} == {"new"}


def test_data_set_of_the_suite(tmp_path: Path) -> None:
    rows = ("hrnet-w32-256x192", "resnet-101-256x192")
    assert changed(tmp_path, "aic", "num_keypoints: 14", "num_keypoints: 17") == [
        ("new", f"aic/{row}", "number of keypoints", "17", "14") for row in rows
    ]
    added = changed(tmp_path, "aic", "annotations: aic/annotations/aic_val.json", "annotations: aic/val.json")
    assert {finding[2] for finding in added} == {
        f"{part}'s annotations" for part in ("val_dataloader", "test_dataloader", "val_evaluator", "test_evaluator")
    }
    added = changed(tmp_path, "mpii", "mpii/annotations/mpii_gt_val.mat", "mpii/mpii_gt_val.mat")
    assert len(added) == 36
    assert added[0][2:] == (
        "val_dataloader's headboxes",
        "data/mpii/mpii_gt_val.mat",
        "data/mpii/annotations/mpii_gt_val.mat",
    )


def test_config_that_does_not_exist(tmp_path: Path) -> None:
    (finding,) = changed(
        tmp_path, "aic", "td-hm_res101_8xb64-210e_aic-256x192.py", "td-hm_res110_8xb64-210e_aic-256x192.py"
    )[:1]
    assert finding[:3] == ("new", "aic/resnet-101-256x192", "config")
    assert "did you mean td-hm_res101_8xb64-210e_aic-256x192.py" in finding[4]


def test_subset_is_evaluated_on_its_own_annotations() -> None:
    suite = load_suite("aflw")
    row = suite.rows[0]
    evaluated = [load_config(suite, row, run).test_dataloader.dataset for run in row.runs.values()]
    assert [f"{dataset.data_root}{dataset.ann_file}" for dataset in evaluated] == [
        "data/aflw/annotations/face_landmarks_aflw_test.json",
        "data/aflw/annotations/face_landmarks_aflw_test_frontal.json",
    ]


def test_the_metric_of_a_subset_reads_its_annotations() -> None:
    suite, half = load_suite("demo"), "demo/coco/annotations/half.json"
    row = suite.rows[0].model_copy(update={"runs_are": "subsets"})
    run = row.runs["val"].model_copy(update={"annotations": half})
    config = load_config(suite, row, run)
    assert (config.val_evaluator.ann_file, config.test_evaluator.ann_file) == (f"data/{half}", f"data/{half}")
    assert protocol_without_files(config).annotations.path == half


def test_a_metric_of_another_file_than_the_loader_stays_on_it(tmp_path: Path) -> None:
    suite = load_suite("demo")
    config = read_config(config_path(suite, suite.rows[0].runs["val"]))
    config.test_evaluator = [dict(config.test_evaluator, ann_file="data/demo/other.json")]
    config.dump(tmp_path / "mine.py")
    row = suite.rows[0].model_copy(update={"runs_are": "subsets"})
    changes = {"config": str(tmp_path / "mine.py"), "annotations": "demo/coco/annotations/half.json"}
    with pytest.raises(SpecError, match=r"test_evaluator\.ann_file of .*mine\.py: data/demo/other\.json is not"):
        protocol_without_files(load_config(suite, row, row.runs["val"].model_copy(update=changes)))


def test_row_of_another_data_set_than_its_config(tmp_path: Path) -> None:
    """Network and codec come from the run's config, the evaluation from the other one."""
    suite = load_suite("humanart-pages")
    row = next(row for row in suite.rows if row.id == "hrnet-w48-coco-256x192")
    run = row.runs["val"]
    config, own = load_config(suite, row, run), read_config(config_path(suite, run))
    assert config.model == own.model
    assert config.test_dataloader.dataset.type == "HumanArtDataset"
    assert config.test_dataloader.dataset.bbox_file == BOXES
    assert config.test_evaluator.ann_file == "data/HumanArt/annotations/validation_humanart.json"
    old = (
        "    evaluated_like: body_2d_keypoint/topdown_heatmap/humanart/td-hm_hrnet-w48_8xb32-210e_humanart-256x192.py\n"
    )
    text = (BENCHMARKS / "humanart-pages.yaml").read_text()
    assert text.count(old) == 2  # on a detector's boxes, and on annotated ones
    (tmp_path / "humanart-pages.yaml").write_text(text.replace(old, "", 1))
    added = audit_suite(load_suite(tmp_path / "humanart-pages.yaml")).problems
    assert {finding.row for finding in added} == {"humanart-pages/hrnet-w48-coco-256x192"}
    assert "test_dataloader's annotations" in {finding.subject for finding in added}


def test_a_validation_on_another_part_is_no_difference(tmp_path: Path) -> None:
    assert findings_of("ap10k") == []
    old, new = "annotations/ap10k-test-split1.json", "annotations/ap10k-val-split1.json"
    assert changed(tmp_path, "ap10k", old, new)[0][2:] == (
        "test_dataloader's annotations",
        "data/ap10k/annotations/ap10k-val-split1.json",
        "data/ap10k/annotations/ap10k-test-split1.json",
    )


def test_config_without_heatmaps(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("val_dataloader = test_dataloader = dict(dataset=dict(type='CocoDataset'))")
    text = (BENCHMARKS / "aic.yaml").read_text()
    old = "body_2d_keypoint/topdown_heatmap/aic/td-hm_res101_8xb64-210e_aic-256x192.py"
    (tmp_path / "aic.yaml").write_text(text.replace(old, "mine.py"))
    findings = audit_suite(load_suite(tmp_path / "aic.yaml")).findings
    assert ("codec's input size", "(192, 256)", "none") in [(f.subject, f.stated, f.found) for f in findings]
