"""Renders the measurements on a GPU as Markdown."""

from collections.abc import Iterator, Sequence

from harness.protocol import Precision
from harness.report.markdown import markdown_table
from harness.speed.gpu.outcome import GpuReport, NetworkRates, Rate, Way
from harness.speed.page import commit_text

PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "bf16", "fp16")
WAYS: tuple[Way, ...] = ("eager", "channels_last", "graph", "compiled")


def gpu_markdown(report: GpuReport) -> str:
    """Return a page with the targets first, then the measurements that they follow from."""
    lines = [
        "# On a GPU",
        "",
        *_machine(report),
        "",
        "## Targets",
        "",
        *markdown_table(("target", "wanted", "reached", "met"), "l-r-", _targets(report)),
        "",
        "## The whole table of COCO, from measured rates",
        "",
        "Forward passes and decoding follow one another on the GPU; crops are made beside them. Start-up and scoring "
        "are from a straight line through whole runs of one row and of several.",
        "",
        *markdown_table(
            (
                "precision",
                "forward, min",
                "decoding",
                "crops",
                "start-up and scoring",
                "all",
                "share of the peak",
                "forward by the model",
            ),
            "lrrrrrrr",
            _times(report),
        ),
        "",
        "## Forward passes, people a second",
        "",
        "As a run computes them, from crops on the GPU to heatmaps, flip test included; with the share of the peak of "
        "the precision.",
        "",
        *markdown_table(("rows", "GFLOP a crop", *PRECISIONS), "lr" + "r" * len(PRECISIONS), _forward(report)),
        "",
        "## Ways to compute them",
        "",
        "`eager`: as MMPose builds the network, kernel by kernel; `channels_last`: norms folded, both sides of the "
        "flip test in one batch; `graph`: that as one CUDA graph (in fp32, the graph of `eager`); `compiled`: "
        "`--compile`.",
        "",
        *markdown_table(("rows", "precision", *WAYS), "ll" + "r" * len(WAYS), _ways(report)),
        "",
        "## Decoding",
        "",
        *markdown_table(
            ("codec", "heatmaps", "rows", "people a second", "µs of the GPU a person", "share of forward, bf16"),
            "llrrrr",
            _decoding(report),
        ),
        "",
        "## Crops",
        "",
        *_crops(report),
        "",
        "## Whole runs",
        "",
        "Start to end, in a separate process. Busy is the share of the wall time in which the GPU computed, from "
        "nvidia-smi.",
        "",
        *markdown_table(
            ("rows", "precision", "boxes", "wall, s", "forward, s", "ratio", "busy", "host, MB", "GPU, MB"),
            "llrrrrrrr",
            _runs(report),
        ),
        "",
        "## MMPose's own test script",
        "",
        "On fewer boxes; its start-up is not counted.",
        "",
        *markdown_table(("row", "boxes", "boxes a second", "wall, s"), "lrrr", _upstream(report)),
        *_faults(report),
    ]
    return "\n".join(lines) + "\n"


def gpu_summary(report: GpuReport) -> Iterator[str]:
    """Yield the targets as lines of text."""
    for what, wanted, reached, met in _targets(report):
        yield f"{met:<13}{reached:>10}  {wanted:<14}  {what}"


def _machine(report: GpuReport) -> Iterator[str]:
    machine = report.machine
    if report.rehearsal:
        yield "**A rehearsal on a CPU with tiny sizes: these numbers are not measurements of speed.**"
        yield ""
    gpu = machine["gpu"]
    device = "no GPU"
    if gpu:
        device = (
            f"{gpu['name']} ({gpu['memory'] / 2**30:.0f} GiB, driver {gpu['driver']}, compute capability "
            f"{machine['compute_capability']})"
        )
    packages = machine["packages"]
    parts = [
        device,
        f"{machine['cpu']}, {machine['cores']} cores",
        f"torch {packages.get('torch')}",
        f"CUDA {machine['cuda']}",
        f"cuDNN {machine['cudnn']}",
        f"NumPy {packages.get('numpy')}",
        commit_text(machine),
    ]
    yield f"Measured by `harness bench --only gpu` on {'; '.join(part for part in parts if part)}."
    if report.peaks:
        peaks = report.peaks
        yield (
            f"Its peaks: {peaks.fp32:g} TFLOP/s in fp32, {peaks.tf32:g} in TF32, {peaks.half:g} in bf16 and fp16, "
            f"without sparsity ({peaks.source})."
        )
    yield f"It took {report.seconds:.0f} s of {report.minutes:g} minutes."


def _targets(report: GpuReport) -> Iterator[tuple[str, str, str, str]]:
    for one in report.targets:
        reached = "-" if one.reached is None else f"{one.reached:.3g}"
        yield one.what, one.wanted, reached, "not measured" if one.met is None else "yes" if one.met else "no"


def _times(report: GpuReport) -> Iterator[Sequence[str]]:
    for time in report.table:
        minutes = (time.forward_min, time.decoding_min, time.crops_min, time.besides_min, time.total_min)
        cells = (_number(value, ".1f") for value in minutes)
        yield time.precision, *cells, _number(time.share, ".0%"), _number(time.modelled_forward_min, ".1f")


def _forward(report: GpuReport) -> Iterator[Sequence[str]]:
    for network in report.networks:
        cells = (_rate(network.as_run(precision)) for precision in PRECISIONS)
        yield _names(network), f"{network.gflop:.2f}", *cells


def _ways(report: GpuReport) -> Iterator[Sequence[str]]:
    for network in report.networks:
        for precision in PRECISIONS:
            rates = [network.rate(precision, way) for way in WAYS]
            if sum(rate is not None for rate in rates) > 1:
                yield _names(network), precision, *map(_rate, rates)


def _decoding(report: GpuReport) -> Iterator[Sequence[str]]:
    for one in report.decoders:
        size = "x".join(map(str, one.heatmap_size or ("none",)))
        share = _number(one.shares.get("bf16"), ".1%")
        yield one.codec, size, str(len(one.rows)), f"{one.people_s:,.0f}", f"{one.device_us:.2f}", share


def _crops(report: GpuReport) -> Iterator[str]:
    if report.crops is None:
        yield "Not measured."
        return
    cores = report.crops.cores
    rows = [
        (", ".join(rate.geometries), f"{rate.boxes:,}", f"{rate.images:,}", f"{rate.boxes_s:,.0f}")
        for rate in report.crops.rates
    ]
    yield from markdown_table(("geometries", "boxes", "images", "boxes a second"), "lrrr", rows)
    yield ""
    yield f"The rates are for {cores} cores. To keep a GPU busy in bf16:"
    yield ""
    for network in report.networks:
        if asked := network.as_run("bf16"):
            needed = cores * asked.people_s / report.crops.rates[0].boxes_s
            yield f"- {_names(network)} alone needs {asked.people_s:,.0f} boxes a second: {needed:.1f} cores."
            break
    for time in report.table:
        if time.precision == "bf16":
            together = time.boxes / (60 * (time.forward_min + time.decoding_min))
            needed = cores * together / report.crops.rates[-1].boxes_s
            yield f"- {time.rows} rows at once need {together:,.0f} boxes a second: {needed:.1f} cores."


def _runs(report: GpuReport) -> Iterator[Sequence[str]]:
    for run in report.runs:
        rows = run.rows[0] if len(run.rows) == 1 else f"{len(run.rows)} rows at once"
        yield (
            rows,
            run.precision,
            f"{run.boxes:,}",
            f"{run.wall_s:.1f}",
            f"{run.forward_s + run.exact_forward_s:.1f}",
            f"{run.ratio:.2f}",
            _number(run.busy, ".0%"),
            f"{run.host_mb:,.0f}",
            _number(run.device_mb, ",.0f"),
        )


def _upstream(report: GpuReport) -> Iterator[Sequence[str]]:
    for run in report.upstream:
        yield run.row, f"{run.boxes:,}", f"{1 / run.box_s:,.1f}", f"{run.wall_s:.1f}"


def _faults(report: GpuReport) -> Iterator[str]:
    not_measured = [
        (f"{_names(network)}, {what}", reason)
        for network in report.networks
        for what, reason in network.failures.items()
    ]
    failed = [*report.failed.items(), *not_measured, *((step, "no time was left") for step in report.left_out)]
    if failed:
        yield from ("", "## Not measured", "")
        yield from (f"- {what}: {' '.join(reason.split())}" for what, reason in failed)


def _names(network: NetworkRates) -> str:
    first, *others = sorted(network.rows, key=len)
    return f"{first} and {len(others)} more" if others else first


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "-"
    return f"{rate.people_s:,.0f}" if rate.share is None else f"{rate.people_s:,.0f} ({rate.share:.0%})"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
