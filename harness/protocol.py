"""The protocol: all settings besides the weights that a metric can depend on.

It is derived from a row's resolved MMPose config and printed next to each number. It has all settings that `score`
needs, so that saved predictions can be scored again without MMPose or torch.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from harness.document import Document
from harness.errors import SpecError
from harness.fields import Fields
from harness.plugins import plugin

Size = tuple[int, int]


class DataFile(Fields):
    """A file that the result depends on."""

    path: str
    """Relative to the data folder."""
    sha256: str


class PooledDataset(Fields):
    """A data set whose people are evaluated together with those of others."""

    dataset: str
    """MMPose's class that reads it, e.g. AicDataset."""
    annotations: DataFile
    images: str
    """The folder of its images, relative to the data folder."""
    num_keypoints: int
    """The number of its own keypoints."""
    mapping: tuple[tuple[int, int, int], ...] | None = None
    """The labelled keypoints in the evaluated order (MMPose's KeypointConverter): the number of an evaluated keypoint,
    and of the two own keypoints whose mean it is, which are often the same. Other keypoints are not labelled. None
    where the own keypoints are the evaluated ones."""


class DatasetPool(Fields):
    """Several data sets whose people are evaluated as one (MMPose's CombinedDataset)."""

    name: str = "CombinedDataset"
    parts: tuple[PooledDataset, ...] = Field(min_length=1)
    """In MMPose's order."""

    def __str__(self) -> str:
        return f"{self.name} of {', '.join(part.dataset for part in self.parts)}"


class Boxes(Fields):
    """The source of the people's boxes."""

    source: Literal["detector", "ground-truth"]
    file: DataFile | None = None
    """The detector's box file; None for ground-truth boxes."""
    score_threshold: float | None = None
    """Boxes with a lower detector score are dropped."""


class Crop(Fields):
    """The conversion of a box to the network's input."""

    input_size: Size
    """Width and height, px."""
    padding: float
    """Factor by which a box is enlarged before cropping."""
    affine: Literal["plain", "udp"]


class Normalisation(Fields):
    """The conversion of a crop's pixels, 0 to 255, to the network's input: (value - mean) / std for each colour."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    colours: Literal["RGB", "BGR"]
    """The order of the channels, and of `mean` and `std`."""


class Flip(Fields):
    """The flip test: outputs for the mirrored crop are mirrored back and averaged with those for the crop."""

    enabled: bool
    shift: bool
    """Whether the mirrored outputs are shifted by one pixel before averaging."""
    mode: str = "heatmap"
    """The method of mirroring back: the codec's `flip_mode`. With `udp_combined`, a keypoint's map of offsets to the
    right changes its sign."""
    indices: tuple[int, ...] | None = None
    """The mirror images of the network's keypoints; None if the network has the data set's keypoints."""


class Decoder(Fields):
    """The conversion of a network's outputs to keypoints."""

    codec: str
    """A codec of `harness.codecs` or of another package; looked up when outputs are decoded."""
    heatmap_size: Size | None = None
    """Width and height, px; None for a codec without heatmaps."""
    blur_kernel_size: int | None = None
    """Gaussian kernel of the heatmap modulation, px; None for a codec without one."""
    simcc_split_ratio: float | None = None
    """Values of SimCC's vectors per px of the network's input; None for a codec without vectors."""
    simcc_lengths: Size | None = None
    """Lengths of the vectors for x and y."""
    radius_factor: float | None = None
    """The length of an offset of 1 as a share of the heatmap's longer side; None for a codec without offsets."""
    kept: tuple[int, ...] | None = None
    """Indices of the data set's keypoints among the network's, in the data set's order; None if both are the same."""

    @property
    def grid_size(self) -> Size | None:
        """Number of possible keypoint positions along x and y; None for coordinates."""
        return self.heatmap_size or self.simcc_lengths

    @property
    def grid(self) -> str:
        """The name of the grid of positions, for messages."""
        return "heatmap" if self.heatmap_size else "vectors" if self.simcc_lengths else "crop"

    @property
    def map_size(self) -> Size:
        """Width and height of the heatmaps, px; only for codecs with heatmaps."""
        assert self.heatmap_size, f"{self.codec} has no heatmaps"
        return self.heatmap_size


class Scoring(Fields):
    """The computation of metrics from predictions; each family of metrics has a subclass (`harness.metrics.family`)."""

    metric: str
    """The family's name."""

    @property
    def files(self) -> dict[str, DataFile]:
        """The files that scoring reads besides the annotations, by field."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, DataFile)}


class PoseSelection(Scoring):
    """Scoring of poses and removal of duplicates before the evaluation, in MMPose's CocoMetric and its subclasses."""

    sigmas: tuple[float, ...]
    """Per-keypoint falloff, in single precision as in MMPose."""
    score_mode: Literal["bbox", "keypoint", "bbox_keypoint", "bbox_rle"] = "bbox_keypoint"
    """The score of a pose: the box score, the mean keypoint score, or their product. `bbox_rle`: the sum of the box
    score, the mean and the highest keypoint score."""
    keypoint_score_threshold: float = 0.2
    """Keypoints with a score at or below it do not count in the mean."""
    nms: Literal["oks", "soft-oks", "none"] = "oks"
    nms_threshold: float = 0.9


Precision = Literal["fp32", "fp32-fast", "tf32", "bf16", "fp16"]
"""`fp32` equals MMPose bit for bit; `fp32-fast` sums in another order; the others compute with fewer digits."""


Warp = Literal["opencv-4", "opencv-5"]
"""The arithmetic of crops, which cv2.warpAffine changed in OpenCV 5; the published numbers were computed before."""


class Compute(Fields):
    """The conditions of the network's computation."""

    engine: Literal["shared", "upstream"]
    precision: Precision = "fp32"
    compiled: bool = False
    """Whether the network was compiled by torch.compile, which sums in another order."""
    batch_size: int
    device: str
    warp: Warp = "opencv-4"
    """The shared engine always uses the arithmetic of OpenCV 4, with any installed version."""

    @property
    def exact(self) -> bool:
        """Whether the outputs equal those of MMPose's own loop bit for bit."""
        return self.precision == "fp32" and not self.compiled


def _of_its_family(value: Any) -> Any:
    """Return the scoring of a JSON document as an object of its family's class; an object is returned unchanged."""
    if not isinstance(value, dict):
        return value
    try:
        family = plugin("metrics", str(value.get("metric")), "scoring.metric")
    except SpecError as error:
        raise ValueError(str(error)) from error
    return family.scoring.model_validate(value)


AnyScoring = SerializeAsAny[Annotated[Scoring, BeforeValidator(_of_its_family)]]
"""The scoring of any family of metrics."""


class Protocol(Document):
    """All settings of one run."""

    title: ClassVar[str] = "protocol"
    dataset: str | DatasetPool
    """MMPose's class that reads the data set, e.g. CocoDataset; or a pool of data sets that are evaluated as one."""
    annotations: DataFile
    """The annotation file; of several data sets, the first one's."""
    num_keypoints: int
    flip_indices: tuple[int, ...]
    """For each keypoint, the index of its mirror image."""
    boxes: Boxes
    limit: int | None
    """Number of evaluated images, counted from the first, of a partial run; None for a complete run."""
    crop: Crop
    normalisation: Normalisation | None = None
    """None in protocols of earlier versions, and if the source of heatmaps does not state it."""
    flip: Flip
    decoder: Decoder
    scoring: AnyScoring
    compute: Compute
    overrides: tuple[str, ...] | None = None
    """Fields of the config that the row changes, as `field = value` in JSON; None where it changes none."""

    @property
    def annotation_files(self) -> tuple[DataFile, ...]:
        """The annotation files of all its data sets, in their order."""
        return annotation_files(self.dataset, self.annotations)

    @property
    def truth_digests(self) -> tuple[str, ...]:
        """The sha256 of the files of the ground truth: annotations and further files of the scoring."""
        return tuple(file.sha256 for file in (*self.annotation_files, *self.scoring.files.values()))

    @property
    def file_digests(self) -> tuple[str, ...]:
        """The sha256 of the files of the ground truth and, if there is one, of the box file."""
        return *self.truth_digests, *([self.boxes.file.sha256] if self.boxes.file else [])


def annotation_files(dataset: str | DatasetPool, annotations: DataFile) -> tuple[DataFile, ...]:
    """Return the annotation files of a data set, or of each part of several; `annotations` is the only or first one."""
    return tuple(part.annotations for part in dataset.parts) if isinstance(dataset, DatasetPool) else (annotations,)
