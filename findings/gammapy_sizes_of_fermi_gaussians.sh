#!/usr/bin/env bash
# Surprise: extended Gaussians of SourceCatalog4FGL (and 3FGL, 3FHL, 2FHL) of Gammapy 2.1 are 1.51 times too wide. The column
# Model_SemiMajor of a Gaussian is the radius that holds 68 % of it; Gammapy takes it for sigma. The Cygnus cocoon, 3.0 deg in
# the catalogues, was measured with a sigma of 2.0 deg. fermipy and threeML divide by 1.51 and 1.36.
# Source: gammapy/catalog/fermi.py, spatial_model; Abdollahi et al. 2020 (ApJS 247, 33), table of extended sources; Ackermann
# et al. 2011 (Science 334, 1103); fermipy/roi_model.py. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

from astropy.io import fits
from astropy.table import Table
from gammapy.catalog import SourceCatalog4FGL

ALIASES = ("ASSOC_FGL", "ASSOC_FHL", "ASSOC_GAM1", "ASSOC_GAM2", "ASSOC_GAM3", "ASSOC_TEV", "ASSOC1", "ASSOC2")
row = {"Source_Name": "4FGL J2028.6+4110e", "Extended_Source_Name": "Cygnus Cocoon", "RAJ2000": 307.17, "DEJ2000": 41.17,
       "Conf_95_SemiMajor": 0.0, "Conf_95_SemiMinor": 0.0, "Conf_95_PosAng": 0.0, **dict.fromkeys(ALIASES, "")}
extended = {"Source_Name": "Cygnus Cocoon", "Model_Form": "2D Gaussian", "Model_SemiMajor": 3.0, "Model_SemiMinor": 3.0,
            "Model_PosAng": 0.0, "Spatial_Function": "RadialGaussian", "Spatial_Filename": ""}
bounds = {"LowerEnergy": 100.0, "UpperEnergy": 1000.0}


def hdu(name, values, **cards):
    table = Table([values])
    for column in table.colnames:
        if column.startswith(("RAJ", "DEJ", "Conf", "Model_S", "Model_P")):
            table[column].unit = "deg"
        elif column.endswith("Energy"):
            table[column].unit = "MeV"
    made = fits.table_to_hdu(table)
    made.name = name
    made.header.update(cards)
    return made


path = f"{sys.argv[1]}/gll_psc_v32.fit"
fits.HDUList([fits.PrimaryHDU(), hdu("LAT_Point_Source_Catalog", row, VERSION="v32"), hdu("ExtendedSources", extended),
              hdu("EnergyBounds", bounds)]).writeto(path)
sigma = float(SourceCatalog4FGL(path)[0].spatial_model().sigma.quantity.to_value("deg"))
print(f"Gammapy {version('gammapy')}")
print(f"  Model_SemiMajor 3.0 deg, the radius of 68 %: sigma {sigma:.2f} deg; it should be {3 / 1.5096:.2f} deg")
sys.exit(0 if abs(sigma - 3.0) < 1e-6 else 1)
PYTHON
