"""The outcome of the measurements: the content of results/bench.json."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from harness.document import Document
from harness.fields import Fields

SCORING_TOLERANCE = 1e-12
"""Largest difference between both sides' metrics of the same predictions, fractions."""


class Spread(Fields):
    """A ratio or a cost over the rounds."""

    rounds: tuple[float, ...]
    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Summarize one value per round."""
        return cls(rounds=tuple(values), median=statistics.median(values), min=min(values), max=max(values))


class Circumstances(Fields):
    """The state of the checkout and the machine when a part was measured."""

    commit: str | None
    dirty: bool
    """Whether the checkout had uncommitted changes."""
    load: float | None
    """Mean number of running processes in the minute before; None if the system does not count them."""


class SideBySide(Fields):
    """Both sides on the same work, in alternation."""

    unit: str
    work: int
    """Number of units per round."""
    upstream_s: tuple[float, ...]
    """Seconds of each round."""
    ours_s: tuple[float, ...]
    """Seconds of each round."""
    ratio: Spread
    """Upstream's time over ours, taken within each round."""

    @classmethod
    def of(cls, unit: str, work: int, upstream_s: Sequence[float], ours_s: Sequence[float]) -> Self:
        """Summarize the seconds of both sides, round by round."""
        ratio = Spread.of([theirs / ours for theirs, ours in zip(upstream_s, ours_s, strict=True)])
        return cls(unit=unit, work=work, upstream_s=tuple(upstream_s), ours_s=tuple(ours_s), ratio=ratio)

    @property
    def upstream_rate(self) -> float:
        """Upstream's units per second, in the median round."""
        return self.work / statistics.median(self.upstream_s)

    @property
    def our_rate(self) -> float:
        """Our units per second, in the median round."""
        return self.work / statistics.median(self.ours_s)


class Preparation(Fields):
    """Boxes to batches of crops, on one core; the crops are bit-identical, else the measurement fails."""

    measured: Circumstances
    images: int
    pinned: bool
    """Whether the process could be bound to one core."""
    comparison: SideBySide
    """Comparison with MMPose's data loader, as its test loop uses it."""
    pipeline: SideBySide
    """Comparison with its data set alone, in one process: reading and transforms, without workers."""
    image_ms: float
    """Our time for decoding an image."""
    warp_ms: dict[str, float]
    """Our time for one crop, by geometry."""


class DecodingSpeed(Fields):
    """Heatmaps to keypoints."""

    measured: Circumstances
    batch_size: int
    comparison: SideBySide
    keypoint_max_px: float
    """Largest difference along an axis, px of the network's input."""


class ScoringSpeed(Fields):
    """Predictions to metrics."""

    measured: Circumstances
    images: int
    annotations: int
    comparison: SideBySide
    metrics: dict[str, float | None]
    """Metrics of both sides, which show that the case is not trivial."""
    metric_max: float
    """Largest difference of a metric, fractions."""
    intervals_s: float = 0.0
    """Seconds for the confidence intervals, which MMPose does not compute."""
    diagnosis_s: float = 0.0
    """Seconds for the error analysis, which MMPose does not have."""


class RowTimes(Fields):
    """One of the rows that are run together."""

    id: str
    upstream_wall_s: tuple[float, ...]
    """Seconds of MMPose's test script in each round."""
    upstream_forward_s: tuple[float, ...]
    """Seconds of these from crops to heatmaps."""
    ours_forward_s: tuple[float, ...]
    """Our seconds from crops to heatmaps."""
    metric_max: float
    """Largest difference of a metric, fractions."""
    keypoint_max_px: float
    """Largest difference of a keypoint along an axis, image px; ties of seeded heatmaps included."""


class TenRows(Fields):
    """Small rows: ours in one process, upstream's one after the other."""

    measured: Circumstances
    images: int
    people: int
    precision: str
    rows: tuple[RowTimes, ...]
    ours_wall_s: tuple[float, ...]
    """Seconds of our process in each round."""
    ours_extra_s: tuple[float, ...]
    """Seconds of these for intervals and the error analysis, which upstream does not compute."""
    ratio: Spread
    """Upstream's wall time over ours."""
    besides_network: Spread
    """The same ratio without the time from crops to heatmaps, and without the work that upstream does not do."""


class OneRow(Fields):
    """One whole run, compared with the forward passes of its batches alone."""

    measured: Circumstances
    id: str
    images: int
    people: int
    precision: str
    wall_s: tuple[float, ...]
    """Seconds of the whole process in each round."""
    forward_s: tuple[float, ...]
    """Seconds from crops to heatmaps for the same batches, in a process without other work."""
    ratio: Spread
    """Wall time over forward time."""


class PeakMemory(Fields):
    """Peak resident memory of whole runs with a small network."""

    measured: Circumstances
    boxes: tuple[int, ...]
    peak_mb: tuple[float, ...]
    """Peak of each run, in 10⁶ bytes."""
    seconds: tuple[float, ...]

    @property
    def growth_mb(self) -> float:
        """Growth of the peak from the fewest boxes to the most, in 10⁶ bytes."""
        return self.peak_mb[-1] - self.peak_mb[0]


class Workers(Fields):
    """Several workers on this machine, compared with this process; each worker uses one thread for the network."""

    workers: int
    startup_s: float
    """Seconds until each worker had read the people, built the network and done a batch; before the first round."""
    here_s: tuple[float, ...]
    """Seconds of this process in each round."""
    workers_s: tuple[float, ...]
    """Seconds of the workers in each round."""
    efficiency: Spread
    """Speed-up over this process, divided by the number of workers."""


class Shards(Fields):
    """One row predicted in tasks, with one thread; results are bit-identical, else the measurement fails."""

    measured: Circumstances
    id: str
    images: int
    people: int
    tasks: int
    """Number of batches, which is the number of tasks in the second case."""
    one_s: tuple[float, ...]
    """Seconds of everything as one task in this process, in each round."""
    many_s: tuple[float, ...]
    """Seconds of one task per batch in this process, in each round."""
    overhead_ms: Spread
    """Extra time per further task: the network waits for crops, and a shard is written and read."""
    workers: dict[Literal["processes", "ray"], Workers]
    """Ray's entry exists only if Ray is installed."""


class GpuEstimate(Fields):
    """The time of the whole table in one precision."""

    precision: str
    peak_tflops: float
    efficiency: float
    """Share of the peak that all networks together are assumed to reach."""
    forward_min: float
    total_min: float
    binds: Literal["GPU", "crops", "decoding"]
    """The slowest of the steps that run at the same time."""


class GpuModel(Fields):
    """The expected time of the whole COCO table on a GPU: computed, not measured."""

    device: str
    rows: int
    images: int
    boxes: int
    geometries: tuple[str, ...]
    forward_pflop: float
    """10¹⁵ operations of all rows with the flip test; a multiplication and an addition count as two."""
    cores: int
    crops_min: float
    decoding_min: float
    scoring_min: float
    startup_min: float
    estimates: tuple[GpuEstimate, ...]
    assumptions: tuple[str, ...]


class Details(Fields):
    """The parts; a part is None until it is measured."""

    prepare: Preparation | None = None
    decode: dict[str, DecodingSpeed] | None = None
    score: ScoringSpeed | None = None
    ten_rows: TenRows | None = None
    one_row: OneRow | None = None
    shards: Shards | None = None
    memory: PeakMemory | None = None
    gpu_model: GpuModel | None = None


class Ratios(Fields):
    """The medians; a median is None until it is measured."""

    prepare: float | None
    decode: dict[str, float] | None
    """Ratio by codec."""
    score: float | None
    ten_rows: float | None
    ten_rows_besides_network: float | None
    wall_over_forward: float | None

    @model_validator(mode="before")
    @classmethod
    def _gather_codecs(cls, fields: Any) -> Any:
        """Convert the fields `decode_NAME` of a file to the field `decode`."""
        prefix = "decode_"
        if not isinstance(fields, dict) or "decode" in fields:
            return fields
        decode = {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}
        others = {name: value for name, value in fields.items() if not name.startswith(prefix)}
        return {**others, "decode": {name: value for name, value in decode.items() if value is not None} or None}

    def named(self) -> Iterator[tuple[str, float | None]]:
        """Yield each ratio with its name; ratios of codecs are named `decode_NAME`."""
        for name, value in self:
            if isinstance(value, dict):
                yield from ((f"{name}_{codec}", ratio) for codec, ratio in value.items())
            else:
                yield name, value


class SpeedReport(Document):
    """The outcome of a speed measurement on one machine."""

    machine: dict[str, Any]
    """The content of a run's environment.json, and the number of cores."""


class BenchReport(SpeedReport):
    """The outcome of `harness bench`."""

    title: ClassVar[str] = "outcome of `harness bench`"
    ratios: Ratios
    memory_growth_mb: float | None
    details: Details

    @classmethod
    def of(cls, machine: dict[str, Any], details: Details) -> Self:
        """Return a report with the headline numbers computed from the details."""
        ratios: dict[str, Any] = dict.fromkeys(Ratios.model_fields)
        if details.decode:
            ratios["decode"] = {codec: part.comparison.ratio.median for codec, part in details.decode.items()}
        if details.prepare:
            ratios["prepare"] = details.prepare.comparison.ratio.median
        if details.score:
            ratios["score"] = details.score.comparison.ratio.median
        if details.ten_rows:
            ratios["ten_rows"] = details.ten_rows.ratio.median
            ratios["ten_rows_besides_network"] = details.ten_rows.besides_network.median
        if details.one_row:
            ratios["wall_over_forward"] = details.one_row.ratio.median
        growth = details.memory.growth_mb if details.memory else None
        return cls(machine=machine, ratios=Ratios(**ratios), memory_growth_mb=growth, details=details)

    def same_machine(self, machine: dict[str, Any]) -> bool:
        """Whether parts measured on a machine may be combined with the parts of this report."""
        mine, others = (
            {k: v for k, v in each.items() if k not in ("commit", "dirty")} for each in (self.machine, machine)
        )
        return mine == others
