"""Temporal models: values, exact means over good time, tables and their wrapped phases, documents."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.errors import ConfigError, ConfigTypeError, InputError, LaterError, MissingInputError
from xgamma.models import (
    ConstantTemporalModel,
    ExpDecayTemporalModel,
    GaussianTemporalModel,
    GeneralizedGaussianTemporalModel,
    LightCurveTemplateTemporalModel,
    LinearTemporalModel,
    Models,
    Parameter,
    PowerLawSpectralModel,
    PowerLawTemporalModel,
    SineTemporalModel,
    SkyModel,
    TemplatePhaseCurveTemporalModel,
    TemporalModel,
)

MJDREF = 55000.0
DAY = 86400.0
REFERENCE = "54999.5 d"


def curve(times=(0.0, 0.4, 1.0, 1.7, 3.0), norms=(0.0, 2.0, 1.0, 1.0, 4.0)):
    meta = {"MJDREFI": 54999, "MJDREFF": 0.5, "TIMESYS": "tt", "TIMEUNIT": "d"}
    return Table({"TIME": list(times) * u.d, "NORM": list(norms)}, meta=meta)


PHASES = {"PHASE": [0.05, 0.3, 0.55, 0.95], "NORM": [1.0, 4.0, 0.5, 2.0]}
SLOW = {"f0": "1.3e-5 s-1", "t_ref": REFERENCE, "scale": "tt"}
FORMULAS = {
    "constant": lambda: ConstantTemporalModel(scale="tt"),
    "linear": lambda: LinearTemporalModel(alpha=0.5, beta="0.3 d-1", t_ref=REFERENCE, scale="tt"),
    "decay": lambda: ExpDecayTemporalModel(t0="9 h", t_ref=REFERENCE, scale="tt"),
    "gauss": lambda: GaussianTemporalModel(t_ref="55000.3 d", sigma="5 h", scale="tt"),
    "gengauss": lambda: GeneralizedGaussianTemporalModel(
        t_ref="55000.3 d", t_rise="4 h", t_decay="0.8 d", eta=0.7, scale="tt"
    ),
    "power law": lambda: PowerLawTemporalModel(alpha=-1.4, t_ref=REFERENCE, scale="tt"),
    "inverse": lambda: PowerLawTemporalModel(alpha=-1.0, t_ref=REFERENCE, scale="tt"),
    "sine": lambda: SineTemporalModel(amp=0.6, omega="17 rad d-1", t_ref=REFERENCE, scale="tt"),
    "template": lambda: LightCurveTemplateTemporalModel.from_table(curve(), scale="tt"),
    "phases": lambda: TemplatePhaseCurveTemporalModel(PHASES, **SLOW),
}
STARTS = (0.0, 0.31, 1.9)
GTI = np.array([[[0.0, 0.02], [0.31, 0.33], [0.8, 1.1]], [[1.9, 2.4], [np.nan, np.nan], [np.nan, np.nan]]]) * DAY


def numeric_mean(model, gti=GTI):
    rows = []
    for row in gti:
        parts, total = 0.0, 0.0
        for start, stop in row[np.isfinite(row).all(axis=1)]:
            edges = np.linspace(start, stop, 20001)
            middle = 0.5 * (edges[1:] + edges[:-1])
            parts += model.factor(middle, MJDREF).mean() * (stop - start)
            total += stop - start
        rows.append(parts / total)
    return np.array(rows)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_mean_over_good_time_is_the_integral_of_the_factor(name):
    model = FORMULAS[name]()
    np.testing.assert_allclose(model.mean(GTI, MJDREF), numeric_mean(model), rtol=2e-7)


@pytest.mark.parametrize("name", FORMULAS)
@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 2.0), st.floats(1e-4, 0.5), st.floats(1e-4, 0.5))
def test_two_intervals_that_touch_are_one(name, start, first, second):
    model = FORMULAS[name]()
    edges = np.array([start, start + first, start + first + second]) * DAY
    apart = np.array([[[edges[0], edges[1]], [edges[1], edges[2]]]])
    np.testing.assert_allclose(
        model.mean(apart, MJDREF), model.mean(edges[np.newaxis, np.newaxis, ::2], MJDREF), rtol=1e-9
    )


@pytest.mark.parametrize("name", FORMULAS)
def test_derivatives_of_the_mean_are_those_of_its_differences(name):
    model = FORMULAS[name]()
    values, wanted = model.parameters.value, range(len(model.parameters))
    slopes = model.mean_gradient(GTI, MJDREF, values, wanted)
    for place, parameter in enumerate(model.parameters):
        size = {"t_ref": 0.1, "f0": 1e-8, "f1": 1e-14, "f2": 1e-20, "t0": 0.5}.get(parameter.name, 1e-1)
        moved = [values + np.where(np.arange(len(values)) == place, sign * 1e-4 * size, 0.0) for sign in (1, -1)]
        rise = (model.mean(GTI, MJDREF, moved[0]) - model.mean(GTI, MJDREF, moved[1])) / (2e-4 * size)
        np.testing.assert_allclose(slopes[place], rise, rtol=2e-3, atol=1e-4 * np.abs(slopes[place]).max())


def test_known_values():
    at = Time([54999.5, 55000.5], format="mjd", scale="tt")
    assert LinearTemporalModel(alpha=1, beta="2 d-1", t_ref=REFERENCE, scale="tt")(at).value.tolist() == [1.0, 3.0]
    np.testing.assert_allclose(ExpDecayTemporalModel(t0="1 d", t_ref=REFERENCE, scale="tt")(at), [1, np.exp(-1)])
    np.testing.assert_allclose(GaussianTemporalModel(t_ref=REFERENCE, scale="tt")(at), [1, np.exp(-0.5)])
    sine = SineTemporalModel(amp=0.5, omega=f"{np.pi / 2} rad d-1", t_ref=REFERENCE, scale="tt")
    np.testing.assert_allclose(sine(at), [1, 1.5])
    # A whole period has the mean 1.
    assert sine.mean(np.array([[[0.0, 4 * DAY]]]), MJDREF) == pytest.approx(1.0, abs=1e-12)
    decay = np.array([[[-0.5 * DAY, 0.5 * DAY]]])
    assert ExpDecayTemporalModel(t_ref=REFERENCE, scale="tt").mean(decay, MJDREF) == pytest.approx(1 - np.exp(-1))


def test_far_tails_keep_their_digits():
    gauss = GaussianTemporalModel(t_ref=REFERENCE, sigma="0.1 d", scale="tt")
    general = GeneralizedGaussianTemporalModel(t_ref=REFERENCE, t_rise="0.1 d", t_decay="0.1 d", scale="tt")
    gti = np.array([[[2.0 * DAY, 2.01 * DAY]], [[-2.0 * DAY, -1.99 * DAY]]])
    for model in (gauss, general):
        mean = model.mean(gti, MJDREF)
        assert (mean > 0).all() and (mean < 1e-47).all()
        np.testing.assert_allclose(mean, numeric_mean(model, gti), rtol=1e-6)


def test_a_reference_in_utc_is_where_the_clock_says():
    # 66.184 s lie between UTC and TT in 2009.
    utc, tt = (LinearTemporalModel(scale, alpha=0, beta="1 d-1", t_ref="55000 d")
               for scale in ("utc", "tt"))  # fmt: skip
    at = np.array([1000.0])
    np.testing.assert_allclose((tt.factor(at, MJDREF) - utc.factor(at, MJDREF)) * DAY, 66.184, atol=1e-5)
    np.testing.assert_allclose(utc(Time(55000.5, format="mjd", scale="utc")), 0.5, atol=1e-11)
    utc.reference_time = Time(55001.0, format="mjd", scale="utc")
    assert utc.t_ref.value == 55001.0
    with pytest.raises(ConfigTypeError, match="expected a Time"):
        utc.reference_time = 55001.0


def test_a_template_is_integrated_between_its_nodes_and_holds_its_ends():
    model = LightCurveTemplateTemporalModel.from_table(curve([0, 1, 1, 2], [1, 1, 5, 5]), scale="tt")
    # A constant of 1 has the mean 1 (the peer's sum over 100 points gives 1.0101), a step is a step.
    first, step = np.array([[[-0.5, 0.5]]]) * DAY, np.array([[[0.25, 0.75]]]) * DAY
    assert model.mean(first, MJDREF) == 1.0
    assert model.mean(step, MJDREF) == pytest.approx(3.0, abs=1e-12)
    assert model.factor(np.array([-9.0, 9.0]) * DAY, MJDREF).tolist() == [1.0, 5.0]
    assert "0.5 d" in model.remark(np.array([[[1.0, 2.0]]]) * DAY, MJDREF)
    assert model.remark(step, MJDREF) == ""


def test_a_phase_curve_closes_its_circle():
    centers = {"PHASE": [0.25, 0.75], "NORM": [1.0, 3.0]}
    model = TemplatePhaseCurveTemporalModel(centers, normalize=False, **SLOW)
    period = 1 / 1.3e-5
    start = -0.5 * DAY
    at = start + period * np.array([0.25, 0.5, 0.75, 1.0, 1.25, 123.0])
    np.testing.assert_allclose(model.factor(at, MJDREF), [1, 2, 3, 2, 1, 2], atol=1e-9)
    turn = np.array([[[start + 0.3 * period, start + 7.3 * period]]])
    assert model.mean(turn, MJDREF) == pytest.approx(2.0, abs=1e-12)
    scaled = TemplatePhaseCurveTemporalModel(centers, **SLOW)
    assert scaled.mean(turn, MJDREF) == pytest.approx(1.0, abs=1e-12)
    assert scaled.phase(Time(55000.0 + (start + 1.25 * period) / DAY, format="mjd", scale="tt")) == pytest.approx(0.25)
    assert "Norms                           : divided by their mean over a turn, 2\n" in str(scaled)
    assert "Norms                           : as they are given\n" in str(model)
    # Nodes at both ends of a turn may differ: the norm steps there.
    saw = TemplatePhaseCurveTemporalModel({"PHASE": [0.0, 1.0], "NORM": [0.0, 1.0]}, normalize=False, **SLOW)
    np.testing.assert_allclose(saw.factor(start + period * np.array([0.01, 0.99, 1.01]), MJDREF), [0.01, 0.99, 0.01])


def test_a_frequency_that_changes_moves_the_mean():
    model = TemplatePhaseCurveTemporalModel(PHASES, f0="2e-4 s-1", f1="3e-10 s-2", t_ref=REFERENCE, scale="tt")
    np.testing.assert_allclose(model.mean(GTI, MJDREF), numeric_mean(model), rtol=5e-5)
    fast = TemplatePhaseCurveTemporalModel(PHASES, f1="-3.7e-10 s-2", t_ref=REFERENCE)
    np.testing.assert_allclose(fast.mean(GTI, MJDREF), 1.0, rtol=1e-4)


def test_tables_that_are_none_are_refused(tmp_path):
    for phases in ([-0.2, 0.5], [0.1, 1.3]):
        with pytest.raises(ConfigError, match=r"expected phases from 0 to 1, got .* fractions of a turn"):
            TemplatePhaseCurveTemporalModel({"PHASE": phases, "NORM": [1, 2]})
    with pytest.raises(ConfigError, match="1 of its 2 rows hold no number"):
        TemplatePhaseCurveTemporalModel({"PHASE": [0.1, 0.2], "NORM": [1, np.nan]})
    with pytest.raises(ConfigError, match="a factor of a flux is not negative, and 1 of its norms"):
        LightCurveTemplateTemporalModel.from_table(curve([0, 1], [1, -1]))
    with pytest.raises(ConfigError, match="ascending order"):
        LightCurveTemplateTemporalModel.from_table(curve([1, 0], [1, 1]))
    for bare in (TemplatePhaseCurveTemporalModel(), LightCurveTemplateTemporalModel()):
        with pytest.raises(ConfigError, match=r"expected a table of \w+ and NORM, or its file, got none"):
            bare.mean(GTI, MJDREF)
    with pytest.raises(ConfigError, match="all norms are 0"):
        TemplatePhaseCurveTemporalModel({"PHASE": [0.1, 0.2], "NORM": [0, 0]})
    with pytest.raises(ConfigError, match=r"normalize: expected true or false, got 'yes'"):
        TemplatePhaseCurveTemporalModel(PHASES, normalize="yes")
    with pytest.raises(InputError, match="expected a column NORM, got TIME"):
        LightCurveTemplateTemporalModel.from_table(curve()["TIME",])
    without = curve()
    del without.meta["MJDREFI"]
    with pytest.raises(InputError, match="expected the epoch of TIME"):
        LightCurveTemplateTemporalModel.from_table(without)
    with pytest.raises(LaterError, match="depends on the energy"):
        LightCurveTemplateTemporalModel.read("any.fits", format="map")
    with pytest.raises(MissingInputError, match="There is no light-curve template at"):
        LightCurveTemplateTemporalModel.read(tmp_path / "none.fits")
    (tmp_path / "text.fits").write_text("no table")
    with pytest.raises(InputError, match="is no table of FITS or ECSV"):
        TemplatePhaseCurveTemporalModel.read(tmp_path / "text.fits")
    with pytest.raises(ConfigError, match="there is no scale 'utx'"):
        LinearTemporalModel(scale="utx")


def test_tables_are_written_and_read_and_named_in_documents(tmp_path):
    light = LightCurveTemplateTemporalModel.from_table(curve(), scale="tt")
    phases = TemplatePhaseCurveTemporalModel(PHASES, phi_ref=0.2, **SLOW)
    source = [SkyModel(PowerLawSpectralModel(), temporal_model=part, name=part.tag[1]) for part in (light, phases)]
    inline = Models.from_yaml(Models(source).to_yaml())
    light.write(tmp_path / "light.fits")
    phases.write(tmp_path / "phases.fits")
    by_name = Models.from_yaml(Models(source).to_yaml())
    assert by_name["template"].temporal_model.filename.endswith("light.fits")
    assert "data" not in Models(source).to_yaml()
    for models in (inline, by_name, Models(source).copy()):
        for model in models:
            expected = FORMULAS["template"]() if model.name == "template" else phases
            np.testing.assert_allclose(model.temporal_model.mean(GTI, MJDREF), expected.mean(GTI, MJDREF), rtol=1e-12)
            assert model.temporal_model.tables() == expected.tables()
        assert models.to_yaml() == Models.from_yaml(models.to_yaml()).to_yaml()
    read = LightCurveTemplateTemporalModel.read(tmp_path / "light.fits")
    # The epoch of the file, TT, on the clock of the model, UTC.
    assert read.t_ref.value == pytest.approx(54999.5 - 66.184 / DAY, abs=1e-10)
    np.testing.assert_allclose(read.mean(GTI, MJDREF), light.mean(GTI, MJDREF), rtol=1e-6)
    assert read.to_table()["NORM"].tolist() == light.to_table()["NORM"].tolist()


def test_a_file_is_opened_when_its_values_are_needed(tmp_path):
    text = f"{{type: template, filename: {tmp_path}/x.fits, parameters: [{{name: t_ref, value: 5}}]}}"
    head = "components: [{name: a, type: SkyModel, spectral: {type: pl}, temporal: "
    models = Models.from_yaml(head + text + "}]")
    assert "x.fits" in models.to_yaml()
    with pytest.raises(MissingInputError, match=r"x\.fits"):
        models["a"].temporal_model.mean(GTI, MJDREF)
    with pytest.raises(ConfigError, match="expected the 'filename' of a table of PHASE"):
        Models.from_yaml(head + "{type: template-phase}}]")


class Flare(TemporalModel):
    """A user's own."""

    tag = ("Flare", "flare")
    width = Parameter("width", 1.0, "d")
    t_ref = Parameter("t_ref", 55000.0, "d")

    @staticmethod
    def evaluate(time, width):
        return 1 / (1 + (time / width) ** 2)


def test_a_model_of_ones_own_needs_a_formula_only():
    model = Flare(scale="tt")
    gti = np.array([[[-1.0, 1.0]]]) * DAY
    assert model.mean(gti, MJDREF) == pytest.approx(np.pi / 4, rel=1e-12)
    assert isinstance(SkyModel.create("pl", temporal_model="flare").temporal_model, Flare)


def test_shares_of_intervals_add_up_to_the_mean():
    model = FORMULAS["linear"]()
    start, stop = (Time(MJDREF + GTI[0, :, edge] / DAY, format="mjd", scale="tt") for edge in (0, 1))
    np.testing.assert_allclose(model.integral(start, stop).sum(), model.mean(GTI, MJDREF)[0], rtol=1e-9)
    axes = model.plot(Time([55000, 55002], format="mjd"))
    assert axes.get_xlabel() == "Time (MJD, TT)"
    axes = FORMULAS["phases"]().plot_phasogram()
    assert axes.get_ylabel() == "Factor of the flux"
