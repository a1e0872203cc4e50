"""Argparse types: whole numbers, seeds, devices, shapes."""

import argparse
import re


def is_number(text: str) -> bool:
    """Whether the text is a whole number of ASCII digits; Python's own tests take those of every script."""
    return text.isascii() and text.isdecimal()


def positive(text: str) -> int:
    """An argparse type: a whole number of at least 1, below 2**31."""
    if not is_number(text) or not 1 <= int(text) < 2**31:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1 (below {2**31})")
    return int(text)


def count(text: str) -> int:
    """An argparse type: 0, or a whole number as `positive` takes it."""
    return 0 if text == "0" else positive(text)


def number_or_all(text: str) -> int | None:
    """An argparse type: a whole number of at least 1, or `all`, which is None."""
    if text == "all":
        return None
    try:
        return positive(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor 'all'") from None


def seed(text: str) -> int:
    """An argparse type: a whole number from 0 to 2**32 - 1."""
    # jax.random.key takes larger ones modulo 2**32: two seeds would name the same weights.
    if not is_number(text) or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def seeds(text: str) -> tuple[int, ...]:
    """An argparse type: distinct seeds, separated by commas."""
    numbers = tuple(seed(part.strip()) for part in text.split(","))
    if len(set(numbers)) < len(numbers):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice")
    return numbers


def sizes(argument: str) -> tuple[int, ...]:
    """An argparse type: sizes joined by x."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", argument, re.ASCII):
        raise argparse.ArgumentTypeError(f"{argument!r} is no shape such as 32x32x3")
    return tuple(map(int, argument.split("x")))
