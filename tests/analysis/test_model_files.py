"""What a model reads from a file enters the key of a fit: with a changed table the fit is computed again."""

from __future__ import annotations

import os

import numpy as np
import pytest
from astropy.io import fits

from releases import config_of, until_datasets
from xgamma.analysis.steps.keys import model_key
from xgamma.models import EBLAbsorptionNormSpectralModel, Models, ScaleSpectralModel, TemplateNDSpectralModel
from xgamma.models.skymodel import SkyModel
from xgamma.models.spectral.powerlaws import PowerLawSpectralModel


def write_absorption(path, far=0.1):
    """Write the transmission at two redshifts and two energies; ``far`` is that at redshift 0.2 and 4 TeV."""
    energies = [("ENERG_LO", [0.5e9, 2e9]), ("ENERG_HI", [2e9, 8e9])]
    columns = [fits.Column(name, "D", array=edges, unit="keV") for name, edges in energies]
    redshifts = fits.Column("VALUE", "2D", array=[[0.1, 0.2]])
    spectra = fits.Column("INTPSPEC", "2D", array=[[0.9, 0.4], [0.8, far]])
    tables = {"ENERGIES": columns, "PARAMETERS": [redshifts], "SPECTRA": [spectra]}
    hdus = [fits.BinTableHDU.from_columns(content, name=name) for name, content in tables.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path, overwrite=True)
    return path


def write_template(path, steep=0.25):
    """Write dN/dE at two energies and two tilts."""
    energy, tilt = np.array([1.0, 10.0]), np.array([0.0, 1.0])
    bands = [
        fits.Column("CHANNEL", "K", array=np.arange(4)),
        fits.Column("ENERGY_TRUE", "D", array=np.repeat(energy, 2), unit="TeV"),
        fits.Column("TILT", "D", array=np.tile(tilt, 2)),
    ]
    data = fits.Column("DATA", "2D", array=[[4e-11, 1e-12], [1e-11, steep * 1e-12]], unit="cm-2 s-1 TeV-1")
    maps = fits.BinTableHDU.from_columns([fits.Column("CHANNEL", "I", array=[0, 1]), data], name="SKYMAP")
    maps.header.update({"AXCOLS1": "ENERGY_TRUE_MIN,ENERGY_TRUE_MAX", "INTERP1": "log", "AXCOLS2": "TILT"})
    hdus = [fits.PrimaryHDU(), maps, fits.BinTableHDU.from_columns(bands, name="SKYMAP_BANDS")]
    fits.HDUList(hdus).writeto(path, overwrite=True)
    return path


def absorbed(path, redshift=0.1):
    spectrum = PowerLawSpectralModel(index=2.4, amplitude="4e-10 cm-2 s-1 TeV-1")
    absorption = EBLAbsorptionNormSpectralModel.read(path, redshift=redshift)
    return Models([SkyModel(spectrum * absorption, name="crab")])


def unchanged_times(path, write, **changes):
    """Write a file again with as many bytes and the time of before."""
    before = path.stat()
    write(path, **changes)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)


@pytest.mark.parametrize("wrap", [lambda model: model, ScaleSpectralModel], ids=["as it is", "scaled"])
def test_an_absorption_table_changed_at_another_redshift_gets_another_key(tmp_path, wrap):
    path = write_absorption(tmp_path / "ebl.fits")

    def key():
        models = absorbed(path)
        return model_key(Models([SkyModel(wrap(models[0].spectral_model), name="crab")]))

    first = key()
    assert key() == first
    # At the redshift of the model the curves are the same to the last bit.
    unchanged_times(path, write_absorption, far=0.05)
    assert key() != first
    unchanged_times(path, write_absorption, far=0.1)
    assert key() == first


def test_a_template_changed_in_its_file_gets_another_key(tmp_path):
    path = write_template(tmp_path / "template.fits")

    def key():
        document = {
            "type": "TemplateNDSpectralModel",
            "filename": str(path),
            "parameters": [{"name": "tilt", "value": 0.0}],
        }
        return model_key(Models([SkyModel(TemplateNDSpectralModel.from_dict(document), name="x")]))

    first = key()
    assert key() == first
    unchanged_times(path, write_template, steep=0.5)
    assert key() != first


def test_a_fit_is_computed_again_when_the_table_of_its_model_changed(tiny_release, tmp_path):
    path = write_absorption(tmp_path / "ebl.fits")
    analysis = until_datasets(config_of(tiny_release, tmp_path / "store"))

    def fitted_index():
        analysis.computed.clear()
        analysis.set_models(Models.from_yaml(absorbed(path, 0.15).to_yaml()), extend=False)
        analysis.run_fit()
        analysis.get_flux_points()
        return analysis.models.parameters["index"].value, sorted(analysis.computed)

    first, computed = fitted_index()
    assert computed == ["fit", "flux_points"]
    assert fitted_index() == (first, [])
    unchanged_times(path, write_absorption, far=0.02)
    changed, computed = fitted_index()
    assert computed == ["fit", "flux_points"]
    assert changed < first - 0.1
