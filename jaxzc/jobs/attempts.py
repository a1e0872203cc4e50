"""Scoring what may fail: one bad architecture is found, recorded and left behind, and a process that is broken stops.

Memory that runs out is answered with a smaller chunk, then with architectures one by one. Any other error of a block is searched for
by halving it. Errors of what the user gave (`JaxzcError`) are not failures of an architecture, and are raised. A proxy that cannot be
computed for an architecture is no failure either: its score is NaN, and the row has the reason.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import jax
import numpy as np

from jaxzc.jobs.parts import Key, Row
from jaxzc.jobs.work import Unit
from jaxzc.scoring.batches import Batches
from jaxzc.scoring.results import Reasons
from jaxzc.scoring.space import SpaceScorer
from jaxzc.scoring.space.programs import MOST
from jaxzc.types import JaxzcError

DOUBTS = 10
"""Failures in a row after which it is asked whether the process, and not the architectures, is at fault."""


class Attempts:
    """Scores units with the proxies of one scorer.

    batches: seed -> images. identities: label -> name in the parts. before: called with the units that are scored next. alone:
    architectures that are scored first, each by itself.
    """

    def __init__(
        self,
        scorer: SpaceScorer,
        batches: Mapping[int, Batches],
        identities: Mapping[str, str],
        *,
        note: Callable[[str], None] = lambda text: None,
        before: Callable[[Sequence[Unit]], None] = lambda units: None,
        alone: Collection[Key] = (),
    ):
        self.scorer, self.batches, self.identities = scorer, batches, identities
        self.note, self.before, self.alone = note, before, alone
        self._of_seed: dict[int, SpaceScorer] = {}
        self._reasons = Reasons(note)

    def rows(self, units: Sequence[Unit]) -> Iterator[Row]:
        """A row for every unit; failures in a row are held back until a success, or a repeated one, shows that the process is sound.

        Raises the error of the first of them where it is not, or where none has succeeded.
        """
        good: Unit | None = None
        doubtful: list[tuple[Row, Exception]] = []
        for unit, row, error in self._results(units):
            if error is not None:
                doubtful.append((row, error))
                if len(doubtful) % DOUBTS == 0:
                    self._must_be_sound(good, doubtful)
                continue
            good = unit
            yield from (held for held, _ in doubtful)
            doubtful.clear()
            yield row
        if doubtful and good is not None:
            self._must_be_sound(good, doubtful)
        yield from (held for held, _ in doubtful)

    def _must_be_sound(self, good: Unit | None, doubtful: list[tuple[Row, Exception]]) -> None:
        if good is None:
            raise doubtful[0][1]
        try:
            self._scorer(good.seed).many(good.arch[None], good.seed)
        except Exception:
            raise doubtful[0][1] from None

    def _results(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, Row, Exception | None]]:
        for seed in dict.fromkeys(unit.seed for unit in units):
            of_seed = self._ordered([unit for unit in units if unit.seed == seed and (unit.text, seed) not in self.alone])
            for unit in units:
                if unit.seed == seed and (unit.text, seed) in self.alone:
                    yield from self._block([unit])
            done = 0
            while done < len(of_seed):
                block = of_seed[done : done + self.scorer.width]
                yield from self._block(block)
                done += len(block)

    def _ordered(self, units: list[Unit]) -> list[Unit]:
        """As they were asked for where no program is used twice, or they are scored one by one and all their programs can be held: what is
        there of an unfinished job is then no worse a sample than the list. Otherwise those that share a program next to each other."""
        if not units:
            return units
        keys = self.scorer.space.program_keys(np.stack([unit.arch for unit in units]))
        programs = len(np.unique(keys, axis=0)) if keys.shape[1] else 1
        if programs in (1, len(units)) or (self.scorer.width == 1 and programs <= MOST):
            return units
        return [units[place] for place in np.lexsort(keys.T[::-1])]

    def _scorer(self, seed: int) -> SpaceScorer:
        if seed not in self._of_seed:
            self._of_seed = {seed: self.scorer.with_batches(self.batches[seed])}
        return self._of_seed[seed]

    def _block(self, block: Sequence[Unit]) -> Iterator[tuple[Unit, Row, Exception | None]]:
        started = time.perf_counter()
        self.before(block)
        try:
            scored = self._scorer(block[0].seed).many(np.stack([unit.arch for unit in block]), block[0].seed)
        except JaxzcError:
            raise
        except Exception as error:
            yield from self._failed(block, error, time.perf_counter() - started)
            return
        seconds = (time.perf_counter() - started) / len(block)
        for unit, scores in zip(block, scored, strict=True):
            reasons = {self.identities[label]: reason for label, reason in scores.reasons.items()}
            self._reasons.tell(unit.text, scores.reasons)
            yield unit, Row(unit.text, unit.seed, {self.identities[k]: v for k, v in scores.items()}, seconds, reasons=reasons), None

    def _failed(self, block: Sequence[Unit], error: Exception, seconds: float) -> Iterator[tuple[Unit, Row, Exception | None]]:
        narrower = self.scorer.narrower() if _out_of_memory(error) else None
        if narrower is not None:
            self.note(f"out of memory with {self.scorer.chunk} architectures at a time: going on with {narrower.chunk}")
            self.scorer, self._of_seed = narrower, {}
            done = 0
            while done < len(block):  # the chunk may become smaller still
                part = block[done : done + self.scorer.width]
                yield from self._block(part)
                done += len(part)
        elif len(block) > 1:
            middle = len(block) // 2
            yield from self._block(block[:middle])
            yield from self._block(block[middle:])
        else:
            (unit,) = block
            nothing = {name: float("nan") for name in self.identities.values()}
            yield unit, Row(unit.text, unit.seed, nothing, seconds, _in_words(error)), error


def _out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error))


def _in_words(error: Exception) -> str:
    """One line that says what happened; compilers print pages."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
