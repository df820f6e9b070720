"""The model of a GPU: its arithmetic, and its inputs."""

from pathlib import Path

import pytest

from harness.errors import ObtainError
from harness.judge.parity import Parity, ParityReport
from harness.protocol import Crop
from harness.speed.gpu_model import Table, TableRow, model_gpu, read_gflop, read_table
from harness.speed.outcome import Circumstances, DecodingSpeed, Preparation, ScoringSpeed, SideBySide

NOW = Circumstances(commit=None, dirty=False, load=None)
PLAIN = Crop(input_size=(192, 256), padding=1.25, affine="plain")
UDP = Crop(input_size=(192, 256), padding=1.25, affine="udp")
TABLE = Table(
    (TableRow("a", PLAIN, "msra", 2), TableRow("b", UDP, "udp", 2, transformer=True), TableRow("c", PLAIN, "msra", 1)),
    1000,
    60_000,
)
GFLOP = {"a": 10.0, "b": 20.0, "c": 40.0, "other": 1.0}


def compared(ours: float) -> SideBySide:
    return SideBySide.of("people", 1000, [1], [ours])


def decoding(ours: float) -> DecodingSpeed:
    return DecodingSpeed(measured=NOW, batch_size=64, comparison=compared(ours), keypoint_max_px=0)


def costs(image_ms: float, warp_ms: float) -> tuple[Preparation, dict[str, DecodingSpeed], ScoringSpeed]:
    warps = {"192x256 plain": warp_ms, "192x256 udp": 2 * warp_ms, "unused": 100}
    prepare = Preparation(
        measured=NOW,
        images=1,
        pinned=True,
        comparison=compared(1),
        pipeline=compared(1),
        image_ms=image_ms,
        warp_ms=warps,
    )
    score = ScoringSpeed(
        measured=NOW,
        images=1,
        annotations=1,
        comparison=compared(0.01),
        metrics={},
        metric_max=0,
        intervals_s=0.02,
        diagnosis_s=0.05,
    )
    return prepare, {"msra": decoding(0.02), "udp": decoding(0.06)}, score


def test_arithmetic() -> None:
    model = model_gpu(TABLE, GFLOP, *costs(12, 0.4), cores_here=2, cores=2, startup_s=30)
    assert (model.rows, model.images, model.boxes, model.cores) == (3, 1000, 60_000, 2)
    assert model.geometries == ("192x256 plain", "192x256 udp")
    assert model.forward_pflop == pytest.approx(6.0)  # 60,000 (2 x 10 + 2 x 20 + 40) GFLOP
    assert model.crops_min == pytest.approx((12 + 60_000 * 1.2e-3) / 2 / 60)
    assert model.decoding_min == pytest.approx(60_000 * (0.02 + 0.06 + 0.02) / 1000 / 60)
    assert model.scoring_min == pytest.approx(2 * 60 * (0.01 + 2 * 0.02 + 0.05) / 60)  # two rows, then the third
    fp32, tf32, bf16 = model.estimates
    assert fp32.forward_min == pytest.approx(6e15 / (67e12 * 0.35) / 60)
    assert bf16.forward_min == pytest.approx((3.6e15 / 0.15 + 2.4e15 / 0.45) / 989e12 / 60)
    assert bf16.efficiency == pytest.approx(6 / (3.6 / 0.15 + 2.4 / 0.45))
    assert tf32.forward_min == pytest.approx((3.6e15 / 0.15 + 2.4e15 / 0.45) / 495e12 / 60)
    assert fp32.binds == "GPU"
    assert fp32.total_min == pytest.approx(0.5 + fp32.forward_min + model.scoring_min)
    assert any("30 s" in assumption for assumption in model.assumptions)


def test_crops_can_bind() -> None:
    for estimate in model_gpu(TABLE, GFLOP, *costs(12, 40), cores_here=1, cores=1).estimates:
        assert estimate.binds == "crops"
        assert estimate.total_min > 60_000 * 0.12 / 60


def test_unknown_work() -> None:
    with pytest.raises(ObtainError, match="the forward work of 1 rows is unknown, such as b"):
        model_gpu(TABLE, {"a": 1, "c": 1}, *costs(1, 1), cores_here=1)


def test_the_table_of_coco() -> None:
    table = read_table()
    assert (len(table.rows), table.images, table.boxes) == (41, 5000, 104_125)
    assert len(table.geometries) == 3
    assert {row.passes for row in table.rows} == {2}
    assert {row.id for row in table.rows if row.transformer} == {"vitpose-s-256x192", "vitpose-h-256x192"}


def test_work_from_an_outcome_of_parity(tmp_path: Path) -> None:
    def parity(run: str, gflop: float) -> Parity:
        return Parity(
            id=run,
            people=1,
            people_total=1,
            gflop=gflop,
            keypoints_compared=1,
            ties=0,
            keypoint_max_px=0,
            tie_max_px=0,
            score_max=0,
            metric_max=0,
        )

    path = tmp_path / "parity.json"
    report = ParityReport(
        weights="random:0",
        tflop=None,
        environment={},
        seconds=1,
        failed=(),
        runs=(parity("coco/a/val", 1.5), parity("mpii/a/val", 9)),
    )
    path.write_text(report.model_dump_json())
    assert read_gflop(path) == {"a": 1.5}
    path.write_text("{}")
    with pytest.raises(ObtainError, match="outcome of `harness parity` has schema version None"):
        read_gflop(path)
    with pytest.raises(ObtainError, match="--parity FILE"):
        read_gflop(tmp_path / "none.json")
