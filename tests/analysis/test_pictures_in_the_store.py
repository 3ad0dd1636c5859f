"""Pictures are products: drawn when what they show, or their look, is another; otherwise found."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from releases import config_of
from xgamma.analysis.run import run
from xgamma.analysis.steps import pictures
from xgamma.plot import figures, look
from xgamma.schema import Kind
from xgamma.store import Store
from xgamma.store.conformance import validate

pytestmark = pytest.mark.draws

NAMES = ("counts.png", "fit.png", "flux-points.png")


@pytest.fixture(scope="module")
def ran(tiny_release, tmp_path_factory):
    """A configuration whose run is in the store, with its folder of files."""
    folder = tmp_path_factory.mktemp("pictures")
    config = config_of(tiny_release, folder / "store", f"general: {{outdir: {folder / 'out'}}}")
    run(config)
    return config, folder


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, one entry for each."""
    found, png = [], figures.png
    monkeypatch.setattr(pictures.figures, "png", lambda figure: found.append(figure) or png(figure))
    return found


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "out" / name).read_bytes() for name in NAMES}


def test_each_picture_is_a_product_of_the_format(ran):
    _, folder = ran
    assert len(Store(folder / "store").ls(Kind.PICTURE)) == len(NAMES)
    assert validate(str(folder / "store")).violations == []


def test_a_second_run_draws_nothing_and_leaves_the_files_alone(ran, drawn):
    config, folder = ran
    before = {name: (folder / "out" / name).stat().st_mtime_ns for name in NAMES}
    run(config)
    assert drawn == []
    assert {name: (folder / "out" / name).stat().st_mtime_ns for name in NAMES} == before


def test_what_a_run_finds_it_writes_as_the_run_that_computed_it(ran):
    config, folder = ran
    run(config.update(f"general: {{outdir: {folder / 'again'}}}"))
    names = {path.name for path in (folder / "out").iterdir() if path.is_file()} - {"config.yaml"}
    assert {"datasets.fits.gz", "flux-points.fits", "models.yaml", *NAMES} <= names
    changed = [name for name in names if (folder / "out" / name).read_bytes() != (folder / "again" / name).read_bytes()]
    assert changed == []


def test_a_picture_that_is_gone_is_copied_out_of_the_store(ran, drawn):
    config, folder = ran
    before = bytes_of(folder)
    (folder / "out" / "fit.png").unlink()
    (folder / "out" / "counts.png").write_bytes(b"another")
    run(config)
    assert drawn == []
    assert bytes_of(folder) == before


def test_another_look_draws_anew(ran, drawn, monkeypatch):
    config, _ = ran
    monkeypatch.setattr(pictures, "style_digest", lambda: "another")
    run(config)
    assert len(drawn) == len(NAMES)
    drawn.clear()
    run(config)
    assert drawn == []


@pytest.mark.long
def test_settings_of_a_user_have_pictures_of_their_own(ran, drawn):
    config, _ = ran
    with plt.rc_context({"axes.facecolor": "0.9"}):
        assert "axes.facecolor: 0.9" in look.own_settings()
        run(config)
    assert len(drawn) == len(NAMES)
    drawn.clear()
    run(config)
    assert drawn == []


@pytest.mark.long
def test_a_damaged_picture_is_drawn_again(ran, drawn, caplog):
    config, folder = ran
    for chunk in (folder / "store" / "picture").rglob("png/c.0"):
        chunk.write_bytes(b"")
    caplog.set_level(logging.WARNING)
    run(config)
    assert len(drawn) == len(NAMES)
    assert "It is drawn again." in caplog.text
    drawn.clear()
    run(config)
    assert drawn == []


def test_files_of_settings_count_where_matplotlib_is_not_loaded(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert look.own_settings() == ""
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: 0.9\n")
    assert "axes.facecolor: 0.9" in look.own_settings()


def test_a_run_that_finds_everything_does_not_load_matplotlib(ran):
    _, folder = ran
    code = "from xgamma.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, "run", str(folder / "out" / "config.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Everything was found in the store" in done.stderr
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "xgamma.analysis.session" in loaded
    assert not loaded & {"matplotlib", "astropy.visualization", "PIL"}
