#!/usr/bin/env bash
# Surprise: lightcurve() of sources of SourceCatalog4FGL of Gammapy 2.1 takes Flux_History, which is the flux from 100 MeV to
# 100 GeV, for one from 50 MeV to 300 GeV: dN/dE and norms are 2.3 times too low for an index of 2.2. info() of the same source
# says 100 MeV - 100 GeV.
# Source: gammapy/catalog/fermi.py, SourceCatalogObject4FGL.lightcurve; Abdollahi et al. 2020 (ApJS 247, 33), columns of the
# FITS file. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

import astropy.units as u
from astropy.io import fits
from astropy.table import Table
from gammapy.catalog import SourceCatalog4FGL

EMPTY = ("Extended_Source_Name", "ASSOC_FGL", "ASSOC_FHL", "ASSOC_GAM1", "ASSOC_GAM2", "ASSOC_GAM3", "ASSOC_TEV", "ASSOC1",
         "ASSOC2")
FLUX = "cm-2 s-1"
UNITS = {"Flux_Band": FLUX, "Unc_Flux_Band": FLUX, "nuFnu_Band": "erg cm-2 s-1", "Flux_History": FLUX,
         "Unc_Flux_History": FLUX, "PL_Flux_Density": "cm-2 s-1 MeV-1", "Unc_PL_Flux_Density": "cm-2 s-1 MeV-1",
         "Pivot_Energy": "MeV", "LowerEnergy": "MeV", "UpperEnergy": "MeV", "Hist_Start": "s", "RAJ2000": "deg",
         "DEJ2000": "deg", "Conf_95_SemiMajor": "deg", "Conf_95_SemiMinor": "deg", "Conf_95_PosAng": "deg"}
row = {"Source_Name": "4FGL J0000.3-7355", "RAJ2000": 0.1, "DEJ2000": -73.9, "Conf_95_SemiMajor": 0.0,
       "Conf_95_SemiMinor": 0.0, "Conf_95_PosAng": 0.0, "SpectrumType": "PowerLaw", "Pivot_Energy": 1000.0, "PL_Index": 2.2,
       "Unc_PL_Index": 0.1, "PL_Flux_Density": 1e-12, "Unc_PL_Flux_Density": 1e-13, "Flux_Band": [1e-9],
       "Unc_Flux_Band": [[-1e-10, 1e-10]], "nuFnu_Band": [1e-12], "Sqrt_TS_Band": [9.0], "Flux_History": [2e-9],
       "Unc_Flux_History": [[-1e-9, 1e-9]], "Sqrt_TS_History": [3.0], **dict.fromkeys(EMPTY, "")}


def hdu(name, rows, **cards):
    table = Table(rows)
    for column in set(table.colnames) & set(UNITS):
        table[column].unit = UNITS[column]
    made = fits.table_to_hdu(table)
    made.name = name
    made.header.update(cards)
    return made


path = f"{sys.argv[1]}/gll_psc_v32.fit"
time = {"MJDREFI": 51910, "MJDREFF": 7.428703703703703e-4, "TIMESYS": "TT"}
fits.HDUList([
    fits.PrimaryHDU(), hdu("LAT_Point_Source_Catalog", [row], VERSION="v32"), hdu("ExtendedSources", [{"Source_Name": ""}]),
    hdu("EnergyBounds", [{"LowerEnergy": 100.0, "UpperEnergy": 1000.0}]),
    hdu("Hist_Start", [{"Hist_Start": 2.4e8}, {"Hist_Start": 2.7e8}], **time),
]).writeto(path)
source = SourceCatalog4FGL(path)[0]
curve = source.lightcurve()
axis = curve.geom.axes["energy"]
norm = float(curve.norm.data.squeeze())
right = float((2e-9 * u.Unit(FLUX) / source.spectral_model().integral(100 * u.MeV, 100 * u.GeV)).to_value(""))
print(f"Gammapy {version('gammapy')}")
print(f"  a flux from 100 MeV to 100 GeV is taken from {axis.edges[0]:.3g} to {axis.edges[-1].to('GeV'):.3g}")
print(f"  norm {norm:.3f}; of 100 MeV to 100 GeV it is {right:.3f}, {right / norm:.2f} times that")
sys.exit(0 if abs(right / norm - 2.3) < 0.01 else 1)
PYTHON
