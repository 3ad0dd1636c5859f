"""The tables of the analytic instrument against its formulas."""

import numpy as np
import pytest

from xgamma.simulate import AnalyticResponse
from xgamma.simulate.responses import (
    analytic_area,
    background_spectrum,
    containment,
    cumulative,
    log_migration,
    log_spectrum,
    psf_radius,
    psf_width,
    rad_max,
    solid_angle,
)
from xgamma.simulate.tables import MEV_PER_TEV, MIGRA, RAD, area_table, response_tables

PSFS = ["psf_table", "psf_3gauss", "psf_king"]


def tables(response, efficiency=1.0):
    return {table.kind: table for table in response_tables(response, efficiency)}


def test_effective_area_rises_with_energy_and_falls_with_offset():
    area = tables(AnalyticResponse())["aeff_2d"].values["aeff"]
    assert np.all(np.diff(area, axis=0) > 0)
    assert np.all(np.diff(area, axis=1) < 0)
    energy, offset = area_table(AnalyticResponse(), 1.0).axes
    np.testing.assert_allclose(
        area, analytic_area(AnalyticResponse(), energy.center[:, None], offset.center), rtol=1e-5
    )


def test_efficiency_scales_area_and_background():
    one, half = tables(AnalyticResponse()), tables(AnalyticResponse(), 0.5)
    np.testing.assert_allclose(half["aeff_2d"].values["aeff"], 0.5 * one["aeff_2d"].values["aeff"])
    np.testing.assert_allclose(half["bkg_3d"].values["bkg"], 0.5 * one["bkg_3d"].values["bkg"])


@pytest.mark.parametrize("response", [AnalyticResponse(), AnalyticResponse(enclosure="point-like", rad_max_2d=True)])
def test_energy_dispersion_is_normalised(response):
    density = tables(response)["edisp_2d"].values["edisp"]
    assert density.min() >= 0
    np.testing.assert_allclose((density * MIGRA.width[:, None]).sum(axis=1), 1.0, rtol=1e-12)


def test_energy_dispersion_has_the_mean_and_width_of_its_formula():
    table = tables(AnalyticResponse())["edisp_2d"]
    energy, _, offset = table.axes
    probability = table.values["edisp"] * MIGRA.width[:, None]
    log_migra = np.log(MIGRA.center)[:, None]
    mean = (probability * log_migra).sum(axis=1)
    width = np.sqrt((probability * (log_migra - mean[:, None]) ** 2).sum(axis=1))
    expected_mean, expected_width = log_migration(AnalyticResponse(), energy.center[:, None], offset.center)
    np.testing.assert_allclose(mean, np.broadcast_to(expected_mean, mean.shape), atol=1e-3)
    np.testing.assert_allclose(width, expected_width, rtol=2e-3)


def test_tabulated_psf_sums_to_its_containment_at_every_edge():
    table = tables(AnalyticResponse())["psf_table"]
    energy, offset, _ = table.axes
    ring = 2 * np.pi * np.deg2rad(RAD.center) * np.deg2rad(RAD.width)
    inside = np.cumsum(table.values["psf"] * ring, axis=-1)
    width = psf_width(AnalyticResponse(), energy.center[:, None], offset.center)
    np.testing.assert_allclose(inside, containment(AnalyticResponse(), width[..., None], RAD.edges[1:]), rtol=1e-12)
    np.testing.assert_allclose(inside[..., -1], 1.0, atol=2e-4)


def test_gaussian_psf_parameters_give_a_normalised_density():
    values = tables(AnalyticResponse(psf="psf_3gauss"))["psf_3gauss"].values
    square = (
        values["sigma_1"] ** 2 + values["ampl_2"] * values["sigma_2"] ** 2 + values["ampl_3"] * values["sigma_3"] ** 2
    )
    np.testing.assert_allclose(2 * values["scale"] * square * np.deg2rad(1.0) ** 2, 1.0)


@pytest.mark.parametrize("psf", PSFS)
def test_psf_radii_follow_the_containment(psf):
    response, count = AnalyticResponse(psf=psf), 200_000
    radii = psf_radius(response, np.full(count, 0.06), np.random.default_rng(1))
    for radius in (0.03, 0.06, 0.11, 0.3):
        expected = float(containment(response, np.array(0.06), radius))
        error = np.sqrt(expected * (1 - expected) / count)
        assert abs(np.mean(radii < radius) - expected) < 4 * error
    assert float(containment(response, np.array(0.06), 1e4)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("kind", ["bkg_2d", "bkg_3d"])
def test_background_integrates_to_its_rate(kind):
    response = AnalyticResponse(background=kind, background_rate=4.0)
    table = tables(response)[kind]
    energy = table.axes[0 if kind == "bkg_2d" else 2]
    spectrum = background_spectrum(response, energy.center)
    # The first bin of the offset, or the middle of the field, sees the profile at its top.
    top = table.values["bkg"][:, 0] if kind == "bkg_2d" else table.values["bkg"][14:16, 14:16].mean(axis=(0, 1))
    rate = log_spectrum(energy, top).total * MEV_PER_TEV * solid_angle(response)
    assert rate == pytest.approx(4.0, rel=3e-3)
    np.testing.assert_allclose(top / top[0], spectrum / spectrum[0])


def test_solid_angle_of_a_flat_round_field_is_the_cap():
    wide = AnalyticResponse(background="bkg_2d", background_width=1e6)
    assert solid_angle(wide) == pytest.approx(2 * np.pi * (1 - np.cos(np.deg2rad(2.5))), rel=1e-6)


def test_point_like_area_counts_what_passes_the_cut():
    full, point = tables(AnalyticResponse()), tables(AnalyticResponse(enclosure="point-like", rad_max=0.15))
    assert list(point) == ["aeff_2d", "edisp_2d"]
    assert point["aeff_2d"].header["RAD_MAX"] == point["edisp_2d"].header["RAD_MAX"] == 0.15
    assert point["aeff_2d"].header["HDUCLAS3"] == "POINT-LIKE"
    energy, offset = point["aeff_2d"].axes
    passing = containment(
        AnalyticResponse(), psf_width(AnalyticResponse(), energy.center[:, None], offset.center), 0.15
    )
    np.testing.assert_allclose(point["aeff_2d"].values["aeff"], full["aeff_2d"].values["aeff"] * passing, rtol=1e-12)


def test_an_energy_dependent_cut_is_a_table_without_keyword():
    response = AnalyticResponse(enclosure="point-like", rad_max_2d=True)
    found = tables(response)
    assert list(found) == ["aeff_2d", "edisp_2d", "rad_max_2d"]
    assert all("RAD_MAX" not in table.header for table in found.values())
    energy = found["rad_max_2d"].axes[0]
    np.testing.assert_allclose(found["rad_max_2d"].values["rad_max"][:, 0], rad_max(response, energy.center))


def test_draws_follow_their_cumulative():
    grid = np.linspace(0.0, 1.0, 101)
    values = cumulative(grid, 2 * grid).draw(100_000, np.random.default_rng(3))
    assert abs(values.mean() - 2 / 3) < 4 * np.sqrt(1 / 18 / 100_000)
    # Shuffled, as numbers of one event are drawn one after the other.
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.02
