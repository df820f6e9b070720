"""Alternation of both sides, and the evaluation of their times."""

import pytest

from harness.errors import DifferenceError
from harness.speed.outcome import SideBySide, Spread
from harness.speed.rounds import circumstances, compare, in_turn, timed


def test_sides_alternate() -> None:
    calls: list[str] = []

    def side(name: str) -> str:
        calls.append(name)
        return name

    for number in range(3):
        assert in_turn(number, lambda: side("upstream"), lambda: side("ours")) == ("upstream", "ours")
    assert calls == ["upstream", "ours", "ours", "upstream", "upstream", "ours"]


def test_each_round_is_timed_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    # Upstream takes 9, 8 and 6 s, our side 3, 1 and 2 s.
    ticks = iter([0, 9, 0, 3, 0, 1, 0, 8, 0, 6, 0, 2])
    monkeypatch.setattr("harness.speed.rounds.time.perf_counter", lambda: next(ticks))
    seen: list[tuple[str, int]] = []
    comparison = compare("people", 12, lambda: "theirs", lambda: 5, 3, lambda a, b: seen.append((a, b)))
    assert [comparison.upstream_s, comparison.ours_s] == [(9, 8, 6), (3, 1, 2)]
    assert comparison.ratio == Spread(rounds=(3, 8, 3), median=3, min=3, max=8)
    assert (comparison.upstream_rate, comparison.our_rate) == (12 / 8, 12 / 2)
    assert seen == [("theirs", 5)] * 3


def test_the_median_is_of_ratios_not_of_times() -> None:
    ratio = SideBySide.of("people", 1, [2, 20, 9], [1, 5, 9]).ratio
    assert ratio == Spread(rounds=(2, 4, 1), median=2, min=1, max=4)


def test_a_difference_ends_the_comparison() -> None:
    def refuse(theirs: int, mine: int) -> None:
        raise DifferenceError(f"{theirs} is not {mine}")

    with pytest.raises(DifferenceError, match="1 is not 2"):
        compare("people", 1, lambda: 1, lambda: 2, 1, refuse)


def test_time_and_result() -> None:
    seconds, result = timed(lambda: "done")
    assert (seconds >= 0, result) == (True, "done")
    assert circumstances().load is None or circumstances().load >= 0  # type: ignore[operator]
