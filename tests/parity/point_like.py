"""Point-like releases beside Gammapy: what is asked of both, and copies of releases with a table of RAD_MAX."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack

from xgamma.analysis import Analysis, AnalysisConfig
from xgamma.modeling.models import Models, PowerLawSpectralModel, SkyModel

PEER_SCRIPT = Path(__file__).with_name("peer_point_like.py")
CRAB = (83.63333, 22.01447)
EXACT = ("counts", "counts_off", "acceptance", "acceptance_off", "mask_safe")
NEAR = ("exposure", "edisp")
# Of a table: bins of reconstructed energy (TeV), and offsets, which are nodes or one bin.
ENERGY = np.geomspace(0.05, 120.0, 25)
OFFSETS = {"nodes": ((0.0, 0.3, 0.6, 1.0), (0.0, 0.3, 0.6, 1.0)), "one bin": ((0.0,), (1.0,))}


@dataclass(frozen=True)
class Asked:
    """What is asked of a release; ``radius`` 0 is a point, ``offsets`` names a table of RAD_MAX that is put into it."""

    path: str
    obs_ids: tuple[int, ...]
    radius: float = 0.0
    off: int = 3
    offsets: str = ""
    energy: tuple[float, float, int] = (0.2, 50.0, 20)

    def request(self, datastore: Path) -> dict[str, Any]:
        """Return it as plain values."""
        low, high, count = self.energy
        return {
            "datastore": str(datastore),
            "obs_ids": list(self.obs_ids),
            "region": [*CRAB, self.radius],
            "off": self.off,
            "energy": np.geomspace(low, high, count + 1).tolist(),
            "energy_true": np.geomspace(low / 4, high * 4, 61).tolist(),
            "aeff_percent": 5,
        }


VERITAS = ("veritas/crab-point-like-ED", (64080, 64081, 64082, 64083))
MAGIC = ("joint-crab/dl3/magic", (5029748,))
CASES = {
    "VERITAS, RAD_MAX as keyword, point": Asked(*VERITAS),
    "VERITAS, RAD_MAX as keyword, circle": Asked(*VERITAS, radius=0.08944271909999159, off=5),
    "VERITAS, table at four offsets": Asked(*VERITAS, offsets="nodes"),
    "VERITAS, table of one bin of offset": Asked(*VERITAS, offsets="one bin", off=1),
    "MAGIC, RAD_MAX as keyword, circle": Asked(*MAGIC, radius=0.1414213),
    "MAGIC, table of one bin of offset": Asked(*MAGIC, off=2, offsets="one bin", energy=(0.08, 30.0, 28)),
}


def rad_max_table(offsets: str) -> fits.BinTableHDU:
    """Return a table whose radii fall with energy, as those of MAGIC do, and differ between offsets."""
    center = np.sqrt(ENERGY[1:] * ENERGY[:-1])
    low, high = OFFSETS[offsets]
    radius = 0.06 + 0.16 / (1 + center) ** 0.5 + 0.02 * np.sin(5 * np.log(center))
    values = radius[None] * (1 + 0.3 * np.arange(len(low)))[:, None]
    columns = [("ENERG_LO", ENERGY[:-1], "TeV"), ("ENERG_HI", ENERGY[1:], "TeV"), ("THETA_LO", low, "deg")]
    columns += [("THETA_HI", high, "deg"), ("RAD_MAX", values, "deg")]
    table = Table({name: np.asarray(value, np.float32)[None] for name, value, _ in columns})
    for name, _, unit in columns:
        table[name].unit = unit
    hdu = fits.BinTableHDU(table, name="RAD_MAX")
    hdu.header.update(HDUCLASS="GADF", HDUCLAS1="RESPONSE", HDUCLAS2="RAD_MAX", HDUCLAS3="POINT-LIKE")
    hdu.header["HDUCLAS4"] = "RAD_MAX_2D"
    return hdu


def with_table(release: Path, folder: Path, obs_ids: tuple[int, ...], offsets: str) -> Path:
    """Write a copy of a release whose runs have a table of RAD_MAX and no keyword."""
    folder.mkdir(parents=True)
    index = Table.read(release / "hdu-index.fits.gz", hdu=1)
    index = index[np.isin(index["OBS_ID"], obs_ids)]
    index.meta = {}
    own = index[np.asarray(index["HDU_TYPE"]).astype(str) == "events"].copy()
    for name, value in (("HDU_TYPE", "rad_max"), ("HDU_CLASS", "rad_max_2d"), ("HDU_NAME", "RAD_MAX")):
        for table in (index, own):
            table[name] = np.asarray(table[name]).astype("U20")
        own[name] = value
    for name in set(np.asarray(index["FILE_NAME"]).astype(str)):
        with fits.open(release / name) as hdus:
            for hdu in hdus[1:]:
                hdu.header.pop("RAD_MAX", None)
            fits.HDUList([*hdus, rad_max_table(offsets)]).writeto(folder / name)
    vstack([index, own]).write(folder / "hdu-index.fits.gz")
    (folder / "obs-index.fits.gz").write_bytes((release / "obs-index.fits.gz").read_bytes())
    return folder


CONFIG = """
general: {{store: "memory://{name}"}}
observations: {{datastore: {datastore}, obs_ids: {obs_ids}, required_irf: point-like}}
datasets:
  stack: false
  geom:
    axes:
      energy: {{min: {low} TeV, max: {high} TeV, nbins: {count}}}
      energy_true: {{min: {low_true} TeV, max: {high_true} TeV, nbins: {count_true}}}
  on_region: {{frame: icrs, lon: {lon} deg, lat: {lat} deg, radius: {radius} deg}}
  containment_correction: false
  background: {{method: wobble, parameters: {{n_off_regions: {off}}}}}
  safe_mask: {{methods: [aeff-max], parameters: {{aeff_percent: {aeff_percent}}}}}
"""


def ours(request: dict[str, Any], name: str) -> dict[str, Any]:
    """Return what xgamma makes of a request, as ``peer_point_like`` does."""
    energy, energy_true, (lon, lat, radius) = request["energy"], request["energy_true"], request["region"]
    analysis = Analysis(
        AnalysisConfig.from_yaml(
            CONFIG.format(
                **request,
                name=name,
                low=energy[0],
                high=energy[-1],
                count=len(energy) - 1,
                low_true=energy_true[0],
                high_true=energy_true[-1],
                count_true=len(energy_true) - 1,
                lon=lon,
                lat=lat,
                radius=radius,
            )
        )
    )
    analysis.get_observations()
    analysis.get_datasets()
    model = PowerLawSpectralModel(index=2.5, amplitude="4e-11 cm-2 s-1 TeV-1", reference="1 TeV")
    analysis.set_models(Models([SkyModel(spectral_model=model, name="source")]))
    analysis.run_fit()
    found: dict[str, Any] = {
        f"{view.data['obs_id'].values[0]}/{each}": view.data[each].values.squeeze()
        for view in analysis.datasets
        for each in (*EXACT, *NEAR)
    }
    return {
        **found,
        **{n: np.array([getattr(model, n).value, getattr(model, n).error]) for n in ("index", "amplitude")},
    }


def theirs(peer: str, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what Gammapy makes of a request."""
    ask, answer = folder / "request.json", folder / "result.npz"
    ask.write_text(json.dumps(request))
    subprocess.run([peer, str(PEER_SCRIPT), str(ask), str(answer)], check=True)
    with np.load(answer) as found:
        return dict(found)


def deviations(found: dict[str, Any], right: dict[str, Any]) -> dict[str, float]:
    """Return the sum of all differences of what is to be identical, the largest of the rest, the fit in errors."""
    result = dict.fromkeys((*EXACT, *NEAR), 0.0)
    for key, value in found.items():
        name, other = key.rpartition("/")[2], right[key]
        if name in EXACT:
            result[name] += float(np.abs(value.astype(float) - other.astype(float)).sum())
        elif name in NEAR:
            result[name] = max(result[name], float(np.abs(value - other).max() / np.abs(other).max()))
    fits_ = {n: abs(found[n][0] - right[n][0]) / right[n][1] for n in ("index", "amplitude")}
    errors = {f"{n} error": abs(found[n][1] / right[n][1] - 1) for n in ("index", "amplitude")}
    return {**result, **fits_, **errors}
