"""The causes concluded from differences: one if one kind fits, several if several fit, none if none fits."""

from typing import Any

import pytest

from harness.judge.causes import conclude
from harness.judge.comparison import Change
from harness.judge.differences import Cause, Differences, Observed
from harness.report.differences import differences_text

METRICS = {"AP": (0.5, 0.6)}
IRREGULAR = ("irregular", "80 % of the keypoints moved", False)


def observed(**fields: Any) -> Observed:
    return Observed.model_validate({"people": 60, "images": 20, "metrics": METRICS} | fields)


def moved(**fields: Any) -> Observed:
    usual = {"moved_people": 60, "moved_images": 20, "same_scores": False, "score_change": 0.2, "motions": [IRREGULAR]}
    return observed(**usual | fields)


def answers(seen: Observed, *stated: Change) -> list[tuple[str, str]]:
    causes, _ = conclude(seen, stated)
    return [(cause.kind, cause.certainty) for cause in causes]


def change(field: str, was: Any = 1, now: Any = 2) -> Change:
    return Change(field=field, baseline=was, new=now)


@pytest.mark.parametrize(
    ("seen", "stated", "first"),
    [
        (observed(), [change("scoring.nms_threshold")], ("scoring", "likely")),
        (observed(), [change("annotations.sha256", "a", "b")], ("ground truth", "likely")),
        (observed(), [], ("scoring", "likely")),
        (moved(), [change("weights.sha256")], ("weights", "likely")),
        (moved(), [change("flip.enabled", True, False)], ("flip test", "likely")),
        (moved(), [change("normalisation.mean")], ("normalisation", "likely")),
        (moved(same_scores=True), [change("decoder.codec")], ("decoding", "likely")),
        (moved(same_scores=True), [], ("decoding", "possible")),
        (
            moved(same_scores=True, motions=[("shifted", "all by (+1, +1) px of the image", True)]),
            [],
            ("map back to the image", "likely"),
        ),
        (moved(same_scores=True, motions=[("rounded", "cut to px of the heatmap", True)]), [], ("decoding", "likely")),
        (moved(same_scores=True, motions=[("rounded", "cut to px of the vectors", True)]), [], ("decoding", "likely")),
        (
            moved(same_scores=True, motions=[("rounded", "cut to px of the crop", True)]),
            [],
            ("map back to the image", "likely"),
        ),
        (moved(same_scores=True, motions=[("keypoint order", "7 and 8", True)]), [], ("keypoint order", "likely")),
        (moved(motions=[("mirrored", "within their crops", True)]), [], ("flip test", "likely")),
        (moved(motions=[IRREGULAR, ("shifted", "by (+0.2, +0), along x only", False)]), [], ("flip test", "possible")),
        (moved(motions=[IRREGULAR, ("shifted", "by (+0.1, +0.1)", False)]), [], ("crop geometry", "possible")),
        (moved(motions=[IRREGULAR, ("grown", "by 3 %", False)]), [], ("crop geometry", "possible")),
        (moved(moved_people=3, moved_images=1, whole_images=True), [], ("image content", "likely")),
        (moved(moved_people=9, moved_images=3, whole_images=True, in_sequence=True), [], ("image content", "possible")),
        (moved(moved_people=9, others_poses=8), [], ("people", "likely")),
        (moved(boxes="all boxes are (+0, +0, -1, -1) px off"), [], ("boxes", "likely")),
        (observed(box_scores="all box scores are 1"), [], ("boxes", "likely")),
        (observed(areas="without padding"), [], ("crop geometry", "likely")),
        (observed(only_old=9, threshold=0.3), [], ("boxes", "likely")),
        (observed(only_old=9, images_only_old=3), [], ("people", "likely")),
        (observed(only_old=9, smallest=3072.0, images_only_old=3), [], ("boxes", "likely")),
        (observed(only_old=9, only_new=9, renamed=9), [], ("people", "likely")),
        (observed(only_new=9, repeated=9), [], ("people", "likely")),
    ],
)
def test_first_cause(seen: Observed, stated: list[Change], first: tuple[str, str]) -> None:
    assert answers(seen, *stated)[0] == first


def test_what_the_predictions_speak_against_is_no_cause() -> None:
    """Different weights give different heatmaps, and the flip test does not change boxes."""
    assert "weights" not in dict(answers(moved(same_scores=True), change("weights.sha256")))
    assert "flip test" not in dict(answers(observed(only_old=3), change("flip.shift")))
    assert "boxes" not in dict(answers(moved(), change("boxes.score_threshold")))


def part(sha256: str, images: str = "val") -> dict[str, Any]:
    return {"dataset": "AicDataset", "annotations": {"path": "a.json", "sha256": sha256}, "images": images}


def test_annotations_of_any_data_set_of_a_pool_are_ground_truth() -> None:
    def causes(now: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
        change_of_parts = change("dataset.parts", [part("1"), part("2")], now)
        found, _ = conclude(observed(), [change_of_parts], agree=(True, None))
        return [(one.kind, one.certainty, one.text) for one in found]

    text = "dataset.parts.1.annotations.sha256 was 2 and is 3"
    assert causes([part("1"), part("3")])[0] == ("ground truth", "shown", text)
    assert "ground truth" not in {kind for kind, _, _ in causes([part("1"), part("2", "train")])}
    assert "ground truth" not in {kind for kind, _, _ in causes([part("1")])}
    assert answers(observed(), change("scoring.headboxes.sha256", "1", "2"))[0] == ("ground truth", "likely")


@pytest.mark.parametrize(("agrees", "certainty"), [(True, "shown"), (None, "likely"), (False, "possible")])
def test_recorded_scoring_that_does_not_give_the_metrics(agrees: bool | None, certainty: str) -> None:
    """The metrics of the run may come from other code, whatever its protocol states."""
    (cause,), _ = conclude(observed(), [change("annotations.sha256", "a", "b")], agree=(agrees, None))
    assert (cause.kind, cause.certainty) == ("ground truth", certainty)


def test_slight_differences_that_move_metrics() -> None:
    """The same predictions are not scored in another way if the installed code gives the metrics of both sides."""
    seen = observed(slight=0.005)
    assert [one.kind for one in conclude(seen, [], agree=(True, True))[0]] == ["arithmetic"]
    for agree in ((True, False), (None, None)):
        (cause,), _ = conclude(seen, [], agree=agree)
        assert (cause.kind, cause.evidence) == ("scoring", ["keypoints differ by 0.005 px at most"])


def test_what_a_repetition_has_refuted_is_no_cause() -> None:
    assert conclude(moved(), [change("weights.sha256")], innocent=["weights"])[0][0].kind == "unknown"


def test_rounding_does_not_change_much() -> None:
    assert "arithmetic" not in dict(answers(moved(), change("compute.precision")))
    assert "arithmetic" not in dict(answers(moved(score_change=0.0, moved_px=7.5), change("compute.precision")))
    assert "arithmetic" in dict(answers(moved(score_change=0.0, moved_px=0.25), change("compute.precision")))


def test_overrides_are_a_cause_of_other_predictions() -> None:
    overrides = change("overrides", None, ["model.backbone.out_indices = [1]"])
    (cause,), untold = conclude(moved(), [overrides])
    assert (cause.kind, cause.certainty, untold) == ("config", "likely", None)
    assert cause.text == "overrides was None and is ['model.backbone.out_indices = [1]']"
    assert answers(observed(only_old=9), overrides)[0] == ("config", "likely")
    assert "config" not in dict(answers(observed(), overrides))  # the protocol has all settings of scoring
    both = answers(moved(), overrides, change("flip.enabled", True, False))
    assert both == [("flip test", "likely"), ("config", "possible")]


def test_other_content_of_a_few_images_is_no_other_map_back() -> None:
    few: dict[str, Any] = {"moved_people": 3, "moved_images": 1, "whole_images": True}
    assert answers(moved(**few), change("image_content")) == [("image content", "likely")]
    both = [("decoding", "possible"), ("map back to the image", "possible")]
    assert answers(moved(**few, same_scores=True)) == both  # the heatmaps are the same


def test_two_that_differ_are_both_named() -> None:
    causes = answers(moved(), change("weights.sha256"), change("flip.shift"))
    assert causes == [("weights", "likely"), ("flip test", "likely")]
    scored = answers(observed(), change("annotations.sha256"), change("scoring.nms_threshold"))
    assert ("ground truth", "likely") in scored
    assert ("scoring", "likely") in scored


def test_what_was_tried_comes_first() -> None:
    shown = Cause(kind="crop geometry", text="resampling", certainty="shown", evidence=["it gives them"])
    causes, untold = conclude(moved(motions=[IRREGULAR]), [], [shown])
    assert causes[0] == shown
    assert untold is None


@pytest.mark.parametrize(("change_of_scores", "first"), [(0.2, "normalisation"), (0.002, "arithmetic")])
def test_what_may_make_other_heatmaps_is_unknown(change_of_scores: float, first: str) -> None:
    (cause,), untold = conclude(moved(score_change=change_of_scores), [])
    assert (cause.kind, cause.text, cause.certainty) == ("unknown", IRREGULAR[1], "possible")
    assert untold is not None
    assert f"predictions alone do not show why the heatmaps differ; possible causes: {first}, " in untold


def test_what_is_possible_is_listed() -> None:
    _, untold = conclude(moved(score_change=0.002), [change("packages.opencv", "4", "5")])
    kinds = "arithmetic, crop geometry, weights or others"
    assert untold == f"predictions alone do not show the cause; possible causes: {kinds}"
    _, untold = conclude(moved(motions=[IRREGULAR, ("shifted", "by (+0.2, +0), along x only", False)]), [])
    kinds = "flip test, crop geometry, normalisation, weights, image content, decoding or others"
    assert untold == f"predictions alone do not show the cause; possible causes: {kinds}"


def test_packages_are_named_only_where_nothing_else_is() -> None:
    packages = change("packages.opencv", "4", "5")
    assert ("arithmetic", "possible") in answers(moved(score_change=0.001), packages)
    assert answers(moved(), packages, change("weights.sha256")) == [("weights", "likely")]
    assert answers(observed(metrics={}), packages) == []


def differences(seen: Observed, *stated: Change) -> str:
    causes, untold = conclude(seen, stated)
    return differences_text(
        Differences(
            row="demo/a",
            run="val",
            baseline="results/demo/a/val",
            observed=seen,
            stated=list(stated),
            causes=causes,
            untold=untold,
            notes=["no prediction was repeated"],
        )
    )


def test_text() -> None:
    lines = differences(moved(), change("flip.enabled", True, False)).splitlines()
    assert lines[:5] == [
        "demo/a val against results/demo/a/val",
        "  AP 0.6000 -> 0.5000",
        "",
        "Causes, likeliest first:",
        "  1. flip test: flip.enabled was True and is False (likely)",
    ]
    assert "  - on record: flip.enabled: True -> False" in lines
    assert lines[-1] == "Note: no prediction was repeated"
    assert "there is nothing to explain" in differences(observed(metrics={}))
    lines = differences(moved()).splitlines()
    assert lines[3].startswith("No cause is known: predictions alone do not show why the heatmaps differ; possible ")
    assert lines[4] == f"  1. unknown: {IRREGULAR[1]} (possible; other causes fit as well)"
