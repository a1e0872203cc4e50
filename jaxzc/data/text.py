"""Tokens of a text file: words, each with the one that follows it, for language models; or some of them replaced, for discriminators."""

import os
from collections import Counter
from functools import lru_cache

import numpy as np

from jaxzc.data.pixels import Drawn
from jaxzc.types import JaxzcError

STEPS = 70
"""Tokens of an example, unless the name of the source says how many."""
REPLACED = 0.15
"""Share of the tokens that `draw_replaced` draws anew, as ELECTRA does."""
END = "<eos>"
"""The token behind every line, as in the language models of NAS-Bench-NLP."""


def draw(count: int, rng: np.random.Generator, text: str, steps: int | None = None) -> Drawn:
    """`count` pieces of a text without overlap, in random order: tokens int32 `[count, steps]`, and the token behind each of them.

    text: the file's path, and behind an "@" the number of tokens of a piece. steps: what that number must be, if it is not named.
    Words are what white space separates; they are numbered by how often they occur, words that occur as often in the order of the alphabet.
    Raises `JaxzcError` for a file that cannot be read, a wrong number, and a text that is too short.
    """
    path, length = _parts("text", text, steps)
    tokens, words = _tokens(os.path.abspath(os.path.expanduser(path)))
    starts = _starts(count, rng, path, len(tokens), length, behind=1)
    notes = f"{words:,} words of {len(tokens):,} tokens, {END} behind every line; pieces of {length} tokens without overlap"
    return Drawn(tokens[starts], tokens[starts + 1], words, notes)


def draw_replaced(count: int, rng: np.random.Generator, text: str, steps: int | None = None) -> Drawn:
    """`count` pieces of a text as `draw` gives them, in which some tokens were replaced: int32 `[count, steps]`, and 1 for each token that
    is another one than the text's, 0 for all others.

    15 % of the tokens are drawn anew, by how often they occur. (ELECTRA draws them with a network that is trained beside the
    discriminator.)
    Raises `JaxzcError` as `draw`.
    """
    path, length = _parts("replaced", text, steps)
    tokens, words = _tokens(os.path.abspath(os.path.expanduser(path)))
    (other_rng,) = rng.spawn(1)  # drawn from the same stream, pieces would change with what is replaced
    original = tokens[_starts(count, rng, path, len(tokens), length)]
    drawn = tokens[other_rng.integers(len(tokens), size=original.shape)]
    replaced = np.where(other_rng.random(original.shape) < REPLACED, drawn, original)
    notes = f"{words:,} words of {len(tokens):,} tokens; pieces of {length} tokens without overlap, {REPLACED:.0%} drawn anew by frequency"
    return Drawn(replaced, (replaced != original).astype(np.int32), words, notes)


def _parts(kind: str, text: str, steps: int | None) -> tuple[str, int]:
    """Path and number of tokens of `FILE` or `FILE@STEPS`."""
    path, at, number = text.rpartition("@")
    if not at:
        path, number = text, str(steps or STEPS)
    if not number.isdecimal() or int(number) < 1:
        raise JaxzcError(
            f"{kind}:{text}: {number!r} behind the @: expected the number of tokens of an example, as in {kind}:{path}@{STEPS}"
        )
    return path, int(number)


def _starts(count: int, rng: np.random.Generator, path: str, tokens: int, length: int, behind: int = 0) -> np.ndarray:
    """Places int `[count, length]` of pieces without overlap in so many tokens, the last `behind` of which begin none."""
    pieces = (tokens - behind) // length
    if pieces < count:
        raise JaxzcError(
            f"{path} has {tokens:,} tokens, {pieces} pieces of {length}, and {count} were asked for: lower batch_size or batches"
        )
    return length * rng.permutation(pieces)[:count, None] + np.arange(length)


@lru_cache(maxsize=2)
def _tokens(path: str) -> tuple[np.ndarray, int]:
    """The numbers int32 of a file's words, and how many different ones there are."""
    try:
        with open(path, encoding="utf-8") as file:
            words = [word for line in file for word in (*line.split(), END)]
    except (OSError, UnicodeDecodeError) as error:
        raise JaxzcError(f"text:{path} cannot be read ({error}): give a text file in UTF-8") from error
    order = sorted(Counter(words).items(), key=lambda pair: (-pair[1], pair[0]))
    number = {word: place for place, (word, _) in enumerate(order)}
    return np.array([number[word] for word in words], np.int32), len(order)
