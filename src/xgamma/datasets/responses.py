"""Responses of one run: views of a row of a table of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from astropy import units as u

from xgamma.axes import Axis, FloatArray
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError
from xgamma.irf import CONTAINMENT, IrfTable, background_rate, edisp_kernel, effective_area, read_table
from xgamma.plot import runs as plot_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes


STEPS = 60
"""Halvings of an interval of radii: to the last digit."""
AROUND = 24
"""Directions over which a rate in the field of view is averaged."""
FRACTIONS = (0.68, 0.95)
_FIRST = np.zeros(1, dtype=np.int64)


class Response(Described):
    """A response of one run.

    Parameters
    ----------
    table
        A table of responses with one row, dims (irf, ...).
    """

    def __init__(self, table: xr.Dataset) -> None:
        self._table = table

    @property
    def data(self) -> xr.Dataset:
        """The response, with its axes as coordinates."""
        return self._table.isel(irf=0)

    @property
    def hdu_class(self) -> str:
        """What kind of response it is, in the words of its file: ``aeff_2d``, ``psf_table`` and so on."""
        return str(self._table.attrs["hdu_class"])

    @property
    def axes(self) -> Mapping[str, Axis]:
        """The axes by name."""
        names = [str(dim) for dim in self._table.sizes if dim not in ("irf", "bound")]
        return {name: Axis.from_coords(self._table.coords, name) for name in names}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {axis.nbin}" for name, axis in self.axes.items())
        return f"<{type(self).__name__} {self.hdu_class}: {sizes}>"

    def _description(self) -> Description:
        rows = [(name, axis.words) for name, axis in self.axes.items()]
        return Description(type(self).__name__, facts([("Kind", self.hdu_class)], rows))

    def _at(self, offset: FloatArray) -> IrfTable:
        return read_table(self._table, _FIRST, offset[np.newaxis])

    def _energies(self, name: str) -> FloatArray:
        return self.axes[name].center

    def _offsets(self, count: int = 4) -> FloatArray:
        nodes = self.axes["offset"].center
        return np.asarray(nodes[np.unique(np.linspace(0, len(nodes) - 1, min(count, len(nodes))).astype(int))])

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw it."""
        raise NotImplementedError


class EffectiveArea(Response):
    """The effective area over true energy and offset."""

    def evaluate(self, offset: Any, energy_true: Any) -> u.Quantity:
        """Return the area at offsets and energies that broadcast; 0 outside of its axes."""
        return u.Quantity(_outer(lambda o, e: effective_area(self._at(o), e)[0], offset, energy_true), "m2")

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the area over true energy, a line for each of some offsets."""
        energy, offsets = self._energies("energy_true"), self._offsets()
        areas = effective_area(self._at(offsets), energy)[0]
        return plot_runs.plot_lines(energy, areas, offsets, "Effective area", "m2", ax, **style)


class EnergyDispersion(Response):
    """The density of reconstructed over true energy."""

    def kernel(self, offset: Any, energy_true: Any, energy_edges: Any) -> FloatArray:
        """Return the probability of each bin of reconstructed energy at one offset, shape (energy_true, energy)."""
        true, edges = (u.Quantity(values, "TeV").value for values in (energy_true, energy_edges))
        return np.asarray(edisp_kernel(self._at(plain_quantity(offset, "deg").reshape(1)), true, edges)[0, 0])

    def density(self, offset: Any) -> xr.DataArray:
        """Return the density in ``migra`` at one offset, dims (migra, energy_true)."""
        values = self._at(plain_quantity(offset, "deg").reshape(1)).values["edisp"][0, 0]
        coords = {name: self.data[name].variable for name in ("migra", "energy_true")}
        return xr.DataArray(values, coords, ("migra", "energy_true"), attrs={"units": ""})

    def plot(self, ax: Axes | None = None, offset: Any = None, **style: Any) -> Axes:
        """Draw the density at one offset, by default that of the first node."""
        at = self._offsets()[0] if offset is None else float(plain_quantity(offset, "deg"))
        axes = self.axes
        return plot_runs.plot_migration(
            axes["energy_true"].edges, axes["migra"].edges, self.density(at).values, at, ax, **style
        )


class PointSpread(Response):
    """The point spread function."""

    def containment(self, rad: Any, offset: Any, energy_true: Any) -> FloatArray:
        """Return the fraction within a radius, at offsets and energies that broadcast; NaN where it is not known."""
        radius = float(plain_quantity(rad, "deg"))
        return _outer(lambda o, e: self._fraction(o, e, np.full(o.shape, radius)), offset, energy_true)

    def _fraction(self, offset: FloatArray, energy: FloatArray, radius: FloatArray) -> FloatArray:
        return np.asarray(CONTAINMENT[self.hdu_class](self._at(offset), energy, radius)[0])

    def containment_radius(self, fraction: float, offset: Any, energy_true: Any) -> u.Quantity:
        """Return the radius that holds a fraction, at offsets and energies that broadcast; NaN where none does.

        Raises ``ConfigError`` for a fraction that is not between 0 and 1.
        """
        if not 0 < fraction < 1:
            raise ConfigError(f"containment_radius: expected a fraction between 0 and 1, got {fraction!r}.")
        return u.Quantity(_outer(lambda o, e: self._radius(fraction, o, e), offset, energy_true), "deg")

    def _radius(self, fraction: float, offset: FloatArray, energy: FloatArray) -> FloatArray:
        # Of each energy on its own, as a radius belongs to an offset in the functions below.
        places, energies = np.repeat(offset, len(energy)), np.tile(np.arange(len(energy)), len(offset))
        table, cells = self._at(places), np.arange(len(places))

        def inside(radius: FloatArray) -> FloatArray:
            return np.asarray(CONTAINMENT[self.hdu_class](table, energy, radius)[0][cells, energies])

        low, high = np.zeros(len(places)), np.full(len(places), self._largest)
        reaches = inside(high) >= fraction
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            is_more = inside(middle) >= fraction
            low, high = np.where(is_more, low, middle), np.where(is_more, middle, high)
        return np.where(reaches, high, np.nan).reshape(len(offset), len(energy))

    @property
    def _largest(self) -> float:
        return float(self.axes["rad"].edges[-1]) if "rad" in self.axes else 10.0

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the radii that hold 68 and 95 % over true energy, a line for each of two offsets."""
        energy, offsets = self._energies("energy_true"), self._offsets(2)
        for number, fraction in enumerate(FRACTIONS):
            radii = self._radius(fraction, offsets, energy)
            look = {
                "linestyle": ("-", "--")[number],
                "label": f"{fraction:.0%} at {{offset:.2g}} deg",
                "yscale": "linear",
                **style,
            }
            ax = plot_runs.plot_lines(energy, radii, offsets, "Containment radius", "deg", ax, **look)
        assert ax is not None
        return ax


class BackgroundRate(Response):
    """The rate of background events in the field of view."""

    def evaluate(self, energy: Any, **places: Any) -> u.Quantity:
        """Return the rate at energies (n,) and places (m,), ``offset`` or ``fov_lon`` and ``fov_lat``: shape (m, n)."""
        energies = np.atleast_1d(plain_quantity(energy, "TeV"))
        at = {name: np.atleast_1d(plain_quantity(value, "deg"))[np.newaxis] for name, value in places.items()}
        return u.Quantity(background_rate(self._table, _FIRST, at, energies)[0], "s-1 TeV-1 sr-1")

    def rate(self, offset: Any, energy: Any) -> u.Quantity:
        """Return the rate at offsets and energies that broadcast, in the field of view the mean over directions."""
        return u.Quantity(_outer(self._mean, offset, energy), "s-1 TeV-1 sr-1")

    def _mean(self, offset: FloatArray, energy: FloatArray) -> FloatArray:
        if "offset" in self.axes:
            return np.asarray(self.evaluate(energy, offset=offset).value)
        angle = np.arange(AROUND) * (2 * np.pi / AROUND)
        lon, lat = offset[:, np.newaxis] * np.cos(angle), offset[:, np.newaxis] * np.sin(angle)
        rates = self.evaluate(energy, fov_lon=lon.ravel(), fov_lat=lat.ravel()).value
        return np.asarray(rates.reshape(len(offset), AROUND, len(energy)).mean(axis=1))

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the rate over energy, a line for each of some offsets."""
        energy = self._energies("energy")
        reach = self.axes["offset" if "offset" in self.axes else "fov_lon"].edges[-1]
        offsets = np.array([0.0, 0.25, 0.5, 0.75]) * reach
        return plot_runs.plot_lines(
            energy, self._mean(offsets, energy), offsets, "Background rate", "s-1 TeV-1 sr-1", ax, **style
        )


class RadMax(Response):
    """The radius of the on-region that point-like responses hold for."""

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the radius over energy, a line for each of some offsets."""
        energy, offsets = self._energies("energy"), self._offsets()
        radii = self._at(offsets).values["rad_max"][0]
        return plot_runs.plot_lines(
            energy, radii, offsets, "Radius of the on-region", "deg", ax, yscale="linear", **style
        )


RESPONSES: Mapping[str, type[Response]] = {
    "aeff": EffectiveArea,
    "edisp": EnergyDispersion,
    "psf": PointSpread,
    "bkg": BackgroundRate,
    "rad_max": RadMax,
}
"""The view of each role."""


def plain_quantity(value: Any, unit: str) -> FloatArray:
    """Return a quantity, or numbers of a unit, as plain numbers of it."""
    return np.asarray(u.Quantity(value, None if isinstance(value, u.Quantity) else unit).to_value(unit), dtype=float)


def _outer(function: Callable[[FloatArray, FloatArray], FloatArray], offset: Any, energy: Any) -> FloatArray:
    """Return a function of offsets (n,) and energies (m,), shape (n, m), at pairs that broadcast."""
    offsets, energies = np.broadcast_arrays(plain_quantity(offset, "deg"), plain_quantity(energy, "TeV"))
    places, place = np.unique(offsets, return_inverse=True)
    nodes, node = np.unique(energies, return_inverse=True)
    return np.asarray(function(places, nodes)[place.reshape(offsets.shape), node.reshape(offsets.shape)])
