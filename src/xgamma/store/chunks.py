"""Arrays as the chunks of Zarr v3 and back: little-endian, C order, then blosc.

zarr is not needed for them: loading it takes as long as a command that shows a product, and an array object of it costs
about half a millisecond for each chunk, however small it is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from numcodecs.blosc import SHUFFLE, Blosc

from xgamma.storage.whole_objects import WholeObjects
from xgamma.store.documents import ZarrDocument

Selector = slice | npt.NDArray[np.int64]

# Measured on 380,000 H.E.S.S. events: 1.3 GB/s in, 4.8 GB/s out, ratio 2.4 (zstd 1: 0.4, 0.8, 2.1).
COMPRESSION = {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}
CODECS = ["bytes", "blosc"]
# One folder for each array, and not one for each dim of it.
SEPARATOR = "."
_CODEC = Blosc(cname="lz4", clevel=5, shuffle=SHUFFLE, blocksize=0)


def chunk_shape_of(document: ZarrDocument) -> tuple[int, ...]:
    """Return the shape of a chunk from the document of an array."""
    return tuple(document["chunk_grid"]["configuration"]["chunk_shape"])


def chunks_of(document: ZarrDocument) -> Iterator[tuple[str, tuple[slice, ...]]]:
    """Yield the key below the array, ``c``, ``c.0``, ``c.0.1``, ..., and the place in the array of every chunk."""
    sizes, chunk = document["shape"], chunk_shape_of(document)
    counts = [range(-(-size // length)) for size, length in zip(sizes, chunk, strict=True)]
    for index in itertools.product(*counts):
        places = zip(index, chunk, sizes, strict=True)
        yield (
            SEPARATOR.join(["c", *map(str, index)]),
            tuple(slice(number * length, min((number + 1) * length, size)) for number, length, size in places),
        )


def encoded_chunks(document: ZarrDocument, values: npt.NDArray[Any]) -> dict[str, bytes]:
    """Return the content of every chunk of an array by its key below the array."""
    shape = chunk_shape_of(document)
    return {key: _encoded(values[place], shape) for key, place in chunks_of(document)}


def writing(
    objects: WholeObjects, path: str, document: ZarrDocument, values: npt.NDArray[Any]
) -> Iterator[Callable[[], None]]:
    """Yield what writes each chunk of an array; for ``WholeObjects.run``."""
    shape = chunk_shape_of(document)

    def write(key: str, place: tuple[slice, ...]) -> None:
        objects.set(f"{path}/{key}", _encoded(values[place], shape))

    for key, place in chunks_of(document):
        yield partial(write, key, place)


def _encoded(values: npt.NDArray[Any], shape: tuple[int, ...]) -> bytes:
    if values.shape != shape:  # the last chunk along a dim is filled up with zeros, the fill value
        whole = np.zeros(shape, values.dtype)
        whole[tuple(slice(0, size) for size in values.shape)] = values
        values = whole
    return bytes(_CODEC.encode(np.ascontiguousarray(values)))


def read_arrays(
    objects: WholeObjects, arrays: Mapping[str, ZarrDocument], places: Sequence[Selector] = ()
) -> dict[str, npt.NDArray[Any]]:
    """Read several arrays at once, whole or the same part of each, of each chunk what is needed.

    Parameters
    ----------
    objects, arrays
        Where the arrays are, and the document of each by its path.
    places
        For the first dims a slice of step 1 or numbers of at least 0; what is left out is whole.

    Raises
    ------
    StoreError
        For a chunk that is missing or damaged, and for no room in memory.
    """
    found: dict[str, npt.NDArray[Any]] = {}
    jobs: list[Iterable[Callable[[], None]]] = []
    for path, document in arrays.items():
        along = _along(document, places)
        found[path] = _room(objects, path, [count for count, _ in along], document)
        jobs.append(_reading(objects, path, document, found[path], [pieces for _, pieces in along]))
    objects.run(itertools.chain.from_iterable(jobs), sum(values.nbytes for values in found.values()))
    return found


class _Piece(NamedTuple):
    """What of one chunk is needed along a dim: the number of the chunk, where in it, and where it goes."""

    chunk: int
    inside: Selector
    place: Selector


def _pieces(asked: Selector, size: int, chunk: int) -> tuple[int, list[_Piece]]:
    """Return how many indices are selected along a dim, and the piece of each chunk that holds some."""
    if isinstance(asked, slice):
        start, stop, _ = asked.indices(size)
        cuts = [
            (number, max(start, number * chunk), min(stop, (number + 1) * chunk))
            for number in (range(start // chunk, -(-stop // chunk)) if start < stop else ())
        ]
        pieces = [
            _Piece(number, slice(low - number * chunk, high - number * chunk), slice(low - start, high - start))
            for number, low, high in cuts
        ]
        return max(0, stop - start), pieces
    numbers = asked // chunk
    places = {int(number): np.flatnonzero(numbers == number) for number in np.unique(numbers)}
    return len(asked), [_Piece(number, asked[at] - number * chunk, at) for number, at in places.items()]


def _crossed(places: list[Selector]) -> tuple[Any, ...]:
    """Return an index by which numpy takes all combinations of the places along each dim."""
    if all(isinstance(place, slice) for place in places):
        return tuple(places)
    return np.ix_(*(np.arange(place.start, place.stop) if isinstance(place, slice) else place for place in places))


def _along(document: ZarrDocument, places: Sequence[Selector]) -> list[tuple[int, list[_Piece]]]:
    sizes = document["shape"]
    asked = [*places, *(slice(0, size) for size in sizes[len(places) :])]
    return [_pieces(*each) for each in zip(asked, sizes, chunk_shape_of(document), strict=True)]


def _room(objects: WholeObjects, path: str, shape: Sequence[int], document: ZarrDocument) -> npt.NDArray[Any]:
    try:
        return np.empty(shape, dtype=np.dtype(document["data_type"]).newbyteorder("<"))
    except (MemoryError, ValueError):
        raise objects.damage(path, f"says that it has the shape {tuple(shape)}, for which there is no memory") from None


def _reading(
    objects: WholeObjects, path: str, document: ZarrDocument, values: npt.NDArray[Any], along: list[list[_Piece]]
) -> Iterator[Callable[[], None]]:
    """Yield what fills an array from each chunk, whose pieces along each dim are given."""
    shape = chunk_shape_of(document)

    def read(pieces: tuple[_Piece, ...]) -> None:
        chunk_path = f"{path}/{SEPARATOR.join(['c', *(str(piece.chunk) for piece in pieces)])}"
        place = _crossed([piece.place for piece in pieces])
        target = _whole_chunk(values, place, shape)
        # A missing chunk is an error of the objects already.
        content = cast(bytes, objects.get(chunk_path))
        try:
            chunk = _decoded(content, shape, values.dtype, target)
        except (RuntimeError, ValueError, MemoryError) as error:  # from damaged bytes a decoder may raise any
            raise objects.damage(chunk_path, "cannot be decoded") from error
        if target is None:
            values[place] = chunk[_crossed([piece.inside for piece in pieces])]

    for pieces in itertools.product(*along):
        yield partial(read, pieces)


def _whole_chunk(values: npt.NDArray[Any], place: Any, shape: tuple[int, ...]) -> npt.NDArray[Any] | None:
    """Return where a chunk goes whole and in one piece, so that it is decoded there; else ``None``."""
    if not place or not all(isinstance(part, slice) for part in place):
        return None
    target: npt.NDArray[Any] = values[place]
    return target if target.shape == shape and target.flags.c_contiguous else None


def _decoded(
    content: bytes, shape: tuple[int, ...], dtype: np.dtype[Any], out: npt.NDArray[Any] | None = None
) -> npt.NDArray[Any]:
    """Return a chunk, in ``out`` where that is given."""
    nbytes = math.prod(shape) * dtype.itemsize
    if int.from_bytes(content[4:8], "little") != nbytes:
        raise ValueError("The chunk has another size than the metadata say.")
    if out is not None and nbytes:
        _CODEC.decode(content, out)
        return out
    return np.frombuffer(_CODEC.decode(content), dtype).reshape(shape)
