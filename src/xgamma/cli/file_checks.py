"""The checks of files: their readers look first, then what was read is compared with the format."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from xgamma.config.config import AnalysisConfig
from xgamma.datasets.files import read_datasets
from xgamma.datasets.inputs import normalize_rows
from xgamma.errors import InputError, XgammaError
from xgamma.formats.fits.hdus import ecsv_rows
from xgamma.formats.fits.images import FitsFile, read_fits
from xgamma.formats.fits.tables import as_input_error, read_raw, read_tables
from xgamma.formats.gadf.files import LocalFiles
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.index_columns import hdu_columns, obs_columns
from xgamma.formats.gadf.index_tables import (
    ROLES,
    RunEntry,
    class_of,
    entry_of,
    facts_of_header,
    hdu_index_of,
    hdus_of_tables,
    is_known,
    obs_index_of,
    table_of_role,
)
from xgamma.formats.gadf.responses import response
from xgamma.formats.gadf.run import read_run
from xgamma.formats.light_curve.files import read_points
from xgamma.formats.local_files import read_text
from xgamma.formats.sky_maps.files import maps_of_file
from xgamma.formats.sky_maps.flux_maps import read_flux_maps
from xgamma.formats.yaml_documents import parsed_yaml
from xgamma.models.files import read_covariance
from xgamma.schema import product_violations
from xgamma.schema.tables import Violation
from xgamma.store.conformance import product_of_schema

Found = Iterable[Violation]
AGAIN = "export it again"
Law = Callable[[Any, str], Found]
"""A law of a table: yields what does not hold, at a place of a name."""
FITS = (".fits", ".fits.gz", ".pha", ".pha.gz", ".pi", ".pi.gz", ".arf", ".rmf", ".arf.gz", ".rmf.gz")
YAML, JSON, HTML = (".yaml", ".yml"), (".json",), (".html", ".htm")
PICTURES = {".png": (b"\x89PNG\r\n\x1a\n", b"IEND"), ".pdf": (b"%PDF-", b"%%EOF"), ".svg": (b"<?xml", b"</svg>")}
"""How files of pictures begin, and what stands near their end."""
PROV_PARTS = ("entity", "activity", "agent")
_OF_ROWS = ("parameter", "value", "error", "unit")
_DATA_URL = re.compile(r'href="data:application/json;base64,([A-Za-z0-9+/=]+)"')


class Unreadable(Violation):
    """What a reader says of a file: a sentence that holds what was expected, what came and what to do."""

    def __str__(self) -> str:
        return " ".join(self.found.split())


class Seen:
    """A file or a folder, of which each part is read when a kind asks for it."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name.lower()

    def ends(self, endings: Iterable[str]) -> bool:
        """Whether the name ends in one of these."""
        return self.name.endswith(tuple(endings))

    @cached_property
    def fits(self) -> FitsFile:
        """The images and tables of a FITS file."""
        return read_fits(self.path)

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The mapping that a YAML or JSON file holds."""
        text = read_text(self.path, "file")
        try:
            found = json.loads(text) if self.ends(JSON) else parsed_yaml(text, f"file {self.path}")
        except ValueError as error:
            raise InputError(f"{self.path} is not JSON: {error}. Write it again.") from None
        if not isinstance(found, Mapping):
            raise InputError(f"{self.path} holds no sections; expected a mapping such as 'components: [...]'.")
        return found

    @cached_property
    def rows(self) -> Any:
        """The table of a file of text."""
        return ecsv_rows(read_raw(self.path), self.path)

    @property
    def columns(self) -> list[str]:
        """The columns of a table of text."""
        return [str(name) for name in self.rows.colnames]


def _as_product(ds: xr.Dataset, name: str) -> Found:
    """Return what of a Dataset is not as its schema says."""
    product = product_of_schema(ds.attrs.get("schema"))
    if product is None:
        return [Violation(name, "the attribute 'schema' of a product", repr(ds.attrs.get("schema")))]
    return [each.inside(name) for each in product_violations({"": ds}, product)]


def datasets(seen: Seen) -> Found:
    """Check each Dataset of a file."""
    for number, ds in enumerate(read_datasets(seen.path)):
        yield from _as_product(normalize_rows(ds), f"{seen.path.name}[{number}]")


def points(seen: Seen) -> Found:
    """Check flux points or a light curve."""
    ds = read_points(seen.path)
    # A table of text holds some of a product: its reader asks for what it has to hold.
    return _as_product(ds, seen.path.name) if "schema" in ds.attrs else points_of_text(ds, seen.path.name)


def maps(seen: Seen) -> Found:
    """Check all maps of a file; those of xgamma's excess maps are a product as well."""
    maps_of_file(seen.fits)
    return _as_product(read_flux_maps(seen.path), seen.path.name) if "XGAMMA" in seen.fits.tables else ()


def configuration(seen: Seen) -> Found:
    """Check a configuration, and not the files that it names."""
    AnalysisConfig.read(seen.path).check()
    return []


def index_file(seen: Seen) -> Found:
    """Check the rows of an index of runs or of their HDUs."""
    tables = read_tables(seen.path)
    with as_input_error(str(seen.path)):
        if "HDU_INDEX" in seen.fits.tables:
            files = LocalFiles(seen.path.parent)
            count = len(hdu_columns(hdu_index_of(tables, seen.path), files)[0])
        else:
            count = len(obs_columns(obs_index_of(tables, seen.path)).obs_id)
    if not count:
        yield Violation(seen.path.name, "a row for each run", "no row with an OBS_ID", "write the index again")


def release(seen: Seen) -> Found:
    """Check the index of a release, and all HDUs of each of its runs."""
    for entry in read_index(seen.path).runs.values():
        yield from _of_run(entry, f"run {entry.obs_id}")


def run_file(seen: Seen) -> Found:
    """Check the event list, good time and responses of one run."""
    tables = read_tables(seen.path)
    events = table_of_role(tables, "events")
    facts = None if events is None else facts_of_header(events.header)
    if facts is None:
        yield Violation(seen.path.name, "OBS_ID in the header of the events", "none", "write it there")
        return
    yield from _of_run(entry_of(facts, hdus_of_tables(tables, seen.path)), seen.path.name)


def _of_run(entry: RunEntry, where: str) -> Found:
    """Check what one run is made of; a response that it does not have is no fault."""
    try:
        run = read_run(entry)
    except XgammaError as error:
        yield Unreadable(where, "events, good time and responses", str(error))
        return
    for note in run.notes:
        if note.topic in ROLES and note.topic not in run.responses:
            yield Unreadable(where, f"{note.topic} that can be read", f"{where}, {note.topic}: {note.text}")


def responses(seen: Seen) -> Found:
    """Check each response of a file."""
    for table in read_tables(seen.path):
        if is_known(class_of(table)):
            try:
                response(class_of(table), table)
            except XgammaError as error:
                yield Unreadable(f"{seen.path.name} {table.name}", "a response", f"{seen.path.name}: {error}")


def columns_of(needed: Mapping[str, tuple[str, ...]]) -> Callable[[Seen], Found]:
    """Return a check of the columns of tables of a FITS file."""

    def check(seen: Seen) -> Found:
        for name, columns in needed.items():
            table = seen.fits.tables.get(name)
            has = [] if table is None else [column for column in columns if column in table]
            if len(has) < len(columns):
                lost = ", ".join(column for column in columns if column not in has)
                found = "no such table" if table is None else f"none named {lost}"
                place = f"{seen.path.name} {name}"
                yield Violation(place, f"the columns {', '.join(columns)}", found, "write the spectra again")

    return check


# --- tables of text


def table_violations(table: Any, where: str, needed: tuple[str, ...], unique: str, law: Law | None) -> Found:
    """Yield which columns a table lacks, which name a column holds twice, or else what of a law does not hold."""
    lost = [name for name in needed if name not in table.colnames]
    if lost:
        yield Violation(where, f"the columns {', '.join(needed)}", f"none named {', '.join(lost)}", AGAIN)
        return
    names = table[unique].tolist() if unique else []
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        yield Violation(f"{where} {unique}", "each name once", f"{twice!r} twice", AGAIN)
    elif law is not None:
        yield from law(table, where)


def contour_law(table: Any, where: str) -> Found:
    """Contours are numbers, those of some sigma."""
    for name in table.colnames:
        values = _numbers(table[name])
        if values is None or not np.isfinite(values).all() or (name == "sigma" and (values <= 0).any()):
            yield Violation(f"{where} {name}", "finite numbers, of sigma above 0", "others", AGAIN)


def covariance_law(table: Any, where: str) -> Found:
    """A covariance has a column for each of its rows, and is the same when turned."""
    rows = [str(name) for name in table["parameter"]]
    columns = [name for name in table.colnames if name not in _OF_ROWS]
    if columns != rows:
        yield Violation(where, f"a column for each of {', '.join(rows)}", ", ".join(columns) or "none", AGAIN)
        return
    found = [_numbers(table[name]) for name in columns]
    matrix = np.array([each for each in found if each is not None])
    if len(matrix) < len(columns) or not np.allclose(matrix, matrix.T, rtol=1e-6, atol=0, equal_nan=True):
        yield Violation(where, "a matrix of numbers that is the same when turned", "another", AGAIN)


def groups_law(table: Any, where: str) -> Found:
    """Groups end after they begin."""
    start, stop = _numbers(table["time_min"]), _numbers(table["time_max"])
    if start is None or stop is None or (start > stop).any():
        yield Violation(f"{where} time_max", "times that are not before time_min", "earlier ones", AGAIN)


def points_of_text(ds: xr.Dataset, where: str) -> Found:
    """No error of a flux is negative."""
    for name in ("norm_err", "norm_errn", "norm_errp"):
        if name in ds and (ds[name].values < 0).any():
            yield Violation(f"{where} {name}", "errors that are not negative", "negative ones", AGAIN)


def columns_of_yaml(document: Mapping[str, Any], where: str) -> Found:
    """Yield whether columns of a table in YAML are of several lengths."""
    lengths = {str(name): len(values) for name, values in document.items() if isinstance(values, list)}
    if len(set(lengths.values())) != 1:
        found = ", ".join(f"{name} of {length}" for name, length in lengths.items()) or "none"
        yield Violation(where, "columns of one length", found, AGAIN)


def _numbers(column: Any) -> Any:
    """Return a column as numbers, ``None`` where they are none."""
    try:
        return np.asarray(column, dtype=float)
    except (TypeError, ValueError):
        return None


# --- other files


def covariance(seen: Seen) -> Found:
    """Check a table of covariance: square, and the same when turned."""
    text = read_text(seen.path, "covariance file")
    rows = [line.strip().strip("|") for line in text.splitlines() if line.strip()][1:]
    names = [row.rsplit("|", len(rows))[0].strip() for row in rows]
    matrix = read_covariance(seen.path, names)
    if not np.allclose(matrix, matrix.T, rtol=1e-6, atol=0):
        yield Violation(seen.path.name, "a matrix that is the same when turned", "another", "write the models again")


def provenance(seen: Seen) -> Found:
    """Check a PROV-JSON document."""
    return _prov(seen.document, seen.path.name)


def _prov(document: Mapping[str, Any], where: str) -> Found:
    """Check a PROV-JSON document: what its relations name has to be in it."""
    known = {name for part in PROV_PARTS for name in document.get(part, {})}
    relations = {name: each for name, each in document.items() if name not in ("prefix", *PROV_PARTS)}
    ends = ((f"{relation} {name}", own) for relation, each in relations.items() for name, own in each.items())
    for name, own in ends:
        for end, thing in own.items():
            if end != "prov:time" and thing not in known:
                expected = f"{end} among {', '.join(PROV_PARTS)}"
                yield Violation(f"{where} {name}", expected, repr(thing), "write the report again")


def report(seen: Seen) -> Found:
    """Check that a report is whole, and the provenance inside."""
    text = read_text(seen.path, "report")
    if not text.rstrip().endswith("</html>"):
        yield Violation(
            seen.path.name, "a page that ends with </html>", "one that is cut off", "write the report again"
        )
        return
    for content in _DATA_URL.findall(text):
        try:
            document = json.loads(base64.b64decode(content, validate=True))
        except (ValueError, binascii.Error) as error:
            yield Violation(f"{seen.path.name} prov.json", "JSON", f"none: {error}", "write the report again")
            continue
        yield from _prov(document, f"{seen.path.name} prov.json")


def closure(seen: Seen) -> Found:
    """Check the results of a closure."""
    lost = [key for key in ("sets", "closes", "findings") if key not in seen.document]
    if lost:
        yield Violation(seen.path.name, "the keys sets, closes, findings", f"no {', '.join(lost)}", AGAIN)


def picture(seen: Seen) -> Found:
    """Check that a picture is whole."""
    start, end = PICTURES[seen.path.suffix.lower()]
    content = read_raw(seen.path)
    if not content.startswith(start) or end not in content[-64:]:
        what = "another beginning" if not content.startswith(start) else "one that is cut off"
        yield Violation(
            seen.path.name, f"a whole picture of the kind {seen.path.suffix[1:].upper()}", what, "draw it again"
        )


def read_by(reader: Callable[[Path], Any]) -> Callable[[Seen], Found]:
    """Return a check that a reader has nothing against a file."""

    def check(seen: Seen) -> Found:
        reader(seen.path)
        return ()

    return check
