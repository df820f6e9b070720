"""Comparison with a baseline: every state, and every reason to be red or not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import RunError
from harness.judge.comparison import Comparison, Paired, RecordedRun, RunComparison, compare, condition_changes
from harness.metrics.families.oks import OksScoring
from harness.metrics.families.pckh import PckhScoring
from harness.metrics.families.posetrack_ap import PoseTrackScoring
from harness.protocol import Boxes, Compute, Crop, DataFile, Decoder, Flip, Normalisation, Protocol
from harness.record import Noise, Record, Seal, Status, Variant, Weights
from harness.report.comparison import comparison_text

ENVIRONMENT = {"schema_version": 1, "packages": {"torch": "2.14.1"}, "cpu": "Some CPU", "gpu": None}
PROTOCOL = Protocol(
    dataset="CocoDataset",
    annotations=DataFile(path="gt.json", sha256="a" * 64),
    num_keypoints=2,
    flip_indices=(1, 0),
    boxes=Boxes(source="detector", file=DataFile(path="boxes.json", sha256="b" * 64)),
    limit=None,
    crop=Crop(input_size=(192, 256), padding=1.25, affine="plain"),
    flip=Flip(enabled=True, shift=True),
    decoder=Decoder(codec="msra", heatmap_size=(48, 64)),
    scoring=OksScoring(sigmas=(0.025, 0.025), area="annotation"),
    compute=Compute(engine="shared", batch_size=32, device="cpu"),
)
RECORD = Record(
    suite="coco",
    row="a",
    run="val",
    label="A",
    status="complete",
    weights=Weights(kind="checkpoint", sha256="c" * 64),
    images=100,
    metrics={"AP": 0.7, "AR": 0.8},
    verdict="reproduced",
    seal=Seal(predictions=None, protocol=None, measured=""),
)


def outcome(
    metrics: dict[str, float | None] | None = None, protocol: Protocol = PROTOCOL, **fields: Any
) -> RecordedRun:
    if metrics is not None:
        fields["metrics"] = metrics
    return RecordedRun(RECORD.model_copy(update=fields), protocol, ENVIRONMENT)


def changed(part: str, **fields: Any) -> Protocol:
    return PROTOCOL.model_copy(update={part: getattr(PROTOCOL, part).model_copy(update=fields)})


def noise(**differences: float | None) -> Noise:
    return Noise(variants=[Variant(change="batch size 7", differences=differences)])


def broken(status: Status, reason: str) -> RecordedRun:
    return RecordedRun(RECORD.model_copy(update={"status": status, "reason": reason, "metrics": {}}))


def one(new: RecordedRun, baseline: RecordedRun, **options: Any) -> RunComparison:
    comparison = compare({"coco/a/val": new}, {"coco/a/val": baseline}, **options)
    (run,) = comparison.runs
    assert comparison.red == run.red
    return run


def test_a_clean_rerun() -> None:
    run = one(outcome(), outcome())
    assert (run.state, run.red, run.reason, run.changes, run.warnings) == ("same", False, None, (), ())
    assert [movement.state for movement in run.metrics] == ["same", "same"]


@pytest.mark.parametrize(
    ("value", "state", "reason"),
    [
        (0.70009, "within noise", None),
        (0.6999, "within noise", None),
        (0.7001, "within noise", None),
        (0.70011, "moved", "AP rose by 0.00011, noise floor 0.0001"),
        (0.69989, "moved", "AP fell by 0.00011, noise floor 0.0001"),
        (0.0, "moved", "AP fell by 0.7, noise floor 0.0001"),
        (None, "moved", "AP is undefined now"),
    ],
)
def test_the_noise_floor_up_and_down(value: float | None, state: str, reason: str | None) -> None:
    run = one(outcome({"AP": value, "AR": 0.8}), outcome())
    assert (run.state, run.red, run.reason) == (state, state == "moved", reason)
    assert [movement.state for movement in run.metrics] == [state, "same"]


def test_a_movement_of_just_the_noise_floor() -> None:
    assert 0.8 - 0.7 > 0.1, "in binary"
    assert one(outcome({"AP": 0.8}), outcome({"AP": 0.7}), noise_floor=0.1).state == "within noise"


def test_the_noise_floor_that_is_given() -> None:
    new = outcome({"AP": 0.7, "AR": 0.805})
    assert one(new, outcome(), noise_floor=0.01).state == "within noise"
    run = one(new, outcome(), noise_floor=0)
    assert (run.reason, run.metrics[1].noise_floor) == ("AR rose by 0.005, noise floor 0", 0)
    assert one(outcome(), outcome(), noise_floor=0).state == "same"


def test_the_noise_floor_that_was_measured() -> None:
    new = outcome({"AP": 0.702, "AR": 0.8})
    baseline = outcome(noise=noise(AP=-0.003, AR=None))
    run = one(new, baseline)
    assert (run.state, run.warnings) == ("within noise", ())
    assert [(m.noise_floor, m.noise_source) for m in run.metrics] == [(0.003, "measured"), (1e-4, "assumed")]
    assert one(outcome({"AP": 0.704}), baseline).state == "moved"
    # A floor of 0 means that those variants changed nothing, not that the metric is exact.
    assert one(outcome({"AP": 0.70005, "AR": 0.8}), outcome(noise=noise(AP=0.0))).state == "within noise"


def test_a_new_run_whose_own_noise_covers_its_movement() -> None:
    new = outcome({"AP": 0.702, "AR": 0.8}, noise=noise(AP=0.003))
    run = one(new, outcome(noise=noise(AP=0.001)))
    assert (run.state, run.red) == ("within noise", False)
    assert run.warnings == (
        "AP moved by less than the noise floor of the new run, 0.003, but by more than that of the baseline, 0.001",
    )
    assert one(new, outcome(noise=noise(AP=0.002))).warnings == ()


def test_undefined_metrics() -> None:
    undefined = outcome({"AP": None, "AR": 0.8})
    assert one(undefined, undefined).state == "same"
    run = one(outcome(), undefined)
    assert (run.red, run.reason) == (True, "AP is undefined in the baseline only")


def test_metrics_that_come_and_go() -> None:
    run = one(outcome({"AP": 0.7}), outcome())
    assert (run.state, run.red, run.reason) == ("moved", True, "AR is not measured any more")
    run = one(outcome(), outcome({"AP": 0.7}))
    assert (run.state, run.red) == ("same", False)
    assert [movement.state for movement in run.metrics] == ["same", "appeared"]


def test_several_metrics_moved() -> None:
    before = outcome({"AP": 0.7, "AP@0.5": 0.9, "AR": 0.8, "AR@0.5": 0.9})
    run = one(outcome({"AP": 0.7, "AP@0.5": 0.8, "AR": 0.7, "AR@0.5": 0.95}), before)
    assert run.reason == "AP@0.5 fell by 0.1, noise floor 0.0001; 2 more metrics moved"


def test_rows_that_vanished_or_appeared() -> None:
    comparison = compare({"coco/b/val": outcome()}, {"coco/a/val": outcome()})
    assert [(run.id, run.state, run.red) for run in comparison.runs] == [
        ("coco/a/val", "vanished", True),
        ("coco/b/val", "appeared", False),
    ]
    assert comparison.red
    assert not compare({"coco/a/val": outcome(), "coco/b/val": outcome()}, {"coco/a/val": outcome()}).red


@pytest.mark.parametrize("status", ["failed", "unobtainable"])
def test_broken_runs(status: Status) -> None:
    gone = broken(status, "no such file")
    run = one(gone, outcome())
    assert (run.state, run.red, run.reason) == ("broken", True, f"{status}: no such file")
    assert compare({"coco/a/val": gone}, {}).red
    run = one(gone, gone)
    assert (run.state, run.red, run.reason) == ("broken", False, f"{status}: no such file (as in the baseline)")
    run = one(outcome(), gone)
    assert (run.state, run.red, run.reason) == ("appeared", False, f"in the baseline it is {status}: no such file")


@pytest.mark.parametrize(
    "more", ["\n  put it there, or name another folder", ". See https://example.org for it. It is large.", "."]
)
def test_the_first_sentence_of_a_reason(more: str) -> None:
    """The record has the rest."""
    first = "the file is missing: data/a.b/val.json (No such file or directory)"
    gone = broken("unobtainable", first + more)
    assert one(gone, outcome()).reason == f"unobtainable: {first}"
    assert one(gone, gone).reason == f"unobtainable: {first} (as in the baseline)"


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (
            outcome(status="partial", reason="only the first 5 images (--limit)"),
            "partial: only the first 5 images (--limit); in the baseline complete",
        ),
        (outcome(status="own boxes"), "own boxes; in the baseline complete"),
        (
            outcome(protocol=changed("annotations", sha256="d" * 64)),
            "different annotations: sha256 dddddddd, in the baseline aaaaaaaa",
        ),
    ],
)
def test_runs_that_say_nothing_about_each_other(new: RecordedRun, reason: str) -> None:
    run = one(new, outcome())
    assert (run.state, run.red, run.reason, run.metrics) == ("not comparable", True, reason, ())
    assert one(new, new).state == "same"


@pytest.mark.parametrize(
    ("scoring", "field", "what"),
    [
        (PckhScoring(headboxes=DataFile(path="heads.mat", sha256="e" * 64)), "headboxes", "head box file"),
        (
            PoseTrackScoring(sigmas=(0.025, 0.025), sequences=DataFile(path="val", sha256="e" * 64)),
            "sequences",
            "per-sequence ground truth",
        ),
    ],
)
def test_the_rest_of_the_ground_truth(scoring: Any, field: str, what: str) -> None:
    before = outcome(protocol=PROTOCOL.model_copy(update={"scoring": scoring}))
    other = scoring.model_copy(update={field: DataFile(path="x", sha256="f" * 64)})
    run = one(outcome(protocol=PROTOCOL.model_copy(update={"scoring": other})), before)
    assert (run.state, run.reason) == ("not comparable", f"different {what}: sha256 ffffffff, in the baseline eeeeeeee")
    run = one(before, outcome())
    assert run.reason == f"different {what}: sha256 eeeeeeee, in the baseline none"


def test_other_parts_of_the_data() -> None:
    five, six = (outcome(status="partial", images=images) for images in (5, 6))
    assert one(five, five).state == "same"
    assert one(six, five).reason == "6 images were evaluated, in the baseline 5"
    # In a whole data set, images without a detection are evaluated but not counted.
    assert one(outcome(images=99), outcome()).state == "same"


def changes(run: RunComparison) -> dict[str, tuple[Any, Any]]:
    return {change.field: (change.baseline, change.new) for change in run.changes}


def test_a_changed_protocol_without_a_movement() -> None:
    run = one(outcome(protocol=changed("flip", enabled=False)), outcome())
    assert (run.state, run.red) == ("same", False)
    assert changes(run) == {"flip.enabled": (True, False)}
    assert run.warnings == ("no metric moved although these fields changed: flip.enabled",)


def test_a_changed_protocol_with_a_movement() -> None:
    protocol = changed("scoring", sigmas=(0.1, 0.1)).model_copy(update={"boxes": Boxes(source="ground-truth")})
    weights = Weights(kind="checkpoint", sha256="d" * 64, url="https://example.org/d.pth")
    run = one(outcome({"AP": 0.8}, protocol, weights=weights, verdict="differs"), outcome({"AP": 0.7}))
    assert (run.state, run.red, run.warnings) == ("moved", True, ())
    assert changes(run) == {
        "boxes.source": ("detector", "ground-truth"),
        "boxes.file.path": ("boxes.json", None),
        "boxes.file.sha256": ("b" * 64, None),
        "scoring.sigmas": ([0.025, 0.025], [0.1, 0.1]),
        "weights.sha256": ("c" * 64, "d" * 64),
        "verdict": ("reproduced", "differs"),
    }


def test_overrides_that_earlier_versions_did_not_record() -> None:
    none = outcome(protocol=PROTOCOL.model_copy(update={"overrides": None}))
    some = outcome(protocol=PROTOCOL.model_copy(update={"overrides": ("model.test_cfg.flip_test = false",)}))
    assert [change.field for change in condition_changes(some, none)] == ["overrides"]
    assert condition_changes(some, outcome()) == ()


def test_changes_that_should_not_matter() -> None:
    protocol = changed("compute", batch_size=7, device="cuda")
    protocol = protocol.model_copy(update={"annotations": DataFile(path="elsewhere.json", sha256="a" * 64)})
    run = one(outcome(protocol=protocol, verdict="differs"), outcome())
    assert (run.state, run.red, run.warnings) == ("same", False, ())
    assert set(changes(run)) == {"annotations.path", "compute.batch_size", "compute.device", "verdict"}
    # They do not excuse a difference either.
    assert one(outcome({"AP": 0.71}, protocol), outcome({"AP": 0.7})).red


def test_environments_once_for_all_runs() -> None:
    def with_environment(**fields: Any) -> RecordedRun:
        return replace(outcome(), environment={**ENVIRONMENT, **fields})

    gpu = {"name": "Some GPU", "driver": "600.1"}
    new = {
        "coco/a/val": with_environment(packages={"torch": "2.15.0", "poseval": "0.1"}),
        "coco/b/val": with_environment(packages={"torch": "2.15.0"}, gpu=gpu),
        "coco/c/val": broken("failed", "out of memory"),
        "coco/d/val": with_environment(cpu="not compared with anything"),
    }
    comparison = compare(new, {run: outcome() for run in ("coco/a/val", "coco/b/val", "coco/c/val")})
    assert [(change.field, change.baseline, change.new, change.runs) for change in comparison.environment] == [
        ("gpu.driver", None, "600.1", ("coco/b/val",)),
        ("gpu.name", None, "Some GPU", ("coco/b/val",)),
        ("packages.poseval", None, "0.1", ("coco/a/val",)),
        ("packages.torch", "2.14.1", "2.15.0", ("coco/a/val", "coco/b/val")),
    ]
    assert not compare({"coco/a/val": new["coco/a/val"]}, {"coco/a/val": outcome()}).red


PACKAGE, USED = "packages.xtcocotools", "xtcocotools"


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        (("1.14.3", None), (None, "stand-in"), [PACKAGE]),
        (("1.14.3", "xtcocotools"), (None, "stand-in"), [PACKAGE]),
        (("1.14.3", None), ("1.14.3", "xtcocotools"), []),
        (("1.14.3", "xtcocotools"), ("1.14.3", "stand-in"), [USED]),
        (("1.14.3", "xtcocotools"), ("1.15", "stand-in"), [PACKAGE, USED]),
        (("1.14.3", "xtcocotools"), ("1.14.3", "xtcocotools"), []),
    ],
)
def test_xtcocotools_is_one_change(
    before: tuple[str | None, str | None], after: tuple[str | None, str | None], changed: list[str]
) -> None:
    """Its absence implies the stand-in, and records of early versions do not state what was used."""

    def using(version: str | None, used: str | None) -> RecordedRun:
        packages = {"xtcocotools": version} if version else {}
        return replace(outcome(), environment={"packages": packages} | ({"xtcocotools": used} if used else {}))

    comparison = compare({"coco/a/val": using(*after)}, {"coco/a/val": using(*before)})
    assert [change.field for change in comparison.environment] == changed


def test_paired_differences_of_what_moved() -> None:
    asked: list[str] = []
    paired = Paired(low=-0.1, high=0.1, p_value=0.6, resamples=1000)

    def pair(run: str) -> Mapping[str, Paired]:
        asked.append(run)
        return {"AP": paired}

    baseline = {"coco/a/val": outcome(), "coco/b/val": outcome(), "coco/c/val": outcome()}
    new = baseline | {"coco/b/val": outcome({"AP": 0.6, "AR": 0.7}), "coco/c/val": outcome({"AP": 0.70001, "AR": 0.8})}
    comparison = compare(new, baseline, pair=pair)
    assert asked == ["coco/b/val", "coco/c/val"]
    assert [m.paired for m in comparison.runs[1].metrics] == [paired, None]
    assert comparison.runs[1].red, "not significant, and moved without a cause"


def test_a_paired_difference_that_is_impossible() -> None:
    def pair(run: str) -> Mapping[str, Paired]:
        raise RunError(f"{run} is scored on other images")

    run = one(outcome({"AP": 0.6, "AR": 0.8}), outcome(), pair=pair)
    assert (run.state, run.warnings) == ("moved", ("no paired difference: coco/a/val is scored on other images",))


METRICS = st.dictionaries(st.sampled_from(["AP", "AR", "PCK"]), st.none() | st.floats(0, 1), min_size=1)


@given(METRICS, METRICS, st.floats(0, 0.5))
def test_both_directions_are_alike(a: dict[str, float | None], b: dict[str, float | None], floor: float) -> None:
    assert not one(outcome(a), outcome(a), noise_floor=floor).red
    there, back = (one(outcome(x), outcome(y), noise_floor=floor) for x, y in ((a, b), (b, a)))
    for movement in there.metrics:
        (other,) = (m for m in back.metrics if m.metric == movement.metric)
        opposite = {"vanished": "appeared", "appeared": "vanished"}
        assert other.state == opposite.get(movement.state, movement.state)
    if a.keys() == b.keys():
        assert (
            there.red
            == back.red
            == any(
                (x is None) != (y is None) or (x is not None and y is not None and abs(x - y) > floor + 1e-12)
                for x, y in ((a[name], b[name]) for name in a)
            )
        )


def test_json() -> None:
    new = outcome({"AP": 0.6}, changed("flip", enabled=False), intervals={"AP": (0.5, 0.7)})
    comparison = compare({"coco/a/val": new, "coco/b/val": outcome()}, {"coco/a/val": outcome()})
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison
    assert comparison.model_dump(mode="json")["schema_version"] == 1


def test_a_move_where_the_environment_changed() -> None:
    elsewhere = RecordedRun(outcome({"AP": 0.6}).record, PROTOCOL, {**ENVIRONMENT, "cpu": "another"})
    assert one(elsewhere, outcome({"AP": 0.7})).environment_changed
    assert not one(outcome({"AP": 0.6}), outcome({"AP": 0.7})).environment_changed


def test_a_verdict_is_no_cause() -> None:
    differs = outcome({"AP": 0.6}, verdict="differs")
    run = one(differs, outcome({"AP": 0.7}))
    assert [change.field for change in run.changes] == ["verdict"]
    assert "protocol, weights and environment did not change" in comparison_text(
        compare({"coco/a/val": differs}, {"coco/a/val": outcome({"AP": 0.7})})
    )


def test_people_and_normalisation_are_named() -> None:
    usual = Normalisation(mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4), colours="RGB")
    halves = Normalisation(mean=(127.5,) * 3, std=(127.5,) * 3, colours="BGR")
    new, before = (
        outcome(protocol=PROTOCOL.model_copy(update={"normalisation": normalisation}), people=people)
        for normalisation, people in ((halves, 74), (usual, 150))
    )
    fields = {"people", "normalisation.mean", "normalisation.std", "normalisation.colours"}
    assert {change.field for change in one(new, before).changes} == fields
    # Runs of an earlier version lack the value, which is not a difference.
    assert not one(outcome(protocol=PROTOCOL.model_copy(update={"normalisation": usual})), outcome()).changes
