"""Flux points as others publish them: equivalent tables give equal points, and the others raise with the name."""

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from format_samples import real_data
from hypothesis import given, settings
from hypothesis import strategies as st

from xgamma.datasets import FluxPoints, FluxPointsDataset
from xgamma.errors import DataError, InputError
from xgamma.fit import fit
from xgamma.formats.sed.files import read_flux_points
from xgamma.models import Models, PowerLawSpectralModel, SkyModel

E_REF = np.geomspace(0.5, 20.0, 8)
DNDE = 3e-11 * E_REF**-2.5
ERROR = 0.1 * DNDE
UNIT = "cm-2 s-1 TeV-1"
LIMITS = np.arange(8) >= 5
NAN = np.full(8, np.nan)


def table(units=True, meta=None, **columns):
    """Return a table of dnde; columns are (values, unit) or values in the unit of dnde."""
    result = Table(meta={"SED_TYPE": "dnde"} if meta is None else meta)
    for name, given_ in {"e_ref": (E_REF, "TeV"), "dnde": DNDE, **columns}.items():
        if given_ is None:
            continue
        values, unit = given_ if isinstance(given_, tuple) else (given_, UNIT)
        result[name] = values
        result[name].unit = unit if units else None
    return result


def written(path, columns):
    columns.write(path)
    return path


def fitted(points):
    models = Models([SkyModel(PowerLawSpectralModel(index=2, amplitude=f"1e-11 {UNIT}"), name="source")])
    fit([points.data], models)
    return [models.parameters[name].value for name in ("index", "amplitude")]


def limits(**flags):
    """Return points of which the last three are limits in the column of the values, four times too high."""
    high = DNDE * np.where(LIMITS, 4, 1)
    return table(dnde=high, dnde_err=ERROR, dnde_ul=3 * high, **flags)


ENERGY_IN_GEV = {"e_ref": (E_REF * 1e3, "GeV"), "dnde_err": ERROR}
SAME = {
    "symmetric errors": table(dnde_err=ERROR),
    "errors to both sides": table(dnde_errn=0.9 * ERROR, dnde_errp=1.1 * ERROR),
    "errors downwards with a sign": table(dnde_errn=-0.9 * ERROR, dnde_errp=1.1 * ERROR),
    "symmetric errors for some": table(
        dnde_err=np.where(LIMITS, ERROR, np.nan), dnde_errn=0.9 * ERROR, dnde_errp=1.1 * ERROR
    ),
    "no type in the meta": table(meta={}, dnde_err=ERROR),
    "meta in small letters": table(meta={"sed_type": "dnde", "ul_conf": 0.95}, dnde_err=ERROR),
    "names in capitals": Table({"E_REF": E_REF * u.TeV, "DNDE": DNDE * u.Unit(UNIT), "DNDE_ERR": ERROR * u.Unit(UNIT)}),
    "energies in GeV": table(**ENERGY_IN_GEV),
    "photons": table(dnde=(DNDE, "ph cm-2 s-1 TeV-1"), dnde_err=(ERROR, "ph / (cm2 s TeV)")),
    "photons in a word": table(dnde=(DNDE, "photons/cm2/s/TeV"), dnde_err=(ERROR, "photons/cm2/s/TeV")),
    "a quotient": table(dnde=(DNDE * 1e4, "1/(m2 s TeV)"), dnde_err=(ERROR * 1e4, "1/(m2 s TeV)")),
    "a power of ten": table(dnde=(DNDE * 1e12, "10-12 cm-2 s-1 TeV-1"), dnde_err=(ERROR, UNIT)),
    "a unit of dnde alone": table(e_ref=(E_REF, None), dnde_err=(ERROR, None)),
    "a unit of dnde alone, in MeV": table(
        e_ref=(E_REF * 1e6, None), dnde=(DNDE * 1e-6, "MeV-1 cm-2 s-1"), dnde_err=(ERROR * 1e-6, None)
    ),
    "e2dnde": table(
        meta={},
        dnde=None,
        e2dnde=((DNDE * E_REF**2) * 1.602176634, "erg cm-2 s-1"),
        e2dnde_err=(ERROR * E_REF**2 * 1.602176634, "erg/(cm2 s)"),
    ),
    "edges without centres": table(e_ref=None, e_min=(E_REF * 0.8, "TeV"), e_max=(E_REF / 0.8, "TeV"), dnde_err=ERROR),
    "edges that are all masked": table(e_min=(NAN, "TeV"), e_max=(NAN, "TeV"), dnde_err=ERROR),
    "columns of one number in brackets": table(dnde=DNDE[:, None], dnde_err=ERROR[:, None]),
    "norms of a reference": table(
        meta={}, dnde=None, ref_dnde=2 * DNDE, norm=(np.full(8, 0.5), None), norm_err=(np.full(8, 0.05), None)
    ),
    "more columns, of text and of arrays": table(
        dnde_err=ERROR, source=(np.full(8, "Crab"), None), dloglike_scan=(np.ones((8, 3)), None), energy=(E_REF, "TeV")
    ),
}
FLAGS = {
    "logicals": LIMITS,
    "words": np.where(LIMITS, "True", "False"),
    "small words": np.where(LIMITS, "true", "false"),
    "letters": np.where(LIMITS, "T", "F"),
    "words for limits alone": np.where(LIMITS, "yes", ""),
    "whole numbers": LIMITS.astype(int),
    "bytes": LIMITS.astype(np.uint8),
    "short numbers": LIMITS.astype(np.int16),
    "numbers": LIMITS.astype(float),
    "numbers or nothing": np.where(LIMITS, 1.0, np.nan),
    "masked": MaskedColumn(LIMITS, mask=~LIMITS),
    "masked whole numbers": MaskedColumn(LIMITS.astype(int), mask=~LIMITS),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
@pytest.mark.parametrize("kind", SAME)
def test_the_same_points_give_the_same_spectrum(tmp_path, kind, ending):
    if (kind, ending) == ("photons in a word", ".fits"):
        pytest.skip("the FITS writer of astropy does not write the unit")
    points = FluxPoints.read(written(tmp_path / f"points{ending}", SAME[kind]))
    np.testing.assert_allclose(points.dnde.value, DNDE, rtol=1e-12)
    np.testing.assert_allclose(points.dnde_err.value, ERROR, rtol=1e-12)
    np.testing.assert_allclose(points.energy_ref.value, E_REF, rtol=1e-12)
    assert not points.is_ul.any()
    assert fitted(points) == pytest.approx([2.5, 3e-11], rel=1e-3)
    dataset = FluxPointsDataset(points, SkyModel(PowerLawSpectralModel(index=2.5, amplitude=f"3e-11 {UNIT}"), name="s"))
    assert dataset.stat_sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.some_long(5)
@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
@pytest.mark.parametrize("kind", FLAGS)
def test_upper_limits_are_read_from_every_way_of_flagging_them(tmp_path, kind, ending):
    if (kind, ending) == ("masked", ".fits"):
        pytest.skip("astropy writes a logical that is masked as true")
    points = FluxPoints.read(written(tmp_path / f"points{ending}", limits(is_ul=(FLAGS[kind], None))))
    assert points.is_ul.dtype == bool
    assert points.is_ul.tolist() == LIMITS.tolist()
    assert fitted(points) == pytest.approx([2.5, 3e-11], rel=1e-3)


@settings(max_examples=30, deadline=None)
@given(
    down=st.lists(st.floats(1e-14, 1e-12), min_size=8, max_size=8),
    known=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_a_missing_symmetric_error_is_the_mean_of_both_sides(down, known):
    lower, given_ = np.array(down), np.array(known)
    points = FluxPoints.from_table(
        table(dnde_err=np.where(given_, ERROR, np.nan), dnde_errn=lower, dnde_errp=3 * lower)
    )
    np.testing.assert_allclose(points.dnde_err.value, np.where(given_, ERROR, 2 * lower), rtol=1e-12)


def test_a_table_of_limits_alone_is_read_and_not_fitted(tmp_path):
    points = FluxPoints.read(written(tmp_path / "points.ecsv", table(dnde=None, dnde_ul=3 * DNDE, meta={})))
    assert points.is_ul.all()
    np.testing.assert_allclose(points.dnde_ul.value, 3 * DNDE, rtol=1e-12)
    assert np.isnan(points.dnde.value).all()
    points.plot()


def test_points_without_errors_are_drawn_and_weigh_the_same_in_a_fit(tmp_path, caplog):
    points = FluxPoints.read(written(tmp_path / "points.ecsv", table()))
    assert np.isnan(points.dnde_err).all()
    points.plot()
    np.testing.assert_allclose(fitted(points), [2.5, 3e-11], rtol=1e-3)
    assert "no errors: each is taken to have one of 10 % of its value" in caplog.text
    caplog.clear()
    some = table(dnde_err=np.where(LIMITS, ERROR, np.nan))
    # Three points at the highest energies.
    found = fitted(FluxPoints.read(written(tmp_path / "some.ecsv", some)))
    assert found == [pytest.approx(2.5, rel=1e-3), pytest.approx(3e-11, rel=5e-3)]
    assert caplog.text == ""


DRAWN = {
    "no errors": table(),
    "an infinite error": table(dnde_err=np.append(ERROR[:-1], np.inf)),
    "infinite errors": table(dnde_errn=ERROR, dnde_errp=np.full(8, np.inf)),
    "errors of 0 and below": table(dnde_err=np.append(ERROR[:-2], [0.0, -1e-14])),
    "no numbers": table(dnde=NAN, dnde_err=NAN),
    "limits": limits(is_ul=(LIMITS, None)),
    "limits that are not known": table(dnde_err=ERROR, dnde_ul=NAN, is_ul=(LIMITS, None)),
    "negative values": table(dnde=-DNDE, dnde_err=ERROR),
    "one point": table(dnde_err=ERROR)[:1],
    "a centre outside of its bin": table(e_min=(E_REF * 1.1, "TeV"), e_max=(E_REF * 1.2, "TeV"), dnde_err=ERROR),
}


@pytest.mark.some_long(4)
@pytest.mark.parametrize("kind", DRAWN)
def test_every_table_is_drawn(kind):
    points = FluxPoints.from_table(DRAWN[kind])
    ax = points.plot(sed_type="flux")
    ax.figure.canvas.draw()
    assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()
    known = np.isfinite(points.dnde.value) | (points.is_ul & np.isfinite(points.data.get("norm_ul", np.nan)))
    assert len(ax.containers[0].lines[0].get_xdata()) == int(known.sum())


@pytest.mark.some_long(5)
@pytest.mark.parametrize("kind", DRAWN)
def test_points_and_models_are_drawn(kind):
    model = SkyModel(PowerLawSpectralModel(index=2.5, amplitude=f"3e-11 {UNIT}"), name="source")
    dataset = FluxPointsDataset(FluxPoints.from_table(DRAWN[kind]), model)
    for ax in dataset.plot_fit():
        ax.figure.canvas.draw()
        assert np.isfinite([*ax.get_xlim(), *ax.get_ylim()]).all()


def test_an_unknown_error_is_drawn_without_length():
    points = FluxPoints.from_table(table(dnde_err=np.append(ERROR[:-1], np.inf)))
    [bars] = points.plot().containers[0].lines[2][1:]
    low, high = np.array(bars.get_segments())[:, :, 1].T
    np.testing.assert_allclose(high - low, np.append(2 * ERROR[:-1], 0.0), rtol=1e-6, atol=1e-20)


@pytest.mark.parametrize("name", ["EBOUNDS", "GTI", "MODEL"])
def test_other_tables_of_a_file_are_ignored(tmp_path, name):
    bounds = Table({"E_MIN": [1.0, 2.0] * u.TeV, "E_MAX": [2.0, 3.0] * u.TeV, "START": [0.0, 1.0]})
    hdus = [fits.BinTableHDU(bounds, name=name), fits.BinTableHDU(table(dnde_err=ERROR), name="SED")]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "two.fits")
    np.testing.assert_allclose(FluxPoints.read(tmp_path / "two.fits").dnde.value, DNDE, rtol=1e-12)


def test_raises_for_two_tables_of_points_unless_one_is_named_fluxpoints(tmp_path):
    def both(*names):
        hdus = [fits.BinTableHDU(table(dnde=n * DNDE), name=name) for n, name in enumerate(names, 1)]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "two.fits", overwrite=True)
        return read_flux_points(tmp_path / "two.fits")

    with pytest.raises(InputError, match=r"has 2 tables of flux points: CRAB, VELA\. Read one with astropy"):
        both("CRAB", "VELA")
    np.testing.assert_allclose(
        both("VELA", "FLUXPOINTS")["norm"] * DNDE[0] / both("VELA", "FLUXPOINTS")["norm"], DNDE[0]
    )
    assert float(both("VELA", "FLUXPOINTS")["norm"][0] / both("FLUXPOINTS", "VELA")["norm"][0]) == pytest.approx(2)


def test_a_table_of_quantities_is_read():
    points = FluxPoints.from_table(QTable(table(dnde_err=ERROR)))
    np.testing.assert_allclose(points.dnde_err.value, ERROR, rtol=1e-12)


def test_ecsv_is_known_by_its_first_line(tmp_path):
    path = tmp_path / "points.txt"
    table(dnde_err=ERROR).write(path, format="ascii.ecsv")
    np.testing.assert_allclose(FluxPoints.read(path).dnde.value, DNDE, rtol=1e-12)


TIMES = {
    "time_min": (np.full(8, 53000.0), "d"),
    "time_max": (np.full(8, 53001.0), "d"),
}


@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (table(dnde_err=ERROR, **TIMES), "'e_ref' changes from row to row"),
        (table(dnde_err=ERROR, time=TIMES["time_min"]), "has no column 'time_min'"),
        (table(e_ref=None, dnde=None, flux=(DNDE, "cm-2 s-1"), **TIMES), "times but no energies"),
        (table(meta={"DATATYPE": "lc"}), "holds a light curve .* LightCurve.read reads it"),
    ],
)
def test_raises_for_what_is_neither_flux_points_nor_a_light_curve(tmp_path, columns, sentence, ending):
    path = written(tmp_path / f"curve{ending}", columns)
    with pytest.raises(InputError, match=sentence):
        FluxPoints.read(path)
    with pytest.raises(InputError, match=r"LightCurve\.read reads it"):
        FluxPoints.read(path, format="gadf-sed")


REFUSED = {
    "no unit of energies": (
        table(meta={}, e_ref=(E_REF, None), dnde=None, flux=(DNDE, "cm-2 s-1")),
        "'e_ref' has no unit",
    ),
    "no unit of values": (table(dnde=(DNDE, None)), "'dnde' has no unit. Give it one, such as 'cm-2 s-1 TeV-1'"),
    "no unit of a reference": (
        table(meta={}, dnde=None, ref_dnde=(DNDE, None), norm=(np.ones(8), None)),
        "'ref_dnde' has no unit",
    ),
    "energy flux as dnde": (table(dnde=(DNDE, "erg cm-2 s-1")), "'dnde' has the unit 'erg"),
    "a unit nobody knows": (table(dnde=(DNDE, "crab")), "has the unit 'crab'"),
    "a flag of another kind": (limits(is_ul=(np.full(8, "maybe"), None)), "column 'is_ul' holds 'MAYBE'"),
    "a flag above 1": (limits(is_ul=(np.full(8, 2), None)), "column 'is_ul' holds '2'; expected true or false, 1 or 0"),
    "one edge": (table(e_min=(E_REF, "TeV")), "one of the columns e_min and e_max"),
    "edges upside down": (table(e_min=(E_REF, "TeV"), e_max=(E_REF, "TeV")), "e_max has to be above e_min"),
    "an energy of 0": (table(e_ref=(E_REF - 0.5, "TeV")), "energies of flux points have to be numbers above 0"),
    "an energy that is masked": (table(e_ref=(np.append(E_REF[:-1], np.nan), "TeV")), "have to be numbers above 0"),
    "one energy twice": (table(e_ref=(np.ones(8), "TeV")), "two flux points at one energy"),
    "several spectra": (table(dnde=np.stack([DNDE, DNDE], 1)), r"'dnde' has the shape \(8, 2\)"),
    "no rows": (table()[:0], "has no flux points"),
    "a confidence in per cent": (table(meta={"UL_CONF": 95}), "UL_CONF = 95; expected a confidence between 0 and 1"),
    "a confidence in words": (
        table(meta={"UL_CONF": "high"}),
        "the table of flux points is not what the format asks for",
    ),
    "text for numbers": (table(dnde=(np.full(8, "x"), UNIT)), "'dnde' holds no plain numbers"),
}


@pytest.mark.some_long(3)
@pytest.mark.parametrize("ending", [".ecsv", ".fits"])
@pytest.mark.parametrize("kind", REFUSED)
def test_raises_for_invalid_tables_and_names_the_column(tmp_path, kind, ending):
    columns, sentence = REFUSED[kind]
    if ending == ".fits" and kind in ("no rows", "a unit nobody knows"):
        pytest.skip("the FITS writer of astropy does not write it")
    with pytest.raises(InputError, match=sentence):
        FluxPoints.read(written(tmp_path / f"points{ending}", columns))


# What Gammapy 2.1 reads: the sums of dnde and dnde_err in cm-2 s-1 TeV-1, and the number of limits.
EXAMPLES = {
    "diff_flux_points.ecsv": (2.4320281241307793e-04, 4.769805013773863e-06, 5),
    "diff_flux_points.fits": (2.4320281241298005e-04, 4.769805013771515e-06, 5),
    "flux_points.ecsv": (2.4357184126928336e-04, 4.777042576815386e-06, 5),
    "flux_points.fits": (2.4357184126852965e-04, 4.777042576807742e-06, 5),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_format_are_read_drawn_and_fitted(name):
    points = FluxPoints.read(real_data(f"tests/spectrum/flux_points/{name}"))
    value, error, number = EXAMPLES[name]
    assert float(np.nansum(points.dnde.value)) == pytest.approx(value, rel=1e-13)
    assert float(np.nansum(points.dnde_err.value)) == pytest.approx(error, rel=1e-13)
    assert int(points.is_ul.sum()) == number
    assert points.data.attrs["UL_CONF"] == 0.95
    points.plot(sed_type="e2dnde")
    assert 2 < fitted(points)[0] < 3


def test_raises_for_a_table_of_unknown_format_and_tells_how_to_read_it():
    path = real_data("tests/spectrum/flux_points/flux_points_ctb_37b.txt")
    with pytest.raises(InputError, match=r"neither a FITS nor an ECSV file.*FluxPoints\.from_table reads"):
        FluxPoints.read(path)
    text = Table.read(path, format="ascii")
    text.rename_columns(text.colnames, ["e_ref", "dnde", "dnde_errn", "dnde_errp"])
    for name, unit in (("e_ref", "TeV"), ("dnde", UNIT)):
        text[name].unit = unit
    assert FluxPoints.from_table(text).dnde_err[0].value == pytest.approx((2.86219e-12 + 2.89857e-12) / 2)


@pytest.mark.parametrize("card", ["TTYPE1  =                   -1", "TTYPE2  = 3", "XTYPE1  = 'e_ref'"])
def test_raises_for_a_damaged_header(tmp_path, card):
    path = written(tmp_path / "points.fits", table(dnde_err=ERROR))
    content = bytearray(path.read_bytes())
    at = content.index(card[:8].replace("X", "T").encode())
    content[at : at + 80] = card.ljust(80).encode()
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"points\.fits"):
        FluxPoints.read(path)


def test_points_with_ref_dnde_alone_have_no_other_fluxes(tmp_path):
    points = FluxPoints.from_table(SAME["norms of a reference"])
    assert points.has("dnde")
    assert points.has("e2dnde_err")
    assert not points.has("flux")
    assert "flux" not in points.to_dataframe()
    points.write(tmp_path / "points.ecsv")
    np.testing.assert_allclose(FluxPoints.read(tmp_path / "points.ecsv").dnde.value, DNDE, rtol=1e-12)
    assert "ref_flux" not in points.to_table("likelihood").colnames
    for call in (points.plot, points.to_table, lambda sed_type: points.write(tmp_path / "a.fits", sed_type)):
        with pytest.raises(DataError, match=r"have no '?ref_flux"):
            call(sed_type="flux")
