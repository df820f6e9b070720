"""The protocol: everything besides the weights that can move a number.

It is derived from a row's resolved MMPose config, is printed next to every number, and holds all that `score` needs,
so that saved predictions can be scored again without MMPose or torch.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny

from harness.document import Document
from harness.errors import SpecError
from harness.fields import Fields
from harness.plugins import plugin

Size = tuple[int, int]


class DataFile(Fields):
    """A file whose content takes part in the result."""

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
    """Where the people come from."""

    source: Literal["detector", "ground-truth"]
    file: DataFile | None = None
    """The detector's box file; None for ground-truth boxes."""
    score_threshold: float | None = None
    """Boxes with a lower detector score are dropped."""


class Crop(Fields):
    """How a box becomes the network's input."""

    input_size: Size
    """Width and height, px."""
    padding: float
    """Factor by which a box grows before it is cropped."""
    affine: Literal["plain", "udp"]


class Normalisation(Fields):
    """How a crop's pixels, 0 to 255, become the network's input: (value - mean) / std for each colour."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    colours: Literal["RGB", "BGR"]
    """The order of the channels, in which `mean` and `std` are as well."""


class Flip(Fields):
    """The flip test: what the network gives for the mirrored crop is mirrored back and averaged in."""

    enabled: bool
    shift: bool
    """Shift what is mirrored back by one pixel before averaging."""
    mode: str = "heatmap"
    """How it is mirrored back: the codec's `flip_mode`. `udp_combined`: of a keypoint's three heatmaps, the one of
    offsets to the right changes its sign."""
    indices: tuple[int, ...] | None = None
    """The mirror images of the network's keypoints, where these are not the data set's."""


class Decoder(Fields):
    """How what the network gives becomes keypoints."""

    codec: str
    """A codec of `harness.codecs`, or of another package; looked up where heatmaps are decoded."""
    heatmap_size: Size | None = None
    """Width and height, px; None for a codec without heatmaps."""
    blur_kernel_size: int | None = None
    """Gaussian kernel of the heatmap modulation, px; None for a codec without one."""
    simcc_split_ratio: float | None = None
    """Values of SimCC's vectors per px of the network's input; None for a codec without vectors."""
    simcc_lengths: Size | None = None
    """How many values the vectors across and down have."""
    radius_factor: float | None = None
    """How far an offset of 1 is, as a share of the heatmap's longer side; None for a codec without offsets."""
    kept: tuple[int, ...] | None = None
    """Which of the network's keypoints are the data set's, in its order; None where they are the same."""

    @property
    def grid_size(self) -> Size | None:
        """Across and down, the number of places that a keypoint can be found at; None for coordinates."""
        return self.heatmap_size or self.simcc_lengths

    @property
    def grid(self) -> str:
        """What these places are of, in messages."""
        return "heatmap" if self.heatmap_size else "vectors" if self.simcc_lengths else "crop"

    @property
    def map_size(self) -> Size:
        """Width and height of the heatmaps, px, of a codec that has some."""
        assert self.heatmap_size, f"{self.codec} has no heatmaps"
        return self.heatmap_size


class Scoring(Fields):
    """How predictions become metrics; each family of metrics has a class of its own (`harness.metrics.family`)."""

    metric: str
    """The family's name."""

    @property
    def files(self) -> dict[str, DataFile]:
        """The files that it reads besides the annotations, by field."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, DataFile)}


class PoseSelection(Scoring):
    """How MMPose's CocoMetric, and what derives from it, scores poses and drops duplicates before the evaluation."""

    sigmas: tuple[float, ...]
    """Per-keypoint falloff; single precision, as MMPose holds them."""
    score_mode: Literal["bbox", "keypoint", "bbox_keypoint", "bbox_rle"] = "bbox_keypoint"
    """A pose's score: its box's, the mean of its keypoints', or their product; `bbox_rle`: the sum of its box's, and of
    the mean and the highest of its keypoints'."""
    keypoint_score_threshold: float = 0.2
    """Keypoints at or below it do not count in the mean."""
    nms: Literal["oks", "soft-oks", "none"] = "oks"
    nms_threshold: float = 0.9


Precision = Literal["fp32", "fp32-fast", "tf32", "bf16", "fp16"]
"""`fp32` computes as MMPose does, bit for bit; `fp32-fast` sums in another order; the others have fewer digits."""


Warp = Literal["opencv-4", "opencv-5"]
"""The arithmetic of crops: that of cv2.warpAffine before and since OpenCV 5. The published numbers have the former."""


class Compute(Fields):
    """How the network ran."""

    engine: Literal["shared", "upstream"]
    precision: Precision = "fp32"
    compiled: bool = False
    """By torch.compile, which sums in another order."""
    batch_size: int
    device: str
    warp: Warp = "opencv-4"
    """The shared engine's is always that of OpenCV 4, whatever is installed."""

    @property
    def exact(self) -> bool:
        """Whether it computes as MMPose's own loop."""
        return self.precision == "fp32" and not self.compiled


def _of_its_family(value: Any) -> Any:
    """Return the scoring of a JSON document as an object of its family's class; one that is an object stays."""
    if not isinstance(value, dict):
        return value
    try:
        family = plugin("metrics", str(value.get("metric")), "scoring.metric")
    except SpecError as error:
        raise ValueError(str(error)) from error
    return family.scoring.model_validate(value)


AnyScoring = SerializeAsAny[Annotated[Scoring, BeforeValidator(_of_its_family)]]
"""The scoring of whatever family of metrics."""


class Protocol(Document):
    """The whole ledger of one run."""

    title: ClassVar[str] = "protocol"
    dataset: str | DatasetPool
    """MMPose's class that reads it, e.g. CocoDataset; or several data sets that are evaluated as one."""
    annotations: DataFile
    """The annotation file; of several data sets, the first one's."""
    num_keypoints: int
    flip_indices: tuple[int, ...]
    """For each keypoint, the one that it becomes in a mirrored image."""
    boxes: Boxes
    limit: int | None
    """Only the first so many images were evaluated: a partial run."""
    crop: Crop
    normalisation: Normalisation | None = None
    """None in protocols of former versions, and for sources of heatmaps that do not state it."""
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


def annotation_files(dataset: str | DatasetPool, annotations: DataFile) -> tuple[DataFile, ...]:
    """Return the annotation files of a data set, or of each part of several; `annotations` is the only or first one."""
    return tuple(part.annotations for part in dataset.parts) if isinstance(dataset, DatasetPool) else (annotations,)
