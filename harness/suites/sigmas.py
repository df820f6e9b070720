"""Checks whether the sigmas of OKS are plausible; needs no config."""

from collections.abc import Sequence

USUAL_SIGMAS = (0.01, 0.2)
"""Range of the largest sigma of a data set; ten times the largest sigma of any data set is above 0.2."""
SIGMAS_ADVICE = "COCO's are 0.026 to 0.107; its code has ten times as much before it divides by 10"


def suspicious_sigmas(sigmas: Sequence[float]) -> str | None:
    """Return the problem of implausible sigmas, and its effect on the result; None for plausible sigmas."""
    largest = max(sigmas, default=USUAL_SIGMAS[1])
    if USUAL_SIGMAS[0] <= largest <= USUAL_SIGMAS[1]:
        return None
    meaning = "large: every pose is correct" if largest > USUAL_SIGMAS[1] else "small: no pose is correct"
    return f"the largest is {largest:.3g}, but from 0.025 to 0.179 in MMPose's data sets; perhaps too {meaning}"
