"""Tables that models read: their content decides a fit, and its record tells where they are from."""

from __future__ import annotations

import numpy as np
from astropy import units as u

from releases import config_of
from xgamma.analysis.preview import preview
from xgamma.analysis.run import run
from xgamma.formats.yaml_documents import parsed_yaml
from xgamma.models import (
    EBLAbsorptionNormSpectralModel,
    Models,
    PowerLawSpectralModel,
    SkyModel,
    TemplatePhaseCurveTemporalModel,
)
from xgamma.schema import Kind
from xgamma.store import Store

PHASES = {"PHASE": [0.25, 0.75], "NORM": [1.0, 3.0]}


def test_the_tables_of_models_enter_the_key_of_a_fit_and_its_record(tiny_release, tmp_path):
    curve = TemplatePhaseCurveTemporalModel(PHASES, f0="1e-3 s-1")
    curve.write(tmp_path / "curve.fits")
    absorption = EBLAbsorptionNormSpectralModel([0.01, 100] * u.TeV, [0.1, 0.2], [[1.0, 0.9], [0.9, 0.5]])
    source = SkyModel(PowerLawSpectralModel() * absorption, temporal_model=curve, name="crab")
    config = config_of(tiny_release, tmp_path / "store", "steps: [observations, datasets, fit]")
    config.models = parsed_yaml(Models([source]).to_yaml())
    origins = source.origins()
    assert preview(config).facts["tables of models"] == "; ".join(origins)
    assert "phase curve: curve.fits, table " in origins[1]
    first = run(config).analysis
    assert first.fit_result.success and first.results.fit.found is False
    assert run(config).analysis.results.fit.found
    store = Store(str(tmp_path / "store"))
    assert store.record(Kind.FIT, first.results.fit.key).texts["tables"] == origins
    amplitude = first.models["crab"].parameters["amplitude"].value
    TemplatePhaseCurveTemporalModel({"PHASE": [0.25, 0.75], "NORM": [5.0, 1.0]}, f0="1e-3 s-1").write(
        tmp_path / "curve.fits", overwrite=True
    )
    again = run(config).analysis
    assert not again.results.fit.found
    assert abs(again.models["crab"].parameters["amplitude"].value / amplitude - 1) > 1e-4
    assert np.isfinite(again.fit_result.total_stat)
