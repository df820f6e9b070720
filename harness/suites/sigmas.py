"""Which sigmas of OKS are plausible, read without a config."""

from collections.abc import Sequence

USUAL_SIGMAS = (0.01, 0.2)
"""The largest sigma of a data set lies between these; 0.2 is less than a tenfold one of any."""
SIGMAS_ADVICE = "COCO's are 0.026 to 0.107; its code has ten times as much before it divides by 10"


def suspicious_sigmas(sigmas: Sequence[float]) -> str | None:
    """Return what is odd about the sigmas of a data set, and what it does to the number; None if nothing is."""
    largest = max(sigmas, default=USUAL_SIGMAS[1])
    if USUAL_SIGMAS[0] <= largest <= USUAL_SIGMAS[1]:
        return None
    meaning = "too large: every pose is right" if largest > USUAL_SIGMAS[1] else "too small: no pose is right"
    return f"the largest is {largest:.3g}, that of each data set of MMPose between 0.025 and 0.179; perhaps {meaning}"
