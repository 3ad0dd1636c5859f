from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from xgamma import models as m
from xgamma.errors import ConfigError, LaterError, MissingInputError, UnknownNameError
from xgamma.models.spectral.calculus import integral

DENSITY = u.Unit("cm-2 s-1 TeV-1")
EDGES = np.geomspace(0.1, 50, 41)
ENERGY = np.array([0.03, 0.5, 1.0, 2.0, 40.0])
NODES = [0.1, 1, 10] * u.TeV


def spectra() -> dict[str, m.SpectralModel]:
    pl = m.PowerLawSpectralModel(index=2.3, amplitude="4e-11 cm-2 s-1 TeV-1", reference="0.7 TeV")
    return {
        "const": m.ConstantSpectralModel(),
        "pl": pl,
        "pl-1": m.PowerLawSpectralModel(index=1),
        "pl-2": m.PowerLaw2SpectralModel(index=2.3),
        "pl-2-1": m.PowerLaw2SpectralModel(index=1),
        "bpl": m.BrokenPowerLawSpectralModel(index1=1.5, index2=3),
        "sbpl": m.SmoothBrokenPowerLawSpectralModel(index1=1.5, index2=3, beta=0.3),
        "sbpl-flat": m.SmoothBrokenPowerLawSpectralModel(),
        "ecpl": m.ExpCutoffPowerLawSpectralModel(alpha=0.7),
        "ecpl-3fgl": m.ExpCutoffPowerLaw3FGLSpectralModel(),
        "secpl-3fgl": m.SuperExpCutoffPowerLaw3FGLSpectralModel(index_2=0.8),
        "secpl-4fgl": m.SuperExpCutoffPowerLaw4FGLSpectralModel(index_2=0.8),
        "secpl-4fgl-dr3": m.SuperExpCutoffPowerLaw4FGLDR3SpectralModel(expfactor=0.2, index_2=0.7),
        "lp": m.LogParabolaSpectralModel(beta=0.2),
        "lp2": m.LogParabola2SpectralModel(beta=0.2),
        "gauss": m.GaussianSpectralModel(),
        "template": m.TemplateSpectralModel(NODES, [9, 1, 0.2] * DENSITY),
        "piecewise": pl * m.PiecewiseNormSpectralModel(NODES, norms=[1, 2, 0.5]),
        "sum": pl + m.LogParabolaSpectralModel(),
        "difference": pl - m.ConstantSpectralModel(const="1e-20 cm-2 s-1 TeV-1"),
        "pl-norm": pl * m.PowerLawNormSpectralModel(tilt=0.3, norm=2),
        "lp-norm": pl * m.LogParabolaNormSpectralModel(alpha=0.1, beta=0.1),
        "ecpl-norm": pl * m.ExpCutoffPowerLawNormSpectralModel(index=0.1),
        "scale": m.ScaleSpectralModel(pl, norm=3),
        "ebl": pl * m.EBLAbsorptionNormSpectralModel(NODES, [0.1, 0.2], [[0.9, 0.8, 0.7], [0.8, 0.7, 0.5]]),
    }


ANALYTIC = ["pl", "pl-1", "pl-2", "pl-2-1", "gauss", "scale"]


# --- exact numbers


@pytest.mark.parametrize(
    ("model", "at_2_tev"),
    [
        (m.PowerLawSpectralModel(), 2.5e-13),
        (m.PowerLaw2SpectralModel(index=3), 1e-12 * 2 / 8 / (1 / 0.1**2 - 1 / 100**2)),
        (m.BrokenPowerLawSpectralModel(index1=1, index2=3), 1.25e-13),
        (m.SmoothBrokenPowerLawSpectralModel(index1=1, index2=3, beta=2), 0.5e-12 * 3**-2),
        (m.ExpCutoffPowerLawSpectralModel(index=2), 2.5e-13 * np.exp(-0.2)),
        (m.ExpCutoffPowerLaw3FGLSpectralModel(index=2), 2.5e-13 * np.exp(-0.1)),
        (m.SuperExpCutoffPowerLaw3FGLSpectralModel(index_1=2), 2.5e-13 * np.exp(0.01 - 0.04)),
        (m.SuperExpCutoffPowerLaw4FGLSpectralModel(index_1=2), 2.5e-13 * np.exp(1e-14 * (1e12 - 4e12))),
        (m.LogParabolaSpectralModel(reference="1 TeV"), 1e-12 * 2 ** (-2 - np.log(2))),
        (m.LogParabola2SpectralModel(escale="2 TeV"), 1e-12 * 0.2**-2),
        (m.GaussianSpectralModel(mean="2 TeV"), 1e-12 / (2 * np.sqrt(2 * np.pi))),
        (m.TemplateSpectralModel([1, 4] * u.TeV, [4, 1] * DENSITY), 2.0),
    ],
)
def test_the_formulas(model, at_2_tev):
    value = model(2 * u.TeV)
    assert value.unit == DENSITY
    assert value.value == pytest.approx(at_2_tev, rel=1e-14)


def test_the_super_exponential_cutoff_of_dr3_is_smooth_where_its_series_takes_over():
    model = m.SuperExpCutoffPowerLaw4FGLDR3SpectralModel(expfactor=0.5, index_2=1.0)
    energy = np.exp(np.linspace(0.0099, 0.0101, 201))
    exact = energy ** (-1.5 + 0.5) * np.exp(0.5 * (1 - energy)) * 1e-12
    np.testing.assert_allclose(model.dnde(energy), exact, rtol=1e-10)


@pytest.mark.parametrize("reference", ["1 TeV", "1000 GeV", "1e6 MeV"])
def test_expfactor_of_4fgl_counts_in_mev_whatever_the_unit_of_its_reference(reference):
    model = m.SuperExpCutoffPowerLaw4FGLSpectralModel(reference=reference, expfactor=0.01, index_2=0.5)
    # Gammapy 2.1: 8.10308393e-06 2.94839103e-08 1e-12 5.61756831e-15.
    expected = [8.10308393e-06, 2.94839103e-08, 1e-12, 5.61756831e-15]
    np.testing.assert_allclose(model([0.01, 0.1, 1, 2] * u.TeV).value, expected, rtol=1e-8)


@pytest.mark.parametrize(
    ("model", "defaults"),
    [
        (m.PowerLawNormSpectralModel, {"tilt": 0.0, "norm": 1.0, "reference": 1.0}),
        (m.LogParabolaNormSpectralModel, {"norm": 1.0, "reference": 10.0, "alpha": 0.0, "beta": 0.0}),
        (
            m.ExpCutoffPowerLawNormSpectralModel,
            {"index": 0.0, "norm": 1.0, "reference": 1.0, "lambda_": 0.1, "alpha": 1.0},
        ),
        (
            m.SuperExpCutoffPowerLaw4FGLSpectralModel,
            {"amplitude": 1e-12, "reference": 1.0, "expfactor": 1e-14, "index_1": 1.5, "index_2": 2.0},
        ),
    ],
)
def test_defaults_and_their_order_are_those_of_gammapy_2(model, defaults):
    assert list({parameter.name: parameter.value for parameter in model().parameters}.items()) == list(defaults.items())


def test_a_norm_model_with_its_defaults_changes_a_spectrum_little():
    energy = [0.1, 1, 30] * u.TeV
    assert m.LogParabolaNormSpectralModel()(energy).value.tolist() == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(m.ExpCutoffPowerLawNormSpectralModel()(energy), np.exp([-0.01, -0.1, -3]))


def test_norms_are_constant_outside_their_nodes_and_a_template_is_extrapolated():
    norms = m.PiecewiseNormSpectralModel([1, 4] * u.TeV, norms=[1, 4])
    np.testing.assert_allclose(norms([0.1, 1, 2, 4, 40] * u.TeV), [1, 1, 2, 4, 4], rtol=1e-14)
    linear = m.PiecewiseNormSpectralModel([1, 4] * u.TeV, norms=[1, 4], interp="lin")
    np.testing.assert_allclose(linear([0.1, 1, 2, 3.25, 40] * u.TeV), [1, 1, 2, 3.25, 4], rtol=1e-14)
    template = m.TemplateSpectralModel([1, 4] * u.TeV, [4, 1] * DENSITY)
    assert template(16 * u.TeV).value == pytest.approx(0.25)


def test_a_template_of_zeros_is_zero():
    template = m.TemplateSpectralModel([1, 2, 4] * u.TeV, [1, 0, 0] * DENSITY)
    assert template(3 * u.TeV).value == 0
    assert template.integral(2.1 * u.TeV, 3 * u.TeV).value == 0


@pytest.mark.parametrize("name", spectra())
def test_integrals_agree_with_an_adaptive_quadrature(name):
    model = spectra()[name]
    low, high = 0.6, 7.0
    breaks = [1.0]
    expected = quad(lambda e: model.dnde(np.array([e]))[0], low, high, points=breaks, epsabs=0, epsrel=1e-10)[0]
    energy = quad(lambda e: e * model.dnde(np.array([e]))[0], low, high, points=breaks, epsabs=0, epsrel=1e-10)[0]
    rtol = 1e-9 if name in ANALYTIC else 2e-4
    assert model.integral(low * u.TeV, high * u.TeV).to_value("cm-2 s-1") == pytest.approx(expected, rel=rtol)
    assert model.energy_flux(low * u.TeV, high * u.TeV).to_value("TeV cm-2 s-1") == pytest.approx(energy, rel=rtol)


def test_the_power_law_of_index_one_and_two_have_logarithms():
    flat = m.PowerLawSpectralModel(index=1)
    assert flat.integral(1 * u.TeV, 10 * u.TeV).value == pytest.approx(1e-12 * np.log(10), rel=1e-15)
    steep = m.PowerLawSpectralModel(index=2)
    assert steep.energy_flux(1 * u.TeV, 10 * u.TeV).value == pytest.approx(1e-12 * np.log(10), rel=1e-15)


def test_the_number_of_integration_points_is_common_to_all_bins():
    # One wide bin in the call makes the narrow one finer: the trapezoid of the narrow bin alone has 4 points.
    seen = []

    def function(energy):
        seen.append(energy.shape)
        return energy**-2.0

    integral(function, np.array([1.0]), np.array([1.1]))
    integral(function, np.array([1.0, 1.0]), np.array([1.1, 10.0]))
    assert seen == [(1, 4), (2, 100)]


# --- laws


@pytest.mark.parametrize("name", spectra())
def test_flux_is_linear_in_the_norm(name):
    model = spectra()[name]
    before = model.flux(EDGES)
    norms = [p for p in model.parameters if p.is_norm]
    if name in ("sum", "difference", "scale"):
        norms = model.parameters.select(name="norm") or [p for p in norms if p.is_norm]
    factor = 3.0
    for norm in norms if name in ("sum", "difference") else norms[:1]:
        norm.value *= factor
    np.testing.assert_allclose(model.flux(EDGES), factor * before, rtol=1e-12)


@given(
    index=st.floats(-1, 6),
    cuts=st.lists(st.floats(0.01, 100), min_size=3, max_size=6, unique=True).map(sorted),
    norm=st.floats(1e-3, 1e3),
)
def test_closed_integrals_add_up_over_adjacent_bins(index, cuts, norm):
    edges = np.array(cuts)
    models = [
        m.PowerLawSpectralModel(index=index, amplitude=norm * DENSITY),
        m.PowerLaw2SpectralModel(index=index),
        m.GaussianSpectralModel(),
    ]
    for model in models:
        whole = model.flux(edges[[0, -1]])[0]
        assert model.flux(edges).sum() == pytest.approx(whole, rel=1e-7, abs=1e-12 * abs(whole))


@given(index=st.floats(-1, 6), scale=st.floats(0.1, 10))
def test_a_change_of_unit_changes_nothing(index, scale):
    tev = m.PowerLawSpectralModel(index=index, reference=scale * u.TeV)
    gev = m.PowerLawSpectralModel(index=index, reference=1e3 * scale * u.GeV, amplitude="1e-15 cm-2 s-1 GeV-1")
    np.testing.assert_allclose(tev.flux(EDGES), gev.flux(EDGES), rtol=1e-11)
    np.testing.assert_allclose(tev(ENERGY * u.TeV), gev(ENERGY * 1e6 * u.MeV), rtol=1e-11)


@pytest.mark.parametrize("name", spectra())
def test_given_values_replace_the_current_ones(name):
    model = spectra()[name]
    values = model.parameters.value
    np.testing.assert_array_equal(model.flux(EDGES, values), model.flux(EDGES))
    moved = values * 1.1
    expected = model.dnde(ENERGY, moved)
    model.parameters.value = moved
    np.testing.assert_array_equal(model.dnde(ENERGY), expected)


@pytest.mark.parametrize("name", spectra())
def test_shapes_follow_the_energies(name):
    model = spectra()[name]
    assert model(1 * u.TeV).shape == ()
    assert model(np.ones((2, 3)) * u.TeV).shape == (2, 3)
    assert model.integral(1 * u.TeV, 2 * u.TeV).shape == ()
    assert model.integral([[1], [2]] * u.TeV, [[3], [4]] * u.TeV).shape == (2, 1)
    assert np.all(model.flux(EDGES[:20]) > 0)


def test_the_operators_combine_spectra_and_numbers():
    one, two = m.PowerLawSpectralModel(), m.LogParabolaSpectralModel()
    at = 2 * u.TeV
    assert (one + two)(at) == one(at) + two(at)
    assert (one - two)(at) == one(at) - two(at)
    assert (2 * one)(at) == 2 * one(at)
    assert (one * 2).integral(at, 3 * at).unit == u.Unit("cm-2 s-1")
    assert (one + two).parameters.names == [*one.parameters.names, *two.parameters.names]
    with pytest.raises(ConfigError, match="Cannot add"):
        one + m.PowerLawNormSpectralModel()
    with pytest.raises(ConfigError, match="Did you mean 'add'"):
        m.CompoundSpectralModel(one, two, "ad")


# --- errors


def covered(model: m.SpectralModel) -> m.SpectralModel:
    model.covariance = np.array([[0.01, 5e-15, 0], [5e-15, 1e-26, 0], [0, 0, 0]])
    return model


def test_errors_are_propagated_with_their_correlation():
    model = covered(m.PowerLawSpectralModel())
    at = np.array([1.0, 2.0])
    value, error = model.evaluate_error(at * u.TeV)
    np.testing.assert_allclose(value.value, model.dnde(at))
    # d/d index = -ln(E) dnde, d/d amplitude = dnde / amplitude
    log = np.log(at)
    variance = model.dnde(at) ** 2 * (log**2 * 0.01 + 1e-2 - 2 * log * 5e-15 / 1e-12)
    np.testing.assert_allclose(error.value, np.sqrt(variance), rtol=1e-4)
    assert model.integral_error(1 * u.TeV, 10 * u.TeV).shape == (2,)
    assert model.energy_flux_error(1 * u.TeV, 10 * u.TeV).unit == u.Unit("TeV cm-2 s-1")


def test_frozen_parameters_and_none_at_all_give_no_error():
    model = m.PowerLawSpectralModel()
    assert model.evaluate_error(2 * u.TeV)[1].value == 0
    model.reference.error = 0.1
    assert model.evaluate_error(2 * u.TeV)[1].value == 0


def test_a_linked_parameter_moves_once():
    one, two = m.PowerLawSpectralModel(), m.PowerLawSpectralModel()
    two.index = one.index
    one.index.error = 0.1
    single = one.evaluate_error(3 * u.TeV)[1].value
    assert (one + two).evaluate_error(3 * u.TeV)[1].value == pytest.approx(2 * single, rel=1e-6)


def test_the_error_of_a_power_law_is_smallest_at_its_pivot():
    model = covered(m.PowerLawSpectralModel())
    assert model.pivot_energy.to_value("TeV") == pytest.approx(np.exp(0.5))
    general = m.SpectralModel.pivot_energy.fget(model)
    assert general.to_value("TeV") == pytest.approx(np.exp(0.5), rel=1e-3)
    assert np.isnan(m.PowerLawSpectralModel().pivot_energy)
    assert np.isnan(m.LogParabolaSpectralModel().pivot_energy)


@pytest.mark.parametrize("name", ["pl", "ecpl", "template", "sum"])
def test_inverse_finds_the_energy_of_a_value(name):
    model = spectra()[name]
    assert model.inverse(model(2.3 * u.TeV)).to_value("TeV") == pytest.approx(2.3, rel=1e-10)
    assert np.isnan(model.inverse(1e30 * DENSITY))
    assert model.spectral_index(1 * u.TeV) > 0


# --- tables in files


def write_absorption(path: Path) -> Path:
    energies = fits.BinTableHDU.from_columns(
        [fits.Column(name, "D", array=edges, unit="keV") for name, edges in
         (("ENERG_LO", [0.5e9, 2e9]), ("ENERG_HI", [2e9, 8e9]))], name="ENERGIES"
    )  # fmt: skip
    redshifts = fits.BinTableHDU.from_columns([fits.Column("VALUE", "3D", array=[[0.1, 0.2, 0.2]])], name="PARAMETERS")
    spectra = fits.BinTableHDU.from_columns(
        [fits.Column("INTPSPEC", "2D", array=[[0.9, 0.4], [0.8, 0.1], [0.8, 0.1]])], name="SPECTRA"
    )
    fits.HDUList([fits.PrimaryHDU(), energies, redshifts, spectra]).writeto(path)
    return path


def test_absorption_is_read_from_a_table_and_interpolated_in_its_logarithm(tmp_path):
    model = m.EBLAbsorptionNormSpectralModel.read(write_absorption(tmp_path / "ebl.fits"), redshift=0.2)
    np.testing.assert_allclose(model([1, 2, 4] * u.TeV), [0.8, np.sqrt(0.08), 0.1], rtol=1e-12)
    model.redshift.value, model.alpha_norm.value = 0.1, 2
    np.testing.assert_allclose(model([1, 4] * u.TeV), [0.81, 0.16], rtol=1e-12)
    assert model(1e-9 * u.TeV).value == 1
    assert model.is_norm_spectral_model
    assert model.copy().redshift is not model.redshift


def test_a_missing_table_raises_with_its_path(tmp_path):
    with pytest.raises(MissingInputError, match="no-such"):
        m.EBLAbsorptionNormSpectralModel.read(tmp_path / "no-such.fits")
    with pytest.raises(UnknownNameError, match="Did you mean 'dominguez'"):
        m.EBLAbsorptionNormSpectralModel.read_builtin("domingez")


BUILTIN = Path(os.environ.get("GAMMAPY_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "ebl"


@pytest.mark.skipif(not (BUILTIN / "ebl_dominguez11.fits.gz").exists(), reason="needs the EBL tables")
@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("dominguez", [9.95929436e-01, 9.53839739e-01, 4.80995536e-01, 1.81730298e-01, 4.11019655e-02]),
        ("franceschini", None),
    ],
)
def test_published_absorption(reference, expected, monkeypatch):
    monkeypatch.setenv("GAMMAPY_DATA", str(BUILTIN.parent))
    model = m.EBLAbsorptionNormSpectralModel.read_builtin(reference, redshift=0.137)
    values = model([0.05, 0.1234, 0.5, 1.234, 5.4] * u.TeV).value
    assert np.all(np.diff(values) < 0)
    if expected:
        np.testing.assert_allclose(values, expected, rtol=2e-6)


def test_tables_are_found_by_name_by_path_and_in_the_catalogue(tmp_path, monkeypatch, caplog):
    (tmp_path / "ebl").mkdir()
    path = write_absorption(tmp_path / "ebl" / "ebl_dominguez11.fits.gz")
    monkeypatch.setenv("GAMMAPY_DATA", str(tmp_path))
    caplog.set_level("INFO")
    by_name = m.EBLAbsorptionNormSpectralModel.read("dominguez", redshift=0.2)
    assert by_name.filename == "$GAMMAPY_DATA/ebl/ebl_dominguez11.fits.gz"
    by_path = m.EBLAbsorptionNormSpectralModel.read(path, redshift=0.2)
    assert not caplog.records
    document = by_path.to_dict()["spectral"] | {"filename": "/elsewhere/2.0/ebl/ebl_dominguez11.fits.gz"}
    elsewhere = m.EBLAbsorptionNormSpectralModel.from_dict(document)
    assert "/elsewhere/2.0/ebl/ebl_dominguez11.fits.gz is not there; $GAMMAPY_DATA/ebl/ebl_domin" in caplog.text
    named = m.EBLAbsorptionNormSpectralModel.from_dict(document | {"filename": "dominguez"})
    for model in (by_path, elsewhere, named):
        assert model.tables() == by_name.tables()
        assert model.origins() == by_name.origins()
    [origin] = by_name.origins()
    assert origin.startswith("EBL absorption: Dominguez et al. 2011 (MNRAS 410, 2556), ebl_dominguez11.fits.gz, table ")
    assert origin in str(by_name)
    assert (m.PowerLawSpectralModel() * by_name).origins() == [origin]
    with pytest.raises(MissingInputError, match=r"or the name of a published model in .*: franceschini, dominguez"):
        m.EBLAbsorptionNormSpectralModel.read("finke")


def test_a_redshift_beside_the_table_is_said():
    table = m.EBLAbsorptionNormSpectralModel(NODES, [0.1, 0.2], [[0.9, 0.8, 0.7], [0.8, 0.7, 0.5]], 0.3)
    assert (m.PowerLawSpectralModel() * table).remark() == (
        "the redshift 0.3 lies beside its table of absorption, 0.1 to 0.2, which is continued"
    )
    table.redshift.value = 0.2
    assert table.remark() == ""
    with pytest.raises(ConfigError, match="1 of the 6 values of its table are no numbers"):
        m.EBLAbsorptionNormSpectralModel(NODES, [0.1, 0.2], [[0.9, np.nan, 0.7], [0.8, 0.7, 0.5]])


def test_an_intrinsic_spectrum_is_one_without_absorption_and_keeps_its_errors():
    ebl = m.EBLAbsorptionNormSpectralModel(NODES, [0.1, 0.2], [[0.9, 0.8, 0.7], [0.8, 0.7, 0.5]])
    first, second = m.PowerLawSpectralModel(index=2.2), m.LogParabolaSpectralModel()
    observed = first * ebl
    observed.covariance = np.diag([0.1, 1e-13, 0, 0, 0]) ** 2
    assert m.intrinsic(observed) is first
    assert m.intrinsic(first) is first
    assert m.intrinsic(first).evaluate_error(2 * u.TeV)[1] > observed.evaluate_error(2 * u.TeV)[1]
    both = m.intrinsic(first * ebl + second)
    np.testing.assert_allclose(both(ENERGY * u.TeV), (first + second)(ENERGY * u.TeV), rtol=1e-14)
    assert both.parameters[0] is first.index
    assert both.covariance.data[0, 0] == pytest.approx(0.01)
    other = first * m.PowerLawNormSpectralModel(tilt=0.1)
    tilted = m.intrinsic(other * ebl)
    np.testing.assert_allclose(tilted(ENERGY * u.TeV), other(ENERGY * u.TeV), rtol=1e-14)
    assert type(m.intrinsic(ebl * ebl)) is m.CompoundSpectralModel


def write_template(path: Path) -> Path:
    energy, tilt = np.array([1.0, 10.0]), np.array([0.0, 1.0])
    bands = fits.BinTableHDU.from_columns(
        [
            fits.Column("CHANNEL", "K", array=np.arange(4)),
            fits.Column("ENERGY_TRUE", "D", array=np.repeat(energy, 2), unit="TeV"),
            fits.Column("TILT", "D", array=np.tile(tilt, 2)),
        ],
        name="SKYMAP_BANDS",
    )
    values = np.array([[4.0, 1.0], [1.0, 0.25]]).reshape(2, 2, 1, 1)
    data = fits.Column("DATA", "2D", array=values.reshape(2, 2), unit="cm-2 s-1 TeV-1")
    maps = fits.BinTableHDU.from_columns([fits.Column("CHANNEL", "I", array=[0, 1]), data], name="SKYMAP")
    maps.header.update({"AXCOLS1": "ENERGY_TRUE_MIN,ENERGY_TRUE_MAX", "INTERP1": "log", "AXCOLS2": "TILT"})
    fits.HDUList([fits.PrimaryHDU(), maps, bands]).writeto(path)
    return path


def test_a_template_over_parameters_is_interpolated_in_all_of_them(tmp_path):
    model = m.TemplateNDSpectralModel(write_template(tmp_path / "nd.fits"))
    assert (model.tilt.value, model.tilt.min, model.tilt.max) == (0.5, 0, 1)
    model.tilt.value = 0.0
    np.testing.assert_allclose(model([1, np.sqrt(10), 10] * u.TeV).value, [4, 2, 1])
    model.tilt.value = 0.5
    np.testing.assert_allclose(model([1, 10] * u.TeV).value, [2, 0.5])
    document = model.to_dict()
    again = m.TemplateNDSpectralModel.from_dict(document)
    assert again.to_dict() == document
    assert again.flux(EDGES).tolist() == model.flux(EDGES).tolist()


def test_a_template_over_parameters_opens_its_file_when_it_is_evaluated(tmp_path):
    document = {"type": "TemplateNDSpectralModel", "parameters": [{"name": "tilt", "value": 0.3}],
                "filename": str(tmp_path / "gone.fits"), "unit": "cm-2 s-1 TeV-1"}  # fmt: skip
    model = m.TemplateNDSpectralModel.from_dict(document)
    assert model.to_dict()["spectral"]["parameters"] == [{"name": "tilt", "value": 0.3}]
    with pytest.raises(MissingInputError, match=r"gone\.fits"):
        model(1 * u.TeV)


def test_naima_models_raise_with_what_to_do_instead():
    with pytest.raises(LaterError, match="TemplateSpectralModel"):
        m.NaimaSpectralModel()


# --- users' own


def test_a_spectrum_without_a_formula_raises_what_to_write():
    class Empty(m.SpectralModel):
        tag = ("EmptyForTheTest", "empty-for-the-test")
        slope = m.Parameter("slope", 2.0, "cm-2 s-1 TeV-1", is_norm=True)

    with pytest.raises(ConfigError, match=r"expected a static method evaluate\(energy, \*\*parameters\)"):
        Empty()(1 * u.TeV)


def test_a_users_own_spectrum_is_evaluated_and_read_from_a_document():
    class Ramp(m.SpectralModel):
        tag = ("RampForTheTest", "ramp-for-the-test")
        slope = m.Parameter("slope", 2.0, "cm-2 s-1 TeV-2", is_norm=True)

        @staticmethod
        def evaluate(energy, slope):
            return slope * energy

    model = Ramp()
    assert model.integral(1 * u.TeV, 3 * u.TeV).value == pytest.approx(8.0)
    model.slope.value = 5
    document = {"name": "mine", "type": "SkyModel", "spectral": model.to_dict()["spectral"]}
    read = m.Models.from_dict({"components": [{"name": "x", "type": "SkyModel", "spectral": {"type": "pl"}}]})
    assert read["x"].spectral_model.amplitude.value == 1e-12
    with pytest.raises(ConfigError, match="expected a spectrum in cm-2 s-1 TeV-1"):
        m.SkyModel.from_dict(document)
    Ramp.density_factor = u.TeV
    assert m.SkyModel.from_dict(document).spectral_model.slope.value == 5


# --- pictures


@pytest.mark.parametrize(
    ("sed_type", "label"),
    [
        ("dnde", r"$\mathrm{d}N/\mathrm{d}E$ [cm$^{-2}$ s$^{-1}$ TeV$^{-1}$]"),
        ("e2dnde", r"$E^2\,\mathrm{d}N/\mathrm{d}E$ [erg cm$^{-2}$ s$^{-1}$]"),
        ("flux", "Integral flux [cm$^{-2}$ s$^{-1}$]"),
        ("eflux", "Energy flux [erg cm$^{-2}$ s$^{-1}$]"),
    ],
)
def test_a_plot_is_labelled_with_its_units(sed_type, label):
    model = covered(m.PowerLawSpectralModel())
    ax = model.plot([1, 10] * u.TeV, sed_type=sed_type, n_points=5)
    model.plot_error([1, 10] * u.TeV, ax=ax, sed_type=sed_type, n_points=5)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Energy [TeV]", label)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    x, y = ax.lines[0].get_data()
    assert len(x) == (4 if "flux" in sed_type else 5)
    if sed_type == "e2dnde":
        np.testing.assert_allclose(y, 1.602176634e-12)
    assert len(ax.collections) == 1


def test_a_power_of_the_energy_enters_the_label():
    ax = m.PowerLawSpectralModel().plot(["100 GeV", "1 TeV"], energy_power=2, n_points=3)
    assert ax.get_ylabel() == r"$E^2\,\mathrm{d}N/\mathrm{d}E$ [TeV cm$^{-2}$ s$^{-1}$]"
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 1e-12)


def test_a_wrong_picture_raises():
    with pytest.raises(ConfigError, match="Did you mean 'e2dnde'"):
        m.PowerLawSpectralModel().plot([1, 2] * u.TeV, sed_type="e2dnd")
    with pytest.raises(ConfigError, match="first < last"):
        m.PowerLawSpectralModel().plot([2, 1] * u.TeV)
    with pytest.raises(ConfigError, match="an energy such as"):
        m.PowerLawSpectralModel()(1)


@pytest.mark.parametrize(
    "spectrum",
    [
        m.LogParabolaSpectralModel(alpha=1.7, beta=0.2, reference="3 TeV"),
        m.LogParabolaSpectralModel(alpha=2.4, beta=0.1, reference="800 GeV"),
        m.ExpCutoffPowerLawSpectralModel(index=1.5, lambda_="0.1 TeV-1"),
        m.ExpCutoffPowerLawSpectralModel(index=1.2, lambda_="0.2 TeV-1", alpha=0.7),
    ],
)
def test_the_peak_energy_is_where_the_energy_flux_is_largest(spectrum):
    energies = spectrum.e_peak * np.array([0.99, 1.0, 1.01])
    below, at, above = (energies**2 * spectrum(energies)).value
    assert at > max(below, above)


@pytest.mark.parametrize(
    "spectrum",
    [
        m.LogParabolaSpectralModel(alpha=1.7, beta=-0.2),
        m.LogParabolaSpectralModel(alpha=1.7, beta=0),
        m.ExpCutoffPowerLawSpectralModel(index=2.5),
        m.ExpCutoffPowerLawSpectralModel(index=1.5, lambda_="0 TeV-1"),
    ],
)
def test_a_spectrum_that_does_not_turn_has_no_peak_energy(spectrum):
    assert np.isnan(spectrum.e_peak.value)
    assert spectrum.e_peak.unit == "TeV"
