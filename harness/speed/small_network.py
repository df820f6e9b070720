"""A backbone with almost no computation, for runs that measure memory."""

import torch
from mmpose.registry import MODELS


@MODELS.register_module()
class OneConvolution(torch.nn.Module):
    """Computes features [N, 8, H / 4, W / 4] from crops [N, 3, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 8, kernel_size=4, stride=4)

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor]:
        """Return the features in the form that MMPose's heads accept."""
        return (self.convolution(crops),)
