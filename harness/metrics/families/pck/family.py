"""The family of PCK, AUC and EPE."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.errors import SpecError, brief
from harness.measures import Measure
from harness.metrics.evaluator import number
from harness.metrics.families.pck.scoring import Norm, PckScoring
from harness.metrics.family import Family, Identify, OtherScoring, TruthFiles
from harness.suites.data_paths import without_data_root

if TYPE_CHECKING:
    from harness.metrics.families.pck.score import PckMatched
    from harness.metrics.families.pck.truth import PckTruth
    from harness.metrics.foreign import ForeignFile, ForeignOutcome
    from harness.predictions import Predictions

SETTINGS = {"PCKAccuracy": {"thr", "norm_item"}, "AUC": {"norm_factor", "num_thrs"}, "EPE": set[str]()}
"""The settings of MMPose's classes that affect a number."""
PCK_NAMES: Mapping[Norm, str] = {"bbox": "PCK", "head": "PCKh", "torso": "PCK(torso)"}
UPSTREAM_PCK: Mapping[str, Norm] = {"PCK": "bbox", "PCKh": "head", "tPCK": "torso"}
FRACTION = Measure(undefined="no person has a labelled keypoint")
PIXELS = Measure(
    unit="px", better="lower", decimals=2, noise=1e-2, undefined="no keypoint is labelled, or a pose is missing"
)
AUC_NORMS = (20.0, 30.0, 50.0, 100.0)
"""px; 30 is MMPose's default, the others occur in papers."""
AUC_THRESHOLDS = (20, 100)


def pck_name(norm: Norm, threshold: float) -> str:
    """Return the name of PCK by a norm, such as PCK@0.2."""
    return f"{PCK_NAMES[norm]}@{threshold:.12g}"


class Pck(Family[PckScoring, "PckTruth"]):
    """PCK, AUC and EPE, which a config lists in any combination: hands, animals, fashion."""

    name = "pck"
    scoring = PckScoring
    measures = dict.fromkeys(
        ("PCK@0.2", "PCK@0.05", "AUC"),
        FRACTION,
    ) | {"EPE": PIXELS, "PCK(torso)@0.2": FRACTION, "PCKh@0.2": FRACTION}
    evaluators = tuple(SETTINGS)
    pools = True
    settings = frozenset[str]().union(*SETTINGS.values())
    similarity = "nearness"
    files = {"headboxes": "the head box file"}
    upstream_names = {"AUC": "AUC", "EPE": "EPE"}

    def measure(self, name: str) -> Measure | None:
        """Return the measure of a name; names of PCK can have any threshold."""
        pck = re.fullmatch(r"(?:PCK|PCKh|PCK\(torso\))@(\d+(?:\.\d+)?)", name)
        return FRACTION if pck else self.measures.get(name)

    def our_name(self, upstream_name: str, scoring: PckScoring) -> str:
        """Return the harness's name of a metric of MMPose's evaluators; PCK's has the threshold."""
        if upstream_name in UPSTREAM_PCK and scoring.threshold is not None:
            return pck_name(UPSTREAM_PCK[upstream_name], scoring.threshold)
        return super().our_name(upstream_name, scoring)

    def read_scoring(self, evaluator: Any, dataset: Any, sigmas: tuple[float, ...], identify: Identify) -> PckScoring:
        """Return the scoring of a config with one evaluator."""
        return self.read_evaluators([evaluator], dataset, sigmas, identify)

    def read_evaluators(
        self, evaluators: Sequence[Any], dataset: Any, sigmas: tuple[float, ...], identify: Identify
    ) -> PckScoring:
        """Return the scoring of a config with a list of evaluators.

        Raises:
            SpecError: An evaluator is listed twice, has a setting of another evaluator, or cannot be evaluated.
        """
        if dataset.get("bbox_file"):
            raise SpecError(
                "config field test_dataloader.dataset.bbox_file: detected people have no labelled keypoints, which "
                f"{evaluators[0].type} needs",
                "evaluate annotated boxes: `boxes: ground-truth` in the row",
            )
        fields: dict[str, Any] = {}
        for evaluator in evaluators:
            self._check(evaluator, [other.type for other in evaluators])
            match evaluator.type:
                case "PCKAccuracy":
                    fields |= self._read_pck(evaluator, dataset, identify)
                case "AUC":
                    fields |= self._read_auc(evaluator)
                case _:
                    fields["epe"] = True
        return PckScoring(**fields)

    @staticmethod
    def _check(evaluator: Any, types: list[str]) -> None:
        if types.count(evaluator.type) > 1:
            raise SpecError(
                f"config field test_evaluator: {evaluator.type} is listed {types.count(evaluator.type)} times",
                "keep one of them in each config, and write a row for each",
            )
        misplaced = next((field for field in evaluator if field in Pck.settings - SETTINGS[evaluator.type]), None)
        if misplaced:
            raise SpecError(f"config field test_evaluator.{misplaced}: it is not supported for {evaluator.type}")

    @staticmethod
    def _read_pck(evaluator: Any, dataset: Any, identify: Identify) -> dict[str, Any]:
        threshold, stated = number(evaluator, "thr", 0.05), evaluator.get("norm_item", "bbox")
        if threshold <= 0:
            raise SpecError(f"config field test_evaluator.thr: found {threshold:g}; it must be above 0")
        items = list(stated) if isinstance(stated, list | tuple) else [stated]
        if not items or not all(item in list(PCK_NAMES) for item in items):
            raise SpecError(
                f"config field test_evaluator.norm_item: found {brief(stated)}; it is one or several of "
                f"{', '.join(PCK_NAMES)}"
            )
        norms = tuple(norm for norm in PCK_NAMES if norm in items)
        if "head" not in norms:
            return {"threshold": threshold, "norms": norms}
        if not dataset.get("headbox_file"):
            raise SpecError(
                f"config field test_evaluator.norm_item: {dataset.type} has no head sizes without headbox_file",
                "write test_dataloader.dataset.headbox_file, which MpiiDataset has, or another norm",
            )
        headboxes = identify(without_data_root(dataset.headbox_file), "the head box file")
        return {"threshold": threshold, "norms": norms, "headboxes": headboxes}

    @staticmethod
    def _read_auc(evaluator: Any) -> dict[str, Any]:
        norm, count = number(evaluator, "norm_factor", 30), number(evaluator, "num_thrs", 20)
        if norm <= 0:
            raise SpecError(f"config field test_evaluator.norm_factor: found {norm:g}; it must be above 0 px")
        if not isinstance(count, int) or not 0 < count <= 10_000:
            raise SpecError(
                f"config field test_evaluator.num_thrs: found {count:g}; it must be a whole number from 1 to 10000"
            )
        return {"auc_norm": norm, "auc_thresholds": count}

    def read_truth(self, source: TruthFiles) -> "PckTruth":
        """Read the evaluated people with their boxes and keypoints."""
        from harness.metrics.families.pck.truth import load_pck_truth

        return load_pck_truth(source)

    def match(self, predictions: "Predictions", scoring: PckScoring, truth: "PckTruth") -> "PckMatched":
        """Compare each prediction with the annotated person of its id."""
        from harness.metrics.families.pck.score import match_pck

        return match_pck(predictions, scoring, truth)

    def score_foreign(self, file: "ForeignFile[PckScoring]") -> "ForeignOutcome":
        """Score a COCO results file."""
        from harness.metrics.families.pck.foreign import score_results

        return score_results(file)

    def alternatives(
        self, scoring: PckScoring, dataset: str, sigmas: Mapping[str, tuple[float, ...]]
    ) -> Iterator[OtherScoring]:
        """Yield other thresholds of AUC."""
        norm, count = scoring.auc_norm, scoring.auc_thresholds
        if norm is None or count is None:
            return
        for other in AUC_NORMS:
            if other != norm:
                yield OtherScoring("norm of AUC, px", f"{norm:g}", f"{other:g}", {"auc_norm": other}, other == 30)
        for thresholds in AUC_THRESHOLDS:
            if thresholds != count:
                fields = {"auc_thresholds": thresholds}
                yield OtherScoring("thresholds of AUC", str(count), str(thresholds), fields, thresholds == 20)


PLUGIN = Pck()
