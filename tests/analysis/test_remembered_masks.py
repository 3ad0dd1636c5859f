"""Exclusion masks in files: a store remembers their digests, as those of event files, by size and time of change."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from astropy.io import fits

from releases import config_of
from xgamma.analysis.plan import plan
from xgamma.analysis.run import run
from xgamma.config.requests import recipe_of
from xgamma.errors import InputError
from xgamma.formats.fits import regions as fits_regions
from xgamma.masks import MaskInFile, SkyMask, parts_of
from xgamma.store import Store

WHERE = np.linspace(82.0, 85.0, 7), np.linspace(21.0, 23.0, 7)


def write_mask(path, excluded):
    """Write an image of the Crab, 20 by 20 pixels of 0.2 deg, of which some columns are excluded."""
    pixels = np.ones((20, 20), np.int16)
    pixels[:, excluded] = 0
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg"})
    header.update({"CRVAL1": 83.633, "CRVAL2": 22.014, "CRPIX1": 10.5, "CRPIX2": 10.5, "CDELT1": -0.2, "CDELT2": 0.2})
    fits.PrimaryHDU(pixels, header).writeto(path, overwrite=True)
    return path


@pytest.fixture
def mask(tmp_path):
    return write_mask(tmp_path / "mask.fits", [2])


@pytest.fixture
def config(tiny_release, tmp_path, mask):
    text = f"datasets: {{background: {{method: reflected, exclusion: {mask}}}}}"
    return config_of(tiny_release, tmp_path / "store", text, "steps: [observations, datasets]")


def states(config):
    return [step.state for step in plan(config)]


def kept(path):
    """Return a function that gives a file the time that it has now."""
    found = path.stat()
    return lambda: os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def test_a_mask_is_not_read_to_find_what_was_made_with_it(config, monkeypatch):
    run(config)
    monkeypatch.setattr(fits_regions, "read_mask", lambda path: pytest.fail(f"{path} was read"))
    assert states(config) == ["found"] * 3
    run(config)


def test_a_file_with_another_time_is_read_and_decides_by_what_it_holds(config, mask):
    run(config)
    os.utime(mask, ns=(1, 1))
    assert isinstance(recipe_of(config).exclusion, SkyMask)
    assert states(config) == ["found"] * 3
    write_mask(mask, [3])
    assert states(config) == ["found", "compute", "compute"]


def test_a_mask_that_excludes_nothing_is_said_to_do_so_by_each_run(config, mask, caplog):
    write_mask(mask, [])
    for _ in range(2):
        caplog.clear()
        run(config)
        assert "a part of it excludes nothing" in caplog.text


def test_a_plan_remembers_nothing(config, tmp_path):
    plan(config)
    assert not (tmp_path / "store").exists()


def test_a_mask_that_changed_in_secret_is_found_by_rehash_and_when_its_pixels_are_needed(config, mask):
    run(config)
    restore = kept(mask)
    write_mask(mask, [3])
    restore()
    assert states(config) == ["found"] * 3
    other = config.update("datasets: {geom: {axes: {energy: {nbins: 4}}}}")
    with pytest.raises(InputError, match="another one than before, although the file has kept its size and"):
        run(other)
    stacks = {record.key for record in Store(config.general.store_location()).ls("stack")}
    run(config, rehash=True)
    after = {record.key for record in Store(config.general.store_location()).ls("stack")}
    assert after - stacks == {step.key for step in plan(config) if step.step == "stack"}


def test_a_mask_in_a_file_is_that_mask(mask):
    whole = fits_regions.read_mask(mask)
    lazy = MaskInFile(whole.digest, mask, fits_regions.read_mask)
    np.testing.assert_array_equal(lazy.is_silent(*WHERE), whole.is_silent(*WHERE))
    for outside in (False, True):
        found, expected = (one.is_usable(*WHERE, outside=outside) for one in (lazy, whole))
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(lazy.caps_near(83.6, 22.0, 3.0), whole.caps_near(83.6, 22.0, 3.0))
    assert parts_of(lazy) == (lazy,)


def test_a_mask_in_a_file_travels_with_its_pixels(mask):
    lazy = MaskInFile(fits_regions.read_mask(mask).digest, mask, fits_regions.read_mask)
    there = pickle.loads(pickle.dumps(lazy))
    assert isinstance(there, SkyMask)
    assert there.digest == lazy.digest
