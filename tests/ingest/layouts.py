"""Laying a plain simulated release out as other writers do: columns, names, units, epochs and index tables.

The photons and the responses stay those of the plain release, so that its numbers are right for every layout.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from releases import TINY, config_of, release_of, until_datasets
from xgamma.config.requests import models_of
from xgamma.simulate import AnalyticResponse, Plan
from xgamma.simulate.plan import MJDREFF, MJDREFI

Hdus = dict[str, fits.BinTableHDU]
# (name, letter of the TFORM, unit), and what it holds where that is not the plain column of its name: another one, an
# array, or zeros (None).
Column = tuple[str, str, str] | tuple[str, str, str, str | np.ndarray | None]

FULL = dataclasses.replace(TINY, name="full", runs=2, response=AnalyticResponse(energy_bins=16, psf="psf_3gauss"))
POINT_LIKE = dataclasses.replace(
    TINY, name="point-like", runs=2, response=AnalyticResponse(energy_bins=16, enclosure="point-like", rad_max=0.11)
)
PSF_TABLE = dataclasses.replace(FULL, name="psf-table", response=AnalyticResponse(energy_bins=16, background="bkg_2d"))
AEFF_MAX = "datasets: {safe_mask: {methods: [aeff-max], parameters: {aeff_percent: 10}}}"
POINTLIKE_IRFS = "{observations: {required_irf: [aeff, edisp]}, datasets: {containment_correction: false}}"


@dataclasses.dataclass(frozen=True)
class Written:
    """Where one HDU of a run was written: a row of an HDU index."""

    obs_id: int
    hdu_type: str
    hdu_class: str
    path: Path
    name: str


def plain_hdus(release: Path) -> dict[int, Hdus]:
    """Return the HDUs of each run of a simulated release by their names."""
    runs = {}
    for path in sorted((release / "data").glob("run_*.fits")):
        with fits.open(path, memmap=False) as opened:
            hdus = {hdu.name: hdu.copy() for hdu in opened[1:]}
        runs[int(hdus["EVENTS"].header["OBS_ID"])] = hdus
    return runs


def relaid(
    plain: fits.BinTableHDU, name: str, columns: Sequence[Column], cards: Mapping[str, Any], every_tdim: bool = False
) -> fits.BinTableHDU:
    """Return the table of a writer: only these columns and cards, with the values of the plain one.

    ``every_tdim`` is for writers that give one to every column, also to those of one axis.
    """
    made = []
    for column, letter, unit, *source in columns:
        origin = source[0] if source else column
        values = np.zeros(len(plain.data)) if origin is None else np.asarray(_values(plain, origin))
        shape = values.shape[1:]
        dim = f"({','.join(str(size) for size in reversed(shape))})" if len(shape) > (0 if every_tdim else 1) else None
        form = f"{int(np.prod(shape, dtype=int))}{letter}"
        made.append(fits.Column(name=column, format=form, unit=unit or None, dim=dim, array=values))
    table = fits.BinTableHDU.from_columns(made, name=name or None)
    for key, value in cards.items():
        table.header[key] = value
    return table


def _values(plain: fits.BinTableHDU, origin: str | np.ndarray) -> np.ndarray:
    return plain.data[origin] if isinstance(origin, str) else origin


def irf(plain: fits.BinTableHDU, name: str, kind: str, cards: Mapping[str, Any], **values: str) -> fits.BinTableHDU:
    """Return a response with the usual axes in single precision; ``values`` are its value columns and their units."""
    return relaid(plain, name, irf_columns(kind, **values), {**classes(kind), **cards})


def moved(values: Iterable[float], mjdref: float) -> np.ndarray:
    """Return times of a plain release as seconds since another reference epoch, MJD in TT."""
    return np.asarray(values) + ((MJDREFI - mjdref) + MJDREFF) * 86400.0


def irf_columns(kind: str, letter: str = "E", energy: str = "ENERG", **values: str) -> list[Column]:
    """Return the columns of a response as most writers have them; ``values`` are its value columns and their units."""
    axes = {
        "aeff_2d": ("ENERG", "THETA"),
        "edisp_2d": ("ENERG", "MIGRA", "THETA"),
        "psf_3gauss": ("ENERG", "THETA"),
        "psf_king": ("ENERG", "THETA"),
        "psf_table": ("ENERG", "THETA", "RAD"),
        "bkg_2d": ("ENERG", "THETA"),
        "bkg_3d": ("DETX", "DETY", "ENERG"),
        "rad_max_2d": ("ENERG", "THETA"),
    }[kind]
    units = {"ENERG": "TeV", "MIGRA": "", "THETA": "deg", "RAD": "deg", "DETX": "deg", "DETY": "deg"}
    edges: list[Column] = [
        (f"{energy if axis == 'ENERG' else axis}_{end}", letter, units[axis], f"{axis}_{end}")
        for axis in axes
        for end in ("LO", "HI")
    ]
    return edges + [(name, letter, unit) for name, unit in values.items()]


def classes(kind: str, enclosure: str = "FULL-ENCLOSURE", **cards: Any) -> dict[str, Any]:
    """Return the cards that say which response a table is."""
    second = {"aeff": "EFF_AREA", "edisp": "EDISP", "psf": "PSF", "bkg": "BKG", "rad": "RAD_MAX"}[kind.split("_")[0]]
    document = {"HDUDOC": "https://gamma-astro-data-formats.readthedocs.io", "HDUVERS": "0.2", "HDUCLASS": "GADF"}
    return {
        **document,
        "HDUCLAS1": "RESPONSE",
        "HDUCLAS2": second,
        "HDUCLAS3": enclosure,
        "HDUCLAS4": kind.upper(),
        **cards,
    }


def write_file(path: Path, obs_id: int, tables: Iterable[tuple[str, str, fits.BinTableHDU]]) -> list[Written]:
    """Write (HDU_TYPE, HDU_CLASS, table) of a run, or of many, into one file."""
    every = list(tables)
    path.parent.mkdir(parents=True, exist_ok=True)
    fits.HDUList([fits.PrimaryHDU(), *(table for _, _, table in every)]).writeto(path)
    return [Written(obs_id, role, kind, path, table.name) for role, kind, table in every]


def write_hdu_index(path: Path, rows: Iterable[Written], name: str = "HDU_INDEX", **folders: str) -> None:
    """Write an HDU index of these rows; FILE_DIR is relative to it, or what ``folders`` has for the folder's name."""
    every = list(rows)
    places = [folders.get(row.path.parent.name, _relative(row.path.parent, path.parent)) for row in every]
    table = Table(
        {
            "OBS_ID": np.array([row.obs_id for row in every], dtype=np.int64),
            "HDU_TYPE": [row.hdu_type for row in every],
            "HDU_CLASS": [row.hdu_class for row in every],
            "FILE_DIR": places,
            "FILE_NAME": [row.path.name for row in every],
            "HDU_NAME": [row.name for row in every],
        }
    )
    write_table(path, table, name)


def _relative(folder: Path, start: Path) -> str:
    return os.path.relpath(folder, start) if folder != start else "./"


def write_obs_index(path: Path, runs: Mapping[int, fits.BinTableHDU], columns: str, name: str = "OBS_INDEX") -> None:
    """Write an observation index whose columns are keywords of the event lists."""
    table = Table({key: [events.header[key] for events in runs.values()] for key in columns.split()})
    write_table(path, table, name)


def write_table(path: Path, table: Table, name: str) -> None:
    """Write one index table, without an EXTNAME where ``name`` is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hdu = fits.table_to_hdu(table)
    if name:
        hdu.header["EXTNAME"] = name
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)


@dataclasses.dataclass(frozen=True)
class Numbers:
    """What an analysis of a release gives: counts exact, the others to the precision of the files."""

    obs_ids: list[int]
    counts: np.ndarray
    counts_off: np.ndarray
    livetime: np.ndarray
    exposure: np.ndarray
    mask_safe: np.ndarray
    amplitude: float

    def assert_equal(self, other: Numbers, obs_ids: list[int] | None = None) -> None:
        """Compare with the numbers of the plain release."""
        assert self.obs_ids == (other.obs_ids if obs_ids is None else obs_ids)
        np.testing.assert_array_equal(self.counts, other.counts)
        np.testing.assert_array_equal(self.counts_off, other.counts_off)
        np.testing.assert_array_equal(self.mask_safe, other.mask_safe)
        np.testing.assert_allclose(self.livetime, other.livetime, rtol=1e-6)
        np.testing.assert_allclose(self.exposure, other.exposure, rtol=1e-6)
        assert self.amplitude == pytest.approx(other.amplitude, rel=1e-6)


def numbers(datastore: Any, folder: Path, *texts: str) -> Numbers:
    """Analyse a release, in which no run may be left out, to the fit of a power law."""
    config = config_of(datastore, folder / "store", AEFF_MAX, *texts)
    analysis = until_datasets(config)
    assert not analysis.unused_runs
    reduced = analysis.open_spectra().load()
    analysis.set_models(models_of(config))
    analysis.run_fit()
    assert reduced["counts"].sum() > 50
    return Numbers(
        reduced["obs_id"].values.tolist(),
        *(reduced[name].values for name in ("counts", "counts_off", "livetime", "exposure", "mask_safe")),
        float(analysis.models["crab"].spectral_model.amplitude.value),
    )


def plain_release(plan: Plan, factory: pytest.TempPathFactory) -> tuple[Path, Callable[..., Numbers]]:
    """Simulate a plan; return its folder and a function of its numbers, computed once for each configuration."""
    release = release_of(plan, factory.mktemp("plain"))
    known: dict[tuple[str, ...], Numbers] = {}

    def found(*texts: str) -> Numbers:
        if texts not in known:
            known[texts] = numbers(release, factory.mktemp("numbers"), *texts)
        return known[texts]

    return release, found
