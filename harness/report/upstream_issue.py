"""An issue for upstream about a row that does not reproduce, in Markdown, ready to paste."""

from harness.record import JudgedClaim
from harness.report import numbers
from harness.report.command import reproduce_command
from harness.report.markdown import markdown_table, markdown_text, versions
from harness.report.results import Result
from harness.report.standings import Standing

PACKAGES = ("torch", "mmpose", "mmengine", "mmcv", "mmcv-lite", "numpy", "xtcocotools", "poseval")
HEADS = ("metric", "published", "where", "measured", "difference", "95% interval")
LEDGER = ("boxes", "crop", "flip", "decoder", "scoring")
"""Parts of the protocol that explain most differences."""


def upstream_issue(standing: Standing) -> str | None:
    """Return the text for a row that differs from the published value; None for any other row."""
    if standing.verdict != "differs":
        return None
    off = [j for j in standing.claims if j.verdict == "differs" and j.claim.gates and j.measured is not None]
    if not off:
        return None
    row, suite = standing.row, standing.suite
    first = suite.metrics[off[0].claim.metric]
    values = f"{off[0].claim.metric} {numbers.published(off[0].claim.value, first)} is published"
    lines = [
        f"# {markdown_text(row.label)} on {markdown_text(suite.dataset_of(row).name)}: {values}, "
        f"{numbers.measured(off[0].measured, first)} measured",
        "",
        f"The published checkpoint of `{_code(row.label)}` ({row.input_size}, {row.boxes} boxes), evaluated with its "
        "published config, does not give the published value.",
        "",
        *markdown_table(HEADS, "lrlrrl", (_cells(standing, judged) for judged in off)),
        "",
    ]
    for name, result in standing.results.items():
        lines += _run(standing, name, result)
    lines += [
        "Reproduce it with:",
        "",
        "```sh",
        *(reproduce_command(standing, result) for result in standing.results.values()),
        "```",
        "",
    ]
    return "\n".join(lines)


def _cells(standing: Standing, judged: JudgedClaim) -> list[str]:
    claim, metric = judged.claim, standing.suite.metrics[judged.claim.metric]
    return [
        markdown_text(" ".join(filter(None, (claim.published_as or metric.label, claim.run)))),
        numbers.published(claim.value, metric),
        claim.source,
        numbers.measured(judged.measured, metric),
        numbers.difference(judged.difference, metric),
        numbers.interval(standing.interval(claim.metric, claim.run), metric),
    ]


def _run(standing: Standing, name: str, result: Result) -> list[str]:
    run, record, environment = standing.row.runs[name], result.record, result.environment
    facts = [f"config: `{_code(run.config)}`", f"checkpoint: {run.checkpoint.url}"]
    if record.weights and record.weights.sha256:
        facts.append(f"its sha256: `{_code(record.weights.sha256)}`")
    facts.append(f"{numbers.count(record.people)} people in {numbers.count(record.images)} images")
    if record.boxes:
        ap = f", person AP {100 * record.boxes.person_ap:.1f}" if record.boxes.person_ap is not None else ""
        facts.append(f"box file: sha256 `{_code(record.boxes.sha256)}`{ap}")
    if result.protocol:
        ledger = result.protocol.model_dump(mode="json", include=set(LEDGER), exclude={"scoring": {"sigmas"}})
        for part in LEDGER:
            set_fields = ((key, value) for key, value in ledger[part].items() if value is not None)
            shown = ", ".join(f"{key} {value}" for key, value in set_fields if not isinstance(value, dict))
            facts.append(f"{part}: `{_code(shown)}`")
    if record.upstream_metrics:
        theirs = ", ".join(f"{key} {value}" for key, value in record.upstream_metrics.items())
        facts.append(f"MMPose's own evaluator on the same predictions: `{_code(theirs)}`")
    if environment:
        facts.append(f"versions: `{_code(versions(environment.packages, PACKAGES))}`")
    head = [f"Run `{name}`:", ""] if len(standing.row.runs) > 1 else []
    return [*head, *(f"- {fact}" for fact in facts), ""]


def _code(text: str) -> str:
    """Return text that can stand between backticks."""
    return " ".join(text.replace("`", "'").split())
