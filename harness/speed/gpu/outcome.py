"""The results of measurements on a GPU: the content of results/gpu.json."""

from typing import Literal

from harness.fields import Fields
from harness.protocol import Precision, Size
from harness.speed.outcome import Circumstances, SpeedReport

Way = Literal["eager", "channels_last", "graph", "compiled"]
"""The way in which a network is computed.

`eager`: as MMPose builds it, kernel by kernel, channels first, two passes for the flip test. `channels_last`: as in a
run with a precision that is not exact, kernel by kernel: norms folded, both sides of the flip test in one batch.
`graph`: `channels_last` as one CUDA graph; in fp32, which is exact, `eager` as one graph. `compiled`: as in a run with
`--compile`.
"""


class Peaks(Fields):
    """Peak performance of a GPU from its data sheet, without sparsity, in 10¹² operations per second."""

    fp32: float
    """Without tensor cores."""
    tf32: float
    half: float
    """bf16 and fp16, with sums in single precision."""
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
    """People per batch."""
    people_s: float
    """People per second from crops on the device to outputs, including the flip test."""
    share: float | None
    """Share of the device's peak; None if the peak is not known."""


class NetworkRates(Fields):
    """The speed of one network, which one or more rows have."""

    rows: tuple[str, ...]
    input_size: Size
    gflop: float
    """10⁹ operations for one crop; a multiplication and an addition count as two."""
    passes: int
    """Forward passes per person: two with the flip test."""
    rates: tuple[Rate, ...] = ()
    failures: dict[str, str] = {}
    """Reasons of failed measurements by precision and way, such as `tf32 graph`."""

    def as_run(self, precision: Precision) -> Rate | None:
        """Return the rate of the way that a run uses; None if it was not measured."""
        return next((rate for rate in self.rates if rate.as_run and rate.precision == precision), None)

    def rate(self, precision: Precision, way: Way) -> Rate | None:
        """Return the rate of a way; None if it was not measured."""
        return next((rate for rate in self.rates if (rate.precision, rate.way) == (precision, way)), None)


class DecoderRate(Fields):
    """The speed of one decoder for outputs on the device."""

    codec: str
    heatmap_size: Size | None
    rows: tuple[str, ...]
    """The rows with this decoder."""
    batch: int
    people_s: float
    """People per second until keypoints are on the host, with two batches launched ahead."""
    device_us: float
    """Device time per person, µs; the next forward pass waits for it."""
    shares: dict[Precision, float] = {}
    """`device_us` as a share of the forward pass, by precision, for the row with the largest share."""


class CropRate(Fields):
    """The speed of all cores at making crops from files."""

    geometries: tuple[str, ...]
    images: int
    boxes: int
    seconds: float

    @property
    def boxes_s(self) -> float:
        """Boxes per second; each box is cropped in all geometries."""
        return self.boxes / self.seconds


class Crops(Fields):
    """The speed of making crops with all cores."""

    cores: int
    rates: tuple[CropRate, ...]
    """For one geometry, and for all geometries of the table."""


class WholeRun(Fields):
    """One process of `harness run` from start to end, on images that are repeated under many ids."""

    rows: tuple[str, ...]
    precision: Precision
    images: int
    boxes: int
    wall_s: float
    """Wall time, measured by the parent process."""
    predict_s: float
    """Seconds of the pass over the people, which all rows share."""
    forward_s: float
    """Device seconds from crops to outputs, for all rows."""
    exact_forward_s: float
    """Device seconds for the exact sample that measures the effect of the precision."""
    busy: float | None
    """Share of the wall time in which the GPU computed; None if nvidia-smi does not report it."""
    host_mb: float
    """Peak memory of the process, 10⁶ bytes."""
    device_mb: float | None
    """Peak memory of the GPU, including other processes, 10⁶ bytes."""
    timings: dict[str, dict[str, float]]
    """Seconds by stage, from each row's record."""

    @property
    def ratio(self) -> float:
        """Wall time divided by the time of the forward passes, including those of the sample."""
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
    """All boxes except those of the first batch."""
    loop_s: float
    """Seconds from the end of the first batch to the end of the evaluation, without start-up."""

    @property
    def box_s(self) -> float:
        """Seconds per box without start-up; this favours MMPose's script."""
        return self.loop_s / self.loop_boxes


class TableTime(Fields):
    """The time for COCO's whole table in one precision, computed from the measured rates."""

    precision: Precision
    rows: int
    boxes: int
    forward_min: float
    decoding_min: float
    """Minutes on the device, after the forward passes."""
    crops_min: float | None
    """Minutes of making crops, in parallel with the forward passes."""
    besides_min: float | None
    """Start-up and scoring, from whole runs of one row and of several."""
    total_min: float | None
    """None if one of the parts was not measured."""
    share: float | None
    """Share of the peak, for all forward passes together."""
    modelled_forward_min: float | None
    """Minutes that the model of GPUs predicts; None if it has no data for the precision or the peak."""


class Target(Fields):
    """A target of the measurements."""

    what: str
    wanted: str
    reached: float | None
    """None if it was not measured."""
    met: bool | None


class GpuReport(SpeedReport):
    """The results of `harness bench --only gpu`; `machine` also has the compute capability and the version of cuDNN."""

    rehearsal: bool
    """Whether it ran on a CPU with tiny sizes; then the numbers are not measurements of speed."""
    measured: Circumstances
    minutes: float
    seconds: float = 0.0
    """The used part of the minutes, s."""
    peaks: Peaks | None
    networks: tuple[NetworkRates, ...] = ()
    decoders: tuple[DecoderRate, ...] = ()
    crops: Crops | None = None
    runs: tuple[WholeRun, ...] = ()
    upstream: tuple[UpstreamRun, ...] = ()
    table: tuple[TableTime, ...] = ()
    targets: tuple[Target, ...] = ()
    failed: dict[str, str] = {}
    """Failed steps with the reasons."""
    left_out: tuple[str, ...] = ()
    """Steps that were skipped because no time was left."""
