"""Fits of many rows of maps, most parameters of which are of one row: the sum over rows is that of rows alone."""

from __future__ import annotations

import numpy as np
import pytest

from sky_rows import sky_row, with_responses
from xgamma.fit import fit
from xgamma.fit.statistic import Statistic
from xgamma.models import FoVBackgroundModel, GaussianSpatialModel, Models, PowerLawSpectralModel, SkyModel
from xgamma.reduce.rows import joined_rows

NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def rows():
    rng, found = np.random.default_rng(3), []
    for number, name in enumerate(NAMES):
        ds = with_responses(sky_row(background=0.3 + 0.2 * number, exposure=1e9, name=name), 0.12, 1e9)
        ds["counts"].values[:] = rng.poisson(0.5, ds["counts"].shape)
        ds["counts"].values[0, :, 10:14, 8:12] += rng.poisson(2.0, (4, 4, 4))
        ds.attrs.pop("rows")
        found.append(ds)
    return found


def made(tilt=False):
    spatial = GaussianSpatialModel(lon_0="83.66 deg", lat_0="22.03 deg", sigma="0.1 deg")
    spectrum = PowerLawSpectralModel(index=2.0, amplitude="2e-12 cm-2 s-1 TeV-1")
    models = Models([SkyModel(spectrum, spatial, name="source")])
    for name in NAMES:
        models.append(FoVBackgroundModel(dataset_name=name))
        models[-1].spectral_model.parameters["tilt"].frozen = not tilt
    return models


def linked():
    """Return models of which two backgrounds share a norm, and one has the index of the source as its tilt."""
    models = made(tilt=True)
    first, second, third = (one.spectral_model for one in models[1:])
    second.norm = first.norm
    third.tilt = models[0].spectral_model.index
    return models


@pytest.mark.parametrize("models", [made(), made(tilt=True), linked()])
def test_rows_together_are_the_sum_of_rows_alone(rows, models):
    together = Statistic([joined_rows(rows)], models)
    alone = [Statistic([row], models, together.parameters) for row in rows]
    factors = 1.0 + 1e-3 * np.cos(np.arange(len(together.start)))
    values, steps = together.start * factors, 1e-3 * np.maximum(np.abs(together.start), 1e-13)
    assert together(values) == pytest.approx(sum(one(values) for one in alone), rel=1e-12)
    np.testing.assert_allclose(together.per_dataset(values), [one(values) for one in alone], rtol=1e-12)
    own = [one.derivatives(values) for one in alone]
    for found, wanted in zip(together.derivatives(values), map(sum, zip(*own, strict=True)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9 * np.abs(wanted).min())
    curved = together.hessian(values, steps)
    wanted = sum(one.hessian(values, steps) for one in alone)
    size = np.sqrt(np.abs(np.diag(wanted)))
    np.testing.assert_allclose(curved / np.outer(size, size), wanted / np.outer(size, size), atol=1e-6)


def test_what_is_remembered_of_other_rows_is_what_they_are(rows):
    data, models = joined_rows(rows), made()
    statistic, start = Statistic([data], models), Statistic([data], models).start
    for place in (5, 6, 7, 1, 2, 7, 0):
        values = start.copy()
        values[place] *= 1.01
        assert statistic(values) == pytest.approx(Statistic([data], models)(values), rel=1e-14)


def test_a_fit_of_rows_is_the_fit_of_each_background_and_one_source(rows):
    models = made()
    result = fit([joined_rows(rows)], models)
    assert result.success
    assert result.optimize_result.method == "scoring"
    for name in NAMES:
        norm = models[NAMES.index(name) + 1].spectral_model.norm
        assert abs(norm.value - 1.0) < 1.0
        assert 0 < norm.error < 0.2
