"""How often wrong alternatives match claims. A match is a cause among few distant alternatives, not among many near."""

from collections.abc import Mapping

import pytest

from harness.judge.coincidence import with_chances
from harness.judge.explanation import Explanation, Trial, TriedSetting, make_trial, rank
from harness.report.explanation import explanation_text
from harness.suites.schema import Claim, Metric

METRICS = {
    name: Metric(label=name, unit="fraction", decimals=3, tolerance=0.003, reason="a test") for name in ("AP", "AR")
}
CLAIMS = [Claim(metric="AP", value=0.71, source="table"), Claim(metric="AR", value=0.76, source="table")]
RUN = {"AP": 0.70, "AR": 0.75}


def tried(measured: Mapping[str, float], *settings: str, claims: list[Claim] = CLAIMS, usual: bool = False) -> Trial:
    changes = [TriedSetting(setting, "a", "b", usual) for setting in settings]
    return make_trial(changes, claims, METRICS, measured)


def around(count: int, reach: float) -> list[Trial]:
    """Return trials of `count` settings, whose metrics are scattered around those of the run."""
    places = [(number % 7 - 3, number % 5 - 2) for number in range(count)]
    return [
        tried({"AP": 0.70 + reach * x, "AR": 0.75 + reach * y}, f"setting {number}")
        for number, (x, y) in enumerate(places)
    ]


def explained(trials: list[Trial]) -> Explanation:
    found = rank(with_chances(tried(RUN), trials, METRICS))
    return Explanation(row="a/b", run="val", as_run=tried(RUN), seen=[], trials=found, skipped=[], not_tried=[])


RIGHT = {"AP": 0.7101, "AR": 0.7601}
WITHIN_TOLERANCE = {"AP": 0.7121, "AR": 0.7579}


def test_a_landing_among_few_is_a_cause() -> None:
    explanation = explained([tried(RIGHT, "the cause"), *around(12, 0.05)])
    assert [trial.changes[0].setting for trial in explanation.causes] == ["the cause"]
    assert explanation.causes[0].by_chance == 0
    assert "Matches the claims, fewest changes first:" in explanation_text(explanation, METRICS, rerun=True)


def test_a_landing_among_many_near_ones_is_none() -> None:
    explanation = explained([tried(WITHIN_TOLERANCE, "a coincidence"), *around(35, 0.004)])
    assert not explanation.causes
    assert "a coincidence" in [trial.changes[0].setting for trial in explanation.coincidences]
    text = explanation_text(explanation, METRICS, rerun=True)
    assert (
        "No cause is known. The following settings match the claims, but wrong settings often match as closely:" in text
    )
    assert "Tried: 36 changes, of which " in text


def test_an_exact_landing_says_more_than_one_within_a_tolerance() -> None:
    spread = around(35, 0.004)
    (exact, *_) = with_chances(tried(RUN), [tried(RIGHT, "exact"), *spread], METRICS)
    (rough, *_) = with_chances(tried(RUN), [tried(WITHIN_TOLERANCE, "rough"), *spread], METRICS)
    assert exact.by_chance is not None
    assert rough.by_chance is not None
    assert exact.by_chance < rough.by_chance


def test_pairs_land_by_chance_more_often() -> None:
    pairs = [
        tried({"AP": 0.70 + 0.002 * x, "AR": 0.75 + 0.002 * y}, f"setting {x}", f"setting {y} too")
        for x in range(-10, 11)
        for y in range(-10, 11)
    ]
    chances = [
        with_chances(tried(RUN), [trial, *around(12, 0.05), *pairs], METRICS)[0].by_chance
        for trial in (tried(WITHIN_TOLERANCE, "one"), tried(WITHIN_TOLERANCE, "one", "two"))
    ]
    assert chances[0] is not None
    assert chances[1] is not None
    assert chances[0] < 0.05 < chances[1]


def test_a_setting_does_not_speak_against_itself() -> None:
    """Two values of one setting that give the same metrics do not count as a coincidence."""
    trials = [tried(RIGHT, "threshold"), tried(RIGHT, "threshold"), *around(6, 0.05)]
    assert [trial.by_chance for trial in with_chances(tried(RUN), trials, METRICS)[:2]] == [0, 0]


def test_what_is_published_elsewhere_decides_between_landings() -> None:
    metrics = METRICS | {"AP@0.5": METRICS["AP"]}
    elsewhere = Claim(metric="AP@0.5", value=0.9, source="page", gates=False)
    trials = [
        make_trial([TriedSetting(name, "a", "b")], [*CLAIMS, elsewhere], metrics, RIGHT | {"AP@0.5": value})
        for name, value in (("misses it", 0.88), ("holds on it", 0.9))
    ]
    assert [trial.missed for trial in trials] == [1, 0]
    assert all(trial.matches_claims for trial in trials)
    assert trials[0].distance == pytest.approx(trials[1].distance)
    assert rank(trials)[0].changes[0].setting == "holds on it"


@pytest.mark.parametrize(
    ("measured", "settings", "shown"),
    [
        ({"AP": 0.704, "AR": 0.754}, ("too far",), False),
        ({"AP": 0.706, "AR": 0.756}, ("near",), True),
        ({"AP": 0.706, "AR": 0.756}, ("claimed metric",), False),
        ({"AP": 0.7062, "AR": 0.7562}, ("near", "idle"), False),
    ],
)
def test_closest_are_relevant(measured: dict[str, float], settings: tuple[str, ...], shown: bool) -> None:
    alone = [tried({"AP": 0.706, "AR": 0.756}, "near"), tried({"AP": 0.7001, "AR": 0.75}, "idle")]
    trial = tried(measured, *settings)
    explanation = explained([trial, *(alone if len(settings) == 2 else [])])
    assert (trial in explanation.closest) == shown


def test_what_moves_one_metric_away_is_not_close() -> None:
    claims = [Claim(metric="AP", value=0.72, source="table"), Claim(metric="AR", value=0.751, source="table")]
    as_run = tried(RUN, claims=claims)
    trials = [tried({"AP": 0.7195, "AR": value}, str(value), claims=claims) for value in (0.7508, 0.755)]
    explanation = Explanation(
        row="a/b", run="val", as_run=as_run, seen=[], trials=rank(trials), skipped=[], not_tried=[]
    )
    assert [trial.matches_claims for trial in explanation.trials] == [True, False]
    assert trials[1].distance < as_run.distance / 2
    assert not explanation.closest
