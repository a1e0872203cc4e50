"""Tokens of a text file: words, each with the one that follows it, for language models."""

import os
from collections import Counter
from functools import lru_cache

import numpy as np

from jaxzc.data.pixels import Drawn
from jaxzc.types import JaxzcError

STEPS = 70
"""Tokens of an example, unless the name of the source says how many."""
END = "<eos>"
"""The token behind every line, as in the language models of NAS-Bench-NLP."""


def draw(count: int, rng: np.random.Generator, text: str, steps: int | None = None) -> Drawn:
    """`count` pieces of a text without overlap, in random order: tokens int32 `[count, steps]`, and the token behind each of them.

    text: the file's path, and behind an "@" the number of tokens of a piece. steps: what that number must be, if it is not named.
    Words are what white space separates; they are numbered by how often they occur, words that occur as often in the order of the alphabet.
    Raises `JaxzcError` for a file that cannot be read, a wrong number, and a text that is too short.
    """
    path, at, number = text.rpartition("@")
    if not at:
        path, number = text, str(steps or STEPS)
    if not number.isdecimal() or int(number) < 1:
        raise JaxzcError(f"text:{text}: {number!r} behind the @: expected the number of tokens of an example, as in text:{path}@{STEPS}")
    tokens, words = _tokens(os.path.abspath(os.path.expanduser(path)))
    length = int(number)
    pieces = (len(tokens) - 1) // length
    if pieces < count:
        raise JaxzcError(
            f"{path} has {len(tokens):,} tokens, {pieces} pieces of {length}, and {count} were asked for: lower batch_size or batches"
        )
    starts = length * rng.permutation(pieces)[:count, None] + np.arange(length)
    notes = f"{words:,} words of {len(tokens):,} tokens, {END} behind every line; pieces of {length} tokens without overlap"
    return Drawn(tokens[starts], tokens[starts + 1], words, notes)


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
