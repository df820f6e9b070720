"""Measures how often explain names the right or a wrong cause, by the limit of `by_chance`: `measure_chances.py DATA`.

The script plants each setting that explain tries in a stored run of the demo suite: the metrics that the setting gives
become the claims. Then it tries all settings, where the planted one should be named, and all other settings, where none
should be named. DATA is a data folder with the images of the demo suite, such as `data` after `harness run demo`.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError
from harness.judge.alternatives import Metrics
from harness.judge.coincidence import with_chances
from harness.judge.explanation import Trial, TriedSetting, make_trial
from harness.metrics.match import evaluate
from harness.predictions import Predictions
from harness.protocol import Protocol
from harness.run.explanation import alternatives_of
from harness.run_folder import RunFolder
from harness.suites.load import load_suite
from harness.suites.schema import Claim, Metric

RESULTS = Path(__file__).parents[2] / "results/demo"
ROWS = ("litehrnet-18-128x96", "litehrnet-18-crowd-128x96")
PUBLISHED = ("AP", "AP@0.5", "AP@0.75", "AR", "AP(E)", "AP(H)")
LIMITS = (0.02, 0.05, 0.1, 0.2, 0.3)
Tried = Sequence[tuple[TriedSetting, Metrics]]


def tried_settings(folder: RunFolder, data: Path) -> tuple[Metrics, Tried]:
    """Return the metrics of a run, and the metrics with each alternative setting that can be scored."""
    predictions, protocol = Predictions.load(folder.predictions), Protocol.load(folder.protocol)
    tried = []
    for one in alternatives_of(protocol):
        try:
            tried.append((one.change, evaluate(*one.apply(predictions, protocol), data)))
        except HarnessError:
            continue
    return evaluate(predictions, protocol, data), tried


def least_chances(
    base: Metrics, tried: Tried, metrics: Mapping[str, Metric], published: Sequence[str]
) -> list[tuple[float, float]]:
    """Return for each planted setting its `by_chance` and the smallest one of wrong settings; 1 if none matches."""
    found = []
    for planted, measured in tried:
        claims = [
            Claim(metric=name, value=round(measured[name] or 0, metrics[name].decimals), source="table")
            for name in published
        ]
        run = make_trial((), claims, metrics, base)
        if run.matches_claims:
            continue
        trials = [make_trial([change], claims, metrics, value) for change, value in tried]
        others = [trial for trial in trials if trial.changes[0].setting != planted.setting]
        own = [trial for trial in with_chances(run, trials, metrics) if trial.changes[0] == planted]
        found.append((_least(own), _least(with_chances(run, others, metrics))))
    return found


def _least(trials: Sequence[Trial]) -> float:
    return min((trial.by_chance or 0.0 for trial in trials if trial.matches_claims), default=1.0)


def main(data: Path) -> None:
    """Print a line for each row, tolerance, number of metrics and limit."""
    suite = load_suite("demo")
    exact = {name: metric.model_copy(update={"tolerance": None}) for name, metric in suite.metrics.items()}
    for row in ROWS:
        base, tried = tried_settings(RunFolder(RESULTS / row / "val"), data)
        published = [name for name in PUBLISHED if name in base]
        for words, metrics in (("tolerance 0.003", suite.metrics), ("no tolerance", exact)):
            for chosen in (published[:1], published):
                found = least_chances(base, tried, metrics, chosen)
                print(f"{row}, {words}, {len(chosen)} metrics, {len(found)} claims")
                for limit in LIMITS:
                    right, wrong = (sum(pair[i] <= limit for pair in found) / len(found) for i in range(2))
                    print(f"  limit {limit}: fraction with the right one named {right:.2f}, a wrong one {wrong:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
