"""Verdicts: rounding, tolerances, several sources, several runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.verdict import judge_claim, judge_row, judge_run
from harness.record import Noise, Record, Status, Variant
from harness.report.standings import closest
from harness.suites.load import load_suite, select_rows
from harness.suites.schema import Claim, Metric, Row

FRACTION = Metric(label="AP", unit="fraction", decimals=3)
PERCENT = Metric(label="PCK", unit="percent", decimals=1, tolerance=0.1, reason="the page was rounded by hand")


def claim(value: float, **fields: object) -> Claim:
    return Claim.model_validate({"metric": "AP", "value": value, "source": "table", **fields})


@pytest.mark.parametrize(
    ("measured", "claimed", "verdict"),
    [
        (0.749, 0.749, "reproduced"),
        (0.7485, 0.749, "reproduced"),  # a printed 0.749 means 0.7485 up to 0.7495
        (0.74849999, 0.749, "differs"),
        (0.74949999, 0.749, "reproduced"),
        (0.7495, 0.749, "differs"),
        (0.2845, 0.285, "reproduced"),  # 284.49999999999994 in binary
        (1.0, 1.0, "reproduced"),
        (0.0, 0.749, "differs"),
        (None, 0.749, "differs"),
    ],
)
def test_rounding(measured: float | None, claimed: float, verdict: str) -> None:
    assert judge_claim(claim(claimed), FRACTION, measured, "complete").verdict == verdict


def test_a_claim_whose_difference_is_undefined_is_the_furthest() -> None:
    undefined, near = (judge_claim(claim(0.749), FRACTION, measured, "complete") for measured in (None, 0.7))
    assert closest([undefined, near], "AP") is near


@given(st.integers(0, 1000), st.floats(-0.000499, 0.000499))
def test_every_value_that_rounds_to_the_claim_reproduces_it(thousandths: int, offset: float) -> None:
    claimed = thousandths / 1000
    assert judge_claim(claim(claimed), FRACTION, claimed + offset, "complete").verdict == "reproduced"
    assert judge_claim(claim(claimed), FRACTION, claimed + 0.001 + offset, "complete").verdict == "differs"


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [(0.6570, "reproduced"), (0.658, "within noise"), (0.656, "within noise"), (0.6586, "differs")],
)
def test_percent_and_tolerance(measured: float, verdict: str) -> None:
    judged = judge_claim(claim(65.7), PERCENT, measured, "complete")
    assert judged.verdict == verdict
    assert judged.measured == pytest.approx(measured * 100)
    assert judged.difference == pytest.approx(measured * 100 - 65.7)


@pytest.mark.parametrize(
    ("measured", "noise", "verdict"),
    [
        (0.7481, 0.0, "differs"),
        (0.7481, 0.0003, "differs"),
        (0.7481, 0.0004, "within noise"),  # 0.7485 rounds to the claim
        (0.7499, 0.0004, "within noise"),
        (0.7499, 0.0003, "differs"),
        (0.7490, 0.1, "reproduced"),
    ],
)
def test_noise_floor(measured: float, noise: float, verdict: str) -> None:
    judged = judge_claim(claim(0.749), FRACTION, measured, "complete", noise)
    assert judged.verdict == verdict
    within = f"the measured noise floor of this run, {noise:.2g}"
    assert judged.reason == (within if verdict == "within noise" else None)


def test_what_makes_a_value_within_noise_is_said() -> None:
    judged = judge_claim(claim(65.7), PERCENT, 0.658, "complete", 0.0001)  # 0.01 percent: too little
    assert judged.reason == "a tolerance of 0.1: the page was rounded by hand"
    assert judge_claim(claim(65.7), PERCENT, 0.658, "complete", 0.0006).reason == (
        "the measured noise floor of this run, 0.06"
    )


def test_a_row_has_the_largest_noise_of_its_runs() -> None:
    def record(run: str, noise: float) -> Record:
        variants = [Variant(change="batch size 1", differences={"AP": noise, "AR": None})]
        return Record(
            suite="s",
            row="x",
            run=run,
            label="X",
            status="complete",
            metrics={"AP": 0.7481},
            verdict="differs",
            noise=Noise(variants=variants),
        )

    two = row({"source": "table", "AP": 0.749}, runs=2)
    assert judge_row(two, {"AP": FRACTION}, [record("sub1", 0.0001), record("sub2", -0.0004)])[1] == "within noise"
    assert judge_row(two, {"AP": FRACTION}, [record("sub1", 0.0001), record("sub2", -0.0003)])[1] == "differs"


@pytest.mark.parametrize("status", ["partial", "failed", "unobtainable"])
def test_only_a_complete_run_reproduces(status: Status) -> None:
    assert judge_claim(claim(0.749), FRACTION, 0.749, status).verdict == status


def row(*published: dict[str, object], runs: int = 1) -> Row:
    run = {"config": "x.py", "checkpoint": {"url": "https://example.org/x.pth", "sha256": "0" * 8}}
    sources = {str(entry.pop("source")): entry for entry in published}
    names = ["val"] if runs == 1 else [f"sub{i}" for i in range(1, runs + 1)]
    return Row.model_validate(
        {
            "id": "x",
            "label": "X",
            "input_size": "256x192",
            "boxes": "detector",
            "published": sources,
            "runs": dict.fromkeys(names, run),
        }
    )


METRICS = {"AP": FRACTION, "AR": FRACTION}


def test_a_row_is_as_good_as_its_worst_metric() -> None:
    both = row({"source": "table", "AP": 0.749, "AR": 0.804})
    assert judge_run(both, "val", METRICS, {"AP": 0.749, "AR": 0.804}, "complete")[1] == "reproduced"
    assert judge_run(both, "val", METRICS, {"AP": 0.749, "AR": 0.806}, "complete")[1] == "differs"


def test_a_refuted_claim_is_shown_and_does_not_count() -> None:
    stale = {"value": 0.726, "refuted": "left over from the former checkpoint"}
    contradicted = row({"source": "table", "AP": stale}, {"source": "page", "AP": 0.728})
    judged, verdict = judge_run(contradicted, "val", METRICS, {"AP": 0.7281}, "complete")
    assert verdict == "reproduced"
    assert {j.claim.source: j.verdict for j in judged} == {"table": "contradicted", "page": "reproduced"}
    assert judge_run(contradicted, "val", METRICS, {"AP": 0.726}, "complete")[1] == "differs"


def test_of_sources_that_disagree_one_match_is_enough() -> None:
    open_question = row({"source": "table", "AP": 0.749}, {"source": "page", "AP": 0.751})
    for measured, verdict in ((0.749, "reproduced"), (0.751, "reproduced"), (0.750, "differs")):
        assert judge_run(open_question, "val", METRICS, {"AP": measured}, "complete")[1] == verdict


def test_without_a_published_value_a_complete_run_is_measured() -> None:
    stale = {"value": 0.726, "refuted": "left over from the former checkpoint"}
    for unpublished in (row(), row({"source": "table"}), row({"source": "table", "AP": stale})):
        assert judge_run(unpublished, "val", METRICS, {"AP": 0.749}, "complete")[1] == "measured"
        assert judge_run(unpublished, "val", METRICS, {"AP": 0.749}, "partial")[1] == "partial"


def record(run: str, status: Status, **metrics: float | None) -> Record:
    return Record(suite="s", row="x", run=run, label="X", status=status, metrics=metrics, verdict="not run")


def test_a_row_of_several_runs_is_judged_by_their_mean() -> None:
    three = row({"source": "table", "AP": 0.749}, runs=3)
    records = [record(f"sub{i}", "complete", AP=value) for i, value in enumerate((0.700, 0.750, 0.797), 1)]
    judged, verdict = judge_row(three, METRICS, records)
    assert verdict == "reproduced"
    assert judged[0].measured == pytest.approx(0.749)
    assert judge_row(three, METRICS, records[:2])[1] == "not run"
    assert judge_row(three, METRICS, [*records[:2], record("sub3", "failed")])[1] == "failed"
    assert judge_row(three, METRICS, [*records[:2], record("sub3", "partial", AP=0.8)])[1] == "partial"


@pytest.mark.parametrize(
    ("row_id", "person", "torso"),
    [("resnet-50-256x256", "within noise", "reproduced"), ("cpm-368x368", "reproduced", "within noise")],
)
def test_jhmdb_is_the_mean_of_its_splits(row_id: str, person: str, torso: str) -> None:
    """The means of the splits' printed values equal the table's; one split's, or swapped sizes, do not."""
    suite = load_suite("jhmdb")
    (published,) = select_rows(suite, row_id)

    def measure(run: str, **swapped: str) -> Record:
        values = {claim.metric: claim.value / 100 for claim in published.claims if claim.run == run}
        return record(run, "complete", **{swapped.get(name, name): value for name, value in values.items()})

    def verdicts(records: list[Record]) -> dict[str, str]:
        judged, _ = judge_row(published, suite.metrics, records)
        return {j.claim.metric: j.verdict for j in judged if j.claim.source == "table"}

    assert verdicts([measure(run) for run in published.runs]) == {"PCK(person)": person, "PCK(torso)": torso}
    swap = {"PCK(person)": "PCK(torso)", "PCK(torso)": "PCK(person)"}
    assert set(verdicts([measure(run, **swap) for run in published.runs]).values()) == {"differs"}
    assert "differs" in verdicts([measure("sub1")] * 3).values()
