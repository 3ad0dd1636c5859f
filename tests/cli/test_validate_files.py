"""``xgamma validate`` takes every kind of file that xgamma writes, and says in one sentence what is wrong with one."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from builders import light_curve_product
from command_line import CommandLine
from xgamma.analysis import AnalysisConfig
from xgamma.cli.file_checks import Seen
from xgamma.cli.file_kinds import KINDS, kind_of
from xgamma.datasets import Datasets, FluxPoints, LightCurve
from xgamma.store import Store
from xgamma.store.prov import prov_document

ENDINGS = ("fits", "ecsv", "csv")
IMAGE = {
    "CTYPE1": "RA---CAR",
    "CTYPE2": "DEC--CAR",
    "CRVAL1": 83.63,
    "CRVAL2": 0.0,
    "CDELT1": -0.1,
    "CDELT2": 0.1,
    "CRPIX1": 2.0,
    "CRPIX2": -220.0,
    "RADESYS": "ICRS",
}


def written(folder, name, text):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def responses_alone(run_file, path):
    with fits.open(run_file) as hdus:
        kept = [hdu.copy() for hdu in hdus if hdu.name not in ("PRIMARY", "EVENTS", "GTI", "POINTING")]
        fits.HDUList([fits.PrimaryHDU(), *kept]).writeto(path)
    return path


def image(path):
    hdu = fits.PrimaryHDU([[0.0, 1.0], [2.0, 3.0]])
    hdu.header.update(IMAGE)
    hdu.writeto(path)
    return path


@pytest.fixture(scope="module")
def whole(out, tiny_release, repository, tmp_path_factory):
    """A sound file of each kind by a name."""
    folder = tmp_path_factory.mktemp("whole")
    store = Store(out / "xgamma-store", read_only=True)
    stack, points = (store.get(kind, store.ls(kind)[0].key) for kind in ("stack", "flux-points"))
    Datasets.from_xarray(stack).write(folder / "stack.yaml")
    [spectrum] = [path for path in folder.glob("pha_*.fits") if path.stem.count("_") == 1]
    for ending in ENDINGS:
        FluxPoints(points).write(folder / f"points.{ending}", sed_type="dnde")
        LightCurve(light_curve_product()).write(folder / f"curve.{ending}", sed_type="flux")
    groups = {"group": ["a", "b"], "time_min": [1.0, 2.0], "time_max": [2.0, 3.0], "livetime": [1.0, 1.0]}
    Table(groups | {"total_stat": [3.0, 4.0], "success": [True, True]}).write(folder / "fits.ecsv")
    Table(groups | {"e_ref": [[1.0, 2.0], [1.0, 2.0]]}).write(folder / "groups.ecsv")
    closure = {"sets": 2, "first_seed": 1, "closes": True, "findings": []}
    return {
        "datasets": out / "datasets.fits.gz",
        "list of datasets": folder / "stack.yaml",
        "spectrum": spectrum,
        "off spectrum": spectrum.with_name(f"{spectrum.stem}_bkg.fits"),
        "area": spectrum.with_name(f"{spectrum.stem}_arf.fits"),
        "dispersion": spectrum.with_name(f"{spectrum.stem}_rmf.fits"),
        **{f"{what} {ending}": folder / f"{what}.{ending}" for what in ("points", "curve") for ending in ENDINGS},
        "points of groups": folder / "groups.ecsv",
        "fits of groups": folder / "fits.ecsv",
        "models": out / "models.yaml",
        "table of covariance": out / "models_covariance.dat",
        "configuration": out / "config.yaml",
        "picture": out / "fit.png",
        "map": image(folder / "map.fits"),
        "index of HDUs": tiny_release / "hdu-index.fits.gz",
        "index of runs": tiny_release / "obs-index.fits.gz",
        "release": tiny_release,
        "run": tiny_release / "data/run_000001.fits",
        "responses": responses_alone(tiny_release / "data/run_000001.fits", folder / "irf.fits"),
        "plan": tiny_release / "truth.yaml",
        "catalogue": repository / "catalogs/hess-dl3-dr1.yaml",
        "provenance": written(folder, "prov.json", json.dumps(prov_document(store.ls()))),
        "closure": written(folder, "closure.json", json.dumps(closure)),
        "regions": written(folder, "on.reg", "icrs\ncircle(83.63, 22.01, 0.1)\n"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def by_command(out, tmp_path_factory):
    """The paths of a report, contours and covariances, which a test writes when it asks for them first."""
    folder = tmp_path_factory.mktemp("by-command")
    # Contours and reports make products, and the store of others stays as it is.
    own = shutil.copytree(out / "xgamma-store", folder / "store")
    config = AnalysisConfig.read(out / "config.yaml")
    config.general.store = str(own)
    config.write(folder / "config.yaml")
    contour = ("export", own, "fit", "{}", "--contour", "index", "amplitude", "--points", 4)
    words = {
        "report.html": ("report", folder / "config.yaml", "--output", "{}"),
        "contour.csv": contour,
        "contour.yaml": contour,
        "covariance.ecsv": ("export", own, "fit", "{}", "--covariance"),
        "covariance.yaml": ("export", own, "fit", "{}", "--covariance"),
    }

    def path_of(xgamma, name):
        path = folder / name
        if not path.exists():
            assert xgamma(*(path if word == "{}" else word for word in words[name])).code == 0
        return path

    return path_of


@pytest.fixture
def xgamma(capsys):
    return CommandLine(capsys)


def test_a_sound_file_of_each_kind_is_as_the_format_says(xgamma, whole):
    for name, path in whole.items():
        done = xgamma("validate", path)
        assert (done.code, done.err) == (0, ""), f"{name}: {done.out}"
        assert done.out.startswith(f"{path} is as the format says: ")


@pytest.mark.some_long(3)
@pytest.mark.parametrize("name", ["contour.csv", "contour.yaml", "report.html", "covariance.ecsv", "covariance.yaml"])
def test_what_the_command_writes_of_a_run_is_as_the_format_says(xgamma, by_command, name):
    assert xgamma("validate", by_command(xgamma, name)).code == 0


@pytest.mark.some_long(5)
@pytest.mark.parametrize("sed_type", ["likelihood", "flux", "eflux", "e2dnde"])
@pytest.mark.parametrize("ending", ["fits", "ecsv", "csv"])
def test_flux_points_of_every_kind_of_flux_are_as_the_format_says(xgamma, whole, tmp_path, sed_type, ending):
    FluxPoints.read(whole["points fits"]).write(tmp_path / f"points.{ending}", sed_type=sed_type)
    assert xgamma("validate", tmp_path / f"points.{ending}").code == 0


# --- broken ones


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def text(old, new):
    def change(path):
        content = path.read_text(encoding="utf-8")
        assert old in content
        path.write_text(content.replace(old, new), encoding="utf-8")

    return change


def renamed(column):
    """Give a column of a FITS file another name, of the same length."""

    def change(path):
        content, old = path.read_bytes(), f"'{column}".encode()
        assert old in content
        path.write_bytes(content.replace(old, b"'_" + old[2:]))

    return change


def without_rows(path):
    with fits.open(path) as hdus:
        hdus[1].data = hdus[1].data[:0]
        hdus.writeto(path, overwrite=True)


def of_two_names(path):
    table = Table.read(path, format="ascii.ecsv")
    table["group"] = ["a", "a"]
    table.write(path, overwrite=True)


def without_a_file(path):
    (path / "data/run_000002.fits").unlink()


def axis_of_nothing(path):
    fits.setval(path, "CTYPE1", value="WAVE")


def without_agents(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    name = next(iter(document["agent"]))
    del document["agent"]
    relations = document["wasAssociatedWith"]
    document["wasAssociatedWith"] = {next(iter(relations)): {"prov:agent": name}}
    path.write_text(json.dumps(document), encoding="utf-8")


BROKEN = [
    ("datasets", cut, "truncated"),
    ("list of datasets", text("name:", "nam:"), "name"),
    ("spectrum", renamed("COUNTS"), "COUNTS"),
    ("off spectrum", renamed("COUNTS"), "the columns CHANNEL, COUNTS, got none named COUNTS"),
    ("area", renamed("ENERG_LO"), "none named ENERG_LO; write the spectra again"),
    ("dispersion", renamed("E_MAX"), "none named E_MAX; write the spectra again"),
    ("points fits", renamed("norm"), "norm"),
    ("points ecsv", text("dnde", "dmde"), "dnde"),
    ("points csv", text("TeV", "TV"), "TV"),
    ("curve fits", cut, "truncated"),
    ("curve ecsv", text("time_min", "time_mim"), "time_min"),
    ("curve csv", text("time_max", "time_mix"), "time_max"),
    ("points of groups", of_two_names, "expected each name once, got 'a' twice; export it again."),
    ("fits of groups", text("total_stat", "total_stet"), "none named total_stat; export it again."),
    ("models", text("PowerLawSpectralModel", "PowerLaw3SpectralModel"), "PowerLaw3SpectralModel"),
    ("table of covariance", text("0.0", "zero"), "expected a table of numbers"),
    ("configuration", text("stack:", "stuck:"), "stuck"),
    ("picture", cut, "expected a whole picture of the kind PNG, got one that is cut off; draw it again."),
    ("map", axis_of_nothing, "map.fits"),
    ("index of HDUs", renamed("FILE_NAME"), "FILE_NAME"),
    ("index of runs", without_rows, "expected a row for each run, got no row with an OBS_ID; write the index again."),
    ("release", without_a_file, "run_000002.fits"),
    ("run", renamed("ENERGY"), "ENERGY"),
    ("responses", renamed("EFFAREA"), "irf.fits"),
    ("plan", text("runs:", "rums:"), "rums"),
    ("catalogue", text("sha256", "sha257"), "sha257"),
    ("provenance", without_agents, "write the report again."),
    ("closure", text('"closes"', '"clozes"'), "the keys sets, closes, findings, got no closes; export it again."),
    ("regions", text("circle", "cyrcle"), "cyrcle"),
]  # fmt: skip


@pytest.mark.some_long(3)
@pytest.mark.parametrize(("name", "breaks", "sentence"), BROKEN, ids=[name for name, *_ in BROKEN])
def test_of_a_broken_file_one_sentence_says_what_is_wrong(xgamma, whole, tmp_path, name, breaks, sentence):
    source = whole[name]
    if source.is_dir():
        path = shutil.copytree(source, tmp_path / source.name)
    else:
        # Files of a spectrum or of models lie beside each other.
        for beside in source.parent.iterdir():
            if beside.is_file() and beside.suffix in (".fits", ".yaml", ".dat"):
                shutil.copy(beside, tmp_path)
        path = tmp_path / source.name.removesuffix(".gz")
        content = source.read_bytes()
        path.write_bytes(gzip.decompress(content) if source.name.endswith(".gz") else content)
    breaks(path)
    done = xgamma("validate", path)
    assert done.code == 6, done
    assert sentence in done.out
    assert done.err == ""
    assert len(xgamma("validate", path, "--json").document["violations"]) == len(done.out.splitlines()) - 1


def of_another_sign(path):
    """Change the sign of one covariance, which is then not that of the other half."""
    table = Table.read(path, format="ascii.ecsv")
    table[table.colnames[-1]][0] *= -1.0
    table.write(path, overwrite=True)


def shorter(path):
    """Take a value away from one of the columns."""
    content = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"\[[^,\]]+, ", "[", content, count=1), encoding="utf-8")


def without_a_sigma(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:-1], f"-1.0,{lines[-1].partition(',')[2]}"]) + "\n", encoding="utf-8")


BROKEN_BY_COMMAND = [
    ("report.html", cut, "got one that is cut off; write the report again."),
    ("contour.csv", without_a_sigma, "contour.csv sigma: expected finite numbers, of sigma above 0, got others"),
    ("contour.yaml", shorter, "expected columns of one length, got "),
    ("covariance.ecsv", of_another_sign, "expected a matrix of numbers that is the same when turned, got another"),
]


@pytest.mark.parametrize(
    ("name", "breaks", "sentence"), BROKEN_BY_COMMAND, ids=[name for name, *_ in BROKEN_BY_COMMAND]
)
def test_of_a_broken_file_of_a_command_one_sentence_says_what_is_wrong(
    xgamma, by_command, tmp_path, name, breaks, sentence
):
    path = Path(shutil.copy(by_command(xgamma, name), tmp_path / name))
    breaks(path)
    done = xgamma("validate", path)
    assert (done.code, done.err) == (6, "")
    assert sentence in done.out


def changed_column(name, change):
    def changed(path):
        table = Table.read(path, format="ascii.ecsv")
        table[name] = change(np.array(table[name]))
        table.write(path, overwrite=True)

    return changed


LAWS_OF_TEXT = [
    ("points ecsv", changed_column("dnde_err", np.negative), "errors that are not negative, got negative ones"),
    ("curve ecsv", changed_column("flux_err", np.negative), "errors that are not negative, got negative ones"),
    ("fits of groups", changed_column("time_max", np.negative), "times that are not before time_min, got earlier ones"),
]


@pytest.mark.parametrize(("name", "breaks", "sentence"), LAWS_OF_TEXT, ids=[name for name, *_ in LAWS_OF_TEXT])
def test_numbers_in_a_table_of_text_that_cannot_be_are_named(xgamma, whole, tmp_path, name, breaks, sentence):
    path = Path(shutil.copy(whole[name], tmp_path))
    breaks(path)
    done = xgamma("validate", path)
    assert done.code == 6, done
    assert sentence in done.out, done


def test_each_kind_of_file_has_a_broken_one(xgamma, whole, by_command):
    paths = [whole[name] for name, *_ in BROKEN] + [by_command(xgamma, name) for name, *_ in BROKEN_BY_COMMAND]
    broken = {id(kind_of(Seen(path))) for path in paths}
    assert [kind.what for kind in KINDS if id(kind) not in broken] == []


@pytest.mark.parametrize(
    "url", ["https://host/points.ecsv", "s3://bucket/out/models.yaml", "http://host/a/fit.PNG?x=1"]
)
def test_a_file_behind_a_url_is_to_be_copied_first(xgamma, url):
    done = xgamma("validate", url)
    assert (done.code, done.out) == (3, "")
    beside = "and what lies beside it " if url.endswith("yaml") else ""
    assert done.err.startswith(
        f"Error: Files are validated on this machine: copy {url} {beside}to a folder, and name that file."
    )


def test_a_file_of_no_kind_is_an_input_that_cannot_be_used(xgamma, tmp_path):
    done = xgamma("validate", written(tmp_path, "notes.txt", "nothing"))
    assert done.code == 3
    assert "is of no kind that xgamma writes: expected " in done.err
