"""TFRecord files without TensorFlow.

A file is a sequence of records: length (uint64, little endian), masked CRC-32C of those eight bytes (uint32), the bytes, their masked
CRC-32C (uint32). Source: the comment in tensorflow/core/lib/io/record_writer.h.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from jaxzc.types import JaxzcError

_HEAD = struct.Struct("<QI")
_TAIL = struct.Struct("<I")


def masked_crc(data: bytes) -> int:
    """The checksum as the format stores it: rotated by 15 bits and shifted by a constant, since CRCs of CRCs are weak."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(path: Path) -> Iterator[bytes]:
    """The records in order, one in memory at a time.

    Raises `JaxzcError`: missing file, a wrong checksum, a file that ends within a record (all with the number of the record, from 1).
    """
    again = "download it again"
    try:
        with open(path, "rb", buffering=1 << 20) as file:
            number = 1
            while head := file.read(_HEAD.size):
                if len(head) < _HEAD.size:
                    raise JaxzcError(f"{path} ends within record {number}: {again}")
                length, crc = _HEAD.unpack(head)
                # Before reading `length` bytes: a damaged length may ask for any amount of memory.
                if crc != masked_crc(head[:8]):
                    raise JaxzcError(
                        f"{path}, record {number}: the length has a wrong checksum, so this is no TFRecord file or a damaged one: {again}"
                    )
                data, tail = file.read(length), file.read(_TAIL.size)
                if len(tail) < _TAIL.size:
                    raise JaxzcError(f"{path} ends within record {number}: {again}")
                if _TAIL.unpack(tail)[0] != masked_crc(data):
                    raise JaxzcError(f"{path}, record {number}: the checksum is wrong, so the file is damaged: {again}")
                yield data
                number += 1
    except OSError as error:
        raise JaxzcError(f"{path} cannot be read ({error.strerror or error}): check the path") from error
