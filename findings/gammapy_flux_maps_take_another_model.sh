#!/usr/bin/env bash
# Surprise: a file of flux maps of Gammapy 2.1 holds norms of a reference model, and the model itself is in a second file
# whose name is looked up from the working folder, not from the folder of the maps. Two analyses that write flux.fits in
# folders of their own have models of the same name: read from the folder of the one, the flux maps of the other get the
# model of the first, without a word. Its documented name, flux_model.yaml, is flux.fits_model.yaml.
# Source: gammapy/estimators/map/core.py, FluxMaps.write and from_hdulist. Seen November 2026.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check "gammapy==2.1" "regions==0.11"
"$folder/env/bin/python" -W ignore - <<'PYTHON'
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from gammapy.estimators import FluxMaps
from gammapy.maps import Map, MapAxis, WcsGeom
from gammapy.modeling.models import PowerLawSpectralModel, SkyModel

axis = MapAxis.from_energy_bounds("1 TeV", "10 TeV", nbin=1)
norm = Map.from_geom(WcsGeom.create(width=0.2, binsz=0.1, axes=[axis]), data=1.0)
with tempfile.TemporaryDirectory() as top:
    for name, amplitude in (("bright", "1e-11 cm-2 s-1 TeV-1"), ("faint", "1e-13 cm-2 s-1 TeV-1")):
        (Path(top) / name).mkdir()
        os.chdir(Path(top) / name)
        model = SkyModel(PowerLawSpectralModel(amplitude=amplitude))
        FluxMaps.from_maps({"norm": norm}, sed_type="likelihood", reference_model=model).write("flux.fits")
    written = sorted(path.name for path in Path(top, "faint").iterdir())
    flux = {}
    for name in ("faint", "bright"):
        os.chdir(Path(top) / name)
        flux[name] = float(FluxMaps.read(Path(top) / "faint" / "flux.fits").flux.data[0, 0, 0])
    os.chdir("/")
print(f"Gammapy {version('gammapy')}")
print(f"  written: {', '.join(written)}")
for name, value in flux.items():
    print(f"  flux of the faint source, read from the folder of the {name} one: {value:.1e} cm-2 s-1")
wrong = abs(flux["bright"] / flux["faint"] - 100) < 1e-6
sys.exit(0 if wrong and written == ["flux.fits", "flux.fits_model.yaml"] else 1)
PYTHON
