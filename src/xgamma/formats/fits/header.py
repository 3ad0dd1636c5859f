"""FITS headers as plain mappings: what the standard says of fixed cards, and CONTINUE for long texts.

Source: FITS standard 4.0, section 4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from xgamma.errors import InputError

CARD = 80
_COMMENTARY = ("COMMENT", "HISTORY", "")
Value: TypeAlias = str | bool | int | float | None
Header: TypeAlias = dict[str, Any]


def parsed_header(content: bytes) -> Header:
    """Return the values of a header by keyword; the first of repeated keywords counts, comments are passed over.

    Parameters
    ----------
    content
        The cards, with or without the END card and what follows it.

    Raises
    ------
    InputError
        For a value that is no text, number or truth.

    Examples
    --------
    >>> parsed_header(b"NAXIS   =                    2 / number of axes".ljust(80) + b"END".ljust(80))
    {'NAXIS': 2}
    """
    header: Header = {}
    last = ""
    for keyword, field in _cards(content.decode("ascii", "replace")):
        if keyword == "CONTINUE" and isinstance(header.get(last), str):
            header[last] = str(header[last]).removesuffix("&") + str(_value(field, last))
        elif field and keyword != "CONTINUE":
            last = keyword
            header.setdefault(keyword, _value(field, keyword))
    return header


def _cards(text: str) -> Iterator[tuple[str, str]]:
    """Yield keyword and value field; the field of a commentary card is empty."""
    for start in range(0, len(text), CARD):
        keyword = text[start : start + 8].rstrip()
        if keyword == "END":
            return
        is_continued = keyword == "CONTINUE"
        has_value = is_continued or (text[start + 8 : start + 10] == "= " and keyword not in _COMMENTARY)
        yield keyword, text[start + (8 if is_continued else 10) : start + CARD] if has_value else ""


def _value(field: str, keyword: str) -> Value:
    word = field.lstrip()
    if word.startswith("'"):
        return _text(word)
    word = word.split("/", 1)[0].strip()
    if word in ("T", "F"):
        return word == "T"
    if not word:
        return None
    try:
        return int(word) if word.lstrip("+-").isdigit() else float(word.upper().replace("D", "E"))
    except ValueError:
        raise InputError(f"The header has {keyword} = {word!r}, which is no text, number or truth.") from None


def whole_number(header: Header, keyword: str, default: int | None = None) -> int:
    """Return a value that counts something; raises ``InputError`` unless it is a whole number from 0."""
    value = header.get(keyword, default)
    if type(value) is not int or value < 0:
        raise InputError(f"The header has {keyword} = {value!r}; expected a whole number from 0.")
    return value


def _text(word: str) -> str:
    """Return a quoted text: two quotes stand for one, trailing blanks do not count."""
    end = word.find("'", 1)
    while end >= 0 and word[end + 1 : end + 2] == "'":
        end = word.find("'", end + 2)
    return word[1 : end if end >= 0 else len(word)].replace("''", "'").rstrip()
