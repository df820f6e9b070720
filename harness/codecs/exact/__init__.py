"""From heatmaps to keypoints as upstream does it, to the last bit: numpy and OpenCV, a heatmap at a time."""

from collections.abc import Callable

from harness.arrays import Float32, Floating
from harness.codecs.exact.dark import decode_dark
from harness.codecs.exact.megvii import decode_megvii
from harness.codecs.exact.msra import decode_msra
from harness.codecs.exact.udp import decode_udp
from harness.protocol import Decoder, Size

CODECS: dict[str, Callable[[Float32, Decoder, Size], tuple[Floating, Float32]]] = {
    "msra": decode_msra,
    "dark": decode_dark,
    "udp": decode_udp,
    "megvii": decode_megvii,
}


def decode(heatmaps: Float32, decoder: Decoder, input_size: Size) -> tuple[Floating, Float32]:
    """Decode heatmaps [N, K, H, W] with the protocol's codec.

    Returns:
        Keypoints [N, K, 2] in px of the network's input, and scores [N, K].
    """
    return CODECS[decoder.codec](heatmaps, decoder, input_size)
