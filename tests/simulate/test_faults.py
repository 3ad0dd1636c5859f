"""The functions that damage a release change what they name, and leave the other runs alone."""

import zlib

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import faults
from xgamma.geometry import separation
from xgamma.simulate import Plan, simulate

DAMAGED = 2


@pytest.fixture(params=[True, False], ids=["gz", "plain"])
def release(request, tmp_path):
    simulate(Plan(runs=3, duration=60.0, compress=request.param), tmp_path / "release")
    return tmp_path / "release"


def events(release, obs_id=DAMAGED):
    with fits.open(faults.run_file(release, obs_id), memmap=False) as hdus:
        return np.array(hdus["EVENTS"].data), dict(hdus["EVENTS"].header), [hdu.name for hdu in hdus]


@pytest.mark.some_long(3)
@pytest.mark.parametrize("fault", faults.FAULTS.values(), ids=faults.FAULTS)
def test_a_fault_damages_one_run_only(release, fault):
    before = {obs_id: faults.run_file(release, obs_id).read_bytes() for obs_id in (1, 3)}
    damaged = [faults.run_file(release, DAMAGED), release / "hdu-index.fits.gz"]
    old = [path.read_bytes() for path in damaged]
    fault(release, DAMAGED)
    assert {obs_id: faults.run_file(release, obs_id).read_bytes() for obs_id in (1, 3)} == before
    assert [path.read_bytes() if path.exists() else b"" for path in damaged] != old


def test_a_truncated_file_ends_too_early(release):
    path = faults.run_file(release, DAMAGED)
    whole = path.stat().st_size
    faults.truncate_file(release, DAMAGED)
    assert path.stat().st_size == whole // 2
    if path.suffix == ".gz":
        inflater = zlib.decompressobj(31)
        inflater.decompress(path.read_bytes())
        assert not inflater.eof


def test_removed_hdus_are_gone(release):
    faults.remove_hdu(release, DAMAGED)
    assert events(release)[2] == ["PRIMARY", "EVENTS", "AEFF", "EDISP", "PSF", "BKG"]
    faults.remove_index_row(release, DAMAGED)
    index = Table.read(release / "hdu-index.fits.gz")
    assert len(index) == 17
    assert "aeff" not in {str(kind).strip() for kind in index["HDU_TYPE"][index["OBS_ID"] == DAMAGED]}


def test_damaged_events_have_the_values_that_the_fault_names(release):
    faults.spoil_energies(release, DAMAGED)
    energies = events(release)[0]["ENERGY"]
    assert np.isnan(energies[0])
    assert energies[1:3].tolist() == [-1.0, 0.0]
    assert np.all(energies[3:] > 0)
    faults.lower_energies(release, DAMAGED)
    assert events(release)[0]["ENERGY"].max() == np.float32(1e-3)
    faults.make_all_energies_nan(release, DAMAGED)
    assert np.all(np.isnan(events(release)[0]["ENERGY"]))
    faults.remove_events(release, DAMAGED)
    assert len(events(release)[0]) == 0


def test_moved_events_are_far_from_the_pointing(release):
    faults.move_events_away(release, DAMAGED)
    rows, header, _ = events(release)
    assert separation(rows["RA"], rows["DEC"], header["RA_PNT"], header["DEC_PNT"]).min() > 15


def test_a_pointing_away_moves_header_index_and_events(release):
    faults.point_away(release, DAMAGED)
    rows, header, _ = events(release)
    index = Table.read(release / "obs-index.fits.gz")
    [row] = index[index["OBS_ID"] == DAMAGED]
    assert float(separation(header["RA_PNT"], header["DEC_PNT"], 83.633, 22.014)) == pytest.approx(22.5, abs=0.01)
    assert row["DEC_PNT"] == pytest.approx(header["DEC_PNT"])
    assert separation(rows["RA"], rows["DEC"], header["RA_PNT"], header["DEC_PNT"]).max() < 4
