"""A custom metric: the mean distance of keypoints, px; lower is better."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from harness.arrays import Float64, Indices, Int64
from harness.files import read_json
from harness.measures import Measure
from harness.metrics.diagnosis.chart import Chart, GainChart
from harness.metrics.diagnosis.model import Diagnosis
from harness.metrics.diagnosis.pck import diagnose_distances, people_within_reach
from harness.metrics.family import Family, Identify, Labels, Metrics, OtherScoring, TruthFiles
from harness.metrics.foreign import ForeignFile, ForeignOutcome
from harness.metrics.foreign_poses import as_predictions, read_people, score_people
from harness.metrics.pck import match_people
from harness.metrics.resample.columns import columns
from harness.metrics.resample.draws import Draws
from harness.predictions import Predictions
from harness.protocol import Scoring

REACH = 20.0
"""px within which the diagnosis counts a keypoint as found."""


class PixelErrorScoring(Scoring):
    """The method of averaging distances."""

    metric: Literal["pixel-error"] = "pixel-error"
    mean: Literal["mean", "median"] = "mean"


@dataclass(frozen=True)
class Dots:
    """M people with K keypoints [M, K, 2], px; NaN for unlabelled keypoints."""

    path: Path
    ids: Int64
    image_ids: Int64
    points: Float64


@dataclass(frozen=True)
class PixelErrorMatched:
    """N predicted people, each paired with the person of its id."""

    predictions: Predictions
    scoring: PixelErrorScoring
    truth: Dots
    rows: Indices
    people: Indices

    @property
    def distances(self) -> Float64:
        """[N, K] px; NaN for unlabelled keypoints."""
        offsets = self.predictions.keypoints[self.rows] - self.truth.points[self.people]
        distances: Float64 = np.linalg.norm(offsets, axis=-1)
        return distances

    @property
    def image_ids(self) -> Int64:
        """Ids of the images with predicted people."""
        return np.unique(self.predictions.image_ids)

    def stats(self) -> Metrics:
        """Return the error of all keypoints, and of the nose."""
        average = np.nanmean if self.scoring.mean == "mean" else np.nanmedian
        return {"EPE": float(average(self.distances)), "EPE(nose)": float(average(self.distances[:, 0]))}

    def resampled(self, draws: Draws) -> dict[str, Float64]:
        """Return the stats in every resample."""
        units = draws.units_of(self.predictions.image_ids[self.rows])
        stats = []
        for counts in draws.counts:
            chosen = np.repeat(np.arange(len(units)), counts[units])
            distances = self.distances[chosen]
            stats.append({"EPE": float(np.nanmean(distances)), "EPE(nose)": float(np.nanmean(distances[:, 0]))})
        return columns(stats)

    def diagnosis(self, labels: Labels) -> Diagnosis:
        """Return the diagnosis of the poses."""
        points, found = self.truth.points[self.people], ~np.isnan(self.truth.points[self.people]).any(axis=-1)
        reach = np.full(len(self.rows), REACH)
        ids = self.truth.ids[self.people]
        people = people_within_reach(self.predictions, self.rows, ids, np.nan_to_num(points), found, reach)
        return diagnose_distances("pixel-error", self.predictions, self.rows, people, reach, labels)


class PixelError(Family[PixelErrorScoring, Dots]):
    """The mean distance of keypoints from their labels."""

    name = "pixel-error"
    scoring = PixelErrorScoring
    measures: Mapping[str, Measure] = {  # type: ignore[misc]
        name: Measure(unit="px", better="lower", decimals=2, noise=1e-3) for name in ("EPE", "EPE(nose)")
    }
    evaluators = ("PixelErrorMetric",)
    similarity = "nearness"
    foreign_options = frozenset({"array", "one_based"})
    upstream_names = {"EPE": "EPE"}

    def read_scoring(
        self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify
    ) -> PixelErrorScoring:
        """Return the scoring that a config states."""
        return PixelErrorScoring(mean=evaluator.get("mean", "mean"))

    def read_truth(self, source: TruthFiles) -> Dots:
        """Read a file of dots."""
        people = read_json(source.annotations, "the dots")
        return Dots(
            path=source.annotations,
            ids=np.array([person["id"] for person in people]),
            image_ids=np.array([person["image"] for person in people]),
            points=np.array([person["points"] for person in people], np.float64),
        )

    def match(self, predictions: Predictions, scoring: PixelErrorScoring, truth: Dots) -> PixelErrorMatched:
        """Pair each prediction with the person of its id."""
        rows, people = match_people(predictions, truth.ids, truth.points.shape[1], truth.path)
        return PixelErrorMatched(predictions, scoring, truth, rows, people)

    def score_foreign(self, file: ForeignFile[PixelErrorScoring]) -> ForeignOutcome:
        """Score an array of keypoints in the order of the file of dots."""
        truth = self.read_truth(file.source)
        keypoints, predicted, warnings = read_people(file, len(truth.ids), truth.points)
        boxes = np.zeros((len(truth.ids), 4), np.float32)
        found = as_predictions(truth.ids, truth.image_ids, boxes, keypoints)
        return score_people(found, predicted, warnings, lambda people: self.match(people, file.scoring, truth))

    def alternatives(
        self, scoring: PixelErrorScoring, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
    ) -> Iterator[OtherScoring]:
        """Yield the other average."""
        other = "median" if scoring.mean == "mean" else "mean"
        yield OtherScoring("average", scoring.mean, other, {"mean": other})

    def charts(self, diagnosis: Diagnosis) -> list[Chart]:
        """Return the share of each keypoint that is found."""
        found = [(keypoint.name, keypoint.tally.found or 0.0) for keypoint in diagnosis.keypoints]
        return [GainChart("Keypoints within reach", f"Nearer than {REACH:g} px.", found)]


PIXEL_ERROR = PixelError()
