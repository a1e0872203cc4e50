"""Networks whose examples share an axis with steps, frames or views, or run in loops, written with plain JAX (see `odd`)."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.networks.zoo.case import IMAGES, SERIES
from tests.networks.zoo.odd import HEAD, PIXELS, conv, odd

NO_CODE = ("naswot",)


@odd({"w": (6, 6), "u": (6, 6)}, 36 + 5 * 36 + HEAD, "w u head")
def equilibrium_in_five_steps(p, x, norm, relu):
    drive = x @ p["u"]
    again = zero = jnp.zeros_like(drive)
    for _ in range(5):  # for what is told only
        again = jax.nn.relu(relu(again @ p["w"] + drive))
    return jax.lax.fori_loop(0, 5, lambda _, z: jax.nn.relu(z @ p["w"] + drive), zero) @ p["head"]


@odd({"w": (3, 6), "u": (6, 6)}, 6 * (18 + 36) + HEAD, "w u head", inputs=SERIES, missing=NO_CODE)
def steps_that_are_skipped(p, x, norm, relu):
    def step(state, inputs):
        number, now = inputs
        new = jnp.tanh(now @ p["w"] + state @ p["u"])
        return jax.lax.cond(number % 2 == 0, lambda: new, lambda: state), None

    state, _ = jax.lax.scan(step, jnp.zeros((len(x), 6), x.dtype), (jnp.arange(6), jnp.swapaxes(x, 0, 1)))
    return state @ p["head"]


@odd({"w": (3, 6), "v": (6, 6)}, 6 * (18 + 36) + HEAD, "w v head", inputs=SERIES)
def rows_of_all_steps(p, x, norm, relu):
    rows = jnp.swapaxes(x, 0, 1).reshape(-1, 3) @ p["w"]
    relu(jnp.swapaxes(rows.reshape(6, -1, 6), 0, 1))
    rows = jax.nn.relu(rows) @ p["v"]
    relu(jnp.swapaxes(rows.reshape(6, -1, 6), 0, 1))
    return jax.nn.relu(rows).reshape(6, -1, 6).mean(0) @ p["head"]


@odd({"w": (3, 3, 3, 6)}, 2 * PIXELS - HEAD, inputs=np.stack([IMAGES, IMAGES[::-1]], 1))
def frames_by_vmap(p, x, norm, relu):
    y = jax.vmap(lambda frame: conv(frame, p["w"]), in_axes=1, out_axes=1)(x)
    return jax.nn.relu(relu(y)).mean((1, 2, 3)) @ p["head"]


@odd({"w": (6, 6)}, 2 * 36 + HEAD)
def two_views_behind_one_another(p, x, norm, relu):
    views = jnp.concatenate([x, jnp.tanh(x)])
    y = views @ p["w"]
    relu(jnp.swapaxes(y.reshape(2, -1, 6), 0, 1))
    first, second = jnp.split(jax.nn.relu(y), 2)
    return (first * second) @ p["head"]
