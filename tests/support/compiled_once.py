"""Programs that are equal to the letter are compiled once for all tests of a process.

Tests make the same scorer, command or model again and again, each time as a new function that JAX traces and lowers anew, and JAX's own
caches know functions, not programs. In files of commands a quarter of the time of compilation went to programs that had been compiled
before.
"""

import gc
import hashlib
from collections import OrderedDict
from typing import Any

import jax
from jax._src import compiler

from jaxzc._compile import memory

HELD: OrderedDict[bytes, Any] = OrderedDict()
"""Digest of a program, and of how it is compiled -> executable; the one that was used last is at the end."""
MOST = 200
"""Executables that are held: each takes some of the memory mappings that a process may have."""
LINES = 40, 20_000
"""Of programs that are held: single operations are in JAX's caches, and the largest programs are nobody else's and take much memory."""
_compile = compiler.backend_compile_and_load


def switch(on: bool) -> None:
    """Off: every program is compiled, and none is held."""
    compiler.backend_compile_and_load = _compiled_once if on else _compile  # type: ignore[assignment]
    if not on:
        HELD.clear()


def make_room() -> None:
    """Where half of the process's memory mappings are taken, everything compiled goes: XLA's compiler ends a process that has none left."""
    if memory.crowded(memory.CROWDED):
        HELD.clear()
        jax.clear_caches()
        gc.collect()


def _compiled_once(backend: Any, module: Any, devices: Any, options: Any, callbacks: Any) -> Any:
    text = module.operation.get_asm(enable_debug_info=False)
    smallest, largest = LINES
    if callbacks or "callback" in text or not smallest < text.count("\n") < largest:  # a callback is an address of this process
        return _compile(backend, module, devices, options, callbacks)
    how = f"{backend.platform} {list(devices)} ".encode() + options.SerializeAsString()
    key = hashlib.sha256(how + text.encode()).digest()
    if key not in HELD:
        HELD[key] = _compile(backend, module, devices, options, callbacks)
        if len(HELD) > MOST:
            HELD.popitem(last=False)
    HELD.move_to_end(key)
    return HELD[key]
