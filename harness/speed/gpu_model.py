"""A model of the time for COCO's whole table on a GPU, from costs measured on this machine and stated assumptions."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from harness.errors import ObtainError
from harness.judge.parity import ParityReport
from harness.predict.sources.mmpose import backbone
from harness.protocol import Crop
from harness.speed.outcome import DecodingSpeed, GpuEstimate, GpuModel, Preparation, ScoringSpeed
from harness.speed.prepare import geometry_name
from harness.suites.configs import load_config
from harness.suites.ledger import protocol_without_files
from harness.suites.load import load_suite

DEVICE = "NVIDIA H100 SXM"
CORES = 16
STARTUP_S = 90.0


class AssumedSpeed(NamedTuple):
    """Assumed speed of a GPU in one precision."""

    peak: float
    """Dense peak from the data sheet, TFLOP/s."""
    share: float
    """Assumed share of the peak that networks reach."""
    transformer_share: float
    """The same for plain vision transformers, whose work consists mostly of large matrix products."""


PRECISIONS = {
    "fp32": AssumedSpeed(67.0, 0.35, 0.35),
    "tf32": AssumedSpeed(495.0, 0.15, 0.45),
    "bf16": AssumedSpeed(989.0, 0.15, 0.45),
}
"""fp32 here means without TF32."""


@dataclass(frozen=True)
class TableRow:
    """A row and its work."""

    id: str
    crop: Crop
    codec: str
    passes: int
    """Forward passes per person: two with the flip test."""
    transformer: bool = False
    """Whether the network is a plain vision transformer."""


@dataclass(frozen=True)
class Table:
    """The rows of a published table and the data that they are evaluated on."""

    rows: tuple[TableRow, ...]
    images: int
    boxes: int

    @property
    def geometries(self) -> tuple[Crop, ...]:
        """The distinct geometries."""
        return tuple(dict.fromkeys(row.crop for row in self.rows))


def read_table() -> Table:
    """Return COCO's table, as stated by suite and configs.

    Raises:
        ObtainError: MMPose is not installed.
    """
    suite = load_suite("coco")
    rows = []
    for row in suite.rows:
        (run,) = row.runs.values()
        config = load_config(suite, row, run)
        protocol = protocol_without_files(config)
        passes = 2 if protocol.flip.enabled else 1
        transformer = backbone(config).rpartition(".")[2] == "VisionTransformer"
        rows.append(TableRow(row.id, protocol.crop, protocol.decoder.codec, passes, transformer))
    counts = suite.dataset.counts
    assert counts is not None
    assert counts.images is not None
    assert counts.boxes is not None
    return Table(tuple(rows), counts.images, counts.boxes)


def read_gflop(parity: Path) -> dict[str, float]:
    """Return the work of each row of COCO for one crop, from a report of `harness parity`.

    Raises:
        ObtainError: The file does not exist, or is not a report of `harness parity`.
    """
    runs = ParityReport.load(parity).runs
    return {run.id.split("/")[1]: run.gflop for run in runs if run.id.startswith("coco/")}


def forward_flop(table: Table, gflop: Mapping[str, float]) -> dict[TableRow, float]:
    """Return the operations of each row for all boxes; `gflop` is in 10⁹ operations for one crop."""
    return {row: table.boxes * gflop[row.id] * row.passes * 1e9 for row in table.rows}


def forward_minutes(flop: Mapping[TableRow, float], speed: AssumedSpeed) -> float:
    """Return the minutes of the rows' operations at the assumed shares of the peak."""
    shares = {row: speed.transformer_share if row.transformer else speed.share for row in flop}
    return sum(flop[row] / (speed.peak * 1e12 * shares[row]) for row in flop) / 60


def model_gpu(
    table: Table,
    gflop: Mapping[str, float],
    prepare: Preparation,
    decode: Mapping[str, DecodingSpeed],
    score: ScoringSpeed,
    cores_here: int,
    cores: int = CORES,
    startup_s: float = STARTUP_S,
) -> GpuModel:
    """Compute the minutes of one pass over the whole table.

    Args:
        table: The rows and their data.
        gflop: GFLOP of each row's network for one crop; a multiplication and an addition count as two operations.
        prepare: Measured cost of an image and of a crop on one core of this machine.
        decode: Measured cost of a person on this machine, by codec.
        score: Measured cost of a prediction on this machine.
        cores_here: Number of cores of this machine.
        cores: Number of cores of the machine with the GPU.
        startup_s: Seconds for imports, building the networks and loading their weights.

    Raises:
        ObtainError: The work of a row is unknown.
    """
    if missing := [row.id for row in table.rows if row.id not in gflop]:
        raise ObtainError(f"the forward work of {len(missing)} rows is unknown, such as {missing[0]}")
    names = tuple(map(geometry_name, table.geometries))
    flop = forward_flop(table, gflop)
    all_flop = sum(flop.values())
    crops_s = (table.images * prepare.image_ms + table.boxes * sum(map(prepare.warp_ms.__getitem__, names))) / 1000
    crops_min = crops_s / cores / 60
    decoding_min = table.boxes * sum(1 / decode[row.codec].comparison.our_rate for row in table.rows) / 60
    # Of the three steps only the intervals use several threads; the model has one thread per process.
    besides_s = score.intervals_s * cores_here + score.diagnosis_s
    row_s = table.boxes * (1 / score.comparison.our_rate + besides_s / score.comparison.work)
    scoring_min = math.ceil(len(table.rows) / cores) * row_s / 60
    estimates = []
    for precision, speed in PRECISIONS.items():
        forward_min = forward_minutes(flop, speed)
        at_once: dict[Literal["GPU", "crops", "decoding"], float] = {
            "GPU": forward_min,
            "crops": crops_min,
            "decoding": decoding_min,
        }
        binds = max(at_once, key=lambda name: at_once[name])
        estimates.append(
            GpuEstimate(
                precision=precision,
                peak_tflops=speed.peak,
                efficiency=all_flop / (speed.peak * 1e12 * forward_min * 60),
                forward_min=forward_min,
                total_min=startup_s / 60 + at_once[binds] + scoring_min,
                binds=binds,
            )
        )
    return GpuModel(
        device=DEVICE,
        rows=len(table.rows),
        images=table.images,
        boxes=table.boxes,
        geometries=names,
        forward_pflop=all_flop / 1e15,
        cores=cores,
        crops_min=crops_min,
        decoding_min=decoding_min,
        scoring_min=scoring_min,
        startup_min=startup_s / 60,
        estimates=tuple(estimates),
        assumptions=(
            "the weights of all networks fit into the GPU's memory together, so that one pass is enough; each further "
            "pass would make the crops again",
            "crops, forward passes and decoding run at the same time, so that the longest of them counts; start-up "
            "and scoring are added",
            f"{cores} cores make crops, each as fast as one core here, and delay no other work",
            "decoding is as fast as on the CPU here, one batch after the other; on the GPU it is faster",
            f"scoring, intervals and error analysis take the same time as here, of {cores} rows at a time",
            f"start-up (imports, building {len(table.rows)} networks, loading their weights) takes {startup_s:g} s",
            "fp32 is without TF32",
            "in bf16 plain vision transformers reach 45 % of the GPU's dense peak, other networks 15 %: on an RTX 4090 "
            "(timm's published benchmark, PyTorch 2.4, AMP) ViT-H/14 reaches 71 %, HRNet-W48 31 % and ResNet-50 25 % "
            "of its peak; the latter two are bound by memory, and an H100 has 6 times the operations at 3.3 times the "
            "bandwidth",
            "TF32 reaches the same shares of its peak, which is half as high, because its numbers have twice the bytes",
            "images come from a local disk or the page cache",
        ),
    )
