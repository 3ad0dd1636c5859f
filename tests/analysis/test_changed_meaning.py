"""What changes the numbers changes the key: edited arrays, other functions under an old name, epochs and units."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from registries import own_registry
from releases import config_of, recipe, rows_in, until_datasets
from xgamma.analysis.steps.keys import model_key
from xgamma.errors import InputError, StoreError
from xgamma.events import Part
from xgamma.formats.fits.regions import read_mask
from xgamma.formats.gadf.index import read_index
from xgamma.formats.gadf.run import read_run
from xgamma.ingest import open_release
from xgamma.ingest.part import part_of
from xgamma.models import Models, SkyModel
from xgamma.models.parameters import Parameter
from xgamma.models.spectral.model import SpectralModel
from xgamma.reduce import joined_rows, reduce_spectra
from xgamma.reduce.safe_mask import KIND, SafeMaskParameters
from xgamma.registry import register
from xgamma.simulate import Plan, simulate
from xgamma.store import Store


def test_reduced_arrays_are_read_only_and_their_copies_are_not(tiny_release, tmp_path):
    analysis = until_datasets(config_of(tiny_release, tmp_path / "store"))
    view = analysis.datasets[0]
    with pytest.raises(ValueError, match="read-only"):
        view.data["counts"].values[:] = 0
    copy = view.copy("mine")
    copy.data["counts"].values[:] *= 2
    assert copy.counts.sum() == 2 * view.counts.sum()


def test_a_function_redefined_under_its_name_gets_another_key(monkeypatch):
    own_registry(monkeypatch)

    def models_with(slope):
        class Mine(SpectralModel):
            tag = ("MineSpectralModel", "mine")
            amplitude = Parameter("amplitude", 1e-11, "cm-2 s-1 TeV-1", is_norm=True)

            @staticmethod
            def evaluate(energy, amplitude):
                return amplitude * energy**-slope

        return Models([SkyModel(Mine(), name="source")])

    assert model_key(models_with(2.4)) == model_key(models_with(2.4))
    assert model_key(models_with(2.4)) != model_key(models_with(3.5))


def test_all_parameters_of_a_users_safe_mask_enter_its_key(monkeypatch):
    own_registry(monkeypatch)

    @register(KIND, "mine-of-the-test", parameters=SafeMaskParameters)
    def mine(given, parameters):
        return given.background > parameters.aeff_percent

    documents = [
        recipe(safe_masks=("mine-of-the-test",), safe_mask=SafeMaskParameters(aeff_percent=percent)).document()
        for percent in (10.0, 50.0)
    ]
    assert documents[0] != documents[1]


def test_times_of_parts_with_different_epochs_are_converted_to_one_epoch(nights_part):
    rows = reduce_spectra(nights_part, rows_in(nights_part), recipe())
    days = 100
    moved = {}
    for group, names in (("", ("tstart", "tstop")), ("gti", ("start", "stop")), ("events", ("time",))):
        table = nights_part.groups[group]
        table = table.assign({name: table[name].copy(data=table[name].values + days * 86400) for name in names})
        moved[group] = table.assign_attrs(mjdref=float(table.attrs["mjdref"]) - days)
    other = Part({**nights_part.groups, **moved})
    found = reduce_spectra(other, rows_in(other), recipe())
    joined = joined_rows([rows, found.assign_coords(dataset=[f"{name}-again" for name in found["dataset"].values])])
    np.testing.assert_allclose(joined["gti"].values[7:], rows["gti"].values, atol=1e-5)


def change_unit(path, hdu, column, unit, factor):
    with fits.open(path, mode="update") as hdus:
        hdus[hdu].data[column] = hdus[hdu].data[column] * factor
        hdus[hdu].columns[column].unit = unit


def test_units_of_events_and_good_time_are_converted(own_release):
    entry = next(iter(read_index(own_release).runs.values()))
    before, path = read_run(entry), entry.hdus["events"].path
    change_unit(path, "EVENTS", "ENERGY", "GeV", 1000)
    change_unit(path, "GTI", "START", "h", 1 / 3600)
    after = read_run(entry)
    np.testing.assert_allclose(after.events["energy"], before.events["energy"], rtol=1e-6)
    np.testing.assert_allclose(after.gti, before.gti, rtol=1e-9)
    change_unit(path, "EVENTS", "ENERGY", "deg", 1)
    with pytest.raises(InputError, match=r"column ENERGY has the unit 'deg'; expected one that converts to 'TeV'"):
        read_run(entry)


def test_a_missing_pointing_is_read_from_the_index_and_a_blank_deadc_from_the_livetime(own_release):
    entry = next(iter(read_index(own_release).runs.values()))
    with fits.open(entry.hdus["events"].path, mode="update") as hdus:
        del hdus["EVENTS"].header["RA_PNT"]
        hdus["EVENTS"].header["DEADC"] = None
    part = part_of([read_run(entry)], "tiny")
    assert float(part.obs["ra_pnt"][0]) == pytest.approx(entry.ra, abs=1e-5)
    assert float(part.obs["deadc"][0]) == 0.94


def test_a_datastore_of_two_releases_with_the_same_ids_raises(tmp_path):
    store = Store(tmp_path / "store")
    for name, seed in (("one", 1), ("two", 2)):
        simulate(Plan(name=name, runs=1, duration=60.0, seed=seed), tmp_path / name)
        release = open_release(tmp_path / name)
        release.load(list(release.facts()), store)
    with pytest.raises(StoreError, match="holds the releases one, two, which share observation ids"):
        open_release(store.url)


def mask_file(path, pixels, **header):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.cdelt = ["RA---TAN", "DEC--TAN"], [83.6, 22.0], [-0.1, 0.1]
    hdu = fits.PrimaryHDU(pixels, wcs.to_header())
    hdu.header.update(header)
    hdu.writeto(path)
    return path


def test_a_mask_of_another_epoch_raises_and_nan_pixels_exclude(tmp_path):
    ones = np.ones((4, 4))
    with pytest.raises(InputError, match="FK4 1950; expected ICRS or FK5 at J2000"):
        read_mask(mask_file(tmp_path / "fk4.fits", ones, RADESYS="FK4", EQUINOX=1950.0))
    ones[0, 0] = np.nan
    assert read_mask(mask_file(tmp_path / "nan.fits", ones)).usable.sum() == 15
