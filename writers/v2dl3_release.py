# /// script
# dependencies = ["v2dl3==0.9.0"]
# [tool.xgamma]
# writer = "v2dl3 0.9.0"
# made = "events, gti, aeff, edisp, both indexes; not what reads ROOT files"
# plain = "point-like"
# exposure = 1e-6
# ///
"""A release of VERITAS from the writing half of v2dl3: a source of data in memory stands for Eventdisplay's files."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from astropy.time import Time
from pyV2DL3.constant import VTS_REFERENCE_MJD
from pyV2DL3.generateObsHduIndex import create_obs_hdu_index_file
from pyV2DL3.genHDUList import genHDUlist
from pyV2DL3.VtsDataSource import VtsDataSource

from plain import Hdus, runs, times

KEPT = "OBS_ID ONTIME LIVETIME DEADC OBJECT RA_OBJ DEC_OBJ RA_PNT DEC_PNT ALT_PNT AZ_PNT N_TELS"


def elapsed(at: Time) -> np.ndarray:
    """Return seconds since the reference epoch."""
    return (at - Time(VTS_REFERENCE_MJD, format="mjd", scale="utc")).sec


class Simulated(VtsDataSource):
    """One simulated run."""

    def __init__(self, hdus: Hdus) -> None:
        super().__init__("Simulated", "", "")
        self._hdus = hdus

    def __fill_evt__(self) -> None:
        events, header = self._hdus["EVENTS"].data, self._hdus["EVENTS"].header
        start, stop = (times(self._hdus, "GTI", name)[side] for name, side in (("START", 0), ("STOP", -1)))
        middle = start + 0.5 * (stop - start)
        columns = {name: np.asarray(events[name]) for name in ("EVENT_ID", "RA", "DEC", "ENERGY")}
        columns |= {name: np.zeros(len(events)) for name in ("ALT", "AZ", "Xoff", "Yoff")}
        dates = {f"DATE-{key}": at.utc.isot for key, at in (("OBS", start), ("AVG", middle), ("END", stop))}
        bounds = {"TSTART": float(elapsed(start)), "TSTOP": float(elapsed(stop))}
        kept = {key: header[key] for key in KEPT.split()}
        self.__evt__ = {
            **columns,
            "TIME": elapsed(times(self._hdus)),
            **dates,
            **bounds,
            **kept,
            "TELLIST": "T1,T2,T3,T4",
        }

    def __fill_gti__(self) -> None:
        start, stop = (elapsed(times(self._hdus, "GTI", name)) for name in ("START", "STOP"))
        self.__gti__ = {"goodTimeStart": start, "goodTimeStop": stop, "TSTART": start[0], "TSTOP": stop[-1]}

    def __fill_response__(self) -> None:
        area = self._hdus["AEFF"].header
        tables = {name: np.array(self._hdus[plain].data) for name, plain in (("EA", "AEFF"), ("MIGRATION", "EDISP"))}
        self.__response__ = {**tables, **{key: area[key] for key in ("LO_THRES", "HI_THRES", "RAD_MAX")}}


def main(release: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    files = []
    for obs_id, hdus in runs(release):
        source = Simulated(hdus)
        for name in ("__fill_evt__", "__fill_gti__", "__fill_response__"):
            getattr(source, name)()
        files.append(str(folder / f"{obs_id}.fits.gz"))
        genHDUlist(source).writeto(files[-1])
    create_obs_hdu_index_file(files, str(folder))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
