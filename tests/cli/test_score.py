"""`harness score SUITE --predictions FILE` through the command line's entry point."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Harness
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from scipy.io import loadmat, savemat

from harness.files import sha256_file

NAMES = ["AP", "AP@0.5", "AP@0.75", "AP(M)", "AP(L)", "AR", "AR@0.5", "AR@0.75", "AR(M)", "AR(L)"]
ANNOTATIONS = "coco/annotations/person_keypoints_val2017.json"
MPII, HEADS = "mpii/annotations/mpii_val.json", "mpii/annotations/mpii_gt_val.mat"


def copy(source: Path, destination: Path) -> Path:
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_bytes(source.read_bytes())
    return destination


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [
        # faster_coco_eval's tests
        (
            "coco-one-image/gt_dataset.json",
            "coco-one-image/dt_dataset.json",
            "0.5048844884 0.7227722772 0.6336633663 0.4663366337 0.7504950495 "
            "0.5181818182 0.7272727273 0.6363636364 0.4666666667 0.7500000000",
        ),
        # xtcocotools 1.14.3
        (
            "coco-four-images/example_coco_val.json",
            "coco-four-images/example_coco_preds.json",
            "0.8608896054 0.9931454684 0.9108910891 0.7755775578 0.9372524752 "
            "0.8750000000 1.0000000000 0.9166666667 0.7800000000 0.9428571429",
        ),
    ],
)
def test_coco_results(harness: Harness, scoring_samples: Path, truth: str, found: str, expected: str) -> None:
    annotations = copy(scoring_samples / truth, Path("data") / ANNOTATIONS)
    code, out, err = harness("score", "coco", "--predictions", scoring_samples / found)
    assert code == 0
    assert len(err.splitlines()) == 1
    part = "of 5,000 images: metrics of a part do not compare with published values"
    assert part in err
    lines = out.splitlines()
    assert lines[0] == f"coco val   [{scoring_samples / found}, sha256 {sha256_file(scoring_samples / found)[:8]}]"
    assert [tuple(line.split()) for line in lines[1:11]] == list(zip(NAMES, expected.split(), strict=True))
    assert lines[11] == "protocol: CocoDataset, 17 keypoints, pixels from 0"
    assert lines[12].split() == ["annotations", f"{ANNOTATIONS},", "sha256", sha256_file(annotations)[:8]]
    assert lines[13].split() == ["metric", "oks"]
    assert [line.split() for line in lines[15:]] == [
        ["score_mode", "bbox"],
        ["keypoint_score_threshold", "0.2"],
        ["nms", "none"],
        ["nms_threshold", "0.9"],
        ["area", "annotation"],
        ["crowd", "False"],
    ]

    code, out, err = harness("score", "coco", "--predictions", scoring_samples / found, "--json")
    document = json.loads(out)
    assert (code, part in err, part in document["warnings"][0]) == (0, True, True)
    assert [f"{value:.10f}" for value in document["metrics"].values()] == expected.split()
    assert document["sha256"] == sha256_file(scoring_samples / found)
    assert document["protocol"]["annotations"] == {"path": ANNOTATIONS, "sha256": sha256_file(annotations)}
    assert (document["suite"], document["run"], document["schema_version"]) == ("coco", "val", 1)


@pytest.fixture
def found(harness: Harness, samples: Path) -> list[dict[str, Any]]:
    """Make a data folder with the miniature's annotations of COCO; return results near them, without duplicates."""
    document = json.loads(copy(samples / ANNOTATIONS, Path("data") / ANNOTATIONS).read_text())
    rng = np.random.default_rng(0)
    results = []
    for person in document["annotations"]:
        if person["num_keypoints"]:
            keypoints = np.array(person["keypoints"], float).reshape(-1, 3)
            keypoints[:, :2] += rng.choice([0.01, 0.04]) * person["area"] ** 0.5 * rng.normal(size=(17, 2))
            keypoints[:, 2] = rng.random(17)
            score = round(rng.random(), 6)
            results.append(
                {"image_id": person["image_id"], "category_id": 1, "keypoints": keypoints.ravel().tolist()}
                | {"score": score}
            )
    return results


def write(path: str, results: list[dict[str, Any]]) -> str:
    Path(path).write_text(json.dumps(results))
    return path


def test_as_pycocotools_scores(harness: Harness, found: list[dict[str, Any]]) -> None:
    stated = json.loads(harness("score", "coco", "--predictions", write("found.json", found), "--json")[1])
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(Path("data") / ANNOTATIONS))
        evaluator = COCOeval(truth, truth.loadRes(found), "keypoints")
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    assert list(stated["metrics"]) == NAMES
    assert list(stated["metrics"].values()) == pytest.approx(evaluator.stats.tolist(), abs=1e-9)
    assert 0.3 < stated["metrics"]["AP"] < 0.98


def test_nms_and_rescoring_when_asked(harness: Harness, found: list[dict[str, Any]]) -> None:
    """The results have no duplicates and NMS changes nothing, until each is duplicated."""
    write("once.json", found)
    write("twice.json", found + found)

    def score(*options: str, name: str = "twice.json") -> Any:
        return json.loads(harness("score", "coco", "--predictions", name, "--json", *options)[1])

    as_they_are, thinned = score(), score("--nms", "oks")
    assert as_they_are["metrics"]["AP"] < thinned["metrics"]["AP"] - 0.1
    assert thinned["metrics"] == score(name="once.json")["metrics"]
    assert score("--nms", "none", "--score-mode", "bbox") == as_they_are
    rescored = score("--nms", "oks", "--score-mode", "keypoint")
    assert rescored["metrics"] != thinned["metrics"]
    assert (rescored["protocol"]["scoring"]["nms"], rescored["protocol"]["scoring"]["score_mode"]) == (
        "oks",
        "keypoint",
    )


@pytest.fixture
def mpii(harness: Harness, samples: Path) -> Path:
    """Make a data folder with the miniature's annotations of MPII, and return predictions near them, px from 1."""
    for name in (MPII, HEADS):
        copy(samples / name, Path("data") / name)
    joints = np.array([person["joints"] for person in json.loads((samples / MPII).read_text())])
    savemat("found.mat", {"preds": joints + np.random.default_rng(0).normal(0, 8, joints.shape)})
    return Path("found.mat")


def test_mpii_in_every_container(harness: Harness, mpii: Path) -> None:
    found = loadmat(mpii)["preds"]
    np.save("a.npy", found)
    Path("a.json").write_text(json.dumps(found.tolist()))
    for name, array in (("a.h5", found), ("v73.mat", found.T)):
        with h5py.File(name, "w") as file:
            file["preds"] = array
    savemat("two.mat", {"preds": found, "other": np.zeros_like(found)})
    stated = [
        json.loads(harness("score", "mpii", "--predictions", *arguments, "--one-based", "--json")[1])
        for arguments in ([mpii], ["a.npy"], ["a.json"], ["a.h5"], ["v73.mat"], ["two.mat", "--array", "preds"])
    ]
    metrics = stated[0]["metrics"]
    assert all(document["metrics"] == metrics for document in stated)
    assert len({document["sha256"] for document in stated}) == len(stated)
    assert 0.1 < metrics["PCKh@0.5"] < 0.98
    assert stated[0]["protocol"]["one_based"] is True

    code, out, _ = harness("score", "mpii", "--predictions", mpii)
    assert code == 0
    assert "protocol: MpiiDataset, 16 keypoints, pixels from 0\n" in out
    assert f"  PCKh@0.5     {metrics['PCKh@0.5']:.10f}\n" not in out


def test_published_scores_of_mpii(harness: Harness, scoring_samples: Path) -> None:
    """A 2-stack hourglass on the whole set: 87.30 by MMPose's rule, joints as in pytorch-pose's README."""
    heads = copy(scoring_samples / "mpii-val" / "mpii_gt_val.mat", Path("data") / HEADS)
    document = loadmat(heads)
    joints, visible = document["pos_gt_src"].transpose(2, 0, 1), document["jnt_missing"].T == 0
    people = [
        {"joints": points.tolist(), "joints_vis": shown.tolist()}
        for points, shown in zip(joints, visible.astype(int), strict=True)
    ]
    (Path("data") / MPII).write_text(json.dumps(people))
    found = scoring_samples / "mpii-val" / "hg_s2_b1.mat"
    stated = json.loads(harness("score", "mpii", "--predictions", found, "--one-based", "--json")[1])
    assert {name: round(100 * value, 2) for name, value in stated["metrics"].items() if name != "PCKh@0.1"} == {
        "PCKh@0.5": 87.30,
        "PCKh@0.5(head)": 95.80,
        "PCKh@0.5(shoulder)": 94.57,
        "PCKh@0.5(elbow)": 88.12,
        "PCKh@0.5(wrist)": 83.31,
        "PCKh@0.5(hip)": 86.24,
        "PCKh@0.5(knee)": 80.88,
        "PCKh@0.5(ankle)": 77.44,
    }


def test_wrong_number_of_people(harness: Harness, mpii: Path) -> None:
    found = loadmat(mpii)["preds"]
    np.save("a.npy", found[1:])
    code, out, err = harness("score", "mpii", "--predictions", "a.npy")
    assert (code, out) == (3, "")
    assert err == (
        f"error: a.npy: expected numbers of shape ({len(found)}, 16, 2) (annotated people, keypoints, x and y), "
        f"found ({len(found) - 1}, 16, 2)\n"
        "  write a row for each annotated person, in their order, with NaN for people without a pose\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("runs coco --predictions f", "--predictions needs exactly one SUITE, not 2: runs coco"),
        ("runs/coco --predictions f --data .", f"there is no suite file {Path('runs/coco')}"),
        ("ccoo --predictions f --data .", "unknown suite: ccoo (did you mean coco?)"),
        ("coco --predictions f", "the data folder data does not exist"),
        (
            "coco",
            "no run with predictions found below coco\n  make one with `harness run`, or score a file under a suite: ",
        ),
        ("runs --nms oks", "--nms needs --predictions FILE"),
        ("runs --one-based", "--one-based needs --predictions FILE"),
        ("runs --score-mode keypoint", "--score-mode needs --predictions FILE"),
        ("jhmdb --run sub1", "--run needs --predictions FILE"),
        (
            "jhmdb --predictions f --data SAMPLES",
            "jhmdb has several annotation files\n  choose one with --run: sub1, sub2",
        ),
        ("jhmdb --predictions f --run sub4 --data SAMPLES", "jhmdb has no run sub4\n  its runs: sub1, sub2, sub3"),
        ("jhmdb --predictions f --run sub1 --nms none --data SAMPLES", "--nms is not supported for jhmdb"),
        ("mpii --predictions f --score-mode bbox --data SAMPLES", "--score-mode is not supported for mpii"),
        ("coco --predictions f --one-based --data SAMPLES", "--one-based is not supported for coco"),
        ("posetrack18 --predictions f --array x --data SAMPLES", "--array is not supported for posetrack18"),
    ],
)
def test_wrong_usage(harness: Harness, samples: Path, arguments: str, message: str) -> None:
    code, out, err = harness("score", *arguments.replace("SAMPLES", str(samples)).split())
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")


def test_missing_files(harness: Harness, samples: Path) -> None:
    code, _, err = harness("score", "coco", "--predictions", "f.json", "--data", samples)
    assert code == 3
    assert err.startswith("error: predictions cannot be read: f.json (")  # followed by the system's message
    Path("data").mkdir()
    Path("f.json").write_text("[]")
    code, _, err = harness("score", "coco", "--predictions", "f.json")
    assert code == 3
    assert err.startswith(f"error: the annotation file is missing: {Path('data', ANNOTATIONS)}")


def test_torch_is_not_imported(harness: Harness, found: list[dict[str, Any]]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "harness", "score", "coco"]
    command += ["--predictions", write("found.json", found)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    imported = {line.rsplit("|")[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "numpy" in imported
    assert not imported & {"torch", "mmpose", "mmcv"}
