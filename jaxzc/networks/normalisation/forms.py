"""Words for what a value is to a normalisation, and what single operations make of them.

A form says how a value came from a *base* (a value that depends on the inputs): its mean, its centred square, the inverse of its deviation.
A value may have several forms, one for each base it may have come from; most of them lead nowhere.
"""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from jaxzc._compile.jaxpr import SHAPING

State = Literal[
    "x",  # the base itself, in whatever layout and dtype
    "masked",  # the base with zeros where a mask says so: good for statistics only
    "|x|",
    "x scaled",  # times parameters, which some do before they divide
    "square",
    "mean",  # sums count as means: the number they are divided by is the program's affair
    "-mean",
    "mean scaled",  # times parameters, before it is divided as the data are
    "mean squared",
    "-mean squared",
    "power",  # mean of squares
    "centred",
    "-centred",
    "mean centred",  # nothing but rounding: the mean that is subtracted where statistics are taken of what is centred already
    "mean centred squared",
    "centred square",
    "variance",
    "variance + eps",
    "deviation",
    "inverse",  # of the deviation, scale included where it is multiplied in first
    "offset",  # mean times inverse, bias included where it is added first
    "normed",
    "stored",  # a stored mean or variance: an array that is no parameter, or may be none
    "-stored",
    "stored + eps",
]

PASSING = SHAPING | {"stop_gradient", "psum", "pmean", "reduce_precision", "pvary", "psum_invariant", "real"}
"""Operations that leave every form as it is (sums over a named axis of one device among them)."""

SQUARED: dict[State, State] = {
    "x": "square",
    "masked": "square",
    "|x|": "square",
    "mean": "mean squared",
    "-mean": "mean squared",
    "centred": "centred square",
    "-centred": "centred square",
    "mean centred": "mean centred squared",
}
SUMMED: dict[State, State] = {
    "x": "mean",
    "masked": "mean",
    "square": "power",
    "centred square": "variance",
    "centred": "mean centred",
    "mean centred": "mean centred",
    "mean": "mean",
    "power": "power",
    "variance": "variance",
}
NEGATED: dict[State, State] = {
    "mean": "-mean",
    "-mean": "mean",
    "mean squared": "-mean squared",
    "offset": "offset",
    "stored": "-stored",
}
ABSOLUTE: dict[State, State] = {"x": "|x|", "centred": "-centred", "variance": "variance", "power": "power"}
STATISTICS: frozenset[State] = frozenset({"mean", "-mean", "mean squared", "mean centred", "power", "variance"})
FINISHED: frozenset[State] = frozenset({"power", "variance", "stored"})
"""Statistics of which a root may be taken."""
HIDDEN = frozenset({"square", "mean", "power", "mean squared", "centred", "centred square", "variance", "deviation", "inverse"})
"""States that a `where` with a constant keeps (of a deviation where it is not zero, say)."""
RANK: dict[State, int] = {"centred": 2, "x scaled": 1, "x": 0}
"""Of the states that a deviation divides, which is taken where a value has several."""

Role = Literal["centre", "scale", "shift", "offset", "variance"]


class Edit(NamedTuple):
    """An operation that belongs to a normalisation: `op` does what `role` says to its input number `position`.

    centre: subtracts a mean from this input; scale, shift: multiplies or divides this input by, or adds to it, what belongs to the
    normalisation; offset: multiplies this input, a mean, by the inverse deviation; variance: reads this input, a finished variance.
    negative: whether this input is minus the mean.
    """

    op: int
    role: Role
    position: int
    negative: bool = False


@dataclass(frozen=True)
class Form:
    """What a value is to one base.

    base: the value it came from; None for stored statistics that have not met their data yet.
    path: operations on the way that would be the normalisation's own.
    root: the operation that took the root. stored: whether the statistics are stored, not taken from the base.
    scaled, biased: whether parameters are in it; axes: which axes the scale varies along (None where that is not known).
    leaves: parameter leaves whose values are its stored statistics. lane: axis and index of a stack in which the value lies.
    """

    state: State
    base: int | None
    path: tuple[Edit, ...] = ()
    root: int = -1
    stored: bool = False
    scaled: bool = False
    biased: bool = False
    axes: frozenset[int] | None = None
    leaves: frozenset[int] = frozenset()
    lane: tuple[int, int] | None = None


@dataclass
class Normalisation:
    """One normalisation of a program.

    base: the value that is normalised (a number of the program). root: the operation that takes the root of its variance.
    variance: the value of that variance. stored: whether the statistics are stored; axes: then, the axes of the base that they vary along.
    centred: whether a mean is subtracted. edits: what its operations do, by number. leaves: parameter leaves that are its statistics.
    pools: whether statistics of the data are taken over several examples (None where that could not be found out).
    """

    base: int
    root: int
    variance: int
    stored: bool
    centred: bool
    edits: dict[int, Edit]
    axes: tuple[int, ...] = ()
    leaves: frozenset[int] = frozenset()
    pools: bool | None = None


class Unknown(NamedTuple):
    """A division by the root of a statistic that is no normalisation we know: the operation, and the value whose root it takes."""

    operation: str
    value: int
    stored: bool
    pools: bool | None = None


def joins(form: Form, inverse: Form, value: int) -> bool:
    """Whether this form of a value is what the deviation is of. Stored statistics are of any data that they divide."""
    if form.state not in RANK:
        return False
    if inverse.stored:
        return form.stored or (form.state == "x" and form.base == value)
    return not form.stored and form.base == inverse.base


def moved(forms: tuple[Form, ...], table: dict[State, State]) -> list[Form]:
    """The forms after an operation that changes states as the table says; those that it has no entry for end there."""
    if table is SQUARED:  # statistics are of the base alone, and have no operations of their own
        forms = tuple(replace(form, path=()) for form in forms if not any(edit.role == "scale" for edit in form.path))
    return [replace(form, state=table[form.state]) for form in forms if form.state in table]


def distinct(forms: list[Form], most: int = 24) -> tuple[Form, ...]:
    """The first `most` different ones: programs can be written in which forms would multiply without end."""
    return tuple(dict.fromkeys(forms))[:most]
