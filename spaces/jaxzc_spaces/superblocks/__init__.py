"""Chains of super blocks: the search spaces of Zen-NAS, ZiCo and T-CET."""

from jaxzc_spaces.superblocks.mobilenetv2_zen import MobileNetV2Zen
from jaxzc_spaces.superblocks.resnet_zen import ResNetZen

__all__ = ["MobileNetV2Zen", "ResNetZen"]
