"""Peak performance of known GPUs."""

from harness.speed.gpu.outcome import Peaks

_H100 = Peaks(fp32=67.0, tf32=495.0, half=989.0, source="NVIDIA H100 Tensor Core GPU data sheet, SXM5")
_A100 = Peaks(fp32=19.5, tf32=156.0, half=312.0, source="NVIDIA A100 Tensor Core GPU data sheet")
PEAKS = {
    "H200": _H100.model_copy(update={"source": "NVIDIA H200 Tensor Core GPU data sheet, SXM5"}),
    "H100 PCIe": Peaks(fp32=51.0, tf32=378.0, half=756.0, source="NVIDIA H100 Tensor Core GPU data sheet, PCIe"),
    "H100 80GB HBM3": _H100,
    "A100": _A100,
    "RTX 4090": Peaks(fp32=82.6, tf32=82.6, half=165.2, source="NVIDIA Ada GPU architecture white paper, appendix A"),
}
"""By a part of the driver's name. Related GPUs have other peaks, such as H100 NVL, H200 NVL or RTX 4090 D."""
_OTHERS = ("NVL", "4090 D", "Laptop", "A100X", "MIG")


def peaks_of(name: str) -> Peaks | None:
    """Return the peaks of a GPU by its driver's name for it; None if unknown."""
    if any(other in name for other in _OTHERS):
        return None
    return next((peaks for known, peaks in PEAKS.items() if known in name), None)
