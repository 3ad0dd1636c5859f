"""One spectrum with its response as plain arrays: what all spectrum files have in common, and the Dataset of many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from xgamma.axes import Axis, BoolArray, FloatArray, unify_axis
from xgamma.errors import DataError
from xgamma.formats.fits.regions import CLOSE, Shapes, are_close
from xgamma.formats.region_files import shape_of_words
from xgamma.geometry import tangent_plane, to_frame
from xgamma.grid import REGION_SHAPE
from xgamma.outcome import Outcome, flag_attrs
from xgamma.schema.arrays import Arrays, NamedArrays
from xgamma.shapes import Circle, Shape
from xgamma.times import DEFAULT_MJDREF, SECONDS_PER_DAY, ontime

REQUIRED = ("counts", "exposure", "exposure_edisp", "edisp", "mask_safe")
NO_OBS_ID = -1


@dataclass(frozen=True)
class SpectrumRow:
    """One (dataset, region) row of reduced data; energies TeV, exposure m2 s, times s, angles deg.

    Arrays have the shape (energy,), ``exposure`` and ``exposure_edisp`` (energy_true,), ``edisp`` (energy_true,
    energy), ``gti`` (gti, 2). ``None`` is what a file does not hold; NaN an unknown number.
    """

    name: str
    energy: Axis
    energy_true: Axis
    counts: FloatArray
    acceptance: FloatArray
    exposure: FloatArray
    exposure_edisp: FloatArray
    edisp: FloatArray
    mask_safe: BoolArray
    counts_off: FloatArray | None = None
    acceptance_off: FloatArray | None = None
    background: FloatArray | None = None
    mask_fit: BoolArray | None = None
    region: Shapes = ()
    off_regions: Shapes = ()
    gti: FloatArray = field(default_factory=lambda: np.empty((0, 2)))
    mjdref: float = DEFAULT_MJDREF
    livetime: float = np.nan
    obs_id: int = NO_OBS_ID
    telescope: str = ""
    pointing: tuple[float, float] = (np.nan, np.nan)

    @property
    def ontime(self) -> float:
        """The summed good time in seconds, NaN where it is not known."""
        return ontime(self.gti)

    def without_repeated_off_region(self) -> SpectrumRow:
        """Return the row without off regions that are the on-region: so Gammapy writes a stack, which has none."""
        return replace(self, off_regions=()) if are_close(self.off_regions, self.region) else self

    def is_alike(self, other: SpectrumRow) -> bool:
        """Whether both fit into one Dataset: same axes, on-region, statistic and masks."""
        holds = [
            (getattr(self, name) is None) == (getattr(other, name) is None)
            for name in ("counts_off", "background", "mask_fit")
        ]
        return (
            all(holds)
            and self.energy.is_close(other.energy)
            and self.energy_true.is_close(other.energy_true)
            and are_close(self.region, other.region)
        )


def facts_of_columns(columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return telescope, observation id and pointing of a table of Gammapy about a spectrum, as fields of its row.

    Only what the first row of the table holds one value of: that of a stack holds those of all its runs.
    """
    single = {name: np.asarray(values[:1]).ravel() for name, values in columns.items()}
    held = {name: values[0] for name, values in single.items() if len(set(values.tolist())) == 1}
    telescope = str(held.get("TELESCOP", "")).strip()
    obs_id = str(held.get("OBS_ID", NO_OBS_ID)).strip()
    pointing = (float(held.get("RA_PNT", np.nan)), float(held.get("DEC_PNT", np.nan)))
    return {
        "telescope": "" if telescope.lower() == "unknown" else telescope,
        "obs_id": int(obs_id) if obs_id.lstrip("-").isdigit() else NO_OBS_ID,
        # Runs that point to two declinations may do so from one right ascension.
        "pointing": pointing if np.isfinite(pointing).all() else (np.nan, np.nan),
    }


def spectrum_rows(ds: Arrays) -> Iterator[SpectrumRow]:
    """Yield the rows of a reduced Dataset, regions fastest.

    Raises
    ------
    DataError
        When a variable that every spectrum file needs is missing.
    """
    missing = [name for name in REQUIRED if name not in ds]
    if missing:
        raise DataError(
            f"Reduced spectra need {', '.join(REQUIRED)}, and {', '.join(missing)} is missing. "
            "Write the Dataset of a reduction."
        )
    energy, energy_true = Axis.from_coords(ds.coords, "energy"), Axis.from_coords(ds.coords, "energy_true")
    for number, name in enumerate(ds["dataset"].values):
        for region in range(ds.sizes["region"]):
            yield _row(ds.isel({"dataset": number, "region": region}), str(name), energy, energy_true)


def _row(ds: NamedArrays, name: str, energy: Axis, energy_true: Axis) -> SpectrumRow:
    def optional(variable: str) -> Any:
        return np.asarray(ds[variable].values) if variable in ds else None

    def number(variable: str) -> float:
        return float(ds[variable].values) if variable in ds.variables else np.nan

    gti = np.asarray(ds["gti"].values) if "gti" in ds else np.empty((0, 2))
    on, pointing = _region(ds), (number("pointing_lon"), number("pointing_lat"))
    return SpectrumRow(
        name=name,
        energy=energy,
        energy_true=energy_true,
        acceptance=optional("acceptance") if "acceptance" in ds else np.ones(energy.nbin),
        **{variable: np.asarray(ds[variable].values) for variable in REQUIRED},
        **{variable: optional(variable) for variable in ("counts_off", "acceptance_off", "background", "mask_fit")},
        region=on,
        off_regions=_off_regions(ds, on, pointing),
        gti=gti[np.isfinite(gti).all(axis=1)],
        mjdref=float(ds.attrs.get("mjdref", DEFAULT_MJDREF)),
        livetime=number("livetime"),
        obs_id=int(ds["obs_id"].values) if "obs_id" in ds.coords else NO_OBS_ID,
        telescope=str(ds.attrs.get("telescope", "")),
        pointing=pointing,
    )


def _frame(ds: NamedArrays) -> str:
    return str(ds["region_lon"].attrs.get("frame", "icrs"))


def _region(ds: NamedArrays) -> Shapes:
    if "region_lon" not in ds.coords or not np.isfinite(ds["region_lon"].values):
        return ()
    lon, lat, radius = (float(ds[f"region_{part}"].values) for part in ("lon", "lat", "radius"))
    if REGION_SHAPE in ds.coords and not np.isfinite(radius):
        return (shape_of_words(str(ds[REGION_SHAPE].values)),)
    return (Circle(lon, lat, radius, _frame(ds)),) if radius >= 0 else ()


def _off_regions(ds: NamedArrays, on: Shapes, pointing: tuple[float, float]) -> Shapes:
    if "off_lon" not in ds:
        return ()
    lon, lat, radius = (np.asarray(ds[f"off_{part}"].values) for part in ("lon", "lat", "radius"))
    held, frame = np.isfinite(lon), str(ds["off_lon"].attrs.get("frame", _frame(ds)))
    places = zip(lon[held].tolist(), lat[held].tolist(), radius[held].tolist(), strict=True)
    found = [Circle(x, y, size, frame) if size >= 0 else _turned(on, pointing, (x, y), frame) for x, y, size in places]
    return tuple(shape for shape in found if shape is not None)


def _turned(on: Shapes, pointing: tuple[float, float], at: tuple[float, float], frame: str) -> Shape | None:
    """Return an on-region that is no circle turned about the pointing (ICRS) until its centre is at a place."""
    if not on or not np.isfinite(pointing).all():
        return None
    [shape] = on
    center = to_frame(*pointing, "icrs", shape.frame)
    here, there = (
        tangent_plane(shape.lon, shape.lat, *center),
        tangent_plane(*to_frame(*at, frame, shape.frame), *center),
    )
    turn = float(np.arctan2(there.y, there.x) - np.arctan2(here.y, here.x))
    # Off regions that are fixed on the sky are no turned on-regions, and what they are is not in the rows.
    if turn == 0 or abs(np.hypot(*here) - np.hypot(*there)) > CLOSE:
        return None
    return shape.turned(float(center[0]), float(center[1]), turn)


def grouped_rows(rows: Sequence[SpectrumRow]) -> list[list[SpectrumRow]]:
    """Return the rows in groups that are alike, in order of first appearance."""
    groups: list[list[SpectrumRow]] = []
    for row in rows:
        home = next((group for group in groups if group[0].is_alike(row)), None)
        if home is None:
            groups.append([row])
        else:
            home.append(row)
    return groups


def dataset_of_rows(rows: Sequence[SpectrumRow]) -> xr.Dataset:
    """Return one reduced Dataset of rows that are alike; every row is its own ``dataset``, with one region.

    Only what a file tells is there: no ledger, and off regions only where some row has them.

    Raises
    ------
    DataError
        When two rows have one name.
    """
    first = rows[0]
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"Two spectra are called {twice!r}. Give them names in the index, or read them one by one.")
    energy, energy_true = unify_axis([row.energy for row in rows]), unify_axis([row.energy_true for row in rows])
    shifted = [_with_mjdref(row, first.mjdref) for row in rows]
    longest = max(len(row.gti) for row in shifted)
    gti = np.stack([_padded(row.gti, longest) for row in shifted])
    coords: dict[Any, Any] = {
        "dataset": ("dataset", np.array(names)),
        "obs_id": ("dataset", np.array([row.obs_id for row in rows], dtype=np.int64), {"units": ""}),
        "interval": (("dataset", "bound"), _intervals(shifted), {"units": "s"}),
        **energy.coords(),
        **energy_true.coords(),
        **_region_coords(first.region),
    }
    variables = {
        **_spectra(rows),
        "livetime": ("dataset", np.array([row.livetime for row in rows]), {"units": "s"}),
        "ontime": ("dataset", np.array([row.ontime for row in rows]), {"units": "s"}),
        "gti": (("dataset", "gti", "bound"), gti, {"units": "s"}),
        "pointing_lon": ("dataset", np.array([row.pointing[0] for row in rows]), {"units": "deg"}),
        "pointing_lat": ("dataset", np.array([row.pointing[1] for row in rows]), {"units": "deg"}),
        **_off_variables(rows),
        "outcome": ("dataset", np.zeros(len(rows), np.int8), flag_attrs(Outcome)),
    }
    telescopes = {row.telescope for row in rows}
    attrs = {"mjdref": first.mjdref, "telescope": telescopes.pop() if len(telescopes) == 1 else "", "release": ""}
    return xr.Dataset(
        variables, coords, {**attrs, "outcome_details": json.dumps([""] * len(rows)), "Conventions": "CF-1.12"}
    )


def _region_coords(region: Shapes) -> dict[str, Any]:
    """Return centre and radius of the on-region, NaN where it is not known, and in words what is no circle."""
    shape = region[0] if region else None
    lon, lat, frame = (np.nan, np.nan, "icrs") if shape is None else (shape.lon, shape.lat, shape.frame)
    coords: dict[str, Any] = {
        "region_lon": ("region", np.array([lon]), {"units": "deg", "frame": frame}),
        "region_lat": ("region", np.array([lat]), {"units": "deg"}),
        "region_radius": ("region", np.array([getattr(shape, "radius", np.nan)]), {"units": "deg"}),
    }
    if shape is None or isinstance(shape, Circle):
        return coords
    return {**coords, REGION_SHAPE: ("region", np.array([str(shape)]), {"long_name": "Shape as DS9 writes it"})}


def _spectra(rows: Sequence[SpectrumRow]) -> dict[str, Any]:
    true, reco = ("dataset", "region", "energy_true"), ("dataset", "region", "energy")
    dims = {"exposure": true, "exposure_edisp": true, "edisp": (*true, "energy")}
    units = {"exposure": "m2 s", "exposure_edisp": "m2 s"}
    optional = ("counts_off", "acceptance_off", "background", "mask_fit")
    names = [*REQUIRED, "acceptance", *(name for name in optional if getattr(rows[0], name) is not None)]
    return {
        name: (
            dims.get(name, reco),
            np.stack([getattr(row, name) for row in rows])[:, np.newaxis],
            {"units": units.get(name, "")},
        )
        for name in names
    }


def _off_variables(rows: Sequence[SpectrumRow]) -> dict[str, Any]:
    off = [row.off_regions for row in rows]
    width = max(len(held) for held in off)
    if not width:
        return {}
    variables: dict[str, Any] = {}
    for part in ("lon", "lat", "radius"):
        padded = np.full((len(rows), 1, width), np.nan)
        for number, held in enumerate(off):
            padded[number, 0, : len(held)] = [getattr(shape, part, np.nan) for shape in held]
        variables[f"off_{part}"] = (("dataset", "region", "off"), padded, {"units": "deg"})
    variables["off_lon"][2]["frame"] = next(shape.frame for held in off for shape in held)
    numbers = np.array([[len(held)] for held in off], dtype=np.int64)
    return {**variables, "off_number": (("dataset", "region"), numbers, {"units": ""})}


def _with_mjdref(row: SpectrumRow, mjdref: float) -> SpectrumRow:
    return replace(row, gti=row.gti + (row.mjdref - mjdref) * SECONDS_PER_DAY, mjdref=mjdref)


def _intervals(rows: Sequence[SpectrumRow]) -> FloatArray:
    return np.array([[row.gti.min(), row.gti.max()] if len(row.gti) else [np.nan] * 2 for row in rows])


def _padded(gti: FloatArray, length: int) -> FloatArray:
    padded = np.full((max(length, 1), 2), np.nan)
    padded[: len(gti)] = gti
    return padded
