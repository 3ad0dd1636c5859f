"""Writers write all of their files or none, whichever step fails, and one module alone opens files to write them."""

import ast
import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from format_samples import points, spectra

from xgamma.analysis import AnalysisConfig
from xgamma.datasets.files import write_zarr
from xgamma.datasets.flux_points import FluxPoints
from xgamma.errors import OutputError
from xgamma.formats.local_files import write_files
from xgamma.formats.ogip.files import write_ogip
from xgamma.formats.spectrum_fits import write_spectrum_fits
from xgamma.models import Models, PowerLawSpectralModel, SkyModel
from xgamma.simulate import Plan, simulate

SOURCE = Path(__file__).resolve().parents[2] / "src" / "xgamma"
# The store publishes its objects by their index, and a download goes on where it ended and is checked by its digest.
WRITERS_OF_THEIR_OWN = {"formats/local_files.py", "storage/disk.py", "releases/download.py"}
IN_MEMORY = ("content", "buffer")


def models(value):
    made = Models([SkyModel(PowerLawSpectralModel(index=value), name="source")])
    made.covariance = np.diag([value, 0.0, 0.0])
    return made


# Each is given a folder and a number that decides what it writes.
WRITERS = {
    "configuration": lambda folder, value: AnalysisConfig(fit={"fit_range": {"min": f"{value} TeV"}}).write(
        folder / "config.yaml", overwrite=True
    ),
    "models and covariance": lambda folder, value: models(value).write(folder / "models.yaml", overwrite=True),
    "covariance": lambda folder, value: models(value).write_covariance(folder / "covariance.dat", overwrite=True),
    "OGIP": lambda folder, value: write_ogip(spectra(seed=value), folder / "index.yaml", overwrite=True),
    "FITS": lambda folder, value: write_spectrum_fits(spectra(seed=value), folder / "a.fits.gz", overwrite=True),
    "Zarr": lambda folder, value: write_zarr([spectra(seed=value)], folder / "a.zarr", True),
    "flux points": lambda folder, value: FluxPoints(points(seed=value)).write(folder / "a.fits", overwrite=True),
    "flux points in ECSV": lambda folder, value: FluxPoints(points(seed=value)).write(
        folder / "a.ecsv", overwrite=True
    ),
    "simulated release": lambda folder, value: simulate(
        dataclasses.replace(Plan(), runs=2, duration=60.0, seed=value), folder / "release", overwrite=True
    ),
}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class FailingDisk:
    """Counts the calls that change a disk, and lets one of them fail."""

    def __init__(self, monkeypatch):
        self.calls, self.failing = 0, 0
        for holder, name in ((os, "fsync"), (os, "replace"), (os, "rename"), (Path, "write_bytes")):
            monkeypatch.setattr(holder, name, self.counted(getattr(holder, name)))

    def counted(self, function):
        def call(*arguments, **options):
            self.calls += 1
            if self.calls == self.failing:
                raise OSError(5, "Input/output error")
            return function(*arguments, **options)

        return call


@pytest.mark.some_long(2)
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("before", ["nothing", "an older output"])
def test_a_writer_that_fails_at_any_step_leaves_what_was_there_before(tmp_path, monkeypatch, name, before):
    write, folder = WRITERS[name], tmp_path / "out"
    folder.mkdir()
    if before != "nothing":
        write(folder, 1)
    old = contents(folder)
    disk = FailingDisk(monkeypatch)
    disk.failing = 1
    while True:
        disk.calls = 0
        try:
            write(folder, 2)
        except OutputError as error:
            assert "Input/output error" in str(error)
        else:
            break
        assert contents(folder) == old
        disk.failing += 1
    assert disk.failing > 2
    assert contents(folder) != old
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_several_files_are_put_back_also_where_there_are_no_links(tmp_path, monkeypatch):
    def unsupported(*_):
        raise NotImplementedError

    monkeypatch.setattr(Path, "hardlink_to", unsupported)
    write_files({tmp_path / "a": b"old", tmp_path / "b": b"old"})
    disk = FailingDisk(monkeypatch)
    disk.failing = 4
    with pytest.raises(OutputError):
        write_files({tmp_path / "a": b"new", tmp_path / "b": b"new"}, overwrite=True)
    assert contents(tmp_path) == {"a": b"old", "b": b"old"}


# --- no module writes past them


WRITE_BY_NAME = ("write_text", "write_bytes", "to_csv", "savetxt", "tofile", "copyfile", "copy2")
WRITE = ("open", "savefig", "writeto", *WRITE_BY_NAME)


def opened_to_write(tree):
    """Return the calls that write a file by its name."""
    found = []
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if name not in WRITE:
            continue
        words = [ast.unparse(word) for word in (*node.args, *(keyword.value for keyword in node.keywords))]
        opens = name == "open" and any(word.strip("'\"") in ("w", "wb", "a", "ab", "x", "xb", "r+b") for word in words)
        to_path = name in ("savefig", "writeto") and words[0] not in IN_MEMORY
        if to_path or opens or name in WRITE_BY_NAME:
            found.append(f"line {node.lineno}: {ast.unparse(node.func)}")
    return found


def test_no_other_module_opens_a_file_to_write_it():
    modules = {str(path.relative_to(SOURCE)): path for path in sorted(SOURCE.rglob("*.py"))}
    found = {name: opened_to_write(ast.parse(path.read_text(encoding="utf-8"))) for name, path in modules.items()}
    assert {name for name, calls in found.items() if calls} == WRITERS_OF_THEIR_OWN


@pytest.mark.parametrize(
    "line", ["path.write_text(text)", "open(path, 'w')", "path.open(mode='ab')", "figure.savefig(path)"]
)
def test_the_search_finds_a_module_that_writes(line):
    assert len(opened_to_write(ast.parse(line))) == 1
