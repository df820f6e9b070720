"""A backbone that computes next to nothing, for runs in which it is memory that is measured."""

import torch
from mmpose.registry import MODELS


@MODELS.register_module()
class OneConvolution(torch.nn.Module):
    """From crops [N, 3, H, W] to features [N, 8, H / 4, W / 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 8, kernel_size=4, stride=4)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor]:
        """Return the features as MMPose's heads take them."""
        return (self.convolution(crops),)
