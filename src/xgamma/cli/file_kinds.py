"""Every kind of file that xgamma writes in one table: how it is known, and how it is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from xgamma.analysis.reported import MARK
from xgamma.cli import file_checks as checks
from xgamma.errors import InputError, MissingInputError, XgammaError
from xgamma.formats.fits.tables import read_tables
from xgamma.formats.gadf.folders import HDU_INDICES
from xgamma.formats.gadf.index_tables import (
    class_of,
    is_known,
)
from xgamma.formats.local_files import read_text
from xgamma.formats.ogip.response import SPECTRUM, holds
from xgamma.formats.region_files import read_regions
from xgamma.formats.sed.files import TEXT_ENDINGS
from xgamma.formats.sky_maps.map_dataset import is_map_dataset
from xgamma.models.models import Models
from xgamma.releases import read_catalog
from xgamma.simulate import read_plan
from xgamma.store.conformance import Conformance

FILES = (
    *(*checks.FITS, *checks.YAML, *checks.JSON, *checks.HTML, *checks.PICTURES, *TEXT_ENDINGS),
    *(".dat", ".reg"),
)
"""How the names of files end that can be checked."""
SEVERAL = (".pha", ".pha.gz", ".pi", ".pi.gz", *checks.YAML)
"""Those of files that may name others."""


class FileKind(NamedTuple):
    """A kind of file.

    Parameters
    ----------
    what
        What it holds, in the plural.
    is_it
        Whether a file is of this kind.
    check
        Reads it and yields what is not as it should be; raises an error of xgamma where it cannot be read.
    """

    what: str
    is_it: Callable[[checks.Seen], bool]
    check: Callable[[checks.Seen], checks.Found]


def check_file(path: Path) -> Conformance:
    """Check a file, or a release in a folder.

    Raises
    ------
    MissingInputError
        Where there is nothing.
    InputError
        Where it is of no kind that xgamma writes.
    """
    if not path.exists():
        raise MissingInputError(f"There is no file {path}. Check the name and the folder.")
    seen, result, what = checks.Seen(path), Conformance(products=1), "a file that can be read"
    try:
        kind = kind_of(seen)
        if kind is not None:
            what = result.what = kind.what
            result.violations += list(kind.check(seen))
    except XgammaError as error:
        result.violations.append(checks.Unreadable(path.name, what, str(error)))
        return result
    if kind is None:
        kinds = ", ".join(sorted({each.what for each in KINDS}))
        raise InputError(f"{path} is of no kind that xgamma writes: expected {kinds}.")
    return result


def kind_of(seen: checks.Seen) -> FileKind | None:
    """Return the kind of a file, ``None`` for one that xgamma does not write."""
    return next((kind for kind in KINDS if kind.is_it(seen)), None)


def is_release(path: Path) -> bool:
    """Whether a folder has the index of a release."""
    return path.is_dir() and any((path / name).is_file() for name in HDU_INDICES)


def _fits(*names: str) -> Callable[[checks.Seen], bool]:
    return lambda seen: seen.ends(checks.FITS) and any(name in seen.fits.tables for name in names)


def _yaml(*keys: str) -> Callable[[checks.Seen], bool]:
    return lambda seen: seen.ends(checks.YAML) and any(key in seen.document for key in keys)


def _json(*keys: str) -> Callable[[checks.Seen], bool]:
    return lambda seen: seen.ends(checks.JSON) and any(key in seen.document for key in keys)


def _text(*columns: str) -> Callable[[checks.Seen], bool]:
    return lambda seen: seen.ends(TEXT_ENDINGS) and all(column in seen.columns for column in columns)


def _sheet(
    needed: tuple[str, ...], unique: str = "", law: checks.Law | None = None
) -> Callable[[checks.Seen], checks.Found]:
    return lambda seen: checks.table_violations(seen.rows, seen.path.name, needed, unique, law)


def _yaml_columns(seen: checks.Seen) -> checks.Found:
    return checks.columns_of_yaml(seen.document, seen.path.name)


def _is_dataset(seen: checks.Seen) -> bool:
    if not seen.ends(checks.FITS) or _fits("FLUXPOINTS")(seen) or _is_off(seen) or "SQRT_TS" in seen.fits.images:
        return False
    return is_map_dataset(seen.fits) or holds(seen.fits.tables, SPECTRUM) or "COUNTS_REGION" in seen.fits.tables


def _is_list_of_datasets(seen: checks.Seen) -> bool:
    return seen.ends(checks.YAML) and isinstance(seen.document.get("datasets"), list)


def _is_off(seen: checks.Seen) -> bool:
    table = seen.fits.tables.get("SPECTRUM")
    return table is not None and str(table.header.get("HDUCLAS2", "")).strip() == "BKG"


def _has_roles(seen: checks.Seen) -> bool:
    return (
        seen.ends(checks.FITS)
        and not seen.fits.images
        and any(is_known(class_of(each)) for each in read_tables(seen.path))
    )


_RESPONSE_COLUMNS = {
    "MATRIX": ("ENERG_LO", "ENERG_HI", "N_GRP", "F_CHAN", "N_CHAN", "MATRIX"),
    "EBOUNDS": ("CHANNEL", "E_MIN", "E_MAX"),
}
_AREA_COLUMNS = {"SPECRESP": ("ENERG_LO", "ENERG_HI", "SPECRESP")}
_POINTS = ("group", "time_min", "time_max", "e_ref")
_COVARIANCE = ("parameter", "value", "error", "unit")
_FITS = ("group", "time_min", "time_max", "livetime", "total_stat", "success")
KINDS: Sequence[FileKind] = (
    FileKind("datasets", _is_dataset, checks.datasets),
    FileKind("flux points or a light curve", _fits("FLUXPOINTS", "SED", "LIGHTCURVE"), checks.points),
    FileKind("an index of runs", _fits("HDU_INDEX", "OBS_INDEX"), checks.index_file),
    FileKind(
        "an off spectrum",
        lambda seen: seen.ends(checks.FITS) and _is_off(seen),
        checks.columns_of({"SPECTRUM": ("CHANNEL", "COUNTS")}),
    ),
    FileKind("an energy dispersion of OGIP", _fits("MATRIX", "SPECRESP MATRIX"), checks.columns_of(_RESPONSE_COLUMNS)),
    FileKind("an effective area of OGIP", _fits("SPECRESP"), checks.columns_of(_AREA_COLUMNS)),
    FileKind("maps", lambda seen: seen.ends(checks.FITS) and bool(seen.fits.images), checks.maps),
    FileKind("events of a run", _fits("EVENTS"), checks.run_file),
    FileKind("responses", _has_roles, checks.responses),
    FileKind("flux points of groups", _text("group", "e_ref"), _sheet(_POINTS, "group", checks.groups_law)),
    FileKind("fits of groups", _text("group"), _sheet(_FITS, "group", checks.groups_law)),
    FileKind("contours", _text("sigma"), _sheet(("sigma",), law=checks.contour_law)),
    FileKind("a covariance", _text("parameter"), _sheet(_COVARIANCE, "parameter", checks.covariance_law)),
    FileKind("flux points or a light curve", lambda seen: seen.ends(TEXT_ENDINGS), checks.points),
    FileKind("models", _yaml("components"), checks.read_by(Models.read)),
    FileKind("datasets", _is_list_of_datasets, checks.datasets),
    FileKind("a plan of a simulation", _yaml("simulation"), checks.read_by(read_plan)),
    FileKind("a catalogue of a release", _yaml("files", "urls"), checks.read_by(read_catalog)),
    FileKind(
        "contours or a covariance",
        _yaml("contours", "covariance"),
        _yaml_columns,
    ),
    FileKind("a configuration", lambda seen: seen.ends(checks.YAML), checks.configuration),
    FileKind("provenance", _json(*checks.PROV_PARTS), checks.provenance),
    FileKind("a closure", _json("sets", "findings"), checks.closure),
    FileKind(
        "a report", lambda seen: seen.ends(checks.HTML) and MARK in read_text(seen.path, "report")[:2000], checks.report
    ),
    FileKind("a picture", lambda seen: seen.ends(checks.PICTURES), checks.picture),
    FileKind("a table of covariance", lambda seen: seen.ends((".dat",)), checks.covariance),
    FileKind("regions", lambda seen: seen.ends((".reg",)), checks.read_by(read_regions)),
    FileKind("a release", lambda seen: is_release(seen.path), checks.release),
)
"""Each kind of file; the first one that a file is of counts."""
