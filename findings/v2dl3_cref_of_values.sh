#!/usr/bin/env bash
# Surprise: the CREF of a King PSF that v2dl3 0.9.0 writes lists two value columns as if they were an axis:
# (ENERG_LO:ENERG_HI,THETA_LO:THETA_HI,GAMMA:SIGMA), for the column SIGMA, which has two axes. A reader that takes the
# order of axes from CREF, as the keyword is meant, finds three. (Files of v2dl3 0.5, public as the VERITAS release that
# Gammapy's tutorials use, name ETRUE_LO in the CREF of the energy dispersion where the columns are ENERG_LO.)
# Source: pyV2DL3/fillRESPONSE.py, fill_bintablehdu. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "astropy==7.2.0" "numpy==2.3.5"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check --no-deps v2dl3==0.9.0
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import re
import sys
from importlib.metadata import version

import numpy as np
from pyV2DL3.fillRESPONSE import fill_bintablehdu

axes = {"ENERG_LO": 4, "ENERG_HI": 4, "THETA_LO": 3, "THETA_HI": 3}
fields = [(name, ">f4", (size,)) for name, size in axes.items()]
table = np.ones(1, dtype=[*fields, ("GAMMA", ">f4", (3, 4)), ("SIGMA", ">f4", (3, 4))])
hdu = fill_bintablehdu("PSF", "PSF", "PSF", "FULL-ENCLOSURE", "PSF_KING", {"PSF": table}, {"OBS_ID": 1}, "VERITAS")
named = re.findall(r"(\w+):(\w+)", hdu.header["CREF6"])
print(f"v2dl3 {version('v2dl3')}: column {hdu.columns[5].name}, TDIM {hdu.columns[5].dim}, CREF6 = {hdu.header['CREF6']}")
sys.exit(0 if len(named) == 3 and named[-1] == ("GAMMA", "SIGMA") and hdu.columns[5].dim.count(",") == 1 else 1)
PYTHON
