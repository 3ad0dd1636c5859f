#!/usr/bin/env bash
# Surprise: told second derivatives (Minuit(..., grad=, hessian=)), iminuit 2.33.0 gives wrong errors as soon as a
# parameter is fixed: it takes the first rows and columns of the matrix for those of the free parameters.
# Source: Minuit(hessian=) and hesse(), on a parabola of three parameters. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "iminuit==2.33.0" "numpy==2.3.5"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import sys

import numpy as np
from iminuit import Minuit, __version__

matrix = np.array([[4.0, 1.0, 0.5], [1.0, 9.0, 2.0], [0.5, 2.0, 16.0]])


def errors(**known):
    minuit = Minuit(lambda x: 0.5 * x @ matrix @ x, np.zeros(3), **known)
    minuit.errordef = 1.0
    minuit.fixed[0] = True
    minuit.hesse()
    return np.array(minuit.errors)[1:]


right = np.sqrt(2 * np.diag(np.linalg.inv(matrix[1:, 1:])))
told = errors(grad=lambda x: matrix @ x, hessian=lambda x: matrix)
print(f"iminuit {__version__}: errors by differences {errors().round(4)}, told {told.round(4)}, right {right.round(4)}")
sys.exit(0 if np.allclose(errors(), right, rtol=1e-3) and not np.allclose(told, right, rtol=0.1) else 1)
PYTHON
