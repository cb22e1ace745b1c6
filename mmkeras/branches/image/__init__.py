"""Image branches: uint8 pixels (B, H, W, C) -> tokens. Rescaling is part of the model.

conv2d      small, for training from scratch
resnet      residual network: 50 layers with ImageNet weights, or 18 or 34 layers
mobilenet   MobileNetV3-Small, for devices, with ImageNet weights
vit         patch transformer, for large data sets and before fusions of tokens
"""

from mmkeras.branches.image._conv2d import conv2d, conv_blocks
from mmkeras.branches.image._mobilenet import mobilenet
from mmkeras.branches.image._resnet import resnet
from mmkeras.branches.image._vit import vit

__all__ = ["conv2d", "conv_blocks", "mobilenet", "resnet", "vit"]
