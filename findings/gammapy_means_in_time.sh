#!/usr/bin/env bash
# Surprise: means of temporal models over good time are off in Gammapy 2.1. The integral of a sine has sines in place of
# cosines; models without a formula are sums of 100 points times the step between them, 1 % too high, so that a light curve
# of constant 1 has the mean 1.0101; and a spectral template with a value of 0 is 1e-154 half way to 1, and 1e154 on its
# other side.
# Source: gammapy/modeling/models/temporal.py, integral; gammapy/utils/interpolation.py, LogScale. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import astropy.units as u
import numpy as np
from astropy.table import Table
from astropy.time import Time
from gammapy.modeling.models import (
    LightCurveTemplateTemporalModel,
    SineTemporalModel,
    TemplateSpectralModel,
)

start, stop = (Time([first, first + 1], format="mjd", scale="utc") for first in (55000.1, 55000.12))
sine = SineTemporalModel(amp=0.5, omega=20 * u.rad / u.d, t_ref=55000 * u.d)
middle = Time(np.linspace(55000.1, 55000.12, 20001), format="mjd", scale="utc")
ratio = float(sine.integral(start[:1], stop[:1])[0] / np.mean(sine(middle).value))
flat = Table({"TIME": [0.0, 9.0] * u.d, "NORM": [1.0, 1.0]}, meta={"MJDREFI": 54999, "MJDREFF": 0.0, "TIMESYS": "utc"})
constant = float(LightCurveTemplateTemporalModel.from_table(flat).integral(start[:1], stop[:1])[0])
density = u.Unit("cm-2 s-1 TeV-1")
template = TemplateSpectralModel([1, 4] * u.TeV, [1.0, 0.0] * density)
inside, outside = (float(template(at * u.TeV).value) for at in (2.0, 0.5))
print(f"Gammapy {version('gammapy')}")
print(f"  mean of a sine over 29 minutes / mean of its values: {ratio:.4f}")
print(f"  mean of a light curve of constant 1:                 {constant:.4f}")
print(f"  a template of 1 and 0, half way and beside the 1:    {inside:.3g}, {outside:.3g}")
sys.exit(0 if ratio < 0.95 and constant > 1.01 and inside < 1e-100 < 1e100 < outside else 1)
PYTHON
