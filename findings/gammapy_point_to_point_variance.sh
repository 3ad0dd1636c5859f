#!/usr/bin/env bash
# Surprise: compute_fpp of Gammapy 2.1 leaves out the 1/2 of the paper that it cites. So it gives 1.41 times the fractional
# excess variance for white noise, where both are the same by its own documentation, and a steady source has a
# point-to-point variance of about its relative errors instead of about 0.
# Source: gammapy/stats/variability.py, compute_fpp; Edelson et al. 2002 (ApJ 568, 610), equation 3. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from gammapy.stats import compute_fpp, compute_fvar

draw = np.random.default_rng(1).normal(size=(4000, 1))
small, large = np.full_like(draw, 1e-6), np.full_like(draw, 1.0)
white = float(compute_fpp(10 + draw, small)[0][0] / compute_fvar(10 + draw, small)[0][0])
steady = float(compute_fpp(10 + draw, large)[0][0])
print(f"Gammapy {version('gammapy')}")
print(f"  white noise: point-to-point / fractional excess variance {white:.3f}")
print(f"  steady source with errors of 10 %: point-to-point        {steady:.3f}")
sys.exit(0 if abs(white - 2**0.5) < 0.02 and abs(steady - 0.1) < 0.01 else 1)
PYTHON
