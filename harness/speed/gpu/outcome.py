"""What is measured on a GPU: the value of results/gpu.json."""

from typing import Literal

from harness.fields import Fields
from harness.protocol import Precision, Size
from harness.speed.outcome import Circumstances, SpeedReport

Way = Literal["eager", "channels_last", "graph", "compiled"]
"""How a network is computed.

`eager`: as MMPose builds it, kernel by kernel, channels first, two passes for the flip test. `channels_last`: as a run
computes in a precision that is not exact, kernel by kernel: norms folded, both sides of the flip test in one batch.
`graph`: the same as one CUDA graph; in fp32, which is exact, that of `eager`. `compiled`: as a run with `--compile`.
"""


class Peaks(Fields):
    """What a GPU computes at most, by its data sheet, without sparsity; 10¹² operations a second."""

    fp32: float
    """Outside of the tensor cores."""
    tf32: float
    half: float
    """bf16 and fp16, with sums of single precision."""
    source: str

    def of(self, precision: Precision) -> float:
        """Return the peak in a precision."""
        return {"tf32": self.tf32, "bf16": self.half, "fp16": self.half}.get(precision, self.fp32)


class Rate(Fields):
    """The speed of one network."""

    precision: Precision
    way: Way
    as_run: bool
    """Whether `harness run` computes in this way in this precision on this device."""
    batch: int
    """People a batch."""
    people_s: float
    """People a second from crops on the device to heatmaps, flip test included."""
    share: float | None
    """Of the device's peak; None where that is not known."""


class NetworkRates(Fields):
    """One network that one row or several have."""

    rows: tuple[str, ...]
    input_size: Size
    gflop: float
    """For one crop, a multiplication and an addition counting two."""
    passes: int
    """Forward passes a person: two with the flip test."""
    rates: tuple[Rate, ...] = ()
    failures: dict[str, str] = {}
    """Why it was not measured, by precision and way, such as `tf32 graph`."""

    def as_run(self, precision: Precision) -> Rate | None:
        """Return the rate that a run has; None where it was not measured."""
        return next((rate for rate in self.rates if rate.as_run and rate.precision == precision), None)

    def rate(self, precision: Precision, way: Way) -> Rate | None:
        """Return the rate of a way; None where it was not measured."""
        return next((rate for rate in self.rates if (rate.precision, rate.way) == (precision, way)), None)


class DecoderRate(Fields):
    """The speed of one decoder on heatmaps on the device."""

    codec: str
    heatmap_size: Size | None
    rows: tuple[str, ...]
    """Those that have it."""
    batch: int
    people_s: float
    """People a second to keypoints on the host, with two batches on their way."""
    device_us: float
    """Microseconds of the device a person, which the next forward pass waits for."""
    shares: dict[Precision, float] = {}
    """`device_us` over the time of the forward pass, of the row where that is largest, by precision."""


class CropRate(Fields):
    """How fast all cores make crops from files."""

    geometries: tuple[str, ...]
    images: int
    boxes: int
    seconds: float

    @property
    def boxes_s(self) -> float:
        """Boxes a second, each cut out in every geometry."""
        return self.boxes / self.seconds


class Crops(Fields):
    """Preparation with all cores."""

    cores: int
    rates: tuple[CropRate, ...]
    """For one geometry, and for all of the table."""


class WholeRun(Fields):
    """One process from start to end: `harness run` on images that serve under many ids."""

    rows: tuple[str, ...]
    precision: Precision
    images: int
    boxes: int
    wall_s: float
    """By the clock of the process that started it."""
    predict_s: float
    """Seconds of the pass over the people, which all rows share."""
    forward_s: float
    """Seconds of the device from crops to heatmaps, of all rows."""
    exact_forward_s: float
    """The same for the sample that tells the effect of the precision."""
    busy: float | None
    """Share of the wall time in which the GPU computed; None where nvidia-smi does not tell."""
    host_mb: float
    """Peak memory of the process, 10⁶ bytes."""
    device_mb: float | None
    """Peak memory of the GPU, that of other processes included, 10⁶ bytes."""
    timings: dict[str, dict[str, float]]
    """Seconds by stage, as each row's record has them."""

    @property
    def ratio(self) -> float:
        """Wall time over the forward passes, those of the sample included."""
        return self.wall_s / (self.forward_s + self.exact_forward_s)

    @property
    def predictions(self) -> int:
        """People times rows."""
        return self.boxes * len(self.rows)

    @property
    def besides_s(self) -> float:
        """Seconds besides the pass: imports, networks, scoring, writing."""
        return self.wall_s - self.predict_s


class UpstreamRun(Fields):
    """MMPose's own test script on a part of the boxes."""

    row: str
    images: int
    boxes: int
    wall_s: float
    loop_boxes: int
    """All but those of the first batch."""
    loop_s: float
    """Seconds from the end of the first batch to the end of the evaluation; start-up is not in it."""

    @property
    def box_s(self) -> float:
        """Seconds a box without start-up, which makes MMPose's script look faster than it is."""
        return self.loop_s / self.loop_boxes


class TableTime(Fields):
    """What COCO's whole table takes in one precision, computed from what was measured."""

    precision: Precision
    rows: int
    boxes: int
    forward_min: float
    decoding_min: float
    """On the device, after the forward passes."""
    crops_min: float | None
    """Beside the forward passes."""
    besides_min: float | None
    """Start-up and scoring, from whole runs of one row and of several."""
    total_min: float | None
    """None where one of these was not measured."""
    share: float | None
    """Of the peak, by all forward passes together."""
    modelled_forward_min: float | None
    """What the model of a GPU says of this one; None where it does not know the precision or the peak."""


class Target(Fields):
    """What is to be reached."""

    what: str
    wanted: str
    reached: float | None
    """None where it was not measured."""
    met: bool | None


class GpuReport(SpeedReport):
    """What `harness bench --only gpu` found; `machine` has the compute capability and the version of cuDNN, too."""

    rehearsal: bool
    """Whether it ran on a CPU, with tiny sizes: then no number says anything about speed."""
    measured: Circumstances
    minutes: float
    seconds: float = 0.0
    """What was used of the minutes."""
    peaks: Peaks | None
    networks: tuple[NetworkRates, ...] = ()
    decoders: tuple[DecoderRate, ...] = ()
    crops: Crops | None = None
    runs: tuple[WholeRun, ...] = ()
    upstream: tuple[UpstreamRun, ...] = ()
    table: tuple[TableTime, ...] = ()
    targets: tuple[Target, ...] = ()
    failed: dict[str, str] = {}
    """Steps that failed, with the reason."""
    left_out: tuple[str, ...] = ()
    """Steps for which no time was left."""
