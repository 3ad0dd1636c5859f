"""Run by Gammapy: what its catalogues make of the files of a folder, as JSON.

Usage: python peer_source_catalogs.py FOLDER OUT; the names of the files are tags of catalogues.
"""

import json
import sys
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from gammapy.catalog import CATALOG_REGISTRY

warnings.simplefilter("ignore")


def parameters(model):
    return {p.name: [float(p.value), str(p.unit), float(p.error)] for p in model.parameters}


def points(source):
    try:
        table = source.flux_points.to_table(sed_type="dnde")
    except Exception as error:  # a catalogue without points, or a source without a spectrum
        return str(error)
    kept = {"e_ref": "TeV"} | dict.fromkeys(("dnde", "dnde_errn", "dnde_errp", "dnde_ul"), "cm-2 s-1 TeV-1")
    held = {name: unit for name, unit in kept.items() if name in table.colnames}
    return {name: np.asarray(table[name].quantity.to_value(unit)).tolist() for name, unit in held.items()}


def curve(source):
    try:
        made = source.lightcurve()
        table = made.to_table(format="lightcurve", sed_type="flux")
    except Exception as error:  # a catalogue without light curves, or with a unit that Gammapy does not take
        return str(error)
    return [np.asarray(table[name]).ravel().tolist() for name in ("time_min", "time_max", "flux", "flux_errn")]


def one(source, band):
    found = {"name": source.name, "position": [float(source.position.icrs.ra.deg), float(source.position.icrs.dec.deg)]}
    try:
        spectrum = source.spectral_model()
        found["flux"] = float(spectrum.integral(*band).to_value("cm-2 s-1"))
        found["spectrum"] = [spectrum.tag[0], parameters(spectrum)]
    except Exception as error:
        found["flux"] = str(error)
    try:
        place = source.spatial_model()
        found["place"] = [place.tag[0], place.frame, parameters(place)]
    except Exception as error:
        found["place"] = str(error)
    found["points"] = points(source)
    found["curve"] = curve(source)
    return found


folder, out = (Path(argument) for argument in sys.argv[1:3])
result = {}
for path in sorted(folder.iterdir()):
    tag = path.name.split(".")[0].split("-of-")[0]
    band = [1, 100] * u.GeV if "f" in tag else [1, 10] * u.TeV
    catalog = CATALOG_REGISTRY.get_cls(tag)(path)
    result[path.name] = [one(source, band) for source in catalog]
out.write_text(json.dumps(result))
