"""The help of a verb: its options in groups, examples, and how rows are named."""

from collections.abc import Mapping

import click

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Selection": ("rows", "row", "suite", "run", "target", "baseline", "only", "limit", "images", "status"),
    "Files": (
        *("data", "checkpoints", "checkpoint", "boxes", "file", "predictions", "array", "one-based", "parity"),
        *("offline", "dry-run", "json-schema", "trust-checkpoint"),
    ),
    "Computation": (
        *("device", "executor", "address", "engine", "precision", "compile", "batch-size", "weights", "detector"),
        *("rerun", "noise", "score-mode", "score-threshold", "nms", "noise-floor", "resamples"),
        *("minutes", "rounds", "tflop"),
    ),
    "Output": ("out", "markdown", "junit", "json", "events", "help"),
}
"""Names of options by the heading that they are listed under; an option without a group comes under the last one."""

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "list": ("harness list", "harness list hand", "harness list coco --rows 'hrnet-*'"),
    "check": ("harness check", "harness check mine.yaml", "harness check coco --data DIR"),
    "import": ("harness import metafile.yml --out suites",),
    "fetch": ("harness fetch coco --rows 'hrnet-*' --dry-run", "harness fetch mine.yaml --data DIR"),
    "run": (
        "harness run demo",
        "harness run coco --rows 'hrnet-*' --data DIR",
        "harness run mine.yaml --data DIR --device cuda:0,cuda:1",
        "harness run coco --data DIR --weights random:0 --limit 1",
    ),
    "explain": (
        "harness explain coco/hrnet-w32-256x192 --data DIR",
        "harness explain mine.yaml/my-net --rerun",
        "harness explain mine.yaml/my-net --baseline results",
    ),
    "score": (
        "harness score runs --data DIR",
        "harness score coco --data DIR --predictions results.json",
        "harness score mpii --data DIR --predictions preds.mat --one-based",
    ),
    "compare": ("harness compare runs results", "harness compare runs results demo --data DIR --junit compare.xml"),
    "boxes": (
        "harness boxes coco --data DIR",
        "harness boxes coco --detector faster-rcnn_r50_fpn_1x_coco --out det.json",
    ),
    "report": ("harness report", "harness report results runs --data DIR --out site"),
    "parity": ("harness parity mpii --data DIR --weights random:0 --limit 2",),
    "doctor": ("harness doctor --data DIR", "harness doctor --device cuda --minutes 10 --out doctor.json"),
    "bench": ("harness bench --data DIR --only decode,score", "harness bench --data DIR --only gpu --device cuda"),
}
"""Commands by verb."""

NAMES = (
    "A suite is given by its name (coco) or by the path of its YAML file (mine.yaml). A group (hand) stands for "
    "several suites. The id of a row is the name of the suite, a slash and the row's own id: coco/hrnet-w32-256x192. "
    "In commands, the id of a row of a custom suite begins with the path of the file: mine.yaml/my-net. A pattern "
    "matches a row's own id, or the id with the name that the file gives the suite: 'my-*' or 'mine/my-*'."
)


class Verb(click.Command):
    """A command whose help has options in groups, and examples."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of each group under its heading."""
        found: dict[str, list[tuple[str, str]]] = {heading: [] for heading in GROUPS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                found[_heading(parameter)].append(record)
        for heading, records in found.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and how rows are named where rows are chosen."""
        with formatter.section("Examples"):
            for line in EXAMPLES[str(self.name)]:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        if {parameter.name for parameter in self.params} & {"glob", "row_id"}:
            with formatter.section("Names"):
                formatter.write_text(NAMES)


def _heading(option: click.Option) -> str:
    name = option_name(option)
    return next((heading for heading, names in GROUPS.items() if name in names), [*GROUPS][-1])


def option_name(option: click.Option) -> str:
    """Return the long name of an option, without dashes."""
    return next(name for name in option.opts if name.startswith("--")).removeprefix("--")
