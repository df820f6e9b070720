"""What the measurements give: the value of results/bench.json."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from harness.document import Document
from harness.fields import Fields

SCORING_TOLERANCE = 1e-12
"""Both sides' metrics of the same predictions differ by no more, fractions."""


class Spread(Fields):
    """A ratio, or what a task costs, over the rounds."""

    rounds: tuple[float, ...]
    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Sum up one value a round."""
        return cls(rounds=tuple(values), median=statistics.median(values), min=min(values), max=max(values))


class Circumstances(Fields):
    """When a part was measured."""

    commit: str | None
    dirty: bool
    """Whether files differed from the commit."""
    load: float | None
    """Processes that were at work on the machine, averaged over the minute before; None where it is not counted."""


class SideBySide(Fields):
    """Both sides on the same work, in turn."""

    unit: str
    work: int
    """So many units a round."""
    upstream_s: tuple[float, ...]
    """Seconds of each round."""
    ours_s: tuple[float, ...]
    """Seconds of each round."""
    ratio: Spread
    """Upstream's time over ours, taken within each round."""

    @classmethod
    def of(cls, unit: str, work: int, upstream_s: Sequence[float], ours_s: Sequence[float]) -> Self:
        """Sum up the seconds of both sides, round by round."""
        ratio = Spread.of([theirs / ours for theirs, ours in zip(upstream_s, ours_s, strict=True)])
        return cls(unit=unit, work=work, upstream_s=tuple(upstream_s), ours_s=tuple(ours_s), ratio=ratio)

    @property
    def upstream_rate(self) -> float:
        """Upstream's units a second, in the median round."""
        return self.work / statistics.median(self.upstream_s)

    @property
    def our_rate(self) -> float:
        """Our units a second, in the median round."""
        return self.work / statistics.median(self.ours_s)


class Preparation(Fields):
    """Boxes to batches of crops, on one core; bit-identical, or there would be no outcome."""

    measured: Circumstances
    images: int
    pinned: bool
    """Whether the system could be told to use one core only."""
    comparison: SideBySide
    """Against MMPose's data loader, as its test loop gets its batches."""
    pipeline: SideBySide
    """Against its data set alone, in one process: reading and transforms, without workers and what they send."""
    image_ms: float
    """What decoding an image takes us."""
    warp_ms: dict[str, float]
    """What cutting out one crop takes us, by geometry."""


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
    """What both sides give, so that it is seen to be no trivial case."""
    metric_max: float
    """Largest difference of a metric, fractions."""
    intervals_s: float = 0.0
    """Seconds that the confidence intervals take besides, which MMPose does not give."""
    diagnosis_s: float = 0.0
    """Seconds of the error analysis."""


class RowTimes(Fields):
    """One row of the rows at once."""

    id: str
    upstream_wall_s: tuple[float, ...]
    """Seconds of MMPose's test script, of each round."""
    upstream_forward_s: tuple[float, ...]
    """Seconds of it from crops to heatmaps."""
    ours_forward_s: tuple[float, ...]
    """Our seconds from crops to heatmaps."""
    metric_max: float
    """Largest difference of a metric, fractions."""
    keypoint_max_px: float
    """Largest difference of a keypoint along an axis, image px; ties of seeded heatmaps included."""


class TenRows(Fields):
    """Small rows, ours in one process, upstream's one after the other."""

    measured: Circumstances
    images: int
    people: int
    precision: str
    rows: tuple[RowTimes, ...]
    ours_wall_s: tuple[float, ...]
    """Seconds of our process, of each round."""
    ours_extra_s: tuple[float, ...]
    """Seconds of it for intervals and the error analysis, which upstream does not make."""
    ratio: Spread
    """Upstream's wall time over ours."""
    besides_network: Spread
    """The same of what is left without the time from crops to heatmaps, and without what upstream does not make."""


class OneRow(Fields):
    """One row, against nothing but the forward passes of its batches."""

    measured: Circumstances
    id: str
    images: int
    people: int
    precision: str
    wall_s: tuple[float, ...]
    """Seconds of the whole process, of each round."""
    forward_s: tuple[float, ...]
    """Seconds from crops to heatmaps of the same batches, in a process that does nothing else meanwhile."""
    ratio: Spread
    """Wall over forward."""


class PeakMemory(Fields):
    """Peak resident memory of whole runs with a small network."""

    measured: Circumstances
    boxes: tuple[int, ...]
    peak_mb: tuple[float, ...]
    """Of each run, in 10⁶ bytes."""
    seconds: tuple[float, ...]

    @property
    def growth_mb(self) -> float:
        """From the fewest boxes to the most."""
        return self.peak_mb[-1] - self.peak_mb[0]


class Workers(Fields):
    """Several workers on this machine, against this process; each of them with one thread for the network."""

    workers: int
    startup_s: float
    """Seconds until each had read the people, built the network and done a batch; before the first round."""
    here_s: tuple[float, ...]
    """Seconds of this process, of each round."""
    workers_s: tuple[float, ...]
    """Seconds of the workers, of each round."""
    efficiency: Spread
    """How many times faster they are than this process, by how many they are."""


class Shards(Fields):
    """One row predicted in tasks, with one thread; bit-identical, or there would be no outcome."""

    measured: Circumstances
    id: str
    images: int
    people: int
    tasks: int
    """Batches, each of which is a task where there are many."""
    one_s: tuple[float, ...]
    """Seconds of everything as one task in this process, of each round."""
    many_s: tuple[float, ...]
    """Seconds of a task for each batch in this process, of each round."""
    overhead_ms: Spread
    """What each task beyond the first adds: a network that waits for crops, a shard that is kept and read again."""
    workers: dict[Literal["processes", "ray"], Workers]
    """Ray's only where it is installed."""


class GpuEstimate(Fields):
    """The whole table in one precision."""

    precision: str
    peak_tflops: float
    efficiency: float
    """Share of the peak that is assumed to be reached, by all networks together."""
    forward_min: float
    total_min: float
    binds: Literal["GPU", "crops", "decoding"]
    """What takes longest of what goes on at the same time."""


class GpuModel(Fields):
    """What the whole COCO table would take on a GPU: computed, not measured."""

    device: str
    rows: int
    images: int
    boxes: int
    geometries: tuple[str, ...]
    forward_pflop: float
    """Of all rows together, 10¹⁵ operations; a multiplication and an addition count two, the flip test is in it."""
    cores: int
    crops_min: float
    decoding_min: float
    scoring_min: float
    startup_min: float
    estimates: tuple[GpuEstimate, ...]
    assumptions: tuple[str, ...]


class Details(Fields):
    """The parts, each None until it is measured."""

    prepare: Preparation | None = None
    decode: dict[str, DecodingSpeed] | None = None
    score: ScoringSpeed | None = None
    ten_rows: TenRows | None = None
    one_row: OneRow | None = None
    shards: Shards | None = None
    memory: PeakMemory | None = None
    gpu_model: GpuModel | None = None


class Ratios(Fields):
    """The medians, each None until it is measured."""

    prepare: float | None
    decode: dict[str, float] | None
    """By codec."""
    score: float | None
    ten_rows: float | None
    ten_rows_besides_network: float | None
    wall_over_forward: float | None

    @model_validator(mode="before")
    @classmethod
    def _gather_codecs(cls, fields: Any) -> Any:
        """Read a file that has a field `decode_NAME` for each codec."""
        prefix = "decode_"
        if not isinstance(fields, dict) or "decode" in fields:
            return fields
        decode = {name.removeprefix(prefix): value for name, value in fields.items() if name.startswith(prefix)}
        others = {name: value for name, value in fields.items() if not name.startswith(prefix)}
        return {**others, "decode": {name: value for name, value in decode.items() if value is not None} or None}

    def named(self) -> Iterator[tuple[str, float | None]]:
        """Yield each ratio with its name, those of codecs as `decode_NAME`."""
        for name, value in self:
            if isinstance(value, dict):
                yield from ((f"{name}_{codec}", ratio) for codec, ratio in value.items())
            else:
                yield name, value


class SpeedReport(Document):
    """What a measurement of speed found, on one machine."""

    machine: dict[str, Any]
    """As in a run's environment.json, with the number of cores."""


class BenchReport(SpeedReport):
    """What `harness bench` found."""

    title: ClassVar[str] = "outcome of `harness bench`"
    ratios: Ratios
    memory_growth_mb: float | None
    details: Details

    @classmethod
    def of(cls, machine: dict[str, Any], details: Details) -> Self:
        """Take the headline numbers out of the details."""
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
        """Whether parts that are measured on a machine may stand beside the ones that are here."""
        mine, others = (
            {k: v for k, v in each.items() if k not in ("commit", "dirty")} for each in (self.machine, machine)
        )
        return mine == others
