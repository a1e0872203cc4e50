"""Rectifiers that are written as a sum of x and its absolute value, or with the lower half of x."""

import numpy as np

from jaxzc._compile.jaxpr import CUSTOM_RULES, Op, Trace
from jaxzc.networks.analysis.records import Nonlinearity
from jaxzc.networks.analysis.values import is_zero, multiple, never_negative, plain, readers


def halves(program: Trace, op: Op) -> Nonlinearity | None:
    """`a x + b |x|`, `x + a min(x, 0)` or `-min(-x, 0)`, which is complete with `op`; None for anything else."""
    if op.name == "min":
        zeros = [place for place in (0, 1) if is_zero(program, op.inputs[place])]
        reading = list(readers(program, op.outputs[0]))
        upside_down = len(zeros) == 1 and bool(reading) and all(reader.name == "neg" for reader in reading)
        return Nonlinearity("relu", 1 - zeros[0]) if upside_down else None
    for place in (0, 1):
        half = _half(program, op.inputs[1 - place])
        if half is None or (op.name == "sub" and place == 1):
            continue
        zeros = [number for number in half.inputs if half.name == "min" and is_zero(program, number)]
        rest = [number for number in half.inputs if number not in zeros]
        own = multiple(program, op.inputs[place], rest[0]) if len(rest) == 1 else None
        share = multiple(program, op.inputs[1 - place], half.outputs[0])
        if own is None or share is None or not own > 0 or never_negative(program, rest[0]):
            continue
        share = share if op.name == "add" else -share
        above, below = (own, own + share) if half.name == "min" else (own + share, own - share)
        if above != below:
            return Nonlinearity("relu" if below == 0 else "prelu" if np.isnan(below) else "leaky_relu", place)
    return None


def _half(program: Trace, value: int) -> Op | None:
    """What made the absolute value or the minimum that a value is a multiple of."""
    op = program.writer.get(plain(program, value))
    makers = [op, *([program.writer.get(plain(program, number)) for number in op.inputs] if op is not None and op.name == "mul" else [])]
    return next((maker for maker in makers if maker is not None and maker.name in ("abs", "min")), None)


def completes(program: Trace, op: Op, position: int) -> bool:
    """Whether max(-x, 0), times a slope, is only the lower half of max(x, 0) - a max(-x, 0)."""
    negated = program.writer.get(plain(program, op.inputs[position]))
    if negated is None or negated.name != "neg":
        return False
    x, reading = plain(program, negated.inputs[0]), list(readers(program, op.outputs[0]))
    reading += [further for reader in reading if reader.name == "mul" for further in readers(program, reader.outputs[0])]
    joined = [number for reader in reading if reader.name in ("add", "sub") for number in reader.inputs]
    uppers = [upper for upper in (program.writer.get(plain(program, number)) for number in joined) if upper is not None]
    rectified = [number for upper in uppers if upper.name == "max" or upper.name in CUSTOM_RULES for number in upper.inputs]
    return x in (plain(program, number) for number in rectified)
