"""Exact parameters, multiply-accumulates and layers of AutoFormer's networks, by arithmetic; and what the authors' code counts."""

import numpy as np

from jaxzc.spacekit.vectors import check_vectors
from jaxzc.types import Counts, Genes
from jaxzc_spaces.autoformer.encoding import Menu
from jaxzc_spaces.autoformer.network import HEAD, Form


def network_counts(archs: Genes, menu: Menu, form: Form, classes: int, image_shape: tuple[int, ...]) -> Counts[np.ndarray]:
    """Counts of architectures int `[n, genes]`, int64 `[n]` each. products: attention's, with those of relative positions."""
    e, heads, hidden, present = _sizes(archs, menu)
    patches, pixels = _patches(form, image_shape)
    tokens = patches + 1
    q = np.full_like(heads, form.fixed) if form.fixed else heads * form.head if form.head else np.broadcast_to(e, heads.shape)
    tables = 4 * (2 * form.distance + 2) * (q // heads) if form.distance else 0
    kernels = 4 * q * e + 2 * e * hidden
    biases = 3 * q + e + hidden + e
    of_layers = np.where(present, kernels + biases + 4 * e + tables, 0).sum(1)
    e = e[:, 0]
    params = (pixels + 1) * e + e + form.positions * tokens * e + of_layers + 2 * e + (e + 1) * classes
    flops = pixels * e * patches + e * classes + tokens * np.where(present, kernels, 0).sum(1)
    products = np.where(present, (4 if form.distance else 2) * tokens * tokens * q, 0).sum(1)
    return Counts(params, flops, 2 + 4 * present.sum(1), products)


def cream_flops(archs: Genes, menu: Menu, form: Form, classes: int, image_shape: tuple[int, ...]) -> np.ndarray:
    """int64 `[n]`: what the authors' code calls FLOPs (`get_complexity`). It counts one token too many, the classifier once for each token,
    and additions of relative positions and scales as halves of operations; halves are rounded down here."""
    e, heads, hidden, present = _sizes(archs, menu)
    patches, pixels = _patches(form, image_shape)
    s, q = patches + 2, np.full_like(heads, form.fixed) if form.fixed else heads * HEAD
    twice = 4 * s * e + 8 * s * e * q + 4 * s * s * q + 4 * s * e * hidden
    twice += 4 * form.distance * s * s + s * s + s * q if form.distance else 0
    of_layers = np.where(present, twice, 0).sum(1)
    e = e[:, 0]
    return (2 * e + 2 * pixels * e * patches + (patches + 1) * e + 2 * (patches + 1) * e * classes + of_layers) // 2


def _sizes(archs: Genes, menu: Menu) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Width int64 `[n, 1]`; heads, hidden width and whether there is one of each layer, `[n, depth of the deepest]`."""
    genes = check_vectors(menu.vectors.choices, archs)
    layers, present = menu.vectors.layers(genes)
    width = np.array(menu.widths, np.int64)[genes[:, :1]]
    heads, tenths = np.array(menu.heads, np.int64)[layers[..., 0]], np.array(menu.tenths, np.int64)[layers[..., 1]]
    return width, heads, width * tenths // 10, present


def _patches(form: Form, image_shape: tuple[int, ...]) -> tuple[int, int]:
    """Number of patches, and weights of one output of their convolution."""
    height, width, colours = image_shape
    return (height // form.patch) * (width // form.patch), form.patch**2 * colours
