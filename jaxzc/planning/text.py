"""A plan in words, for the command line."""

from collections.abc import Iterator

from jaxzc._compile.memory import gigabytes
from jaxzc.planning.compiling import Planned
from jaxzc.planning.request import HEADROOM, Plan


def text(plan: Plan) -> str:
    """The plan, line by line."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    where = plan.target
    devices = "" if where.mesh is None or where.platform == "cpu" else f", {where.mesh.size} device{'s' if where.mesh.size > 1 else ''}"
    devices += f" on each of {1 + len(where.others)} hosts" if where.others else ""
    name = where.topology or "of this machine"
    proxies = "1 proxy" if plan.proxies == 1 else f"{plan.proxies} proxies"
    yield f"{plan.space}, {proxies}, batch {plan.batch_size}, for {where.platform} {name}{devices}"
    for label, reason in plan.reasons.items():
        yield f"  {label} would be NaN there: {reason}"
    if not plan.reasons:
        yield "  every proxy lowers"
    if plan.keys > 1:
        yield f"  {plan.sampled} random architectures have {plan.keys} programs; this is the commonest, and each is compiled by itself"
    for program in plan.programs:
        yield from _program(program)
    if plan.per_architecture is not None:
        yield f"  for each architecture: {gigabytes(round(plan.per_architecture))}"
    if plan.fits is not None and where.chip is not None:
        size = f"{HEADROOM:.0%} of a device's {gigabytes(round(where.chip.memory))}"
        yield f"  --chunk {plan.fits} is the largest that fits into {size}" if plan.fits else f"  one architecture does not fit into {size}"
    if plan.flops:
        yield f"  arithmetic of an architecture's passes: {plan.flops / 1e9:.3g} GFLOP (mean of {plan.sampled} random ones)"
    if plan.rate is not None and where.chip is not None:
        peak = f"{where.chip.float32 / 1e12:.3g} TFLOP/s of float32, {where.chip.bandwidth / 1e9:.0f} GB/s"
        yield (
            f"  some {plan.rate:.3g} architectures/s on each device if the {where.chip.name}'s published peak ({peak}) were reached: an "
            "estimate, nothing was run"
        )
    if plan.written is not None:
        yield f"  {plan.written} compiled programs written, {plan.written // (1 + len(where.others))} for each host"
    yield from (f"  {sentence}" for sentence in where.limits)


def _program(program: Planned) -> Iterator[str]:
    seconds = f"traced and lowered in {program.lower_s:.1f} s"
    if program.compile_s is not None:
        seconds += f", compiled in {program.compile_s:.1f} s"
    yield f"  chunk {program.chunk}: {seconds} ({program.processor_s:.0f} processor seconds)"
    if program.error is not None:
        yield f"    refused: {program.error}"
    elif program.memory is not None:
        parts = {"temporaries": program.temporaries, "arguments": program.arguments, "code": program.code}
        listed = ", ".join(f"{name} {gigabytes(size)}" for name, size in parts.items() if size)
        yield f"    {gigabytes(program.memory)} on each device: {listed}"
    counts = {"GFLOP": program.flops, "GB accessed": program.accessed}
    counted = ", ".join(f"{number / 1e9:.3g} {unit}" for unit, number in counts.items() if number)
    if counted:
        yield f"    the compiler counts {counted} (the body of a loop once)"
