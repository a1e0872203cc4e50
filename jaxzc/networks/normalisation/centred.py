"""Means of what is centred already, which are nothing but rounding: `y = x - x.mean()`, and then `y / y.std()`."""

from collections.abc import Iterable

from jaxzc._compile.jaxpr import Trace
from jaxzc.networks.normalisation.axes import varying
from jaxzc.networks.normalisation.forms import Form


def subtracts_again(program: Trace, form: Form, mean: int, forms: Iterable[Form]) -> bool:
    """Whether a value is the mean of a centred form, over the axes of the mean that was subtracted before. forms: of the value."""
    if not any(of.state == "mean centred" and of.base == form.base for of in forms):
        return False
    before = next((edit for edit in reversed(form.path) if edit.role == "centre"), None)
    return before is not None and varying(program, program.ops[before.op].inputs[1 - before.position]) == varying(program, mean)
