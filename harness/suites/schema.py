"""Suites and rows as data: the schema of the files in benchmarks/ and of custom suites.

Unknown keys are refused, and a number written as text is an error. The docstrings describe the fields, also in editors
that use `harness check --json-schema`.
"""

import posixpath
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
    """Accepts the names of the metrics of all installed families, which are looked up when a suite is read."""

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
"""The sources of a row's published table; the first one with values is used."""
Group = Literal["body", "wholebody", "hand", "face", "animal", "fashion"]
"""The kind of a suite's keypoints, in MMPose's terms."""

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]


def _nameable(path: str) -> str:
    """Return a path after checking that it can be the name of a file; file systems raise different errors otherwise."""
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
    """Return the first digits of the sha256 that MMPose put into a file name; None if the name has only a date."""
    named = re.search(r"-(?!20\d{6}\.pth$)([0-9a-f]{7,64})(_\d{8})?\.pth$", name)
    return named[1] if named else None


_WEIGHTS = r"^((https?|file)://\S+|[\w.-]+(/[\w.-]+)*\.(pth|pt|pth\.tar))$"


def _address_of_weights(url: Any) -> Any:
    """Return an address after checking that it has the pattern; the error has the correct form."""
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
    """The published size of the evaluated part of a data set."""

    images: int | None = Field(default=None, gt=0)
    """Images in the annotation file."""
    people: int | None = Field(default=None, gt=0)
    """Annotated people that a run on ground-truth boxes evaluates."""
    boxes: int | None = Field(default=None, gt=0)
    """Boxes of people in the detector's file."""


class Dataset(SuiteFields):
    """The evaluated part of a data set; all paths are under the data folder (MMPose's `data/`)."""

    name: str
    """Its name in MMPose's metafiles, e.g. COCO."""
    num_keypoints: int = Field(gt=0)
    """Number of keypoints per person."""
    annotations: DataPath | None = None
    """The annotation file; None if each run names its own."""
    images: DataPath
    """The folder that the annotations' file names are relative to."""
    boxes: DataPath | None = None
    """The detector's box file, if a row uses detector boxes."""
    box_person_ap: float | None = None
    """The detector's published person AP, in percent."""
    extra: dict[str, DataPath] = {}
    """Further files or folders that the evaluation reads, such as `headboxes`."""
    counts: Counts | None = None
    """Its size, by which `harness check --data` detects a part of the data set or another box file."""

    def counts_of(self, annotations: str) -> Counts:
        """Return the size of an annotation file; without numbers if it is not the data set's own."""
        own = self.annotations is not None and posixpath.normpath(self.annotations) == posixpath.normpath(annotations)
        return (self.counts if own else None) or Counts()


class Metric(SuiteFields):
    """The form in which a metric is published."""

    label: str
    """Its name in the published table."""
    unit: Literal["fraction", "percent", "px"]
    """The unit of the published values; a fraction may be published in percent."""
    better: Literal["higher", "lower"] = "higher"
    """Whether higher or lower values are better; optional, because each metric has a default."""
    decimals: int = Field(ge=0, le=6)
    """Decimals of the published values."""
    tolerance: float | None = Field(default=None, gt=0)
    """Largest difference of a measured value from a claim, in the unit, that counts as noise; None if it is unknown."""
    reason: str | None = None
    """The evidence for the tolerance."""
    metafile_key: str | None = None
    """Its key in MMPose's metafiles, if it is not the label."""
    metafile_unit: Literal["fraction", "percent"] | None = None
    """The unit of its values in the metafiles, if it differs."""
    metafile_decimals: int | None = Field(default=None, ge=0, le=6)
    """Decimals of its values in the metafiles, in the unit of the published values, if there are fewer."""

    @model_validator(mode="after")
    def _check_reason(self) -> Self:
        if (self.tolerance is None) != (self.reason is None):
            raise ValueError("`tolerance` and `reason` must both be given, or neither")
        return self

    @property
    def scale(self) -> float:
        """The value of a measured 1 in the unit."""
        return 100 if self.unit == "percent" else 1

    @property
    def metafile_scale(self) -> float:
        """The value of a 1 in a metafile, in the unit."""
        return self.scale / (100 if (self.metafile_unit or self.unit) == "percent" else 1)

    @property
    def suffix(self) -> str:
        """The text after the metric's name in headings: its unit and, if so, that lower is better."""
        unit = {"fraction": "", "percent": ", %", "px": ", px"}[self.unit]
        return f"{unit}, lower is better" if self.better == "lower" else unit


class PublishedValue(SuiteFields):
    """A published value with details; a value without details is a plain number."""

    value: float
    """In the metric's unit."""
    published_as: str | None = None
    """The printed name of the metric, if it differs."""
    refuted: str | None = None
    """The reason why this value is wrong for this row."""
    gates: bool | None = None
    """Whether the row's verdict depends on it; by default True for the metrics of the row's table."""


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
    """The metric of the value, which can differ from the printed name."""
    value: float
    """In the metric's unit."""
    source: ClaimSource
    """The table of MMPose's overview; the model's page; its metafile; or a former version of one of them."""
    run: str | None = None
    """The run of the value; None for the whole row (the mean of its runs)."""
    published_as: str | None = None
    """The printed name of the metric, if it differs."""
    refuted: str | None = None
    """The reason why this value is wrong for this row; a measured value is then compared with the other claims."""
    gates: bool = True
    """Whether the row's verdict depends on it."""


class Checkpoint(SuiteFields):
    """A file of weights."""

    url: Annotated[FilePath, BeforeValidator(_address_of_weights)] = Field(pattern=_WEIGHTS)
    """The address to download it from; or its path, relative to the suite's file."""
    sha256: str | None = Field(pattern=r"^[0-9a-f]{7,64}$")
    """Its sha256, or at least the first seven digits of it; MMPose puts eight into the file name, once seven. null if
    none was published; then another file with this name is not detected."""
    hash_is_stale: str | None = None
    """The reason why the served file can have another sha256 than its name; a mismatch is then a warning."""

    _suite: Path | None = PrivateAttr(default=None)

    @property
    def file_name(self) -> str:
        """The last part of the address."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def local(self) -> Path | None:
        """The path of a local file; None for a file to download."""
        if self.url.startswith("file://"):
            return Path(url2pathname(urlsplit(self.url).path))
        if "://" not in self.url:
            return (self._suite.parent if self._suite else Path()) / self.url
        return None

    @model_validator(mode="after")
    def _check_file_name(self) -> Self:
        if self.file_name in ("", ".", ".."):
            raise ValueError(f"found {self.url}; it must end in the name of a file")
        urlsplit(self.url)  # raises ValueError for an invalid host
        named = named_hash(self.file_name)
        stated = self.sha256 or ""
        if named and not (stated.startswith(named) or (stated and named.startswith(stated))):
            raise ValueError(f"sha256 {self.sha256} is not the {named} of the file name {self.file_name}")
        return self


class Run(SuiteFields):
    """One evaluation: a config with a checkpoint."""

    config: FilePath
    """An MMPose config, relative to MMPose's configs folder; or your own config, relative to this file."""
    checkpoint: Checkpoint
    """The weights."""
    heatmaps: str = "mmpose"
    """The source of heatmaps for config and checkpoint: a module of harness/predict/sources or of another package."""
    annotations: DataPath | None = None
    """The annotation file, if it is not the data set's; for a subset, it replaces the config's."""
    published: Published = {}
    """Published values of this run alone, if the row has several runs."""
    metafile_keys: dict[MetricName, str] = {}
    """The keys of this run's values in MMPose's metafile, if they differ from the metrics' keys. The default key of a
    subset has its name at the end: `NME blur`."""
    metafile_weights: str | None = None
    """The address of the weights in MMPose's metafile, if it differs."""
    metafile_config: str | None = None
    """The file name of the config in MMPose's metafile, if it differs."""
    metafile_dataset: str | None = None
    """The data set of this run's values in MMPose's metafile, if it differs."""


_OVERRIDDEN = {
    "ann_file": "a path",
    "bbox_file": "a path or null",
    "data_prefix": "a mapping such as {img: val2017/}",
    "data_root": "a path or null",
    "filter_cfg": "null or a mapping such as {bbox_score_thr: 0.3}",
    "type": "the name of a class such as CocoDataset",
}
"""Fields of a config's data sets, with the values that each can have."""

_DEEPER = re.compile(r"(model|test_evaluator|test_dataloader\.dataset\.datasets\.\d+)(\.\w+)+|custom_imports")
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
    `model.backbone.type`; a field of both evaluators, such as `test_evaluator.keypoint_indices`, or
    `test_evaluator.0.thr` in a list of evaluators; or `custom_imports`. Of a pool of data sets it is a field of one of
    them, such as `test_dataloader.dataset.datasets.0.data_prefix.img`."""
    value: JsonValue
    """Its new value, as in the config; null removes the field."""
    reason: str
    """The reason why the published number needs the change, or why the config cannot run without it."""

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
    """Unique in the suite; describes the evaluated model even if the label is wrong."""
    label: str
    """The model, exactly as published."""
    label_note: str | None = None
    """A correction or explanation of the label."""
    input_size: str = Field(pattern=r"^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$")
    """Height x width in px, as published."""
    boxes: BoxSource
    """The boxes of people: from a detector, or from the annotations."""
    dataset: Dataset | None = None
    """The evaluated data set, if it is not the suite's."""
    published: Published = {}
    """Values by source and metric: a number, or a mapping with details."""
    unconfirmed: dict[str, str] = {}
    """Columns of the table that MMPose's metafile does not have for this checkpoint, each with the reason. A column is
    a metric, or for a subset metric and run."""
    no_metafile: str | None = None
    """The reason why no metafile of MMPose has values of this checkpoint on this data set."""
    also_printed: list[str] = []
    """Pages of MMPose that print the row again, with the same values."""
    runs: dict[Slug, Run] = Field(min_length=1)
    """The evaluations of the row, usually one run named `val`."""
    runs_are: Literal["splits", "subsets"] = "splits"
    """The kind of several runs: splits of a data set, whose mean is the row's value; or subsets, each with its own
    values, without a mean."""
    evaluated_like: FilePath | None = None
    """Another config whose `test_dataloader` and `test_evaluator` replace those of the runs' configs, for a row on
    another data set than its config's."""
    overrides: list[Override] = []
    """Changes to the config that the published number needs, or without which it cannot run."""
    cannot_run: str | None = Field(default=None, min_length=1)
    """The reason why this row cannot run, such as a config or a split that was never published. Its claims are still
    compared with MMPose's; its runs are recorded as unobtainable with this reason, and their configs need not exist."""
    notes: list[str] = []
    """Further information for readers of the result."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the network's input, px."""
        height, width = self.input_size.split("x")
        return int(width), int(height)

    @property
    def has_mean(self) -> bool:
        """Whether the row's value is the mean of several runs."""
        return len(self.runs) > 1 and self.runs_are == "splits"

    @cached_property
    def printed_source(self) -> ClaimSource:
        """The source of the row's table, or of its runs' for subsets: the first of PRINTED with values."""
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
        """All published values: the row's, then those of single runs."""
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
    """The subset of the column; None for the whole row."""

    @property
    def name(self) -> str:
        """The name of the column: `AP`, or `NME blur` for a subset."""
        return self.metric if self.run is None else f"{self.metric} {self.run}"


class Suite(SuiteFields):
    """A data set and its published table: one file of benchmarks/, or your own file."""

    schema_version: Literal[1]
    """Version of this file's schema."""
    name: Slug
    """Short name, the first part of its rows' full ids."""
    title: str
    """Heading of the published table."""
    group: Group | None = None
    """The kind of the keypoints, which selects all suites of this kind on the command line."""
    dataset: Dataset
    """The evaluated data set."""
    metrics: dict[MetricName, Metric]
    """The published metrics, by the harness's names."""
    rows: list[Row] = Field(min_length=1)
    """In the order of the published table."""

    _path: Path | None = PrivateAttr(default=None)

    @field_validator("metrics")
    @classmethod
    def _complete(cls, metrics: dict[str, Metric]) -> dict[str, Metric]:
        """Return the metrics with `better` set, after checking unit and `better`."""
        for name, metric in metrics.items():
            measure = measure_of(name)
            if (metric.unit == "px") != (measure.unit == "px"):
                raise ValueError(f"{name} is measured as a {measure.unit}, not in {metric.unit}")
            if "better" in metric.model_fields_set and metric.better != measure.better:
                raise ValueError(f"better: of {name}, {measure.better} values are better")
        return {name: metric.model_copy(update={"better": measure_of(name).better}) for name, metric in metrics.items()}

    @property
    def path(self) -> Path | None:
        """The file that the suite was loaded from."""
        return self._path

    def has_config_of(self, run: Run) -> bool:
        """Return whether a run's config lies beside the suite's file, and so is not one of MMPose's."""
        return self.path is not None and (self.path.parent / run.config).is_file()

    @cached_property
    def columns(self) -> dict[str, "Column"]:
        """The columns of the published table by their names, in the order of the metrics.

        A metric is one column or, if rows have subsets, one column for each subset: `NME blur`.
        """
        columns = {column.name: column for row in self.rows for column in row.columns}
        metrics = list(self.metrics)
        return dict(sorted(columns.items(), key=lambda item: metrics.index(item[1].metric)))

    def column(self, name: str) -> "Column":
        """Return a column of the published table; for another metric, a column of the whole rows."""
        return self.columns.get(name) or Column(metric=name, run=None)

    def metric_of(self, column: str) -> Metric:
        """Return the metric of a column."""
        return self.metrics[self.column(column).metric]

    def row_id(self, row: Row) -> str:
        """Return a row's full id, e.g. `coco/hrnet-w32-256x192`."""
        return f"{self.name}/{row.id}"

    def dataset_of(self, row: Row) -> Dataset:
        """Return the data set that a row is evaluated on."""
        return row.dataset or self.dataset

    def annotations(self, row: Row, run: Run) -> str:
        """Return a run's annotation file, relative to the data folder."""
        path = run.annotations or self.dataset_of(row).annotations
        assert path is not None  # refused while loading
        return path
