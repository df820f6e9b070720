"""Suites and rows as data: the shape of the files in benchmarks/ and of a user's own.

Unknown keys are refused, and a number written as text is an error. What the fields mean is said here and, through
`harness check --json-schema`, in the editor of whoever writes a suite.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PrivateAttr,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, core_schema

from harness.errors import brief
from harness.fields import Fields
from harness.measures import is_measured, measure_names, measure_of


class _KnownMetric:
    """Accepts the names of what the installed families of metrics measure, which are looked up when a suite is read."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(cls._known, core_schema.str_schema(strict=True))

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: core_schema.CoreSchema, _handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": measure_names()}

    @staticmethod
    def _known(name: str) -> str:
        if not is_measured(name):
            raise PydanticCustomError("literal_error", "not a metric", {"expected": ", ".join(measure_names())})
        return name


MetricName = Annotated[str, _KnownMetric]
BoxSource = Literal["detector", "ground-truth"]
ClaimSource = Literal["table", "page", "metafile", "history"]
PRINTED: tuple[ClaimSource, ...] = ("table", "page", "metafile")
"""Where the values of a row's published table are: in the first of these that states any."""
Group = Literal["body", "wholebody", "hand", "face", "animal", "fashion"]
"""What the keypoints of a suite are of, in MMPose's words."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]


def _nameable(path: str) -> str:
    """Refuse what no file can be named, which systems answer with an error of their own."""
    named = path and path.isprintable() and len(path) <= 1000
    if not named or any(len(part.encode()) > 255 for part in path.split("/")):
        raise ValueError(f"found {brief(path)}; it must be the path of a file")
    return path


def _under_data_folder(path: str) -> str:
    if path.startswith(("/", "data/")) or ".." in path.split("/") or "\\" in path:
        raise ValueError(
            f"found {brief(path)}; it must be a path under the data folder, e.g. coco/annotations/val.json"
        )
    return path


def named_hash(name: str) -> str | None:
    """Return the first digits of a sha256 that MMPose has put into the name of a file; None where only a date is."""
    named = re.search(r"-(?!20\d{6}\.pth$)([0-9a-f]{7,64})(_\d{8})?\.pth$", name)
    return named[1] if named else None


_WEIGHTS = r"^((https?|file)://\S+|[\w.-]+(/[\w.-]+)*\.(pth|pt|pth\.tar))$"


def _address_of_weights(url: Any) -> Any:
    """Refuse other addresses than those of the pattern, and say how the one that is meant is written."""
    if not isinstance(url, str) or (re.search(_WEIGHTS, url) and not re.match(r"file://(?!/|localhost/)", url)):
        return url
    path, write = url.removeprefix("file://").replace("\\", "/"), ""
    if "~" in path:
        write = "write the whole path, such as file:///home/me/net.pth; "
    elif url.startswith("file://") or re.match(r"/|[A-Za-z]:/", path):
        write = f"write file:///{quote(path.lstrip('/'), safe='/:')}; "
    elif "\\" in url:
        write = f"write {path}; "
    raise ValueError(
        f"found {brief(url)}; {write}it must be https://host/path/net.pth, file:///path/net.pth, or a path relative to "
        "the suite's file such as weights/net.pth, without spaces, that ends in .pth, .pt or .pth.tar"
    )


FilePath = Annotated[str, AfterValidator(_nameable)]
DataPath = Annotated[FilePath, AfterValidator(_under_data_folder)]


class SuiteFields(Fields):
    """A group of fields of a YAML file; converted types are refused, and the JSON schema has the docstrings."""

    model_config = ConfigDict(strict=True, use_attribute_docstrings=True)


class Counts(SuiteFields):
    """How large the whole evaluated part of a data set is, as far as that is published."""

    images: int | None = Field(default=None, gt=0)
    """Images in the annotation file."""
    people: int | None = Field(default=None, gt=0)
    """Annotated people that a run on ground-truth boxes evaluates."""
    boxes: int | None = Field(default=None, gt=0)
    """Boxes of people in the detector's file."""


class Dataset(SuiteFields):
    """The evaluated part of a data set; all paths are under the data folder (MMPose's `data/`)."""

    name: str
    """As MMPose's metafiles call it, e.g. COCO."""
    num_keypoints: int = Field(gt=0)
    """Keypoints of a person."""
    annotations: DataPath | None = None
    """The annotation file; None where each run names its own."""
    images: DataPath
    """The folder that the annotations' file names are relative to."""
    boxes: DataPath | None = None
    """The detector's box file, if a row uses detector boxes."""
    box_person_ap: float | None = None
    """The detector's person AP in percent, as published."""
    extra: dict[str, DataPath] = {}
    """Further files or folders that the evaluation reads, by what they are."""
    counts: Counts | None = None
    """The size of it, by which `harness check --data` tells a part of the data set, or another box file."""


class Metric(SuiteFields):
    """How a metric is published."""

    label: str
    """As the published table prints it."""
    unit: Literal["fraction", "percent", "px"]
    """The unit of the published values; a fraction may be published in percent."""
    better: Literal["higher", "lower"] = "higher"
    """Which way is better; the harness knows it of each metric, so that a suite need not say it."""
    decimals: int = Field(ge=0, le=6)
    """Decimals of the published values."""
    tolerance: float | None = Field(default=None, gt=0)
    """A measured value this close to a claim, in the unit, is within noise; None where nothing supports a tolerance."""
    reason: str | None = None
    """What supports the tolerance."""
    metafile_key: str | None = None
    """Its key in MMPose's metafiles, where that is not the label."""
    metafile_unit: Literal["fraction", "percent"] | None = None
    """The unit of its values there, where that is another one."""
    metafile_decimals: int | None = Field(default=None, ge=0, le=6)
    """Decimals of its values there, in the unit of the published ones, where they are fewer."""

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if (self.tolerance is None) != (self.reason is None):
            raise ValueError("tolerance and reason go together")
        return self

    @property
    def scale(self) -> float:
        """How many units a measured 1 is."""
        return 100 if self.unit == "percent" else 1

    @property
    def metafile_scale(self) -> float:
        """How many units a 1 in a metafile is."""
        return self.scale / (100 if (self.metafile_unit or self.unit) == "percent" else 1)

    @property
    def suffix(self) -> str:
        """What a heading says after the metric's name: its unit, and that lower is better where it is."""
        unit = {"fraction": "", "percent": ", %", "px": ", px"}[self.unit]
        return f"{unit}, lower is better" if self.better == "lower" else unit


class PublishedValue(SuiteFields):
    """A published value with something to say about it; without that, a bare number does."""

    value: float
    """In the metric's unit."""
    published_as: str | None = None
    """The printed name of the metric, where that is another one."""
    refuted: str | None = None
    """Why this value is known to be wrong for this row."""
    gates: bool | None = None
    """Whether the row's verdict depends on it; by default it does for the metrics that the row's table prints."""


def _value_form(value: Any) -> str:
    return "details" if isinstance(value, dict | PublishedValue) else "number"


Published = dict[
    ClaimSource,
    dict[
        MetricName,
        Annotated[
            Annotated[float, Tag("number")] | Annotated[PublishedValue, Tag("details")], Discriminator(_value_form)
        ],
    ],
]


class Claim(SuiteFields):
    """A published value of one metric."""

    metric: str
    """What the value is, which need not be what it was printed as."""
    value: float
    """In the metric's unit."""
    source: ClaimSource
    """The table of MMPose's overview; the model's own page; its metafile; or a former state of one of them."""
    run: str | None = None
    """The run that the value is of; None for the row as a whole (the mean of its runs)."""
    published_as: str | None = None
    """The printed name of the metric, where that is another one."""
    refuted: str | None = None
    """Why this value is known to be wrong for this row; a measured value is judged against the other claims."""
    gates: bool = True
    """Whether the row's verdict depends on it."""


class Checkpoint(SuiteFields):
    """A file of weights."""

    url: Annotated[FilePath, BeforeValidator(_address_of_weights)] = Field(pattern=_WEIGHTS)
    """Where to download it; or its path, relative to the suite's file."""
    sha256: str | None = Field(pattern=r"^[0-9a-f]{7,64}$")
    """Its sha256 or the first seven or more digits of it; MMPose puts eight into the file name, once seven. null where
    nobody published it, so that another file of that name is not noticed."""
    hash_is_stale: str | None = None
    """Why the served file may have another sha256 than its name says; a mismatch is then a warning."""

    _suite: Path | None = PrivateAttr(default=None)

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def local(self) -> Path | None:
        """The file itself, where it is not to be downloaded."""
        if self.url.startswith("file://"):
            return Path(url2pathname(urlsplit(self.url).path))
        if "://" not in self.url:
            return (self._suite.parent if self._suite else Path()) / self.url
        return None

    @model_validator(mode="after")
    def _check_file_name(self) -> Self:
        if self.file_name in ("", ".", ".."):
            raise ValueError(f"found {self.url}; it must end in the name of a file")
        urlsplit(self.url)  # which refuses a host that is none
        named = named_hash(self.file_name)
        stated = self.sha256 or ""
        if named and not (stated.startswith(named) or (stated and named.startswith(stated))):
            raise ValueError(f"sha256 {self.sha256} is not the {named} of the file name {self.file_name}")
        return self


class Run(SuiteFields):
    """One evaluation: a config with a checkpoint."""

    config: FilePath
    """An MMPose config, relative to MMPose's configs folder; or one of your own, relative to this file."""
    checkpoint: Checkpoint
    """The weights."""
    heatmaps: str = "mmpose"
    """What builds the source of heatmaps from both: a module of harness/predict/sources, or another package's."""
    annotations: DataPath | None = None
    """The annotation file, where it is not the data set's; of a subset, it takes the place of the config's."""
    published: Published = {}
    """What was published of this run alone, where the row has several."""
    metafile_keys: dict[MetricName, str] = {}
    """The keys of this run's values in MMPose's metafile, where they are not those of the suite's metrics, which of a
    subset have its name behind them: `NME blur`."""
    metafile_weights: str | None = None
    """The address of the weights as MMPose's metafile has it, where that is another one."""
    metafile_config: str | None = None
    """The file name of the config as MMPose's metafile has it, where that is another one."""
    metafile_dataset: str | None = None
    """The data set under which MMPose's metafile has this run's values, where that is another one."""


_OVERRIDDEN = {
    "ann_file": "a path",
    "bbox_file": "a path or null",
    "data_prefix": "a mapping such as {img: val2017/}",
    "data_root": "a path or null",
    "filter_cfg": "null or a mapping such as {bbox_score_thr: 0.3}",
    "type": "the name of a class such as CocoDataset",
}
"""Fields of a config's data sets, and what each can be."""

_DEEPER = re.compile(r"(model|test_evaluator)(\.\w+)+|custom_imports")
"""Other fields of a config, by their path: keys and, in lists, numbers from 0."""


def _overridable(field: str) -> str:
    if field not in _OVERRIDDEN and not _DEEPER.fullmatch(field):
        raise ValueError(
            f"found {brief(field)}; it must be a field of the data set ({', '.join(_OVERRIDDEN)}), custom_imports, or "
            "a path such as model.backbone.type or test_evaluator.keypoint_indices"
        )
    return field


class Override(SuiteFields):
    """A change to the config of each run of a row."""

    field: Annotated[str, AfterValidator(_overridable)]
    """A field of `val_dataloader.dataset` and `test_dataloader.dataset`, by its name; a field of the model, such as
    `model.backbone.type`; one of both evaluators, such as `test_evaluator.keypoint_indices`, or
    `test_evaluator.0.thr` where there is a list of them; or `custom_imports`."""
    value: JsonValue
    """Its new value, as the config would state it; null removes the field."""
    reason: str
    """Why the published number was not taken with the config as it is, or why that cannot run."""

    @property
    def of_data(self) -> bool:
        """Whether it changes the data sets."""
        return self.field in _OVERRIDDEN

    @model_validator(mode="after")
    def _check_value(self) -> Self:
        match self.field, self.value:
            case field, _ if field not in _OVERRIDDEN:
                return self
            case (("bbox_file" | "data_root" | "filter_cfg"), None):
                return self
            case (("ann_file" | "bbox_file" | "data_root"), str(path)):
                _nameable(path)
                return self
            case "type", str(name) if name.isidentifier():
                return self
            case "data_prefix", {"img": str(path), **more} if not more:
                _nameable(path or ".")
                return self
            case "filter_cfg", {"bbox_score_thr": int() | float() | None, **more} if not more:
                return self
        raise ValueError(f"found {brief(self.value)}; {self.field} must be {_OVERRIDDEN[self.field]}")


class Row(SuiteFields):
    """One line of a published table."""

    id: Slug
    """Unique in the suite and says what the row really is, even where the label does not."""
    label: str
    """The model, exactly as published."""
    label_note: str | None = None
    """What is wrong with the label."""
    input_size: str = Field(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$")
    """Height x width in px, as published."""
    boxes: BoxSource
    """Whether people are found by the detector or taken from the annotations."""
    dataset: Dataset | None = None
    """What is evaluated on, where it is not the suite's data set."""
    published: Published = {}
    """Values by source and metric: a number, or a mapping where there is something to say about it."""
    unconfirmed: dict[str, str] = {}
    """Columns of the table that MMPose's metafile does not state for this checkpoint, each with the reason: a metric,
    or, of a subset, metric and run."""
    no_metafile: str | None = None
    """Why no metafile of MMPose states anything of this checkpoint on this data set."""
    also_printed: list[str] = []
    """Pages of MMPose that print the row again, with the same values."""
    runs: dict[Slug, Run] = Field(min_length=1)
    """What to evaluate, usually one run named `val`."""
    runs_are: Literal["splits", "subsets"] = "splits"
    """What several runs are: splits of a data set, of which the row's value is the mean; or subsets, each with values
    of its own, of which no mean is published or shown."""
    evaluated_like: FilePath | None = None
    """Another config, whose `test_dataloader` and `test_evaluator` hold in place of those of the runs' own, where the
    row is of another data set than its config."""
    overrides: list[Override] = []
    """Changes to the config that the published number was taken with, or without which it cannot run."""
    cannot_run: str | None = Field(default=None, min_length=1)
    """Why nobody can run this row, such as a config or a split that was never published. Its claims are still compared
    with MMPose's; its runs are recorded as unobtainable with this reason, and their configs need not exist."""
    notes: list[str] = []
    """What else a reader of the number should know."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the network's input, px."""
        height, width = self.input_size.split("x")
        return int(width), int(height)

    @property
    def has_mean(self) -> bool:
        """Whether several runs have a mean that is the row's value."""
        return len(self.runs) > 1 and self.runs_are == "splits"

    @cached_property
    def printed_source(self) -> ClaimSource:
        """Where the values of the row's table are; where it has subsets, those of its runs."""
        return next((source for source in PRINTED if any(stated.get(source) for stated in self._in_table)), "table")

    @cached_property
    def printed(self) -> frozenset[str]:
        """The metrics of the row's table."""
        return frozenset(metric for stated in self._in_table for metric in stated.get(self.printed_source, {}))

    @cached_property
    def columns(self) -> list["Column"]:
        """The row's columns of the published table."""
        runs = list(self.runs) if self.runs_are == "subsets" else [None]
        return [Column(metric=metric, run=run) for metric in sorted(self.printed) for run in runs]

    @property
    def _in_table(self) -> list[Published]:
        if self.runs_are == "splits":
            return [self.published]
        return [run.published for run in self.runs.values()]

    @property
    def claims(self) -> list[Claim]:
        """All published values: the row's own, then those of single runs."""
        claims = list(self._claims(self.published, None))
        for name, run in self.runs.items():
            claims += self._claims(run.published, name)
        return claims

    def _claims(self, published: Published, run: str | None) -> Iterator[Claim]:
        in_table = self.printed if run is None or self.runs_are == "subsets" else frozenset()
        for source, values in published.items():
            for metric, stated in values.items():
                details = stated if isinstance(stated, PublishedValue) else PublishedValue(value=stated)
                gates = metric in in_table if details.gates is None else details.gates
                yield Claim(metric=metric, source=source, run=run, **(details.model_dump() | {"gates": gates}))


@dataclass(frozen=True)
class Column:
    """A column of a published table."""

    metric: str
    run: str | None
    """The subset that it is of; None for the row as a whole."""

    @property
    def name(self) -> str:
        """What it is called: `AP`, or `NME blur` of a subset."""
        return self.metric if self.run is None else f"{self.metric} {self.run}"


class Suite(SuiteFields):
    """A data set and its published table: one file of benchmarks/, or one of your own."""

    schema_version: Literal[1]
    """Version of this file's shape."""
    name: Slug
    """Short name, the first part of its rows' full ids."""
    title: str
    """Heading of the published table."""
    group: Group | None = None
    """What the keypoints are of: the word that names all suites of a kind on the command line."""
    dataset: Dataset
    """What is evaluated on."""
    metrics: dict[MetricName, Metric]
    """The metrics that are published, by the harness's names for them."""
    rows: list[Row] = Field(min_length=1)
    """In the order of the published table."""

    _path: Path | None = PrivateAttr(default=None)

    @field_validator("metrics")
    @classmethod
    def _complete(cls, metrics: dict[str, Metric]) -> dict[str, Metric]:
        """Say of each metric which way is better, and refuse a unit that it does not have."""
        for name, metric in metrics.items():
            measure = measure_of(name)
            if (metric.unit == "px") != (measure.unit == "px"):
                raise ValueError(f"{name} is measured as a {measure.unit}, not in {metric.unit}")
            if "better" in metric.model_fields_set and metric.better != measure.better:
                raise ValueError(f"{name} is better where it is {measure.better}")
        return {name: metric.model_copy(update={"better": measure_of(name).better}) for name, metric in metrics.items()}

    @property
    def path(self) -> Path | None:
        """The file that the suite was loaded from."""
        return self._path

    @cached_property
    def columns(self) -> dict[str, "Column"]:
        """The columns of the published table by their names, in the order of the metrics; none where none is printed.

        A metric is one column, or, where rows have subsets, one for each of these: `NME blur`.
        """
        columns = {column.name: column for row in self.rows for column in row.columns}
        metrics = list(self.metrics)
        return dict(sorted(columns.items(), key=lambda item: metrics.index(item[1].metric)))

    def column(self, name: str) -> "Column":
        """Return a column of the published table; a metric that is none there is a column of the rows as a whole."""
        return self.columns.get(name) or Column(metric=name, run=None)

    def metric_of(self, column: str) -> Metric:
        """Return how a column's metric is published."""
        return self.metrics[self.column(column).metric]

    def row_id(self, row: Row) -> str:
        """Return a row's full id, e.g. `coco/hrnet-w32-256x192`."""
        return f"{self.name}/{row.id}"

    def dataset_of(self, row: Row) -> Dataset:
        """Return what a row is evaluated on."""
        return row.dataset or self.dataset

    def annotations(self, row: Row, run: Run) -> str:
        """Return a run's annotation file, relative to the data folder."""
        path = run.annotations or self.dataset_of(row).annotations
        assert path is not None  # refused while loading
        return path
