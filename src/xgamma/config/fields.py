"""The typed fields of the configuration: quantities, times, locations, choices.

Each reader accepts what a user may write and returns one type, or raises ``ConfigError`` with the placeholder ``KEY``,
which the section replaces by the path of the key.
"""

from __future__ import annotations

import datetime
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from astropy import units as u
from astropy.time import Time
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from xgamma import registry
from xgamma.errors import ConfigError, MissingInputError, did_you_mean, shortened
from xgamma.storage.disk import with_home
from xgamma.times import any_year
from xgamma.units import normalize_quantity, quantity_string

KEY = "<key>"

NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
YES_NO = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
LEVELS = ("critical", "error", "warning", "info", "debug")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")
_NUMPY_ITEM = re.compile(r"'([^']+)'")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


def shown(value: Any) -> str:
    """Return a value as YAML, shortened, for error messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        text = f"[{', '.join(map(shown, value))}]"
    else:
        is_text = isinstance(value, u.Quantity | Time | os.PathLike | datetime.date)
        text = repr(str(value)) if is_text else repr(value)
    return shortened(text, 80)


def expected(what: str, value: Any, hint: str = "") -> ConfigError:
    """Return the error for a value that is not ``what``."""
    return ConfigError(f"{KEY}: expected {what}, got {shown(value)}.{hint}")


@dataclass(frozen=True)
class PathOrUrl:
    """A path or URL as given; ``os.fspath`` and ``expanded`` replace ``~`` and ``$VARIABLES``.

    >>> str(Location("$GAMMAPY_DATA/hess-dl3-dr1"))
    '$GAMMAPY_DATA/hess-dl3-dr1'
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Location({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathOrUrl | str | os.PathLike) and self.text == str(other)

    def __hash__(self) -> int:
        return hash(self.text)

    def __fspath__(self) -> str:
        return self.expanded()

    @property
    def is_url(self) -> bool:
        """Whether the location is a URL and not a local path."""
        return _URL.match(self.text) is not None

    @property
    def unknown_variable(self) -> str | None:
        """The first ``$VARIABLE`` that the environment does not have."""
        found = (match[1] or match[2] for match in _VARIABLE.finditer(self.text))
        return next((name for name in found if name not in os.environ), None)

    def expanded(self) -> str:
        """Return the path or URL to use; raises ``MissingInputError`` for a variable that is not set."""
        if self.unknown_variable is not None:
            raise MissingInputError(
                f"The environment variable ${self.unknown_variable} of {self.text!r} is not set. "
                f"Set it (export {self.unknown_variable}=/path/to/it) or write the path."
            )
        text = os.path.expandvars(self.text)
        return text if self.is_url else str(with_home(text))


def read_location(value: Any) -> PathOrUrl:
    """Read a path or URL: text, a path object or a ``PathOrUrl``."""
    if isinstance(value, PathOrUrl):
        return value
    # No file system has a name with a NUL.
    if not isinstance(value, str | os.PathLike) or not str(value).strip() or "\0" in str(value):
        raise expected("a path or a URL", value)
    return PathOrUrl(str(value))


def read_text(value: Any) -> str:
    """Read text that is not empty; a number is not text."""
    if not isinstance(value, str) or not value:
        hint = f" Quote it: {str(value)!r}." if isinstance(value, int | float) else ""
        raise expected("text", value, hint)
    return value


def read_log_format(value: Any) -> str:
    """Read a format of the standard library's ``logging``, such as ``%(asctime)s %(message)s``."""
    text = read_text(value)
    try:
        logging.Formatter(text)
    except ValueError:
        raise expected("a logging format such as '%(asctime)s %(message)s'", value) from None
    return text


def read_flag(value: Any) -> bool:
    """Read true or false, also as yes, no, 1, 0."""
    flag = YES_NO.get(str(value).lower())
    if flag is None:
        raise expected("true or false", value)
    return flag


def read_items(value: Any, read: Callable[[Any], Any], what: str) -> list[Any]:
    """Read a list, tuple or array item by item; text is not a list of characters.

    ``what`` is what the error message expects instead of a single value that is not an item either.
    """
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise expected(f"a list such as [{value}]" if _is_read(value, read) else what, value)
    return each_read(list(value), read)


def _is_read(value: Any, read: Callable[[Any], Any]) -> bool:
    try:
        read(value)
    except ConfigError:
        return False
    return True


def each_read(items: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """Return each item as read; raises ``ConfigError`` with one line for each that is not valid."""
    values, problems = [], []
    for number, item in enumerate(items):
        try:
            values.append(read(item))
        except ConfigError as error:
            problems.append(str(error).replace(KEY, f"{KEY}[{number}]", 1))
    if problems:
        raise ConfigError("\n".join(problems))
    return values


@dataclass(frozen=True)
class Choice:
    """Reads one of several words; ``kind`` adds the names registered for that kind."""

    words: tuple[str, ...]
    kind: str = ""
    any_case: bool = False

    def known(self) -> list[str]:
        """Return the words that are accepted now."""
        registered = registry.names(self.kind) if self.kind else []
        return [*self.words, *(name for name in registered if name not in self.words)]

    def __call__(self, value: Any) -> str:
        """Return the word, or raise ``ConfigError`` with the nearest one."""
        word = str(value)
        wanted = word.lower() if self.any_case else word
        # Those of xgamma first: what else is registered is not looked for in vain.
        if wanted in self.words or wanted in (known := self.known()):
            return word
        near = did_you_mean(word.lower(), known)
        raise expected(f"one of {', '.join(known)}", value, near if "Did you mean" in near else "")

    def each(self, value: Any) -> list[str]:
        """Return a list of words."""
        return read_items(value, self, f"a list of {', '.join(self.known())}")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of one word."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True)
class QuantityReader:
    """Reads a scalar quantity of one dimension; the unit given is preserved.

    ``above``, ``minimum`` and ``maximum`` are limits in ``unit``, exclusive, inclusive, inclusive.
    """

    noun: str
    unit: str
    above: float = -np.inf
    minimum: float = -np.inf
    maximum: float = np.inf

    def __call__(self, value: Any) -> u.Quantity:
        """Return the quantity, or raise ``ConfigError``."""
        is_bare = isinstance(value, int | float) and not isinstance(value, bool)
        example = f"{self.noun} with a unit such as '{value if is_bare else 1} {self.unit}'"
        try:
            quantity = normalize_quantity(value, self.unit, KEY)
        except (ConfigError, u.UnitTypeError):
            raise expected(example, value) from None
        if not quantity.isscalar:
            raise expected(example, value)
        self._check_range(float(quantity.to_value(self.unit)), value)
        # Written as text, a scaled unit would lose its scale, and Gammapy does not read hour angles.
        is_plain = quantity.unit.scale == 1.0 and quantity.unit != u.hourangle
        result = quantity if is_plain else quantity.to(self.unit)
        return u.Quantity(float(result.value), result.unit)

    def _check_range(self, number: float, value: Any) -> None:
        if not np.isfinite(number):
            raise expected(f"{self.noun} that is a finite number of {self.unit}", value)
        if not number > self.above:
            raise expected(f"{self.noun} above {self.above:g} {self.unit}", value)
        if not self.minimum <= number <= self.maximum:
            raise expected(f"{self.noun} from {max(self.minimum, self.above):g} to {self.maximum:g} {self.unit}", value)

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the text."""
        return {"type": "string", "pattern": rf"^\s*{NUMBER}\s*\S+", "examples": [f"1 {self.unit}"]}


def read_times(value: Any) -> Time:
    """Read one time or a list of times, UTC where no scale is given: ISO text, YAML dates, ``Time``."""
    if isinstance(value, Time):
        return value
    text = value.strip() if isinstance(value, str) else ""
    # Gammapy 1.0 writes a list of times as the text of a numpy array.
    items = _NUMPY_ITEM.findall(text) if text.startswith("[") else value
    if isinstance(items, list | tuple | np.ndarray) and len(items):
        times = each_read(list(items), _read_time)
        return Time(times) if all(time.isscalar for time in times) else _refuse_time(value)
    return _read_time(items)


def _refuse_time(value: Any) -> Time:
    raise expected("a time such as '2004-12-04T22:00:00' (UTC), or a list of times", value)


def _read_time(value: Any) -> Time:
    if isinstance(value, Time):
        return value
    if isinstance(value, datetime.datetime):
        moment = value.astimezone(datetime.UTC).replace(tzinfo=None) if value.tzinfo else value
        value = moment.isoformat()
    elif isinstance(value, datetime.date):
        value = value.isoformat()
    if not isinstance(value, str):
        return _refuse_time(value)
    with any_year():
        try:
            time = Time(value.strip())
        except ValueError:
            return _refuse_time(value)
        # Other years are not written with four digits.
        return time if not time.isscalar or 1000 <= float(time.jyear) < 9999 else _refuse_time(value)


def written_times(value: Time) -> str | list[str]:
    """Return the text of one time or the texts of several, UTC, with as many digits as needed."""
    if not value.isscalar:
        return [_written_time(value[number]) for number in range(len(value))]
    return _written_time(value)


def _written_time(value: Time) -> str:
    with any_year():
        time = Time(value.utc, format=value.format if value.format in ("iso", "isot") else "isot", precision=3)
        if Time(time.value) != time:
            time.precision = 9
        return str(time.value)


def is_before(start: Time, stop: Time) -> bool:
    """Whether one time is before another, whatever their scales."""
    with any_year():
        return bool(start < stop)


def plain_value(value: Any) -> Any:
    """Return a value of a free mapping as YAML can hold it."""
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, u.Quantity) and value.isscalar:
        return quantity_string(value)
    if isinstance(value, list | tuple | np.ndarray):
        return [plain_value(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, os.PathLike) else value


def read_mapping(value: Any) -> dict[str, Any]:
    """Read a mapping with text as keys."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise expected("a mapping such as {name: value}", value)
    return dict(value)


# Far outside of any observation; powers of larger energies overflow.
ENERGY = QuantityReader("an energy", "TeV", above=0.0, minimum=1e-12, maximum=1e12)
ANGLE = QuantityReader("an angle", "deg")
LATITUDE = QuantityReader("a latitude", "deg", minimum=-90.0, maximum=90.0)
SIZE = QuantityReader("an angle", "deg", above=0.0, maximum=360.0)
# That of a point is 0.
RADIUS = QuantityReader("an angle", "deg", minimum=0.0, maximum=360.0)
FRAME = Choice(("icrs", "galactic"))
LEVEL = Choice(LEVELS, any_case=True)
TIME_SCHEMA: dict[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "examples": ["2004-12-04T22:00:00"],
}
TEXT_SCHEMA: dict[str, Any] = {"type": "string", "minLength": 1}

Energy = Annotated[
    u.Quantity, PlainValidator(ENERGY), PlainSerializer(quantity_string), WithJsonSchema(ENERGY.schema())
]
Angle = Annotated[u.Quantity, PlainValidator(ANGLE), PlainSerializer(quantity_string), WithJsonSchema(ANGLE.schema())]
Latitude = Annotated[
    u.Quantity, PlainValidator(LATITUDE), PlainSerializer(quantity_string), WithJsonSchema(LATITUDE.schema())
]
Size = Annotated[u.Quantity, PlainValidator(SIZE), PlainSerializer(quantity_string), WithJsonSchema(SIZE.schema())]
Radius = Annotated[
    u.Quantity, PlainValidator(RADIUS), PlainSerializer(quantity_string), WithJsonSchema(RADIUS.schema())
]
Times = Annotated[Time, PlainValidator(read_times), PlainSerializer(written_times), WithJsonSchema(TIME_SCHEMA)]
PathOrUrlField = Annotated[PathOrUrl, PlainValidator(read_location), PlainSerializer(str), WithJsonSchema(TEXT_SCHEMA)]
Text = Annotated[str, PlainValidator(read_text), WithJsonSchema(TEXT_SCHEMA)]
LogFormat = Annotated[str, PlainValidator(read_log_format), WithJsonSchema(TEXT_SCHEMA)]
Flag = Annotated[bool, PlainValidator(read_flag), WithJsonSchema({"type": "boolean"})]
Frame = Annotated[str, PlainValidator(FRAME), WithJsonSchema(FRAME.schema())]
Level = Annotated[str, PlainValidator(LEVEL), WithJsonSchema({"type": "string", "examples": list(LEVELS)})]
