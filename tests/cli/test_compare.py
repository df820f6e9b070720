"""`harness compare` through the command line's entry point, on scored predictions for generated people."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Harness

from harness.arrays import Float64
from harness.files import sha256_file, write_json
from harness.judge.comparison import Comparison
from harness.metrics.families.oks import OksScoring
from harness.metrics.match import evaluate
from harness.predictions import Predictions
from harness.protocol import Boxes, Compute, Crop, DataFile, Decoder, Flip, Protocol
from harness.record import Noise, Record, Variant
from harness.run_folder import RunFolder
from harness.suites.load import BENCHMARKS

KEYPOINTS = 6
IMAGES, PEOPLE = 60, 2
"""Number of images, and of people per image."""
DATA = Path("data")
NOISE = 2e-5
"""px by which keypoints differ between batch sizes, numbers of threads and orders of sums."""


@pytest.fixture(autouse=True)
def people(harness: Harness) -> Float64:
    """Write annotations of people below the current folder, and return their keypoints."""
    rng = np.random.default_rng(0)
    count = IMAGES * PEOPLE
    points = rng.uniform(0, 1, (count, KEYPOINTS, 2)) * 150 + rng.uniform(0, 300, (count, 1, 2))
    annotations = [
        {
            "id": person,
            "image_id": person // PEOPLE,
            "category_id": 1,
            "keypoints": np.column_stack([points[person], np.full(KEYPOINTS, 2)]).ravel().tolist(),
            "num_keypoints": KEYPOINTS,
            "bbox": [*points[person].min(0).tolist(), 150, 150],
            "area": 150 * 150 * 0.6,
            "iscrowd": 0,
        }
        for person in range(count)
    ]
    images = [{"id": image} for image in range(IMAGES)]
    write_json(
        DATA / "gt.json", {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}
    )
    return points


@pytest.fixture
def found(people: Float64) -> Predictions:
    """Return predictions: keypoints with errors, some near the wrong joint."""
    rng = np.random.default_rng(1)
    count = len(people)
    off = rng.choice([2, 6, 15], (count, 1, 1), p=[0.5, 0.3, 0.2])
    keypoints = people + off * rng.normal(size=people.shape)
    keypoints[rng.random(count) < 0.1, 0] += 60
    return Predictions(
        person_ids=np.arange(count),
        image_ids=np.arange(count) // PEOPLE,
        boxes=np.concatenate([people.min(1), people.max(1)], 1).astype(np.float32),
        box_scores=rng.uniform(0.3, 1, count).astype(np.float32),
        crop_areas=np.full(count, 30000, np.float32),
        keypoints=keypoints,
        keypoint_scores=rng.uniform(0.3, 1, keypoints.shape[:2]).astype(np.float32),
    )


def protocol(**fields: Any) -> Protocol:
    return Protocol(
        **{
            "dataset": "CocoDataset",
            "annotations": DataFile(path="gt.json", sha256=sha256_file(DATA / "gt.json")),
            "num_keypoints": KEYPOINTS,
            "flip_indices": (0, 2, 1, 4, 3, 5),
            "boxes": Boxes(source="detector", file=DataFile(path="boxes.json", sha256="b" * 64)),
            "limit": None,
            "crop": Crop(input_size=(192, 256), padding=1.25, affine="plain"),
            "flip": Flip(enabled=True, shift=True),
            "decoder": Decoder(codec="msra", heatmap_size=(48, 64)),
            "scoring": OksScoring(sigmas=(0.05,) * KEYPOINTS, area="annotation"),
            "compute": Compute(engine="shared", batch_size=32, device="cpu"),
            **fields,
        }
    )


def save(
    out: str,
    predictions: Predictions,
    run: str = "demo/a/val",
    threads: int = 1,
    noise: Noise | None = None,
    **fields: Any,
) -> RunFolder:
    """Write a run folder as `harness run` does; `fields` replace those of the protocol."""
    folder = RunFolder(Path(out) / run)
    suite, row, name = run.split("/")
    used = protocol(**fields)
    predictions.save(folder.predictions, "key")
    write_json(folder.protocol, used.model_dump(mode="json"))
    made = datetime.now(UTC).isoformat()  # another time in each run
    write_json(folder.environment, {"threads": threads, "packages": {"torch": "2.14.1"}, "made": made})
    record = Record(
        suite=suite,
        row=row,
        run=name,
        label="A | <b>",
        status="complete",
        images=IMAGES,
        people=len(predictions),
        metrics=evaluate(predictions, used, DATA),
        verdict="reproduced",
        predictions_key="key",
        noise=noise,
    )
    folder.save_record(record)
    return folder


def edit(folder: RunFolder, **fields: Any) -> None:
    folder.save_record(Record.load(folder.record).model_copy(update={"seal": None, **fields}))


def rounded(found: Predictions) -> Predictions:
    """Return the predictions with other rounding."""
    noise = np.random.default_rng(2).uniform(-NOISE, NOISE, found.keypoints.shape)
    return replace(found, keypoints=found.keypoints + noise)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="a clean rerun"),
        pytest.param({"compute": Compute(engine="shared", batch_size=7, device="cpu")}, id="another batch size"),
        pytest.param({"threads": 2}, id="another number of threads"),
    ],
)
def test_what_stays_green(harness: Harness, found: Predictions, fields: dict[str, Any]) -> None:
    before = Record.load(save("results", found).record)
    assert 0.4 < (before.metrics["AP"] or 0) < 0.8
    save("runs", rounded(found) if fields else found, **fields)
    code, out, err = harness("compare", "runs", "results", "--data", "data")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "demo/a/val   same"
    assert lines[-1] == "Green: 1 run: 1 same"
    assert ("environment: threads: 1 -> 2" in lines) == ("threads" in fields)
    assert ("    compute.batch_size: 32 -> 7" in lines) == ("compute" in fields)


def shifted(found: Predictions) -> Predictions:
    return replace(found, keypoints=found.keypoints + np.array([4.0, 0.0]))


def swapped(found: Predictions) -> Predictions:
    order = [0, 2, 1, 3, 4, 5]
    return replace(found, keypoints=found.keypoints[:, order], keypoint_scores=found.keypoint_scores[:, order])


def blurred(found: Predictions) -> Predictions:
    noise = np.random.default_rng(3).normal(0, 4, found.keypoints.shape)
    return replace(found, keypoints=found.keypoints + noise)


def straightened(found: Predictions) -> Predictions:
    """Return predictions on ground-truth boxes: each person has one, with the score 1."""
    return replace(found, box_scores=np.ones_like(found.box_scores))


FAULTS: dict[str, tuple[Callable[[Predictions], Predictions], dict[str, Any], list[str]]] = {
    "no flip test": (
        blurred,
        {"flip": Flip(enabled=False, shift=False)},
        ["flip.enabled: true -> false", "flip.shift: true -> false"],
    ),
    "shifted heatmap": (shifted, {}, ["protocol, weights and environment did not change"]),
    "wrong sigmas": (
        lambda found: found,
        {"scoring": OksScoring(sigmas=(0.04,) * KEYPOINTS, area="annotation")},
        [f"scoring.sigmas: {' '.join(['0.05'] * KEYPOINTS)} -> {' '.join(['0.04'] * KEYPOINTS)}"],
    ),
    "ground-truth boxes": (
        straightened,
        {"boxes": Boxes(source="ground-truth")},
        [
            "boxes.source: detector -> ground-truth",
            "boxes.file.path: boxes.json -> none",
            "boxes.file.sha256: bbbbbbbb -> none",
        ],
    ),
    "a joint pair swapped": (swapped, {}, ["protocol, weights and environment did not change"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults(harness: Harness, found: Predictions, fault: str) -> None:
    change, fields, named = FAULTS[fault]
    save("results", found)
    save("runs", change(found), **fields)
    code, out, _ = harness("compare", "runs", "results", "--data", "data")
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith("demo/a/val   moved: AP ")
    assert [line.strip() for line in lines if line.startswith("    ") and "noise floor" not in line] == named
    assert lines[-1] == "Red: 1 of 1 runs: 1 moved"


def test_an_improvement_is_red_as_well(harness: Harness, found: Predictions, people: Float64) -> None:
    save("results", found)
    save("runs", replace(found, keypoints=(found.keypoints + people) / 2))
    code, out, _ = harness("compare", "runs", "results")
    assert (code, out.splitlines()[0].split(" by ")[0]) == (1, "demo/a/val   moved: AP rose")


def test_the_noise_floor(harness: Harness, found: Predictions) -> None:
    """A small change: red by the default, green by the measured floor and by the option."""
    before = Record.load(save("results", found).record).metrics["AP"] or 0
    moved = found.keypoints.copy()
    moved[found.person_ids == 5] += 8
    after = Record.load(save("runs", replace(found, keypoints=moved)).record).metrics["AP"] or 0
    assert 1e-4 < abs(after - before) < 0.02
    code, out, _ = harness("compare", "runs", "results", "--rows", "a")
    assert (code, f"AP {'fell' if after < before else 'rose'} by {abs(after - before):.3g}" in out) == (1, True)
    assert harness("compare", "runs", "results", "--noise-floor", "0.05")[0] == 0
    metrics = Record.load(Path("results/demo/a/val/record.json")).metrics
    noise = Noise(variants=[Variant(change="threads", differences=dict.fromkeys(metrics, 0.05))])
    save("results", found, noise=noise)
    code, out, _ = harness("compare", "runs", "results")
    assert (code, out.splitlines()[0]) == (0, "demo/a/val   within noise")
    assert "noise floor 0.05 measured: within noise" in out


def test_paired_differences(harness: Harness, found: Predictions) -> None:
    """A shift of all people is significant, one misplaced person is not, although both change AP."""
    save("results", found)
    save("runs", shifted(found))
    moved = found.keypoints.copy()
    moved[found.person_ids == 5] += 8
    save("results", found, run="demo/b/val")
    save("runs", replace(found, keypoints=moved), run="demo/b/val")
    comparison = Comparison.model_validate_json(
        harness("compare", "runs", "results", "--data", "data", "--resamples", 200, "--json")[1]
    )
    sure, unsure = (run.metrics[0] for run in comparison.runs)
    assert sure.paired
    assert unsure.paired
    assert (sure.state, unsure.state, sure.paired.resamples) == ("moved", "moved", 200)
    assert sure.paired.p_value == pytest.approx(2 / 201)
    assert sure.difference
    assert sure.paired.low < sure.difference < sure.paired.high < 0
    assert unsure.paired.p_value > 0.05
    assert unsure.paired.low <= (unsure.difference or 0) <= unsure.paired.high
    without = json.loads(harness("compare", "runs", "results", "--json")[1])
    assert all(metric["paired"] is None for run in without["runs"] for metric in run["metrics"])


def test_other_boxes_have_a_paired_difference(harness: Harness, found: Predictions) -> None:
    """People may differ, because images are drawn."""
    save("results", found)
    fewer = found.of_images(range(IMAGES - 5))
    save("runs", fewer)
    run = json.loads(harness("compare", "runs", "results", "--data", "data", "--resamples", 100, "--json")[1])["runs"][
        0
    ]
    assert run["metrics"][0]["paired"]["high"] <= 0
    assert run["warnings"] == []


def test_predictions_that_are_not_there(harness: Harness, found: Predictions) -> None:
    save("results", found).predictions.unlink()
    save("runs", shifted(found))
    code, out, _ = harness("compare", "runs", "results", "--data", "data")
    assert code == 1
    assert f"no paired difference: no predictions that match the record: {Path('results/demo/a/val')}" in out
    save("results", found).predictions.unlink()
    shifted(found).save(Path("results/demo/a/val/predictions.parquet"), "another key")
    code, _, err = harness("compare", "runs", "results", "--data", "data")
    assert (code, "predictions.parquet has changed since the record was made from it" in err) == (3, True)


def test_files(harness: Harness, found: Predictions) -> None:
    save("results", found)
    save("runs", shifted(found))
    save("results", found, run="mpii/gone/val")
    save("runs", found, run="coco/new/val")
    edit(save("runs", found, run="coco/bad/val"), status="failed", reason="boom <x> | \x1b[31m\n  mend it", metrics={})
    code, out, err = harness(
        "compare", "runs", "results", "--junit", "reports/a.xml", "--markdown", "reports/a.md", "--json"
    )
    document = json.loads(out)
    assert (code, document["red"]) == (1, True)
    assert [(run["id"], run["state"], run["red"]) for run in document["runs"]] == [
        ("demo/a/val", "moved", True),
        ("mpii/gone/val", "vanished", True),
        ("coco/bad/val", "broken", True),
        ("coco/new/val", "appeared", False),
    ]
    assert err.splitlines()[-1] == "Red: 3 of 4 runs: 1 moved, 1 vanished, 1 broken; 1 appeared"
    root = ElementTree.parse("reports/a.xml").getroot()
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "4",
        "failures": "2",
        "errors": "1",
        "skipped": "0",
    }
    page = Path("reports/a.md").read_text(encoding="utf-8")
    assert "- coco/bad/val broken: failed: boom &lt;x&gt; \\| \ufffd\\[31m\n" in page
    assert "| demo/a/val | AP | " in page


def test_a_part_of_the_runs(harness: Harness, found: Predictions) -> None:
    for run in ("demo/a/val", "demo/b/val", "coco/a/val"):
        save("results", found, run=run)
    save("runs", found)
    assert harness("compare", "runs", "results")[0] == 1
    code, out, _ = harness("compare", "runs", "results", "demo")
    assert (code, out.splitlines()[-1]) == (1, "Red: 1 of 2 runs: 1 vanished; 1 same")
    for selection in (["demo", "--rows", "a"], ["--rows", "demo/a"], ["--rows", "x*,demo/?", "demo", "--rows", "[!b]"]):
        code, out, _ = harness("compare", "runs", "results", *selection)
        assert (code, out) == (0, "demo/a/val   same\n\nGreen: 1 run: 1 same\n")


def test_a_suite_by_its_path_or_group(harness: Harness, found: Predictions) -> None:
    own = Path("lab.yaml")
    own.write_text((BENCHMARKS / "demo.yaml").read_text(encoding="utf-8").replace("name: demo", "name: lab", 1))
    for run in ("lab/a/val", "coco/a/val", "deepfashion/a/val", "gone/a/val"):
        save("results", found, run=run)
        save("runs", found, run=run)
    for suite, name in (("lab.yaml", "lab"), (own.absolute(), "lab"), ("fashion", "deepfashion"), ("gone", "gone")):
        assert harness("compare", "runs", "results", suite)[:2] == (
            0,
            f"{name}/a/val   same\n\nGreen: 1 run: 1 same\n",
        )
    code, _, err = harness("compare", "runs", "results", "none.yaml")
    assert (code, "there is no suite file none.yaml" in err) == (2, True)
    code, _, err = harness("compare", "runs", "results", "lab.yaml", "--rows", "b")
    assert (code, "no record in runs matches lab.yaml --rows b" in err) == (2, True)


def test_runs_that_were_moved_aside(harness: Harness, found: Predictions) -> None:
    save("results", found)
    save("runs", found)
    (Path("runs/demo/a") / "val.1a2b3c4d").mkdir()
    (Path("runs/demo/a") / "val.1a2b3c4d" / "record.json").write_text("{")
    assert harness("compare", "runs", "results")[1].splitlines()[-1] == "Green: 1 run: 1 same"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none results", "no records of runs in none\n  make them with `harness run SUITE --out none`"),
        ("runs none", "no records of runs in none\n"),
        ("runs/demo results", f"no records of runs in {Path('runs/demo')}\n"),
        ("runs results dmeo", "no record in runs matches dmeo\n  it contains runs of demo\n"),
        ("runs results demo --rows b", "no record in runs matches demo --rows b\n"),
        ("runs results --rows a,nosuch", "no record in runs or results matches --rows nosuch\n"),
        ("runs results --data none", "the data folder none does not exist"),
        ("runs results --noise-floor -1", "--noise-floor"),
        ("runs results --resamples 0", "--resamples"),
    ],
)
def test_wrong_usage(harness: Harness, found: Predictions, arguments: str, message: str) -> None:
    save("results", found)
    save("runs", found)
    code, out, err = harness("compare", *arguments.split())
    assert (code, out) == (2, "")
    assert message in err


DAMAGED = Path("results/demo/a/val")


def damage_record(folder: RunFolder) -> None:
    folder.record.write_text("{}")


def damage_protocol(folder: RunFolder) -> None:
    folder.protocol.write_text('{"schema_version": 1}')


def damage_environment(folder: RunFolder) -> None:
    folder.environment.write_text("[]")


def lose_environment(folder: RunFolder) -> None:
    folder.environment.unlink()


def take_another_record(folder: RunFolder) -> None:
    edit(folder, row="b")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_record, f"record has schema version None, not 1: {DAMAGED / 'record.json'}"),
        (damage_protocol, f"{DAMAGED / 'protocol.json'} has changed since the record was made from it"),
        (damage_environment, f"the environment is damaged: {DAMAGED / 'environment.json'}"),
        (lose_environment, f"the environment is missing: {DAMAGED / 'environment.json'}"),
        (take_another_record, f"{DAMAGED / 'record.json'} is the record of demo/b/val"),
    ],
)
def test_damage(harness: Harness, found: Predictions, damage: Callable[[RunFolder], None], message: str) -> None:
    damage(save("results", found))
    save("runs", found)
    code, out, err = harness("compare", "runs", "results")
    assert (code, out) == (3, "")
    assert message in err


def test_neither_torch_nor_numpy_without_data(found: Predictions) -> None:
    save("results", found)
    save("runs", shifted(found))
    script = (
        "import sys; from harness.cli import main; code = main(sys.argv[1:]);"
        "print(code, *({'torch', 'mmpose', 'numpy', 'numba'} & {*sys.modules}), file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, "compare", "runs", "results"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == "1\n"
    done = subprocess.run([*command, "--data", "data"], capture_output=True, text=True, check=True)
    assert done.stderr.split()[0] == "1"
    assert not {"torch", "mmpose"} & {*done.stderr.split()}
