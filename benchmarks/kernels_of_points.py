"""Which image of a point is right: ``python kernels_of_points.py [--sets N]`` prints a table.

Fields of one bright point, whose events are drawn by ``xgamma.simulate`` from three Gaussians, are fitted with the
means of the point spread function over pixels where the point is, and with a point that pixels share: the kernel about
the middle of a pixel, in the four pixels around the place, in inverse proportion to the distance, as in Gammapy 2.1.
Pixels have 0.02 deg; the point lies in the middle of a pixel, a quarter and a half of one away in both directions.
"""

from __future__ import annotations

import argparse
import time
from contextlib import contextmanager
from typing import Any

import numpy as np

from xgamma.analysis import AnalysisConfig
from xgamma.closure import reduced_sets, simulator_of
from xgamma.config.requests import recipe_of
from xgamma.digits import value_with_error
from xgamma.fit import fit
from xgamma.models import FoVBackgroundModel, Models, PointSpatialModel, PowerLawSpectralModel, SkyModel
from xgamma.predict.sky import folding
from xgamma.predict.sky.boxes import Box, Pixels, center_of
from xgamma.predict.sky.radial import nodes_for, tables
from xgamma.predict.sky.round import spot
from xgamma.reduce import select_rows
from xgamma.simulate import AnalyticResponse, Plan, Source
from xgamma.sky import SkySpace

PIXEL, CENTER, NPIX = 0.02, (83.63, 22.01), 100
# The core of the point spread function at 1 TeV in deg.
INSTRUMENTS = {"CTA": 0.02, "H.E.S.S.": 0.04}
PLACES = (0.0, 0.25, 0.5)
EXACT, SHARED = "exact", "shared"
NAMES = ("lon_0", "lat_0", "amplitude")


class SharedSight:
    """A point that four pixels share; see ``Sight``."""

    def __init__(self, model: Any, values: Any, space: SkySpace, rad: np.ndarray, *_: Any) -> None:
        self.model, self.values, self.space = model, values, space
        self.lon, self.lat = center_of(model, values)
        self.x, self.y = self._place(values)
        self.corner = int(np.floor(self.x)), int(np.floor(self.y))
        lon, lat = (float(one[0]) for one in space.sky_of(*(np.array([float(at)]) for at in self.corner)))
        nodes = nodes_for(rad, 0.0)
        self._tables, self._spot = tables(tuple(rad.tolist()), nodes, space.binsize), spot(space, lon, lat, nodes)
        own = self._spot.pixels
        self.box = Box(own.v.min(), own.v.max() + 2, own.u.min(), own.u.max() + 2)
        self.pixels = Pixels.of_box(self.box)

    def _place(self, values: Any) -> tuple[float, float]:
        lon, lat = center_of(self.model, values)
        x, y = self.space.pixels_of(np.array([lon]), np.array([lat]))
        return float(x[0]), float(y[0])

    def _shared(self, kernel: np.ndarray, x: float, y: float) -> np.ndarray:
        right, up = x - self.corner[0], y - self.corner[1]
        found = np.zeros_like(kernel)
        for row, along in ((0, 1 - up), (1, up)):
            for column, across in ((0, 1 - right), (1, right)):
                found += along * across * np.roll(kernel, (row, column), axis=(0, 1))
        return found.reshape(-1, kernel.shape[-1])

    def _kernel(self, psf: np.ndarray) -> np.ndarray:
        values, own = self._spot.values(self._tables.of_psf(self._tables.profiles(psf))), self._spot.pixels
        kernel = np.zeros((*self.box.shape, values.shape[1]))
        kernel[own.v - self.box.v0, own.u - self.box.u0] = values
        return kernel

    def density(self, psf: np.ndarray) -> np.ndarray:
        """Return the mean brightness of the pixels."""
        return self._shared(self._kernel(psf), self.x, self.y)

    def slopes(self, wanted: Any, psf: np.ndarray, changes: Any) -> list[np.ndarray]:
        """Return the derivatives of ``density``, within the four pixels."""
        kernel, step, found = self._kernel(psf), 1e-3 * self.space.binsize, []
        for place in wanted:
            up, down = (
                self._place([value + side * (number == place) for number, value in enumerate(self.values)])
                for side in (step, -step)
            )
            found.append((self._shared(kernel, *up) - self._shared(kernel, *down)) / (2 * step))
        return found


@contextmanager
def points_seen(kind: str) -> Any:
    """See points as one of the kinds of kernel has them."""
    exact = folding.sight
    folding.sight = SharedSight if kind == SHARED else exact
    try:
        yield
    finally:
        folding.sight = exact


def config() -> AnalysisConfig:
    """Return how sets are reduced."""
    side = f"{NPIX * PIXEL:.6g} deg"
    wcs = {
        "skydir": {"frame": "icrs", "lon": f"{CENTER[0]} deg", "lat": f"{CENTER[1]} deg"},
        "binsize": f"{PIXEL} deg",
        "width": {"width": side, "height": side},
    }
    axes = {
        "energy": {"min": "1 TeV", "max": "10 TeV", "nbins": 3},
        "energy_true": {"min": "0.5 TeV", "max": "20 TeV", "nbins": 24},
    }
    geom = {"wcs": wcs, "selection": {"offset_max": "2 deg"}, "axes": axes}
    mask = {"methods": ["offset-max"], "parameters": {"offset_max": "2 deg"}}
    return AnalysisConfig(datasets={"type": "3d", "geom": geom, "safe_mask": mask})


def model_at(lon: float, lat: float) -> SkyModel:
    """Return the true source."""
    spectral = PowerLawSpectralModel(index=2.3, amplitude="1e-11 cm-2 s-1 TeV-1")
    spectral.index.frozen = True
    return SkyModel(spectral, PointSpatialModel(lon_0=f"{lon!r} deg", lat_0=f"{lat!r} deg"), name="point")


def plan_of(width: float, model: SkyModel, seed: int) -> Plan:
    """Return four runs on the point."""
    lon, lat = CENTER
    response = AnalyticResponse(
        psf="psf_3gauss", psf_sigma=width, background_drawn="table", background_turn=0.0, energy_min=0.3
    )
    return Plan(name="kernels", seed=seed, runs=4, source=Source(lon=lon, lat=lat), response=response, models=[model])


def fitted(row: Any, truth: SkyModel, kind: str) -> tuple[list[float], list[float], float]:
    """Return values and errors of ``NAMES``, and the least statistic, of starts on all sides of the truth."""
    best = None
    # A point that pixels share has a kink in the middle of each: a minimum is looked for on all sides of it.
    for east, north in ((1, 1), (-1, -1)) if kind == EXACT else ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        models = Models([truth.copy(name="point"), FoVBackgroundModel(dataset_name=str(row["dataset"].values[0]))])
        models.parameters["lon_0"].value += 0.3 * east * PIXEL
        models.parameters["lat_0"].value += 0.3 * north * PIXEL
        with points_seen(kind):
            result = fit([row], models)
        if best is None or result.total_stat < best[2]:
            own = [models.parameters[name] for name in NAMES]
            best = [one.value for one in own], [one.error for one in own], float(result.total_stat)
        if kind == EXACT:
            break
    return best


def compared(width: float, place: float, sets: int, seed: int) -> dict[str, Any]:
    """Return values, errors and statistics of both kernels, each with an entry for each set."""
    trial_config = config()
    recipe = recipe_of(trial_config)
    space = recipe.grid.space.image
    middle = float(NPIX // 2)
    lon, lat = (float(one[0]) for one in space.sky_of(np.array([middle + place]), np.array([middle + place])))
    truth = model_at(lon, lat)
    simulator = simulator_of(plan_of(width, truth, seed))
    found: dict[str, list[Any]] = {EXACT: [], SHARED: []}
    for first in range(seed, seed + sets, 20):
        stacks = reduced_sets(simulator, range(first, min(first + 20, seed + sets)), recipe)
        for number in range(stacks.sizes["dataset"]):
            row = select_rows(stacks, [number])
            for kind, every in found.items():
                every.append(fitted(row, truth, kind))
    true = np.array([truth.parameters[name].value for name in NAMES])
    return {
        kind: {
            "off": np.array([one[0] for one in every]) - true,
            "error": np.array([one[1] for one in every]),
            "stat": np.array([one[2] for one in every]),
        }
        for kind, every in found.items()
    } | {"true": true}


def mean(values: np.ndarray) -> str:
    """Return a mean with its standard error."""
    return value_with_error(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def width(values: np.ndarray) -> str:
    """Return a standard deviation with its standard error."""
    found = float(values.std(ddof=1))
    return value_with_error(found, found / np.sqrt(2 * (len(values) - 1)))


def main() -> None:
    """Print what comes back with each kernel."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sets", type=int, default=60)
    parser.add_argument("--instrument", choices=list(INSTRUMENTS), help="one of them alone")
    parser.add_argument("--place", type=float, help="one of them alone")
    given = parser.parse_args()
    sets = given.sets
    print("| psf, place | kernel | position off, 1e-3 deg | its pulls: mean | width | flux off, % | its pulls: mean | "
          "width | statistic above exact |")  # fmt: skip
    print("|" + "---|" * 9)
    for number, (name, core) in enumerate(INSTRUMENTS.items()):
        if given.instrument not in (None, name):
            continue
        for place in PLACES if given.place is None else [given.place]:
            start = time.process_time()
            found = compared(core, place, sets, 300_000 + 100_000 * number + round(1e4 * place))
            for kind in (EXACT, SHARED):
                one = found[kind]
                pulls = one["off"] / one["error"]
                # Longitude and latitude are two measurements of the same; away from the middle of the pixel is above 0.
                cosine = np.array([-np.cos(np.deg2rad(CENTER[1])), 1.0])
                off, sides = 1e3 * one["off"][:, :2] * cosine, pulls[:, :2] * np.sign(cosine)
                flux = 100 * one["off"][:, 2] / found["true"][2]
                above = mean(one["stat"] - found[EXACT]["stat"]) if kind == SHARED else "0"
                cells = [f"{name}, {place:g}", kind, mean(off.ravel()), mean(sides.ravel()), width(sides.ravel()),
                         mean(flux), mean(pulls[:, 2]), width(pulls[:, 2]), above]  # fmt: skip
                print(f"| {' | '.join(cells)} |", flush=True)
            print(f"<!-- {time.process_time() - start:.0f} s -->", flush=True)


if __name__ == "__main__":
    main()
