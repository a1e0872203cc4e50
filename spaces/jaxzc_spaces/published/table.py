"""The published networks by name: what each is called in PyTorchCV's list, and the settings that make it.

Parameters and operations of each equal the list's. Left out are networks whose lines do not agree with what they are: SE-ResNet-101 and
SE-ResNet-152 (parameters agree, multiply-accumulates are 4.47 and 6.58 million short, those of SE-ResNet-101b are not), and WRN-50-2 (its
normalisations were folded into biases).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxzc_spaces.core.layers import NetworkModule
from jaxzc_spaces.published.densenet import densenet
from jaxzc_spaces.published.mobile import mobilenet, mobilenetv2, shufflenetv2
from jaxzc_spaces.published.plain import squeezenet, vgg
from jaxzc_spaces.published.resnet import resnet, resnext
from jaxzc_spaces.published.searched import MNASNET_A1, MNASNET_B1, MOBILENETV3_LARGE, efficientnet, mnasnet, mobilenetv3


class Entry(NamedTuple):
    """title: the network's name in PyTorchCV's list. make: called with classes, the images' shape (H, W, channels), and the settings.
    resolution: height and width of the images it was trained with."""

    title: str
    make: Callable[..., NetworkModule]
    settings: dict[str, Any]
    resolution: int = 224


LAYERS = {
    "10": (1, 1, 1, 1),
    "12": (2, 1, 1, 1),
    "14": (2, 2, 1, 1),
    "16": (2, 2, 2, 1),
    "18": (2, 2, 2, 2),
    "26": (3, 3, 3, 3),
    "34": (3, 4, 6, 3),
}
"""Units of residual networks without bottlenecks, by the number of their layers."""
BOTTLENECKS = {
    "BC-14": (1, 1, 1, 1),
    "BC-26": (2, 2, 2, 2),
    "BC-38": (3, 3, 3, 3),
    "50": (3, 4, 6, 3),
    "101": (3, 4, 23, 3),
    "152": (3, 8, 36, 3),
    "200": (3, 24, 36, 3),
    "269": (3, 30, 48, 8),
}
"""Units of those with bottlenecks."""
DEPTHS = "10 12 14 BC-14b 16 18 26 BC-26b 34 BC-38b 50 50b 101 101b 152 152b"
FACTORS = {"wd4": ("x0.25", 0.25), "wd2": ("x0.5", 0.5), "w3d4": ("x0.75", 0.75), "w1": ("x1.0", 1.0)}
"""Endings of names -> in titles, and the factor of channels."""


def _residual(name: str, title: str, depths: str, **settings: Any) -> dict[str, Entry]:
    """Networks of these depths, such as "18 50b": a "b" after bottlenecks says that their stride is that of the second convolution."""
    entries = {}
    for depth in depths.split():
        number = depth.removesuffix("b")
        own = {"layers": LAYERS.get(number) or BOTTLENECKS[number]}
        own |= {} if number in LAYERS else {"bottleneck": True, "early": depth == number}
        entries[f"{name}{depth.lower().replace('-', '')}"] = Entry(f"{title}-{depth}", resnet, own | settings)
    return entries


def _widths(name: str, title: str, make: Callable[..., NetworkModule], endings: str, **settings: Any) -> dict[str, Entry]:
    """One network for each factor of channels."""
    named = {ending: FACTORS[ending] for ending in endings.split()}
    return {f"{name}_{ending}": Entry(f"{title} {word}", make, settings | {"width": factor}) for ending, (word, factor) in named.items()}


def _resnexts(name: str, title: str, depths: str, **settings: Any) -> dict[str, Entry]:
    """ResNeXts such as "50_32x4d": layers, cardinality, and channels of a group."""
    layers = {"14": BOTTLENECKS["BC-14"], "26": BOTTLENECKS["BC-26"], **BOTTLENECKS}
    entries = {}
    for word in depths.split():
        depth, _, groups = word.partition("_")
        cardinality, group_width = map(int, groups.removesuffix("d").split("x"))
        own = {"layers": layers[depth], "cardinality": cardinality, "group_width": group_width}
        entries[name + word] = Entry(f"{title}-{depth} ({groups})", resnext, own | settings)
    return entries


def _vggs() -> dict[str, Entry]:
    layers = {"11": (1, 1, 2, 2, 2), "13": (2, 2, 2, 2, 2), "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}
    kinds = {
        ("vgg{}", "VGG-{}"): {},
        ("bn_vgg{}", "BN-VGG-{}"): {"norm": True, "bias": False},
        ("bn_vgg{}b", "BN-VGG-{}b"): {"norm": True},
    }
    return {
        name.format(number): Entry(title.format(number), vgg, {"layers": depth, **settings})
        for (name, title), settings in kinds.items()
        for number, depth in layers.items()
    }


def _densenets() -> dict[str, Entry]:
    rows = {"121": ((6, 12, 24, 16), 32), "161": ((6, 12, 36, 24), 48), "169": ((6, 12, 32, 32), 32), "201": ((6, 12, 48, 32), 32)}
    return {
        f"densenet{number}": Entry(f"DenseNet-{number}", densenet, {"layers": layers, "growth": growth, "first": 2 * growth})
        for number, (layers, growth) in rows.items()
    }


def _squeezenets() -> dict[str, Entry]:
    versions = {
        "0": {"size": 7, "first": 96, "widths": ((128, 128, 256), (256, 384, 384, 512), (512,))},
        "1": {"size": 3, "first": 64, "widths": ((128, 128), (256, 256), (384, 384, 512, 512))},
    }
    return {
        f"{name}_v1_{minor}": Entry(f"{title} v1.{minor}", squeezenet, settings | {"shortcut": shortcut})
        for name, title, shortcut in (("squeezenet", "SqueezeNet", False), ("squeezeresnet", "SqueezeResNet", True))
        for minor, settings in versions.items()
    }


MOBILENET = {"widths": ((32,), (64,), (128,) * 2, (256,) * 2, (512,) * 6, (1024,) * 2), "strides": (1, 2, 2, 2, 2)}
FD_MOBILENET = {"widths": ((32,), (64,), (128,) * 2, (256,) * 2, (512,) * 5 + (1024,)), "strides": (2, 2, 2, 2)}

NETWORKS: dict[str, Entry] = {
    **_residual("resnet", "ResNet", DEPTHS),
    **_widths("resnet18", "ResNet-18", resnet, "wd4 wd2 w3d4", layers=LAYERS["18"]),
    **_residual("preresnet", "PreResNet", f"{DEPTHS} 200b 269b", preactivated=True),
    **_widths("preresnet18", "PreResNet-18", resnet, "wd4 wd2 w3d4", layers=LAYERS["18"], preactivated=True),
    **_resnexts("resnext", "ResNeXt", "14_16x4d 14_32x2d 14_32x4d 26_32x2d 26_32x4d 50_32x4d 101_32x4d 101_64x4d"),
    **_residual("seresnet", "SE-ResNet", "10 12 14 16 18 26 BC-26b BC-38b 50 50b 101b", excites=True),
    **_residual("sepreresnet", "SE-PreResNet", "10 12 16 18 26 BC-26b BC-38b 50b", excites=True, preactivated=True),
    **_resnexts("seresnext", "SE-ResNeXt", "50_32x4d 101_32x4d 101_64x4d", excites=True),
    **_densenets(),
    **_vggs(),
    **_squeezenets(),
    **_widths("mobilenet", "MobileNet", mobilenet, "wd4 wd2 w3d4 w1", **MOBILENET),
    **_widths("mobilenetb", "MobileNetb", mobilenet, "wd4 wd2 w3d4 w1", **MOBILENET, norm=False),
    **_widths("fdmobilenet", "FD-MobileNet", mobilenet, "wd4 wd2 w3d4 w1", **FD_MOBILENET),
    **_widths("mobilenetv2", "MobileNetV2", mobilenetv2, "wd4 wd2 w3d4 w1"),
    **_widths("mobilenetv2b", "MobileNetV2b", mobilenetv2, "wd4 wd2 w3d4 w1", expand_first=False),
    "mobilenetv3_large_w1": Entry("MobileNetV3 L/224/1.0", mobilenetv3, {"table": MOBILENETV3_LARGE, "last": 960, "hidden": 1280}),
    "shufflenetv2_wd2": Entry("ShuffleNetV2 x0.5", shufflenetv2, {"width": 12 / 29}),
    "shufflenetv2_w1": Entry("ShuffleNetV2 x1.0", shufflenetv2, {}),
    "shufflenetv2_w3d2": Entry("ShuffleNetV2 x1.5", shufflenetv2, {"width": 44 / 29, "last": 1553}),
    "shufflenetv2_w2": Entry("ShuffleNetV2 x2.0", shufflenetv2, {"width": 61 / 29, "last": 2153}),
    "mnasnet_b1": Entry("MnasNet-B1", mnasnet, {"table": MNASNET_B1}),
    "mnasnet_a1": Entry("MnasNet-A1", mnasnet, {"table": MNASNET_A1}),
    "efficientnet_b0": Entry("EfficientNet-B0", efficientnet, {}),
    "efficientnet_b1": Entry("EfficientNet-B1", efficientnet, {"depth": 1.1}, 240),
}
"""Name -> entry. Names are those of PyTorchCV's models; where its ShuffleNetV2 x1.5 and x2.0 have 1,553 and 2,153 last channels, the paper
has 1,024 and 2,048."""
