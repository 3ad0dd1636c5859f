"""The fields of the configuration that are counts, identifiers and sizes, each with its bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import PlainValidator, WithJsonSchema

from xgamma.config.fields import TEXT_SCHEMA, expected, read_items

# Ten thousand bins in a decade are finer than any instrument; more is a typing error that fills the memory.
MOST_BINS = 10_000
MOST_JOBS = 1024
# Observation ids are stored as 64-bit integers.
LARGEST_ID = int(np.iinfo(np.int64).max)
LARGEST_MEMORY = 1 << 60
_SIZE = re.compile(r"(?P<number>\d{1,15}(\.\d*)?|\.\d+)\s*(?P<prefix>[kMGT])(?P<binary>i?)B")


@dataclass(frozen=True)
class WholeNumberReader:
    """Reads a whole number inside limits, also as text."""

    minimum: int
    maximum: int

    def __call__(self, value: Any) -> int:
        """Return the number, or raise ``ConfigError``."""
        number = _whole_number(value)
        if number < self.minimum:
            raise expected(f"a whole number of at least {self.minimum}", value)
        if number > self.maximum:
            raise expected(f"a whole number of at most {self.maximum}", value)
        return number

    def each(self, value: Any) -> list[int]:
        """Return a list of numbers."""
        return read_items(value, self, "a list such as [1, 2]")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of one number."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


def _whole_number(value: Any) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise expected("a whole number", value) from None
    if isinstance(value, bool | np.bool_) or not number.is_integer():
        raise expected("a whole number", value)
    return int(value) if isinstance(value, str) and value.strip().isdigit() else int(number)


def read_memory_size(value: Any) -> str:
    """Read a size such as 4 GB, 500 MB or 1.5 GiB; a bare number has no unit."""
    text = str(value).strip()
    if not 0 < memory_bytes(text) <= LARGEST_MEMORY:
        raise expected("a size such as 4 GB, 500 MB or 1.5 GiB", value)
    return text


def memory_bytes(text: str) -> int:
    """Return the bytes of a size such as ``4 GB``, 0 for any other text.

    >>> memory_bytes("1.5 GiB"), memory_bytes("4")
    (1610612736, 0)
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        return 0
    return int(float(match["number"]) * (1024 if match["binary"] else 1000) ** ("kMGT".index(match["prefix"]) + 1))


BINS = WholeNumberReader(1, MOST_BINS)
JOBS = WholeNumberReader(1, MOST_JOBS)
OBS_ID = WholeNumberReader(-LARGEST_ID, LARGEST_ID)

Bins = Annotated[int, PlainValidator(BINS), WithJsonSchema(BINS.schema())]
Jobs = Annotated[int, PlainValidator(JOBS), WithJsonSchema(JOBS.schema())]
MemorySize = Annotated[str, PlainValidator(read_memory_size), WithJsonSchema(TEXT_SCHEMA)]
ObsIds = Annotated[
    list[int],
    PlainValidator(OBS_ID.each),
    WithJsonSchema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
]
