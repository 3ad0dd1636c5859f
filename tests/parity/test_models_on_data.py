"""Models on real data, with the numbers of Gammapy 2.1 for the same spectra: absorption, and a slope in time."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_reference_runs import CRAB, analysis_of

from xgamma.config.requests import models_of
from xgamma.models import LinearTemporalModel, Models, PowerLawSpectralModel, SkyModel, intrinsic

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "pks2155-ebl.yaml"


def validate_fit(models, expected):
    """Compare values, errors in shares of 1e-5, with those of another program."""
    for name, (value, error) in expected.items():
        parameter = models.parameters[name]
        assert parameter.value == pytest.approx(value, abs=1e-6 * error)
        assert parameter.error == pytest.approx(error, rel=1e-5)


def test_an_absorbed_blazar(gammapy_data, tmp_path):
    if not (gammapy_data / "ebl").is_dir():
        pytest.skip("no tables of absorption in the data")
    analysis = analysis_of(EXAMPLE.read_text(), tmp_path)
    analysis.set_models(models_of(analysis.config))
    analysis.run_fit()
    models = analysis.models
    assert analysis.fit_result.total_stat == pytest.approx(9.060652497498655, abs=1e-8)
    numbers = {
        "index": (2.540612914498833, 0.19397340415732106),
        "amplitude": (1.3650002647973877e-11, 1.8720099090436494e-12),
    }
    validate_fit(models, numbers)
    analysis.get_flux_points()
    observed, points = models["pks2155"].spectral_model, analysis.flux_points.data
    plain = points.intrinsic(observed)
    ratio = (plain.dnde / points.dnde).value
    assert ratio[2] == pytest.approx((intrinsic(observed)(points.energy_ref) / observed(points.energy_ref)).value[2])
    assert (plain.norm == points.norm).all()
    assert (ratio[1:] > ratio[:-1]).all()
    # The redshift by the shape of the spectrum alone.
    models.parameters["redshift"].frozen, models.parameters["index"].frozen = False, True
    models.parameters["index"].value = 2.5
    analysis.run_fit()
    numbers = {
        "redshift": (0.12055547645293517, 0.025896683157529733),
        "amplitude": (1.4431524435947206e-11, 3.2183423437231168e-12),
    }
    validate_fit(models, numbers)


def test_a_slope_in_time(gammapy_data, tmp_path):
    analysis = analysis_of(CRAB, tmp_path, stack=False)
    slope = LinearTemporalModel(alpha=1, beta="0.01 d-1", t_ref="53345 d")
    slope.alpha.frozen = True
    spectrum = PowerLawSpectralModel(index=2.6, amplitude="5e-11 cm-2 s-1 TeV-1")
    models = Models([SkyModel(spectrum, temporal_model=slope, name="crab")])
    analysis.datasets.models = models
    result = analysis.fit.run(analysis.datasets)
    assert result.total_stat == pytest.approx(86.74909304091267, abs=1e-8)
    numbers = {
        "index": (2.6642284947820425, 0.07773407355642352),
        "amplitude": (4.418758151346107e-11, 2.89501902138802e-12),
        "beta": (0.07561713333431634, 0.03602548750321062),
    }
    validate_fit(models, numbers)
