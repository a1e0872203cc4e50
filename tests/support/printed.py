"""How full the pages of a PDF are that Chromium has printed, read from its drawing commands: nothing else here reads a PDF."""

import re
import zlib

import numpy as np

POINTS_PER_MM = 72 / 25.4


def filled(pdf: bytes, margin_mm: float) -> list[float]:
    """Of every page, the share of the height between its margins above the lowest line of text: 1 is full. Reads what Skia writes, with
    which Chromium prints: every page an object, its commands compressed, one command a line."""
    objects = {int(found[1]): found[2] for found in re.finditer(rb"(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)}
    pages = [body for body in objects.values() if re.search(rb"/Type /Page\b", body)]
    assert pages, "no page was found in the PDF; does Chromium write another form of it now?"
    margin, shares = margin_mm * POINTS_PER_MM, []
    for page in pages:
        top = float(matched(rb"/MediaBox \[0 0 \S+ (\S+)\]", page)) - margin
        stream = objects[int(matched(rb"/Contents (\d+) 0 R", page))].partition(b"stream\n")[2]
        shares.append((top - lowest_text(zlib.decompressobj().decompress(stream))) / (top - margin))
    return shares


def matched(pattern: bytes, text: bytes) -> bytes:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in {text!r}"
    return found[1]


def lowest_text(commands: bytes) -> float:
    """The height in points at which the lowest line of text stands, from the bottom of the sheet."""
    to_sheet, kept, lowest = np.eye(3), [], np.inf
    for *numbers, command in filter(None, map(bytes.split, commands.splitlines())):
        if command == b"q":
            kept.append(to_sheet)
        elif command == b"Q":
            to_sheet = kept.pop()
        elif command in (b"cm", b"Tm"):
            matrix = np.column_stack([np.array(numbers, float).reshape(3, 2), [0, 0, 1]]) @ to_sheet
            if command == b"cm":
                to_sheet = matrix
            else:
                lowest = min(lowest, matrix[2, 1])
    return float(lowest)
