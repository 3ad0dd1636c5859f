"""Ways in which a store may be damaged or hostile: what each does to a store on a disk, by name.

Each is given the folder of a store with one product of each kind, and changes it in place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Mutation = Callable[[Path], None]

TOKEN = re.compile(rb'"[^"]*"|-?[0-9][0-9.eE+-]*|true|false|null|\[[^\[\]{}]*\]')
"""A value or a name in JSON."""
DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000


def product(folder: Path, kind: str) -> Path:
    """Return the folder of the only product of a kind."""
    (path,) = [path for path in (folder / kind).iterdir() if (path / "record.json").exists()]
    return path


def attempt(folder: Path, kind: str) -> Path:
    """Return the Zarr group of the only product of a kind."""
    path = product(folder, kind)
    return path / json.loads((path / "record.json").read_bytes())["attempt"]


def _changed(path: Path, change: Callable[[Any], Any]) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


def record(kind: str, **changes: Any) -> Mutation:
    """Change fields of a record; ``...`` takes one away."""

    def change(document: Any) -> None:
        document.update(changes)
        for name in [name for name, value in changes.items() if value is ...]:
            del document[name]

    return lambda folder: _changed(product(folder, kind) / "record.json", change)


def texts(kind: str, **changes: Any) -> Mutation:
    """Change texts of a record; ``...`` takes one away."""

    def change(document: Any) -> None:
        for name, value in changes.items():
            document["texts"].pop(name) if value is ... else document["texts"].update({name: value})

    return lambda folder: _changed(product(folder, kind) / "record.json", change)


def raw(kind: str, name: str, content: bytes) -> Mutation:
    """Write bytes into the place of a file of a product: of ``record.json``, or of one in its Zarr group."""

    def write(folder: Path) -> None:
        place = product(folder, kind) if name == "record.json" else attempt(folder, kind)
        (place / name).write_bytes(content)

    return write


def metadata(kind: str, change: Callable[[Any], Any], *, honest: bool = False, old: bool = False) -> Mutation:
    """Change the metadata of a product.

    ``honest``: the record says that this is right, as one does who writes a hostile store; ``old``: it says nothing,
    as the records of xgamma 0.1.0.
    """

    def write(folder: Path) -> None:
        path = attempt(folder, kind) / "zarr.json"
        _changed(path, change)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if honest or old:
            record(kind, metadata=... if old else digest)(folder)

    return write


def node(kind: str, name: str, honest: bool = False, old: bool = False, **changes: Any) -> Mutation:
    """Change the document of an array in the metadata of a product."""
    return metadata(
        kind, lambda root: root["consolidated_metadata"]["metadata"][name].update(changes), honest=honest, old=old
    )


def attribute(kind: str, name: str, old: bool = True, **changes: Any) -> Mutation:
    """Change attributes of an array, or with an empty name of the root group."""

    def change(root: Any) -> None:
        at = root if name == "" else root["consolidated_metadata"]["metadata"][name]
        for key, value in changes.items():
            at["attributes"].pop(key) if value is ... else at["attributes"].update({key: value})

    return metadata(kind, change, old=old)


def without(kind: str, name: str) -> Mutation:
    """Take an array out of the metadata of an old product."""
    return metadata(kind, lambda root: root["consolidated_metadata"]["metadata"].pop(name), old=True)


def renamed(kind: str, old: str, new: str) -> Mutation:
    """Give an array another path in the metadata."""

    def change(root: Any) -> None:
        nodes = root["consolidated_metadata"]["metadata"]
        nodes[new] = nodes.pop(old)

    return metadata(kind, change, old=True)


def chunk(kind: str, name: str, change: Callable[[bytes], bytes]) -> Mutation:
    """Change the bytes of a chunk."""

    def write(folder: Path) -> None:
        path = attempt(folder, kind) / name
        path.write_bytes(change(path.read_bytes()))

    return write


def instead(path: Callable[[Path], Path], make: Callable[[Path], Any]) -> Mutation:
    """Put something else into the place of a file or folder."""

    def write(folder: Path) -> None:
        place = path(folder)
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        make(place)

    return write


def link_to(target: str) -> Callable[[Path], None]:
    """Return what makes a link."""
    return lambda place: place.symlink_to(target)


def label(folder_name: str, content: bytes) -> Mutation:
    """Put a small document beside the products."""

    def write(folder: Path) -> None:
        (folder / folder_name).mkdir(exist_ok=True)
        (folder / folder_name / "x.json").write_bytes(content)

    return write


def _in_record(kind: str) -> Callable[[Path], Path]:
    return lambda folder: product(folder, kind) / "record.json"


def _in_attempt(kind: str, name: str) -> Callable[[Path], Path]:
    return lambda folder: attempt(folder, kind) / name


def _sparse(place: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 40)


def _duplicated(folder: Path) -> None:
    path = product(folder, "stack") / "record.json"
    path.write_bytes(b'{"nbytes": 1, ' + path.read_bytes()[1:])


def _another_attempt(folder: Path) -> None:
    """Let a record name the attempt of another product."""
    record("stack", attempt=attempt(folder, "fit").name)(folder)


def _another_record(folder: Path) -> None:
    shutil.copy(product(folder, "fit") / "record.json", product(folder, "stack") / "record.json")


def _zarr_2(folder: Path) -> None:
    place = attempt(folder, "stack")
    (place / "zarr.json").unlink()
    (place / ".zgroup").write_text('{"zarr_format": 2}')


def _unlike_array(folder: Path) -> None:
    _changed(attempt(folder, "stack") / "counts" / "zarr.json", lambda d: d["attributes"].update(scale_factor=2.0))


CHUNK = "counts/c.0.0.0"
DL4_FILL = {"zero": 0}
SHARDS = [{"name": "sharding_indexed", "configuration": {"chunk_shape": [1, 1, 8], "codecs": [{"name": "bytes"}]}}]
GRID = "regular"


def _grid(*sizes: Any) -> dict[str, Any]:
    return {"name": GRID, "configuration": {"chunk_shape": list(sizes)}}


HUGE = {"shape": [1, 1 << 20, 1 << 20], "chunk_grid": _grid(1, 1, 1)}

RECORDS: dict[str, Mutation] = {
    "an empty record": raw("stack", "record.json", b""),
    "a record that is a list": raw("stack", "record.json", b"[]"),
    "a record that is a number": raw("rows", "record.json", b"3"),
    "a record that is null": raw("dl3", "record.json", b"null"),
    "a record that is not UTF-8": raw("fit", "record.json", b'{"kind": "\xff\xfe"}'),
    "a record in UTF-16": raw("fit", "record.json", "{}".encode("utf-16")),
    "a record that is nested deeply": raw("stack", "record.json", DEEP),
    "lists that are nested deeply": raw("stack", "record.json", b"[" * 100_000),
    "provenance that is nested deeply": record("stack", provenance=json.loads(b'{"a":' * 200 + b"1" + b"}" * 200)),
    "NaN in a record": record("stack", nbytes=float("nan")),
    "Infinity in texts": texts("rows", extra=float("inf")),
    "a name twice in a record": _duplicated,
    "half a character in a record": record("stack", provenance={"software": {"xgamma": "\ud800"}}),
    "a number of a million digits": raw("stack", "record.json", b'{"nbytes": ' + b"9" * 1_000_000 + b"}"),
    "texts that are null": record("dl3", texts=None),
    "texts of rows that are null": record("rows", texts=None),
    "texts that lack the runs": texts("dl3", runs=...),
    "texts that lack the release": texts("dl3", release=...),
    "runs that are numbers": texts("dl3", runs=[1, 2, 3]),
    "runs without ids": texts("dl3", runs=[{}, {}, {}]),
    "ids of runs that are lists": texts("dl3", runs=[{"obs_id": [], "run_key": "k"}] * 3),
    "too few runs": texts("dl3", runs=[{"obs_id": 1, "run_key": "k"}]),
    "other run keys": texts("dl3", runs=[{"obs_id": i, "run_key": f"k{i}"} for i in (1, 2, 3)]),
    "a release that is a mapping": texts("dl3", release={}),
    "files that are numbers": texts("dl3", files={"/etc/passwd": 3}),
    "files outside": texts("dl3", files={"/etc/passwd": [1, "2", "../../x"]}),
    "rows that are null": texts("rows", rows=None),
    "rows that lack": texts("rows", rows=...),
    "too many rows": texts("rows", rows=["a", "b", "c", "d"]),
    "a recipe that is a list": texts("rows", recipe=[]),
    "a recipe that lacks": texts("rows", recipe=...),
    "stacks that are numbers": texts("stack", stacks=[1]),
    "provenance that is a text": record("rows", provenance="here"),
    "provenance that is empty": record("rows", provenance={}),
    "digests that are a list": record("stack", digests=[]),
    "a digest that is a number": record("stack", digests={"": 1}),
    "a wrong digest": record("stack", digests={"": "0" * 32}),
    "no digests": record("stack", digests={}),
    "a group that is not there": record("stack", digests={"": "0" * 32, "events": "0" * 32}),
    "a group outside": record("stack", digests={"../../fit": "0" * 32}),
    "an attempt above": record("stack", attempt=".."),
    "an attempt outside": record("stack", attempt="../../../outside"),
    "an attempt at the root": record("stack", attempt="/etc"),
    "an attempt that is a url": record("stack", attempt="https://example.org/x"),
    "an attempt that is null": record("rows", attempt=None),
    "an attempt that is a number": record("rows", attempt=7),
    "an attempt of another product": _another_attempt,
    "the record of another product": _another_record,
    "a record that supersedes what is outside": record("stack", supersedes=["../../x"]),
    "a record that supersedes another": record("stack", supersedes=["0" * 32]),
    "a size below zero": record("stack", nbytes=-1),
    "a size that is a text": record("fit", nbytes="big"),
    "a time that is a number": record("dl3", created=3),
    "inputs that are null": record("stack", inputs=None),
    "a newer record": record("fit", schema=2),
    "a version that is null": record("fit", schema=None),
    "a wrong sum of the metadata": record("stack", metadata="0" * 64),
    "a sum that is a number": record("stack", metadata=1),
}
METADATA: dict[str, Mutation] = {
    "empty metadata": raw("stack", "zarr.json", b""),
    "metadata that are a list": raw("stack", "zarr.json", b"[]"),
    "metadata that are nested deeply": raw("rows", "zarr.json", DEEP),
    "metadata that are not consolidated": metadata("stack", lambda d: d.pop("consolidated_metadata"), old=True),
    "consolidated metadata that are null": metadata("stack", lambda d: d.update(consolidated_metadata=None), old=True),
    "nodes that are a list": metadata("stack", lambda d: d["consolidated_metadata"].update(metadata=[]), old=True),
    "a node that is null": metadata(
        "stack", lambda d: d["consolidated_metadata"]["metadata"].update(counts=None), old=True
    ),
    "Zarr version 2": _zarr_2,
    "consolidated metadata that disagree": _unlike_array,
    "a path above": renamed("stack", "counts", "../counts"),
    "a path at the root": renamed("stack", "counts", "/etc/counts"),
    "a shape that is too large": node("stack", "counts", old=True, shape=[1, 1, 9]),
    "a shape that is too small": node("stack", "counts", old=True, shape=[1, 1, 7]),
    "a shape that is negative": node("stack", "counts", old=True, shape=[1, 1, -8]),
    "a shape that is null": node("stack", "counts", old=True, shape=None),
    "a shape of texts": node("stack", "counts", old=True, shape=["1", "1", "8"]),
    "a shape of too few dims": node("stack", "counts", old=True, shape=[8]),
    "a huge shape in tiny chunks": node("stack", "counts", old=True, **HUGE),
    "a huge dim of nothing": node("stack", "counts", old=True, shape=[0, 1, 1 << 60]),
    "a shape beyond all numbers": node("stack", "counts", old=True, shape=[1, 1, 10**40]),
    "chunks of size 0": node("stack", "counts", old=True, chunk_grid=_grid(1, 1, 0)),
    "chunks of negative size": node("stack", "counts", old=True, chunk_grid=_grid(1, 1, -8)),
    "huge chunks": node("stack", "counts", old=True, chunk_grid=_grid(1, 1, 1 << 40)),
    "smaller chunks": node("stack", "counts", old=True, chunk_grid=_grid(1, 1, 4)),
    "chunks that are texts": node("stack", "counts", old=True, chunk_grid=_grid("a", "b", "c")),
    "an unknown chunk grid": node("stack", "counts", old=True, chunk_grid={"name": "rectilinear"}),
    "a chunk grid that is a list": node("stack", "counts", old=True, chunk_grid=[]),
    "another separator": node("stack", "counts", old=True, chunk_key_encoding={"name": "v2"}),
    "an unknown codec": node("stack", "counts", old=True, codecs=[{"name": "pickle"}]),
    "shards": node("stack", "counts", old=True, codecs=SHARDS),
    "codecs that are null": node("stack", "counts", old=True, codecs=None),
    "no codecs": node("stack", "counts", old=True, codecs=[]),
    "codecs without names": node("stack", "counts", old=True, codecs=[{}, {}]),
    "big-endian numbers": node(
        "stack", "counts", old=True, codecs=[{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "blosc"}]
    ),
    "a type that is wrong": node("stack", "counts", old=True, data_type="int64"),
    "a type that is narrower": node("stack", "counts", old=True, data_type="float32"),
    "a type that is unknown": node("stack", "counts", old=True, data_type="object"),
    "a type that is a mapping": node("stack", "counts", old=True, data_type={"name": "numpy.datetime64"}),
    "a fill value": node("stack", "counts", old=True, fill_value=7.0),
    "a fill value that is a text": node("stack", "counts", old=True, fill_value="NaN"),
    "other dims": node("stack", "counts", old=True, dimension_names=["dataset", "region", "energy_true"]),
    "dims twice": node("stack", "counts", old=True, dimension_names=["energy", "energy", "energy"]),
    "dims that are null": node("stack", "counts", old=True, dimension_names=[None, None, None]),
    "transformers": node("stack", "counts", old=True, storage_transformers=[{"name": "x"}]),
    "attributes that are a list": node("stack", "counts", old=True, attributes=[]),
    "a node of another kind": node("stack", "counts", old=True, node_type="table"),
    "an array that is not there": without("stack", "counts"),
    "a table without its runs": without("dl3", "event_start"),
    "rows without a ledger": without("rows", "ledger"),
    "a fit without its values": without("fit", "value"),
    "points without norms": without("flux-points", "norm"),
    "events without energies": without("dl3", "events/energy"),
    "no group of events": without("dl3", "events"),
    "a scale factor": attribute("stack", "counts", scale_factor=2.0),
    "an offset": attribute("stack", "counts", add_offset=1.0),
    "a fill value in the attributes": attribute("stack", "counts", _FillValue=0.0),
    "a missing value": attribute("rows", "counts", missing_value=0),
    "a type in the attributes": attribute("stack", "counts", dtype="bool"),
    "other units": attribute("stack", "exposure", units="cm2 s"),
    "other units of a new product": attribute("stack", "exposure", old=False, units="cm2 s"),
    "a scale factor in a new product": attribute("rows", "counts", old=False, scale_factor=2.0),
    "units that are a number": attribute("rows", "exposure", units=3),
    "no units": attribute("dl3", "events/energy", units=...),
    "names in what is not there": attribute("stack", "dataset", names_in="nowhere"),
    "names in null": attribute("stack", "dataset", names_in=None),
    "names that are numbers": attribute("stack", "", dataset_names=[1]),
    "too few names": attribute("stack", "", dataset_names=[]),
    "coordinates that are not there": attribute("stack", "counts", coordinates="nowhere"),
    "coordinates that are a number": attribute("stack", "", coordinates=7),
    "an epoch that is a text": attribute("rows", "", mjdref="then"),
    "no epoch": attribute("dl3", "", mjdref=...),
    "another epoch": attribute("dl3", "", mjdref=51911.0),
    "details that are null": attribute("rows", "", outcome_details=None),
    "too few details": attribute("rows", "", outcome_details=["used"]),
    "targets that are missing": attribute("dl3", "", target=["a"]),
    "responses that are not there": attribute("dl3", "", irf_tables=["irf/none"]),
    "a statistic that is a list": attribute("fit", "", total_stat=[]),
    "a newer product": attribute("stack", "", schema_version=2),
    "a product of something else": attribute("stack", "", schema="other"),
    "copies that are none": metadata("stack", lambda d: d["consolidated_metadata"].update(small_chunks=3)),
}
FILES: dict[str, Mutation] = {
    "a chunk that is empty": chunk("stack", CHUNK, lambda content: b""),
    "a chunk that is cut": chunk("stack", CHUNK, lambda content: content[:-3]),
    "a chunk with more at its end": chunk("rows", CHUNK, lambda content: content + b"x"),
    "a chunk that says that it is larger": chunk(
        "stack", CHUNK, lambda content: content[:4] + b"\xff\xff\xff\x7f" + content[8:]
    ),
    "a chunk of other numbers": chunk("stack", CHUNK, lambda content: content[:16] + bytes(len(content) - 16)),
    "a chunk of an unknown version": chunk("stack", CHUNK, lambda content: b"\xff" + content[1:]),
    "a chunk that is a pickle": chunk("stack", CHUNK, lambda content: b"cos\nsystem\n(S'true'\ntR."),
    "a chunk that is missing": lambda folder: (attempt(folder, "stack") / CHUNK).unlink(),
    "a chunk that is a folder": instead(_in_attempt("stack", CHUNK), Path.mkdir),
    "a chunk that is a pipe": instead(_in_attempt("stack", CHUNK), os.mkfifo),
    "a chunk that is a device": instead(_in_attempt("stack", CHUNK), link_to("/dev/zero")),
    "a chunk that is absurdly large": instead(_in_attempt("stack", CHUNK), _sparse),
    "a chunk that is a link to nothing": instead(_in_attempt("stack", CHUNK), link_to("nowhere")),
    "a chunk that is a link in a ring": instead(_in_attempt("stack", CHUNK), link_to("c.0.0.0")),
    "metadata that are missing": lambda folder: (attempt(folder, "rows") / "zarr.json").unlink(),
    "metadata that are a folder": instead(_in_attempt("stack", "zarr.json"), Path.mkdir),
    "metadata that are a pipe": instead(_in_attempt("stack", "zarr.json"), os.mkfifo),
    "metadata that are a device": instead(_in_attempt("stack", "zarr.json"), link_to("/dev/zero")),
    "metadata that are absurdly large": instead(_in_attempt("stack", "zarr.json"), _sparse),
    "metadata of an array that are a pipe": instead(_in_attempt("stack", "counts/zarr.json"), os.mkfifo),
    "an array that is a file": instead(_in_attempt("stack", "counts"), lambda place: place.write_text("x")),
    "a record that is a folder": instead(_in_record("stack"), Path.mkdir),
    "a record that is a pipe": instead(_in_record("stack"), os.mkfifo),
    "a record that is a device": instead(_in_record("stack"), link_to("/dev/zero")),
    "a record that is absurdly large": instead(_in_record("rows"), _sparse),
    "a record that is a link outside": instead(_in_record("stack"), link_to("/etc/hostname")),
    "an attempt that is a file": lambda folder: instead(lambda f: attempt(f, "stack"), lambda p: p.write_text("x"))(
        folder
    ),
    "an attempt that is a link in a ring": lambda folder: instead(
        lambda f: attempt(f, "stack"), lambda place: place.symlink_to(place.name)
    )(folder),
    "a kind that is a file": lambda folder: (folder / "strange").write_text("x"),
    "a kind that is a pipe": lambda folder: os.mkfifo(folder / "strange"),
    "a kind that leads back": lambda folder: (folder / "strange").symlink_to(folder),
    "a name that is a list": label("_names", b"[]"),
    "a name that points above": label("_names", b'{"kind": "..", "key": "../../x"}'),
    "a name that points to null": label("_names", b'{"kind": null, "key": null}'),
    "a name of nothing": label("_names", b"{}"),
    "a name that is nested deeply": label("_names", DEEP),
    "a tag that is a number": label("_tags", b"7"),
    "a tag of null": label("_tags", b'{"runs": null, "products": null}'),
    "a tag of runs that are lists": label("_tags", b'{"runs": {"tiny": ["1"]}}'),
    "a tag of runs without ids": label("_tags", b'{"runs": {"tiny": {"one": "k"}}}'),
    "a tag of products that are not there": label("_tags", b'{"products": {"fit": ["../x"]}}'),
    "a failure that is null": label("_failed", b"null"),
    "a failure of nothing": label("_failed", b"{}"),
    "a failure of a run that is a text": label("_failed", b'{"release": "tiny", "run": "1"}'),
    "a failure of a run without an id": label(
        "_failed",
        b'{"release": "tiny", "datastore": "x", "time": "", '
        b'"run": {"name": "", "stage": "", "kind": "", "message": ""}}',
    ),
    "a file that was read wrongly": label("_files", b'{"size": "big"}'),
    "an ingest that is a list": label("_ingests", b"[]"),
    "an ingest of texts": label("_ingests", b'{"release": "tiny", "sequence": "last", "runs": {}, "time": ""}'),
    "a label that is not UTF-8": label("_tags", b"\xff\xff"),
    "a label that is a folder": lambda folder: (folder / "_tags" / "x.json").mkdir(parents=True),
    "a mark that is a list": lambda folder: (folder / "store.json").write_text("[]"),
    "a mark of null": lambda folder: (folder / "store.json").write_text('{"schema": null}'),
    "a mark that is nested deeply": lambda folder: (folder / "store.json").write_bytes(DEEP),
    "a newer store": lambda folder: (folder / "store.json").write_text('{"schema": 2}'),
    "a mark that is a pipe": instead(lambda folder: folder / "store.json", os.mkfifo),
    "a mark that is a device": instead(lambda folder: folder / "store.json", link_to("/dev/zero")),
}
MUTATIONS = {**RECORDS, **METADATA, **FILES}

HARMLESS = {
    "files outside",
    "a kind that is a file",
    "a kind that is a pipe",
    "a label that is a folder",
    "a failure of a run without an id",
}
"""What is no fault: memory of files that nobody asks for, and what is no product."""
