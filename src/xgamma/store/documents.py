"""JSON documents, read strictly and written in one way, and keys: digests of documents, files and Datasets."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from xgamma.errors import DataError, MissingInputError
from xgamma.schema.arrays import NamedArrays

if TYPE_CHECKING:
    import numpy.typing as npt

KEY_LENGTH = 32
NUMBERS = frozenset(
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"]
)
# A path segment that every file system, bucket and shell takes as it is; a leading underscore is the store's own.
_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def plain(value: Any, where: str) -> Any:
    """Return ``value`` as JSON holds it: numpy scalars and arrays as numbers and lists, tuples as lists.

    Raises ``DataError`` naming ``where`` for NaN, infinities, keys that are not strings, text that UTF-8 has no bytes
    for (the name of a file in another encoding) and every other type.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise DataError(f"{where}: expected names as keys, got {key!r}. Write it as text.")
            _validate_whole(key, where)
        return {key: plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, float) and not np.isfinite(value):
        raise DataError(f"{where}: expected a finite number, as JSON has no {value!r}. Leave it out or write text.")
    if isinstance(value, str):
        _validate_whole(value, where)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise DataError(
        f"{where}: expected what JSON holds (text, numbers, true, false, lists, mappings), got {value!r} "
        f"({type(value).__name__}). Write it as text or numbers."
    )


def _validate_whole(text: str, where: str) -> None:
    """Raise ``DataError`` for half a surrogate pair, which JSON can be written with and no reader accepts."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(f"{where}: expected text in UTF-8, got {text!r} with half a character. Rename it.") from None


def canonical_json(value: Any) -> str:
    """Return the one JSON text of ``value``: sorted keys, floats by ``repr``, no blanks, ASCII.

    Raises ``DataError`` for NaN and for what JSON does not hold.

    >>> canonical_json({"b": 1.0, "a": (1, "x")})
    '{"a":[1,"x"],"b":1.0}'
    """
    return json.dumps(plain(value, "key"), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """Return 32 hex characters of the SHA-256 of the canonical JSON of ``value``.

    >>> digest({"a": 1})
    '015abd7f5cc57a2dd94b7590f04ad808'
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:KEY_LENGTH]


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of the file ``path``, 64 hex characters as of ``sha256sum``; raises ``MissingInputError``."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no file {path}. Check where the release was unpacked.") from error


def dataset_digest(dataset: NamedArrays) -> str:
    """Return 32 hex characters of the content of ``dataset``: names, dims, dtypes, attrs and bytes.

    Order and chunks do not matter.
    Raises ``DataError`` where a Dataset holds what a store does not (see ``stored_array`` and ``plain``).
    """
    total = hashlib.sha256(canonical_json(plain(dataset.attrs, "attrs")).encode())
    for name in sorted(dataset.variables, key=str):
        variable = dataset.variables[name]
        array = stored_array(variable.values, str(name))
        is_text = array.dtype.kind == "U"
        content = canonical_json(array.tolist()).encode() if is_text else array.reshape(-1).view(np.uint8).data
        head = {
            "name": str(name),
            "coordinate": name in dataset.coords,
            "dims": [str(dim) for dim in variable.dims],
            "shape": list(array.shape),
            "dtype": "str" if is_text else array.dtype.name,
            "attrs": plain(variable.attrs, f"{name}.attrs"),
            "bytes": len(content),
        }
        total.update(canonical_json(head).encode())
        total.update(content)
    return total.hexdigest()[:KEY_LENGTH]


def stored_array(values: Any, where: str) -> npt.NDArray[Any]:
    """Return a little-endian, C-ordered array of numbers or bools, or an array of ``str``.

    Raises ``DataError`` for objects, bytes, dates and complex numbers, which a store does not hold.
    """
    array = np.asarray(values, order="C")
    if array.dtype.name in NUMBERS:
        return array.astype(array.dtype.newbyteorder("<"), copy=False)
    if array.dtype.kind in "UTO" and all(isinstance(item, str) for item in array.flat):
        return array.astype(str)
    raise DataError(
        f"{where}: expected an array of numbers, bools or names, got {array.dtype}. "
        "Times are float64 seconds since mjdref, kinds are integers with flag_meanings, text goes to attrs."
    )


def are_segments(words: Iterable[str]) -> bool:
    """Whether all words can be parts of a path in the store."""
    return all(map(_SEGMENT.fullmatch, words))


def validate_segment(word: str, what: str) -> str:
    """Return ``word`` if it can be a part of a path in the store, else raise ``DataError``."""
    if not _SEGMENT.fullmatch(word):
        raise DataError(
            f"Expected a {what} of letters, digits, '.', '_' and '-' that starts with a letter or digit, got {word!r}."
        )
    return word


MAX_DEPTH = 64
"""How deeply mappings and lists may be nested."""

_BRACKETS = b"[]{}"
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))
_ALIKE = bytes.maketrans(b"{}", b"[]")
_BLANKS = " \t\n\r"


def parsed_mapping(content: bytes, place: str = "", *alike: str) -> dict[str, Any]:
    """Return the mapping that a document holds.

    Where thousands hold the same mappings ``alike`` in their mapping ``place``, each is parsed once, and is one object.

    Raises ``ValueError``, whose text goes on after the name of the document: ``breaks off or is no JSON``.
    """
    try:
        text = content.decode("utf-8")
        document = (_with_known(text, place, alike) if alike else None) or _decoded(text, _DECODER)
    except RecursionError:
        raise ValueError(f"is nested more than {MAX_DEPTH} levels deep") from None
    except _FormatError:
        raise
    except ValueError:
        raise ValueError("breaks off or is no JSON in UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("is no JSON of a mapping")
    # A single character is looked for ten times as fast as two.
    if "\\" in text and "\\u" in text:
        _validate_text(document)
    return document


class _FormatError(ValueError):
    """A document that is JSON to some, and not of the format."""


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _FormatError(f"has the name {twice!r} twice in one mapping")
    return document


def _no_number(word: str) -> float:
    raise _FormatError(f"holds {word}, which is no number in JSON")


# Made once, as making one takes as long as reading a record.
_DECODER = json.JSONDecoder(object_pairs_hook=_mapping, parse_constant=_no_number)


def _decoded(text: str, decoder: json.JSONDecoder) -> Any:
    if _may_be_deep(text):
        _validate_depth(json.loads(text))
    # As decoder.decode does with two regular expressions.
    bare = text.strip(_BLANKS)
    document, end = decoder.raw_decode(bare)
    if end < len(bare):
        raise ValueError("something follows the document")
    return document


_LONGEST_KNOWN = 1 << 16
_CUT_OUT = object()
_CUT_MARK = "-Infinity"
"""Stands where something is cut out: no document may hold it, and nothing in a text is taken for it."""
_REMAINS = json.JSONDecoder(
    object_pairs_hook=_mapping, parse_constant=lambda word: _CUT_OUT if word == _CUT_MARK else _no_number(word)
)


def _with_known(text: str, place: str, names: Iterable[str]) -> dict[str, Any] | None:
    """Return a document whose mapping ``place`` holds mappings that may be known; ``None`` where it does not.

    Each is cut out where it begins and ends on lines of its own, as records are written. A text of JSON holds no end of
    a line, so that what is cut out is a member where what remains is JSON, and all of it where it is JSON itself.
    """
    remains, insides = text, {}
    for name in names:
        before, _, after = remains.partition(f'\n  "{name}": {{\n')
        inside, end, after = after.partition("\n  }")
        if end and len(inside) <= _LONGEST_KNOWN:
            remains, insides[name] = f'{before}\n  "{name}": {_CUT_MARK}{after}', inside
    # A single character is looked for ten times as fast as a word.
    if not insides or ("I" in text and _CUT_MARK in text):
        return None
    try:
        document = _decoded(remains, _REMAINS)
        holder = document[place]
        for name, inside in insides.items():
            if holder[name] is not _CUT_OUT:
                return None
            holder[name] = _inside(inside)
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return cast("dict[str, Any]", document)


@functools.lru_cache(64)
def _inside(text: str) -> dict[str, Any]:
    """Return the mapping between two braces, two levels below the root of a document."""
    whole = f"{{{text}}}"
    mapping: dict[str, Any] = _DECODER.decode(whole)
    if _may_be_deep(f"[[{whole}]]"):
        _validate_depth([[mapping]])
    return mapping


def _may_be_deep(text: str) -> bool:
    """Whether brackets may be nested beyond ``MAX_DEPTH``, at the speed of memory; brackets in texts count as well."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    left = text.encode("utf-8", "replace").translate(_ALIKE, _OTHERS)
    for _ in range(MAX_DEPTH):
        if not left:
            return False
        # The innermost pairs.
        left = left.replace(b"[]", b"")
    return bool(left)


def _validate_depth(document: Any) -> None:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [item for each in level for item in _items(each)]
    if level:
        raise RecursionError


def _items(value: Any) -> list[Any]:
    """Return what is nested in a mapping or a list; plain values hold nothing."""
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _validate_text(document: Any) -> None:
    """Raise ``ValueError`` for half a surrogate pair, which no text can be written with."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _FormatError("holds half a character") from None


# --- the nodes of a product, its groups and arrays, as the zarr.json of its root describes them

ZarrDocument = dict[str, Any]
Documents = dict[str, ZarrDocument]

# Readers act on these; a plain attribute of such a name would change the numbers or the coordinates that they see.
RESERVED_ATTRS = frozenset(
    ["_FillValue", "missing_value", "scale_factor", "add_offset", "_Unsigned", "dtype", "coordinates", "names_in"]
)
NAME = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)


def read_documents(content: bytes) -> Documents:
    """Return the nodes of a product by path from the ``zarr.json`` of its root, as they are.

    Raises ``ValueError`` for what is no JSON of the kind; its text goes on after the name of the document.
    """
    root = parsed_mapping(content)
    consolidated = root.pop("consolidated_metadata", None)
    nodes = consolidated.get("metadata") if isinstance(consolidated, dict) else None
    if not isinstance(nodes, dict):
        raise ValueError("has no consolidated_metadata with the metadata of all nodes")
    return {**nodes, "": root}


def array_documents(documents: Documents, group: str) -> Documents:
    """Return the documents of the arrays of one group, by name."""
    prefix = f"{group}/" if group else ""
    inside = {path[len(prefix) :]: node for path, node in documents.items() if path.startswith(prefix)}
    return {name: node for name, node in inside.items() if "/" not in name and node["node_type"] == "array"}
