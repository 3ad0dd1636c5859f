"""The covariance of a stored fit and contours of its parameters as files of text: ECSV, CSV or YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import astropy
import numpy as np

from xgamma.analysis.stored_fit import contours, stored_models
from xgamma.errors import ConfigError, UnknownNameError, did_you_mean
from xgamma.formats.local_files import validate_ending, validate_output, write_files
from xgamma.formats.sed.files import TEXT_ENDINGS, write_table
from xgamma.formats.yaml_documents import mixed_yaml
from xgamma.models.models import Models
from xgamma.store import Record, Store
from xgamma.units import unit_string

YAML = (".yaml", ".yml")
ENDINGS = (*TEXT_ENDINGS, *YAML)


class Sheet(NamedTuple):
    """Columns with their units, and what is said of all of them."""

    columns: Mapping[str, Sequence[Any]]
    units: Mapping[str, str]
    facts: Mapping[str, Any]


def covariance_sheet(store: Store, record: Record) -> Sheet:
    """Return a row for each free parameter: value, error, unit, and its covariance with each of them."""
    models = stored_models(store, record)
    places = _free_places(models)
    names = [models.parameters_unique_names[place] for place in places]
    parameters = [models.parameters[place] for place in places]
    matrix = np.asarray(models.covariance.data)[np.ix_(places, places)]
    columns: dict[str, Sequence[Any]] = {
        "parameter": names,
        "value": [float(one.value) for one in parameters],
        "error": [float(one.error) for one in parameters],
        "unit": [unit_string(one.unit) for one in parameters],
    }
    columns |= {name: matrix[:, column].tolist() for column, name in enumerate(names)}
    said = "columns named as parameters are covariances, in the product of the units of row and column"
    return Sheet(columns, {}, {"fit": record.key, "covariance": said})


def contour_sheet(store: Store, record: Record, asked: tuple[str, str], points: int, sigmas: Sequence[float]) -> Sheet:
    """Return a row for each point of each contour; the last point of each is its first one."""
    models = stored_models(store, record)
    x, y = (_place(models, name) for name in asked)
    if x == y:
        raise ConfigError(f"--contour: expected two parameters, got {asked[0]!r} twice.")
    names = models.parameters_unique_names[x], models.parameters_unique_names[y]
    found = contours(store, record, names, points, tuple(dict.fromkeys(sigmas)))
    columns = {
        "sigma": [each.sigma for each in found for _ in each.x],
        names[0]: [float(value) for each in found for value in each.x],
        names[1]: [float(value) for each in found for value in each.y],
    }
    parameters = {name: models.parameters[place] for name, place in zip(names, (x, y), strict=True)}
    best = {name: float(one.value) for name, one in parameters.items()}
    said = "the statistic, all other parameters fitted, is larger by sigma squared than at the optimum"
    units = {name: unit_string(one.unit) for name, one in parameters.items()}
    return Sheet(columns, units, {"fit": record.key, "optimum": best, "contours": said})


def _free_places(models: Models) -> list[int]:
    """Return the places of the free parameters; a linked one counts once."""
    first = {id(one): place for place, one in reversed(list(enumerate(models.parameters))) if not one.frozen}
    return sorted(first.values())


def _place(models: Models, asked: str) -> int:
    """Return the place of a free parameter, by its full name or the end of it."""
    places = _free_places(models)
    names = {models.parameters_unique_names[place]: place for place in places}
    found = [name for name in names if name == asked] or [name for name in names if name.endswith(f".{asked}")]
    if len(found) == 1:
        return names[found[0]]
    if found:
        raise UnknownNameError(f"--contour: {asked!r} is the name of {', '.join(found)}; give one of those.")
    raise UnknownNameError(f"--contour: the fit has no free parameter {asked!r}.{did_you_mean(asked, names)}")


def validate_sheet(file: Path, what: str, overwrite: bool) -> None:
    """Raise what writing it would raise; raises ``ConfigError``, ``OutputExistsError``, ``OutputError``."""
    validate_ending(file, ENDINGS, what)
    validate_output(file, overwrite)


def write_sheet(sheet: Sheet, file: Path, what: str, overwrite: bool) -> None:
    """Write a sheet; raises as ``validate_sheet``."""
    validate_sheet(file, what, overwrite)
    if not file.name.lower().endswith(YAML):
        table = astropy.table.Table(dict(sheet.columns), meta=dict(sheet.facts))
        for name, unit in sheet.units.items():
            table[name].unit = unit or None
        write_table(table, file, what, overwrite=overwrite)
        return
    units = {"units": dict(sheet.units)} if sheet.units else {}
    document = {**sheet.facts, **units, **{name: list(values) for name, values in sheet.columns.items()}}
    write_files({file: mixed_yaml(document).encode()}, overwrite=overwrite)
