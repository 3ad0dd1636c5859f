"""Maps as morphologies behind the responses of windows: the same counts as of the model that they were made of."""

from __future__ import annotations

import numpy as np
import pytest

from sky_rows import ENERGY_TRUE, image, sky_row, with_responses
from xgamma import predict
from xgamma.errors import ConfigError
from xgamma.maps import Map, MapAxis, WcsGeom
from xgamma.models import (
    GaussianSpatialModel,
    Models,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    TemplateSpatialModel,
)

EXPOSURE = 1e9
SPECTRUM = {"index": 2.0, "amplitude": "2e-12 cm-2 s-1 TeV-1"}


@pytest.fixture
def row():
    return with_responses(sky_row(image((50, 50), 0.04), background=0.0, exposure=EXPOSURE), 0.08, EXPOSURE)


def gauss():
    return GaussianSpatialModel(lon_0="83.6 deg", lat_0="22.05 deg", sigma="0.15 deg", e=0.8, phi="40 deg")


def geom(axes=()):
    return WcsGeom.create(skydir=(83.6, 22.05), binsz=0.02, width=2.0, axes=axes)


def counts(row, spatial, spectrum=None):
    spectrum = PowerLawSpectralModel(**SPECTRUM) if spectrum is None else spectrum
    return predict.npred_signal(row, Models([SkyModel(spectrum, spatial, name="source")])).values[0]


def test_a_template_of_a_model_has_the_counts_of_the_model(row):
    template = TemplateSpatialModel(gauss().integrate_geom(geom()))
    wanted = counts(row, gauss())
    assert np.abs(counts(row, template) - wanted).max() < 1e-2 * wanted.max()
    assert counts(row, template).sum() == pytest.approx(wanted.sum(), rel=1e-3)


def test_planes_of_energy_have_forms_of_their_own(row):
    axis = MapAxis.from_energy_edges(ENERGY_TRUE.edges, unit="TeV", name="energy_true")
    made = geom([axis])
    data = np.stack([gauss().evaluate_geom(geom()).value] * axis.nbin)
    template = TemplateSpatialModel(Map.from_geom(made, data, "sr-1"))
    assert counts(row, template) == pytest.approx(
        counts(row, TemplateSpatialModel(gauss().integrate_geom(geom()))), rel=1e-3
    )


def test_a_map_of_fluxes_takes_a_norm_spectrum(row):
    axis = MapAxis.from_energy_edges(ENERGY_TRUE.edges, unit="TeV", name="energy_true")
    spectrum = PowerLawSpectralModel(**SPECTRUM)
    flux = spectrum.dnde(ENERGY_TRUE.center)[:, None, None] * gauss().evaluate_geom(geom()).value
    diffuse = TemplateSpatialModel(Map.from_geom(geom([axis]), flux, "cm-2 s-1 TeV-1 sr-1"), normalize=False)
    found, wanted = counts(row, diffuse, PowerLawNormSpectralModel()), counts(row, gauss())
    # The flux of a bin is that at its centre times its width, which a power law of index 2 exceeds.
    assert found.sum() == pytest.approx(wanted.sum(), rel=0.1)
    with pytest.raises(ConfigError, match="Model 'source': expected a brightness"):
        counts(row, diffuse)
