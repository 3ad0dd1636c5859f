"""Whole arrays as the chunks of Zarr v3 and back: little-endian, C order, then blosc.

Windows of an array are read through zarr. Whole arrays are what a store writes and mostly reads, and an array object of
zarr costs about half a millisecond for each chunk, however small it is. ``StoredArray`` is read when it is used.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numcodecs.blosc import SHUFFLE, Blosc
from xarray.backends import BackendArray
from xarray.core import indexing
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.sync import sync
from zarr.storage import ObjectStore

from xgamma.errors import StoreError

ZarrDocument = dict[str, Any]
Result = TypeVar("Result")

# Measured on 380,000 H.E.S.S. events: 1.3 GB/s in, 4.8 GB/s out, ratio 2.4 (zstd 1: 0.4, 0.8, 2.1).
COMPRESSION = {"cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0}
CODECS = ["bytes", "blosc"]
# One folder for each array, and not one for each dim of it.
SEPARATOR = "."
_CODEC = Blosc(cname="lz4", clevel=5, shuffle=SHUFFLE, blocksize=0)
# So many are requested at a time: after a missing one the others, which may exist in the metadata only, are not tried.
_AT_ONCE = 256
# Above this a thread is worth its start.
_LARGE_BYTES = 1_000_000


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


class ChunkReader(Protocol):
    """What returns the bytes of chunks, and the error for a damaged one."""

    async def get(self, key: str, prototype: BufferPrototype) -> Buffer | None:
        """Return the bytes of one object."""

    def damage(self, key: str, what: str) -> StoreError:
        """Return the error for an object that is not as it was put."""


async def write_array(zarr: ObjectStore[Any], path: str, document: ZarrDocument, values: npt.NDArray[Any]) -> None:
    """Write every chunk of an array."""
    shape = chunk_shape_of(document)

    async def write(key: str, place: tuple[slice, ...]) -> None:
        content = await _in_thread_if_large(values.nbytes, lambda: _encoded(values[place], shape))
        await zarr.set(f"{path}/{key}", default_buffer_prototype().buffer.from_bytes(content))

    await asyncio.gather(*(write(key, place) for key, place in chunks_of(document)))


def _encoded(values: npt.NDArray[Any], shape: tuple[int, ...]) -> bytes:
    if values.shape != shape:  # the last chunk along a dim is filled up with zeros, the fill value
        whole = np.zeros(shape, values.dtype)
        whole[tuple(slice(0, size) for size in values.shape)] = values
        values = whole
    return bytes(_CODEC.encode(np.ascontiguousarray(values)))


async def read_array(zarr: ChunkReader, path: str, document: ZarrDocument) -> npt.NDArray[Any]:
    """Read a whole array; raises ``StoreError`` for a chunk that is missing or damaged, and for no room in memory."""
    values = _room(zarr, path, document["shape"], document)
    parts = ((key, _inside(place), place) for key, place in chunks_of(document))
    await _read_into(values, zarr, path, document, parts)
    return values


async def read_window(
    zarr: ChunkReader, path: str, document: ZarrDocument, places: tuple[slice | npt.NDArray[np.int64], ...]
) -> npt.NDArray[Any]:
    """Read a part of an array, of each chunk what is needed.

    Parameters
    ----------
    zarr, path, document
        Where the array is, and its document.
    places
        For the first dims a slice of step 1 or numbers of at least 0; what is left out is whole.
    """
    sizes = document["shape"]
    asked = [*places, *(slice(0, size) for size in sizes[len(places) :])]
    along = [_pieces(*each) for each in zip(asked, sizes, chunk_shape_of(document), strict=True)]
    values = _room(zarr, path, [count for count, _ in along], document)
    parts = (
        (
            SEPARATOR.join(["c", *(str(piece.chunk) for piece in pieces)]),
            _crossed([piece.inside for piece in pieces]),
            _crossed([piece.place for piece in pieces]),
        )
        for pieces in itertools.product(*(pieces for _, pieces in along))
    )
    await _read_into(values, zarr, path, document, parts)
    return values


Selector = slice | npt.NDArray[np.int64]


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


def _inside(place: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(slice(0, part.stop - part.start) for part in place)


def _room(zarr: ChunkReader, path: str, shape: Sequence[int], document: ZarrDocument) -> npt.NDArray[Any]:
    try:
        return np.empty(shape, dtype=np.dtype(document["data_type"]).newbyteorder("<"))
    except (MemoryError, ValueError):
        raise zarr.damage(path, f"says that it has the shape {tuple(shape)}, for which there is no memory") from None


async def _read_into(
    values: npt.NDArray[Any],
    zarr: ChunkReader,
    path: str,
    document: ZarrDocument,
    parts: Iterable[tuple[str, Any, Any]],
) -> None:
    """Fill an array from chunks: the key of each, what of it is needed, and where that goes."""
    shape = chunk_shape_of(document)

    async def read(key: str, inside: Any, place: Any) -> None:
        found = await zarr.get(f"{path}/{key}", default_buffer_prototype())
        # A missing chunk is an error of the store already.
        content = cast(Buffer, found).to_bytes()
        target = _whole_chunk(values, place, shape)
        try:
            chunk = await _in_thread_if_large(values.nbytes, lambda: _decoded(content, shape, values.dtype, target))
        except (RuntimeError, ValueError, MemoryError) as error:  # from damaged bytes a decoder may raise any
            raise zarr.damage(f"{path}/{key}", "cannot be decoded") from error
        if target is None:
            values[place] = chunk[inside]

    asked = iter(parts)
    while batch := list(itertools.islice(asked, _AT_ONCE)):
        await asyncio.gather(*(read(*part) for part in batch))


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


async def _in_thread_if_large(nbytes: int, function: Callable[[], Result]) -> Result:
    return await asyncio.to_thread(function) if nbytes > _LARGE_BYTES else function()


class StoredArray(BackendArray):
    """One array of a store; travels to a worker as its place and its document.

    Parameters
    ----------
    zarr, path, document
        The place of its chunks, its path there, and its document, which ``validated_documents`` has looked at.
    """

    def __init__(self, zarr: ChunkReader, path: str, document: ZarrDocument) -> None:
        self._zarr = zarr
        self._path = path
        self._document = document
        self.shape = tuple(document["shape"])
        self.dtype = np.dtype(document["data_type"])

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the selection, as numpy indexes it; raises ``StoreError`` as ``read_window``."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._read)

    async def async_getitem(self, key: indexing.ExplicitIndexer) -> Any:
        """Return the same without waiting."""
        return await indexing.async_explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._found
        )

    def _read(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = sync(self._found(key))
        return found

    async def _found(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        asked = [_place(each, size) for each, size in zip(key, self.shape, strict=True)]
        found = await read_window(self._zarr, self._path, self._document, tuple(asked))
        # A single number takes its dim away.
        return found[tuple(0 if isinstance(each, int | np.integer) else slice(None) for each in key)]


def _place(key: Any, size: int) -> Selector:
    if isinstance(key, slice):
        return key if key.step in (None, 1) else np.arange(size)[key]
    numbers = np.atleast_1d(np.asarray(key, dtype=np.int64))
    return np.where(numbers < 0, numbers + size, numbers)


def lazy_array(zarr: ChunkReader, path: str, document: ZarrDocument) -> indexing.LazilyIndexedArray:
    """Return an array as a variable of xarray holds it that is not read yet."""
    return indexing.LazilyIndexedArray(StoredArray(zarr, path, document))
