"""The complete output of a comparison as text, Markdown and JUnit XML."""

from typing import Any
from xml.etree import ElementTree

from harness.judge.comparison import Change, Comparison, EnvironmentChange, Movement, Paired, RunComparison
from harness.report.comparison import comparison_junit, comparison_markdown, comparison_text


def movement(metric: str, state: Any, baseline: float | None, new: float | None, **fields: Any) -> Movement:
    return Movement(
        metric=metric,
        state=state,
        baseline=baseline,
        new=new,
        difference=None if new is None or baseline is None else new - baseline,
        **{
            "noise_floor": 1e-4,
            "baseline_floor": 1e-4,
            "noise_source": "assumed",
            "baseline_interval": None,
            "new_interval": None,
            **fields,
        },
    )


MOVED = RunComparison(
    id="coco/hrnet_w32/val",
    label="HRNet",
    state="moved",
    red=True,
    reason="AP fell by 0.0232, noise floor 0.0003; 1 more metric moved",
    metrics=(
        movement(
            "AP",
            "moved",
            0.7123,
            0.6891,
            noise_floor=0.0003,
            noise_source="measured",
            baseline_interval=(0.69, 0.7345),
            new_interval=(0.66, 0.71),
            paired=Paired(low=-0.0301, high=-0.01612, p_value=0.001998, resamples=1000),
        ),
        movement("AP@0.5", "same", 0.9, 0.9),
        movement("AR(M)", "vanished", 0.5, None),
        movement("AR(L)", "within noise", 0.8, 0.80002),
    ),
    changes=(
        Change(field="flip.enabled", baseline=True, new=False),
        Change(field="scoring.sigmas", baseline=[0.026, 0.025], new=[0.1, 0.1]),
        Change(field="weights.sha256", baseline="0123456789abcdef", new=None),
    ),
)
COMPARISON = Comparison(
    red=True,
    runs=(
        MOVED,
        RunComparison(id="coco/a/val", label="A", state="same", red=False, warnings=("no metric moved although ...",)),
        RunComparison(id="coco/b/val", label="B", state="vanished", red=True, reason="the baseline has it"),
        RunComparison(id="aic/c/val", label="C", state="broken", red=True, reason="failed: out of memory\n  see log"),
        RunComparison(id="aic/d/val", label="D", state="broken", red=False, reason="unobtainable: x (so is ...)"),
        RunComparison(id="aic/e/val", label="E", state="appeared", red=False, reason="the run is not in the baseline"),
        RunComparison(
            id="mpii/f/val",
            label="F",
            state="moved",
            red=True,
            reason="PCKh@0.5 is undefined now",
            metrics=(movement("PCKh@0.5", "moved", 0.88, None),),
        ),
    ),
    environment=(
        EnvironmentChange(field="gpu.name", baseline=None, new="Some GPU", runs=("coco/a/val",)),
        EnvironmentChange(
            field="packages.torch", baseline="2.14.1", new="2.15.0", runs=("coco/a/val", "coco/hrnet_w32/val")
        ),
    ),
)


def test_text() -> None:
    assert (
        comparison_text(COMPARISON)
        == """\
coco/hrnet_w32/val   moved: AP fell by 0.0232, noise floor 0.0003; 1 more metric moved
    AP 0.7123 -> 0.6891 (-0.0232), noise floor 0.0003 measured, paired [-0.0301, -0.0161], p 0.002: moved
    AR(M) 0.5000 -> - (-), noise floor 0.0001 assumed: vanished
    AR(L) 0.8000 -> 0.8000 (+2e-05), noise floor 0.0001 assumed: within noise
    flip.enabled: true -> false
    scoring.sigmas: 0.026 0.025 -> 0.1 0.1
    weights.sha256: 01234567 -> none
coco/a/val           same
    warning: no metric moved although ...
coco/b/val           vanished: the baseline has it
aic/c/val            broken: failed: out of memory see log
aic/d/val            broken: unobtainable: x (so is ...)
aic/e/val            appeared: the run is not in the baseline
mpii/f/val           moved: PCKh@0.5 is undefined now
    PCKh@0.5 0.8800 -> undefined (-), noise floor 0.0001 assumed: moved
    protocol, weights and environment did not change
environment: gpu.name: none -> Some GPU (coco/a/val)
environment: packages.torch: 2.14.1 -> 2.15.0

Red: 4 of 7 runs: 2 moved, 1 vanished, 1 broken; 1 same, 1 broken, 1 appeared"""
    )


def test_markdown() -> None:
    assert (
        comparison_markdown(COMPARISON)
        == r"""## Comparison with the baseline

Red: 4 of 7 runs: 2 moved, 1 vanished, 1 broken; 1 same, 1 broken, 1 appeared

- coco/b/val vanished: the baseline has it
- aic/c/val broken: failed: out of memory see log

| run | metric | baseline | new | difference | noise floor | p | changed metrics |
|---|---|---:|---:|---:|---:|---:|---:|
| coco/hrnet\_w32/val | AP | 0.7123 | 0.6891 | -0.0232 | 0.0003 | 0.002 | 2 of 4 |
| mpii/f/val | PCKh@0.5 | 0.8800 | undefined | - | 0.0001 | - | 1 of 1 |

- Warning: coco/a/val: no metric moved although ...

- aic/d/val broken: unobtainable: x (so is ...)
- aic/e/val appeared: the run is not in the baseline

<details>
<summary>All changed metrics</summary>

| run | metric | baseline | new | difference | noise floor | paired difference, 95 % | p |  |
|---|---|---:|---:|---:|---:|---:|---:|---|
| coco/hrnet\_w32/val | AP | 0.7123 \[0.690, 0.735\] | 0.6891 \[0.660, 0.710\] | -0.0232 | 0.0003 measured | \[-0.0301, -0.0161\] | 0.002 | moved |
| coco/hrnet\_w32/val | AR(M) | 0.5000 | - | - | 0.0001 assumed | - | - | vanished |
| coco/hrnet\_w32/val | AR(L) | 0.8000 | 0.8000 | +2e-05 | 0.0001 assumed | - | - | within noise |
| mpii/f/val | PCKh@0.5 | 0.8800 | undefined | - | 0.0001 assumed | - | - | moved |

</details>

<details>
<summary>Protocol, weights and verdicts</summary>

- coco/hrnet\_w32/val: flip.enabled: true -&gt; false
- coco/hrnet\_w32/val: scoring.sigmas: 0.026 0.025 -&gt; 0.1 0.1
- coco/hrnet\_w32/val: weights.sha256: 01234567 -&gt; none
- mpii/f/val: protocol, weights and environment did not change

</details>

<details>
<summary>Environment</summary>

- gpu.name: none -&gt; Some GPU (coco/a/val)
- packages.torch: 2.14.1 -&gt; 2.15.0

</details>
"""  # noqa: E501
    )


def test_junit() -> None:
    assert (
        comparison_junit(COMPARISON)
        == """\
<?xml version="1.0" encoding="utf-8"?>
<testsuites name="harness compare" tests="7" failures="3" errors="1" skipped="1">
  <testsuite name="aic" tests="3" failures="0" errors="1" skipped="1">
    <testcase classname="aic" name="c/val">
      <error type="broken" message="failed: out of memory see log">C</error>
    </testcase>
    <testcase classname="aic" name="d/val">
      <skipped type="broken" message="unobtainable: x (so is ...)">D</skipped>
    </testcase>
    <testcase classname="aic" name="e/val">
      <system-out>E
appeared: the run is not in the baseline</system-out>
    </testcase>
  </testsuite>
  <testsuite name="coco" tests="3" failures="2" errors="0" skipped="0">
    <testcase classname="coco" name="hrnet_w32/val">
      <failure type="moved" message="AP fell by 0.0232, noise floor 0.0003; 1 more metric moved">HRNet
AP 0.7123 -&gt; 0.6891 (-0.0232), noise floor 0.0003 measured, paired [-0.0301, -0.0161], p 0.002: moved
AR(M) 0.5000 -&gt; - (-), noise floor 0.0001 assumed: vanished
AR(L) 0.8000 -&gt; 0.8000 (+2e-05), noise floor 0.0001 assumed: within noise
flip.enabled: true -&gt; false
scoring.sigmas: 0.026 0.025 -&gt; 0.1 0.1
weights.sha256: 01234567 -&gt; none</failure>
    </testcase>
    <testcase classname="coco" name="a/val">
      <system-out>A
same
warning: no metric moved although ...</system-out>
    </testcase>
    <testcase classname="coco" name="b/val">
      <failure type="vanished" message="the baseline has it">B</failure>
    </testcase>
  </testsuite>
  <testsuite name="mpii" tests="1" failures="1" errors="0" skipped="0">
    <testcase classname="mpii" name="f/val">
      <failure type="moved" message="PCKh@0.5 is undefined now">F
PCKh@0.5 0.8800 -&gt; undefined (-), noise floor 0.0001 assumed: moved
protocol, weights and environment did not change</failure>
    </testcase>
  </testsuite>
</testsuites>
"""
    )


def test_nothing_to_report() -> None:
    runs = (RunComparison(id="coco/a/val", label="A", state="same", red=False),)
    comparison = Comparison(red=False, runs=runs, environment=())
    assert comparison_text(comparison) == "coco/a/val   same\n\nGreen: 1 run: 1 same"
    assert comparison_markdown(comparison) == "## Comparison with the baseline\n\nGreen: 1 run: 1 same\n"


HOSTILE = 'a|b <img src=x> `c` *d* [e](f) & ]]> "q" \x1b[31m\x00\x85\u202e\ud800\uffff \r\n# g'


def test_hostile_text() -> None:
    """Reasons and labels may contain any text of a suite file or an error message."""
    run = RunComparison.model_construct(
        id="coco/a/val",
        label=HOSTILE,
        state="broken",
        red=True,
        reason=HOSTILE,
        metrics=(),
        warnings=(HOSTILE,),
        changes=(Change.model_construct(field="weights.url", baseline=None, new=HOSTILE),),
    )
    comparison = Comparison.model_construct(red=True, runs=(run,), environment=())
    clean = 'a|b <img src=x> `c` *d* [e](f) & ]]> "q" \ufffd[31m\ufffd \ufffd\ufffd\ufffd # g'
    assert comparison_text(comparison).splitlines()[:3] == [
        f"coco/a/val   broken: {clean}",
        f"    weights.url: none -> {clean}",
        f"    warning: {clean}",
    ]
    (error,) = ElementTree.fromstring(comparison_junit(comparison).encode()).iter("error")
    assert error.get("message") == clean
    assert error.text == f"{clean}\nweights.url: none -> {clean}\nwarning: {clean}"
    escaped = (
        r"a\|b &lt;img src=x&gt; \`c\` \*d\* \[e\](f) &amp; \]\]&gt; "
        '"q" \ufffd\\[31m\ufffd \ufffd\ufffd\ufffd # g'
    )
    assert comparison_markdown(comparison).splitlines()[4] == f"- coco/a/val broken: {escaped}"
    assert comparison_markdown(comparison).count(escaped) == 3
