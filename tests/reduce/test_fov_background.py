"""The background of the field of view: norms and tilts of the expected one, run by run, outside of what is excluded."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from releases import recipe, rows_in
from xgamma import schema
from xgamma.axes import Axis
from xgamma.errors import ConfigError
from xgamma.events import Part, Rows
from xgamma.formats.fits.regions import read_mask
from xgamma.formats.gadf.index import read_index
from xgamma.geometry import separation
from xgamma.grid import Circle, Grid, RegionSpace, SkySpace
from xgamma.ingest.part import part_of, read_runs
from xgamma.masks import ExcludedShapes, SkyMask, together
from xgamma.outcome import Outcome
from xgamma.reduce import FovBackgroundParameters, lazy_spectra, method, reduce_block, select_rows, stack
from xgamma.reduce.background.fov import fov_norms, plane_sums
from xgamma.reduce.background.sky import uncovered_share, usable_pixels
from xgamma.registry import normalize_parameters

ENERGY, ENERGY_TRUE = Axis.from_bounds("energy", 0.5, 30.0, 4), Axis.from_bounds("energy_true", 0.2, 60.0, 8)
IMAGE = SkySpace(83.633, 22.014, "icrs", 0.1, (60, 50), (40, 36))
SCALE, FIT = FovBackgroundParameters(), FovBackgroundParameters("fit")
TILTED = FovBackgroundParameters("fit", fit_tilt=True)
SOURCE = ExcludedShapes((Circle(83.633, 22.014, 0.4),))


def wanted(space=IMAGE, exclusion=SOURCE, **parameters):
    background = method("background", "fov_background", **parameters)
    grid = Grid(ENERGY, ENERGY_TRUE, space)
    return recipe(background=background, safe_masks=(), containment=False, exclusion=exclusion, grid=grid)


def images(rows=3, pixels=200, seed=1):
    """Return counts and expected background, shape (row, energy, pixel)."""
    draw = np.random.default_rng(seed)
    background = draw.uniform(0.1, 1.0, (rows, ENERGY.nbin, pixels)) * ENERGY.center[:, None] ** -1.5
    return draw.poisson(background).astype(np.uint32), background.astype(np.float32)


def everywhere(counts):
    return np.ones(counts.shape, dtype=bool)


# --- norms of sums


def test_a_norm_is_the_ratio_of_the_sums():
    counts, background = images()
    norms = fov_norms(counts, background, everywhere(counts), ENERGY.center, SCALE)
    n, b = counts.sum(axis=(1, 2)), background.sum(axis=(1, 2), dtype=float)
    np.testing.assert_allclose(norms.norm, n / b, rtol=1e-12)
    np.testing.assert_allclose(norms.norm_error, np.sqrt(n) / b, rtol=1e-12)
    assert not norms.tilt.any()
    assert not norms.tilt_error.any()
    assert norms.reasons == {}
    np.testing.assert_allclose((background * norms.factor(ENERGY.center)[:, :, None]).sum(axis=(1, 2)), n, rtol=1e-12)


@pytest.mark.parametrize("parameters", [SCALE, FIT, TILTED])
@given(factor=st.floats(1e-3, 1e3))
def test_a_norm_falls_as_the_expected_background_grows(parameters, factor):
    counts, background = images()
    expected = background.astype(float)
    one = fov_norms(counts, expected, everywhere(counts), ENERGY.center, parameters)
    other = fov_norms(counts, factor * expected, everywhere(counts), ENERGY.center, parameters)
    np.testing.assert_allclose(other.norm * factor, one.norm, rtol=1e-7)
    np.testing.assert_allclose(other.norm_error * factor, one.norm_error, rtol=1e-7)
    np.testing.assert_allclose(other.tilt, one.tilt, atol=1e-7)
    np.testing.assert_allclose(other.tilt_error, one.tilt_error, rtol=1e-7)


def test_a_fit_of_a_norm_alone_is_the_ratio_too():
    counts, background = images()
    scale, fit = (fov_norms(counts, background, everywhere(counts), ENERGY.center, each) for each in (SCALE, FIT))
    for one, other in zip(scale[:4], fit[:4], strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-9)


@given(norm=st.floats(0.05, 20.0), tilt=st.floats(-2.0, 2.0))
def test_counts_as_expected_give_their_norm_and_tilt_back(norm, tilt):
    _, background = images()
    counts = norm * background.astype(float) * (ENERGY.center[:, None] / 1.0) ** -tilt
    norms = fov_norms(counts, background, everywhere(counts), ENERGY.center, TILTED)
    np.testing.assert_allclose(norms.norm, norm, rtol=1e-6)
    np.testing.assert_allclose(norms.tilt, tilt, atol=1e-6)
    np.testing.assert_allclose(background * norms.factor(ENERGY.center)[:, :, None], counts, rtol=1e-5)


@given(
    counts=arrays(np.int64, (4,), elements=st.integers(0, 500)),
    background=arrays(float, (4,), elements=st.floats(0.01, 1e3)),
)
def test_the_statistic_is_flat_at_the_fit(counts, background):
    assume((counts > 0).sum() > 1)
    norms = fov_norms(counts[None, :, None], background[None, :, None], np.True_, ENERGY.center, TILTED)
    assert norms.reasons == {}
    logs = np.log(ENERGY.center)
    expected = norms.norm[0] * np.exp(-norms.tilt[0] * logs) * background
    scale = np.sqrt(counts.sum())
    np.testing.assert_allclose(expected.sum(), counts.sum(), atol=1e-6 * scale)
    np.testing.assert_allclose((expected * logs).sum(), (counts * logs).sum(), atol=1e-5 * scale)
    # Errors are those of the second derivatives.
    information = np.array([[expected.sum(), -(expected * logs).sum()], [0, (expected * logs**2).sum()]])
    information[1, 0] = information[0, 1]
    covariance = np.linalg.inv(information)
    np.testing.assert_allclose(norms.norm_error[0], norms.norm[0] * np.sqrt(covariance[0, 0]), rtol=1e-5)
    np.testing.assert_allclose(norms.tilt_error[0], np.sqrt(covariance[1, 1]), rtol=1e-5)


@pytest.mark.parametrize("counts", [[5, 0, 0, 0], [0, 0, 0, 9]])
def test_counts_at_one_end_of_the_energies_have_no_tilt(counts):
    n, b = np.array(counts)[None, :, None], np.ones((1, 4, 1))
    norms = fov_norms(n, b, np.True_, ENERGY.center, TILTED)
    assert "lie at one end of the energies, so that no tilt can be fitted" in norms.reasons[0]
    assert np.isnan(norms.norm[0])
    assert fov_norms(n, b, np.True_, ENERGY.center, FIT).reasons == {}
    middle = fov_norms(np.array([0, 7, 0, 0])[None, :, None], b, np.True_, ENERGY.center, TILTED)
    assert np.isfinite(middle.tilt).all()


def test_errors_hold_the_truth_in_two_of_three_cases():
    truth, background = (1.2, 0.3), images(rows=1)[1].astype(float)
    expected = background * truth[0] * ENERGY.center[:, None] ** -truth[1]
    counts = np.random.default_rng(5).poisson(np.broadcast_to(expected, (600, *expected.shape[1:])))
    norms = fov_norms(counts, np.broadcast_to(background, counts.shape), np.True_, ENERGY.center, TILTED)
    held = [
        np.abs(value - true) < error
        for value, error, true in ((norms.norm, norms.norm_error, 1.2), (norms.tilt, norms.tilt_error, 0.3))
    ]
    np.testing.assert_allclose(np.mean(held, axis=1), 0.683, atol=0.06)


@pytest.mark.parametrize(
    ("parameters", "counts", "background", "said"),
    [
        (SCALE, [1.0, np.nan], [1.0, 1.0], "counts or expected background are not finite"),
        (SCALE, [1.0, 1.0], [1.0, np.inf], "counts or expected background are not finite"),
        (SCALE, [0.0, 0.0], [0.0, 0.0], "0 background counts are expected, wanted more than 0"),
        (FovBackgroundParameters(min_npred_background=3), [1.0, 1.0], [1.0, 2.0], "3 background counts are expected"),
        (SCALE, [0.0, 0.0], [1.0, 1.0], "there are 0 counts, wanted more than 0"),
        (FovBackgroundParameters(min_counts=2), [1.0, 1.0], [1.0, 1.0], "there are 2 counts, wanted more than 2"),
    ],
)
def test_a_row_without_a_norm_says_why(parameters, counts, background, said):
    n, b = (np.array([[values, [1.0, 2.0]]]).swapaxes(0, 1) for values in (counts, background))
    norms = fov_norms(n, b, np.True_, ENERGY.center[:1], parameters)
    assert said in norms.reasons[0]
    assert np.isnan([values[0] for values in norms[:4]]).all()
    np.testing.assert_array_equal(norms.factor(ENERGY.center[:1])[0], 1.0)


def test_what_models_predict_of_sources_is_taken_off():
    counts, background = images()
    signal = np.full(counts.shape, 0.05)
    norms = fov_norms(counts, background, everywhere(counts), ENERGY.center, SCALE, signal)
    n, b, s = (values.sum(axis=(1, 2), dtype=float) for values in (counts, background, signal))
    np.testing.assert_allclose(norms.norm, (n - s) / b, rtol=1e-12)
    np.testing.assert_allclose(norms.norm_error, np.sqrt(n - s) / b, rtol=1e-12)
    none = fov_norms(counts, background, everywhere(counts), ENERGY.center, SCALE, 100.0 * signal)
    assert "and the models predict 4000 of sources" in none.reasons[0]


def test_a_fit_beside_a_signal_finds_what_was_put_in():
    _, background = images()
    signal = np.zeros(background.shape)
    signal[:, :, :20] = 2.0
    counts = 1.3 * background * ENERGY.center[:, None] ** -0.2 + signal
    norms = fov_norms(counts, background, everywhere(counts), ENERGY.center, TILTED, signal)
    np.testing.assert_allclose(norms.norm, 1.3, rtol=1e-5)
    np.testing.assert_allclose(norms.tilt, 0.2, atol=1e-5)
    alone = fov_norms(1.3 * background, background, everywhere(counts), ENERGY.center, TILTED)
    assert (norms.norm_error > alone.norm_error).all()


def test_what_is_excluded_does_not_count_whatever_it_is():
    counts, background = (values.astype(float) for values in images())
    usable = everywhere(counts)
    usable[:, :, :30] = False
    expected = fov_norms(counts, background, usable, ENERGY.center, TILTED)
    for value in (1e9, np.nan, np.inf):
        counts[:, :, :30] = background[:, :, 10:30] = value
        found = fov_norms(counts, background, usable, ENERGY.center, TILTED)
        for one, other in zip(found[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(plane_sums(counts, usable), np.where(usable, counts, 0).sum(axis=2))


# --- what is excluded


def test_pixels_of_windows_are_cut_out_of_what_is_usable_of_the_image():
    origin = np.array([[0, 0], [9, 14], [3, 2]])
    found = usable_pixels(SOURCE, IMAGE, origin)
    for row, own in enumerate(origin):
        lon, lat = IMAGE.positions(own)
        np.testing.assert_array_equal(found[row], separation(lon, lat, 83.633, 22.014) >= 0.4)
    assert usable_pixels(None, IMAGE, origin).all()
    assert usable_pixels(SOURCE, IMAGE, origin[:0]).shape == (0, 40 * 36)


@pytest.mark.parametrize("space", [IMAGE, SkySpace(83.0, 21.5, "icrs", 9.0, (40, 20), projection="AIT")])
def test_a_catalogue_of_the_whole_sky_excludes_what_each_of_its_circles_does(space):
    draw = np.random.default_rng(2)
    lon, lat = draw.uniform(0, 360, 400), np.rad2deg(np.arcsin(draw.uniform(-1, 1, 400)))
    near = draw.uniform([80.0, 19.0], [87.0, 25.0], (30, 2))
    places = [*zip(lon.tolist(), lat.tolist(), strict=True), *map(tuple, near.tolist())]
    circles = [Circle(x, y, size) for (x, y), size in zip(places, draw.uniform(0.05, 1.0, 430).tolist(), strict=True)]
    x, y = space.image.positions()
    is_sky = np.isfinite(x)
    found = ExcludedShapes(tuple(circles)).is_usable(x, y, outside=True)
    alone = np.all([ExcludedShapes((circle,)).is_usable(x[is_sky], y[is_sky], outside=True) for circle in circles], 0)
    np.testing.assert_array_equal(found[is_sky], alone)
    assert 0 < alone.mean() < 1


def mask_of(center, usable, frame="icrs", pixel=0.1, projection="TAN"):
    wcs = WCS(naxis=2)
    names = ("RA--", "DEC-") if frame == "icrs" else ("GLON", "GLAT")
    wcs.wcs.ctype = [f"{name}-{projection}" for name in names]
    wcs.wcs.crval, wcs.wcs.cdelt = center, [-pixel, pixel]
    wcs.wcs.crpix = [0.5 * (size + 1) for size in usable.shape[::-1]]
    return SkyMask(usable, wcs, frame)


def test_a_mask_in_another_projection_and_frame_excludes_the_nearest_pixels():
    usable = np.ones((120, 120), dtype=bool)
    usable[50:70, 50:70] = False
    mask = mask_of((184.5575, -5.7844), usable, "galactic")
    found = usable_pixels(mask, IMAGE.image, np.zeros((1, 2), dtype=np.int64))[0]
    lon, lat = IMAGE.image.positions()
    np.testing.assert_array_equal(found, mask.is_usable(lon, lat, outside=True))
    assert abs((~found).sum() - 400) < 10
    assert uncovered_share(IMAGE, mask) == 0


def test_where_a_mask_says_nothing_nothing_is_excluded():
    small = mask_of((83.633, 22.014), np.zeros((10, 10), dtype=bool))
    found = usable_pixels(small, IMAGE.image, np.zeros((1, 2), dtype=np.int64))[0]
    assert (~found).sum() == 100
    share = uncovered_share(IMAGE, small)
    assert share == 1 - 100 / 3000
    # Shapes say what is excluded and what is not.
    assert uncovered_share(IMAGE, SOURCE) == uncovered_share(IMAGE, None) == 0
    assert uncovered_share(IMAGE, together([small, SOURCE])) == share
    other = mask_of((83.633, 22.014), np.ones((100, 100), dtype=bool))
    assert uncovered_share(IMAGE, together([small, other])) == 0


def test_a_mask_that_covers_a_part_of_the_map_is_said():
    small = mask_of((83.633, 22.014), np.zeros((10, 10), dtype=bool))
    assert wanted(exclusion=small).exclusion_remark == (
        "datasets.background.exclusion: the mask has no pixel in 96.7 % of the map, and nothing is excluded there; "
        "give a mask of the whole map, or add what is to be excluded to it."
    )
    assert wanted(exclusion=SOURCE).exclusion_remark == wanted(exclusion=None).exclusion_remark == ""
    # Of large images some pixels are looked at, and all of them before a mask is refused.
    large = SkySpace(83.633, 22.014, "icrs", 0.01, (600, 500), (400, 360))
    assert abs(uncovered_share(large, small) - uncovered_share(IMAGE, small)) < 0.005
    tiny = mask_of((83.633, 22.014), np.zeros((2, 2), dtype=bool), pixel=0.012)
    assert "has no pixel in 100 % of the map" in wanted(large, tiny).exclusion_remark


@pytest.mark.parametrize("with_others", [False, True])
@pytest.mark.parametrize("nothing", [mask_of((83.633, 22.014), np.ones((40, 70), dtype=bool)), ExcludedShapes(())])
def test_an_exclusion_that_excludes_nothing_is_said(nothing, with_others):
    exclusion = together([SOURCE, nothing]) if with_others else nothing
    assert wanted(exclusion=exclusion).exclusion_remark.endswith(
        "datasets.background.exclusion: a part of it excludes nothing, as a table without sources, or a mask in which "
        "every pixel may be used; correct it, or leave it out."
    )


def test_a_large_image_is_looked_up_window_by_window(monkeypatch):
    origin = np.array([[0, 0], [9, 14]])
    expected = usable_pixels(SOURCE, IMAGE, origin)
    monkeypatch.setattr("xgamma.reduce.background.sky.MOST_KEPT", 100)
    np.testing.assert_array_equal(usable_pixels(SOURCE, IMAGE, origin), expected)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("reflected", {}),
        ("wobble", {"n_off_regions": 3}),
        ("fixed", {"regions": (Circle(80.0, 20.0, 0.1),)}),
        ("phase", {"on_phase": [0.1, 0.2], "off_phase": [0.4, 0.6]}),
        ("off_runs", {"runs": [1]}),
    ],
)
def test_backgrounds_of_regions_refuse_windows(name, parameters):
    with pytest.raises(ConfigError, match=r"belongs to on-regions, got windows of the sky; write datasets\.type: 1d"):
        recipe(
            background=method("background", name, **parameters),
            containment=False,
            grid=Grid(ENERGY, ENERGY_TRUE, IMAGE),
        )


def test_a_mask_of_another_part_of_the_sky_is_refused():
    with pytest.raises(ConfigError, match="expected a mask that covers the map, got one that has no pixel in it"):
        wanted(exclusion=mask_of((120.0, -40.0), np.ones((10, 10), dtype=bool)))


def test_on_regions_and_bad_parameters_are_refused():
    with pytest.raises(ConfigError, match="fov_background is measured in windows of the sky, got on-regions"):
        wanted(RegionSpace((Circle(83.633, 22.014, 0.1),)))
    entry = method("background", "fov_background").entry
    for parameters, said in (
        ({"method": "scal"}, "expected scale or fit, got 'scal'"),
        ({"spectral_model": "pl"}, "spectral_model: expected pl-norm, got 'pl'"),
        ({"fit_tilt": True}, "the method scale has no tilt"),
        ({"min_counts": -1.0}, "expected at least 0"),
    ):
        with pytest.raises(ConfigError, match=said):
            normalize_parameters(entry, parameters, "here")


# --- of runs


@pytest.fixture(scope="module")
def tilted(nights_part):
    return reduce_block(nights_part, rows_in(nights_part), wanted(method="fit", fit_tilt=True))


def test_rows_hold_the_normalised_background_and_their_norms(nights_part, tilted):
    plain = reduce_block(
        nights_part,
        rows_in(nights_part),
        recipe(
            background=method("background", "irf"),
            safe_masks=(),
            containment=False,
            grid=Grid(ENERGY, ENERGY_TRUE, IMAGE),
        ),
    )
    schema.validate(tilted)
    assert (tilted["outcome"].values == Outcome.USED).all()
    factor = tilted["background_norm"] * tilted["energy"] ** -tilted["background_tilt"]
    np.testing.assert_allclose(tilted["background"], plain["background"] * factor, rtol=1e-6)
    origin = np.stack([tilted["origin_v"].values, tilted["origin_u"].values], axis=1)
    usable = usable_pixels(SOURCE, IMAGE, origin).reshape(7, 1, *IMAGE.shape) & tilted["mask_safe"].values
    seen, expected = (
        (tilted[name].values * usable).sum(axis=(1, 2, 3), dtype=float) for name in ("counts", "background")
    )
    np.testing.assert_allclose(expected, seen, rtol=1e-6)
    # The simulation draws what its tables say.
    for name, truth in (("norm", 1.0), ("tilt", 0.0)):
        pull = (tilted[f"background_{name}"] - truth) / tilted[f"background_{name}_error"]
        assert (np.abs(pull) < 4).all()


def test_norms_do_not_depend_on_blocks_and_on_the_order_of_runs(nights_part, tilted):
    asked = wanted(method="fit", fit_tilt=True)
    back = reduce_block(nights_part, rows_in(nights_part, list(range(7))[::-1]), asked)
    lazy = lazy_spectra([(nights_part, rows_in(nights_part))], asked)
    for name in ("background", "background_norm", "background_tilt_error", "mask_safe"):
        np.testing.assert_array_equal(back[name].values[::-1], tilted[name].values)
        np.testing.assert_array_equal(lazy[name].values, tilted[name].values)


def test_a_run_without_a_norm_is_masked_with_its_reason(nights_part):
    rows = rows_in(nights_part)
    every = reduce_block(nights_part, rows, wanted())
    least = float(np.median(np.rint((every["background_norm"] / every["background_norm_error"]) ** 2)))
    found = reduce_block(nights_part, rows, wanted(min_counts=least))
    lost = found["outcome"].values == Outcome.NO_BACKGROUND
    assert 0 < lost.sum() < 7
    assert not found["mask_safe"].values[lost].any()
    assert found["mask_safe"].values[~lost].any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(np.isnan(found["background_norm"].values), lost)
    for row in np.flatnonzero(lost).tolist():
        said = found.attrs["outcome_details"][row]
        assert said.startswith("its background cannot be measured: outside of the exclusion there are ")
        assert said.endswith(f"counts, wanted more than {least:g}")
    whole, some = stack(found), stack(select_rows(found, np.flatnonzero(~lost).tolist()))
    np.testing.assert_array_equal(whole["background"], some["background"])
    assert np.isfinite(whole["background"].values).all()


def test_a_background_that_is_zero_everywhere_leaves_no_run(nights_part):
    groups = {
        name: table.assign(bkg=0 * table["bkg"]) if name.startswith("irf/bkg") else table
        for name, table in nights_part.groups.items()
    }
    found = reduce_block(Part(groups), rows_in(nights_part), wanted())
    assert set(found["outcome"].values.tolist()) <= {int(Outcome.NO_BACKGROUND), int(Outcome.NO_SAFE_BIN)}
    assert not found["mask_safe"].any()
    assert np.isfinite(found["background"].values).all()


def test_a_field_that_is_wholly_excluded_leaves_no_run(nights_part):
    found = reduce_block(
        nights_part, rows_in(nights_part), wanted(exclusion=ExcludedShapes((Circle(83.633, 22.014, 10.0),)))
    )
    assert (found["outcome"].values == Outcome.NO_BACKGROUND).all()
    assert "0 background counts are expected" in found.attrs["outcome_details"][0]


# --- of public runs

# What Gammapy 2.1 has for single runs, FoVBackgroundMaker: norm and error.
NORMS_OF_RUNS = {
    20136: (0.967924503, 0.0162156205),
    20137: (1.07283588, 0.0232566671),
    20151: (0.930234318, 0.0165141917),
    20282: (0.90498899, 0.0167792071),
    20366: (0.899424298, 0.0169581999),
}
MSH = SkySpace(228.529, -59.1575, "icrs", 0.02, (200, 200))


@pytest.fixture(scope="module")
def msh(gammapy_data, reference_numbers):
    """Return the rows of twenty runs, with the numbers of Gammapy 2.1."""
    numbers = json.loads((reference_numbers / "msh_1552_gp21.json").read_text())["map_3d"]
    index = read_index(gammapy_data / "hess-dl3-dr1")
    runs, _ = read_runs([index.runs[run] for run in numbers["observation_ids"]], lambda: None)
    part, everything = part_of(runs, "msh"), np.full(len(runs), np.inf)
    rows = Rows(np.arange(len(runs)), -everything, everything, tuple(map(str, numbers["observation_ids"])))
    asked = recipe(
        grid=Grid(Axis.from_bounds("energy", 0.5, 30.0, 10), Axis.from_bounds("energy_true", 0.3, 50.0, 20), MSH),
        background=method("background", "fov_background"),
        exclusion=read_mask(reference_numbers / "exclusion_msh.fits.gz"),
        safe_masks=(method("safe mask", "aeff-default"), method("safe mask", "offset-max", offset_max=2.5)),
        containment=False,
    )
    return reduce_block(part, rows, asked), numbers


def test_the_background_of_twenty_public_runs_is_that_of_gammapy(msh, reference_numbers):
    rows, numbers = msh
    image = stack(rows)
    expected = fits.getdata(reference_numbers / "msh_3d_background.fits.gz")
    apart = np.abs(image["background"].values[0] - expected).max(axis=(1, 2)) / expected.max(axis=(1, 2))
    np.testing.assert_array_less(apart, 2e-6)
    safe = fits.getdata(reference_numbers / "msh_3d_mask_safe.fits.gz").astype(bool)
    np.testing.assert_array_equal(image["mask_safe"].values[0], safe)
    sums = image["background"].sum(["v", "u"]).values[0]
    np.testing.assert_allclose(sums, numbers["per_energy"]["background"], rtol=1e-6)


def test_norms_of_public_runs_are_those_of_gammapy(msh):
    rows, numbers = msh
    places = [numbers["observation_ids"].index(run) for run in NORMS_OF_RUNS]
    for name, expected in zip(("norm", "norm_error"), zip(*NORMS_OF_RUNS.values(), strict=True), strict=True):
        np.testing.assert_allclose(rows[f"background_{name}"].values[places], expected, rtol=1e-6)
