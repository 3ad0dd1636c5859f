"""Responses of one run: views of a row of a table of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr
from astropy import units as u

from xgamma.axes import Axis, FloatArray
from xgamma.datasets.edisp_kernel import EDispKernel, plain_quantity
from xgamma.datasets.maps.axes import MapAxes, axes_facts
from xgamma.datasets.maps.axis import MapAxis
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError
from xgamma.gammapy_methods import SaysInstead
from xgamma.irf import CONTAINMENT, IrfTable, background_rate, edisp_kernel, effective_area, read_table
from xgamma.plot import figures as plot_figures
from xgamma.plot import labels as plot_labels
from xgamma.plot import responses as plot_responses
from xgamma.plot import spectrum as plot_spectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


STEPS = 60
"""Halvings of an interval of radii: to the last digit."""
AROUND = 24
"""Directions over which a rate in the field of view is averaged."""
FRACTIONS = (0.68, 0.95)
SHOWN_AT = (0.1, 1.0, 10.0)
"""Energies in TeV, those of them that a response knows, at which it is drawn over other axes."""
RADII, FIELD = 80, 61
"""How many distances from a source, and how many pixels of the field of view, are drawn."""
PANEL = (4.9, 4.2)
"""Inches."""
_FIRST = np.zeros(1, dtype=np.int64)


class Response(SaysInstead, Described):
    """A response of one run.

    Parameters
    ----------
    table
        A table of responses with one row, dims (irf, ...).
    """

    title: ClassVar[str] = "Response"

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
    def axes(self) -> MapAxes:
        """The axes by name and number."""
        return MapAxes(self._axes.values())

    @property
    def _axes(self) -> Mapping[str, Axis]:
        names = [str(dim) for dim in self._table.sizes if dim not in ("irf", "bound")]
        return {name: Axis.from_coords(self._table.coords, name) for name in names}

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {axis.nbin}" for name, axis in self._axes.items())
        return f"<{type(self).__name__} {self.hdu_class}: {sizes}>"

    def _description(self) -> Description:
        return Description(type(self).__name__, facts([("Kind", self.hdu_class)], axes_facts(self._axes.values())))

    def _at(self, offset: FloatArray) -> IrfTable:
        return read_table(self._table, _FIRST, offset[np.newaxis])

    def _energies(self, name: str) -> FloatArray:
        return self._axes[name].center

    def _offsets(self, count: int = 4) -> FloatArray:
        nodes = self._axes["offset"].center
        return np.asarray(nodes[np.unique(np.linspace(0, len(nodes) - 1, min(count, len(nodes))).astype(int))])

    def _offsets_or(self, given: Any, count: int = 4) -> FloatArray:
        return self._offsets(count) if given is None else np.atleast_1d(plain_quantity(given, "deg"))

    def _energies_or(self, given: Any, name: str) -> FloatArray:
        if given is not None:
            return np.atleast_1d(plain_quantity(given, "TeV"))
        edges = self._axes[name].edges
        known = [energy for energy in SHOWN_AT if edges[0] < energy < edges[-1]]
        return np.array(known) if known else self._energies(name)[[len(edges) // 2 - 1]]

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw it."""
        raise NotImplementedError

    def _panels(self) -> Sequence[Callable[[Axes], Axes]]:
        return [self.plot]

    def peek(self, figsize: tuple[float, float] | None = None) -> Figure:
        """Draw all that there is to see of it in a new figure, and return it."""
        draw = self._panels()
        columns = len(draw) if len(draw) < 4 else 2
        size = (PANEL[0] * columns, PANEL[1] * -(-len(draw) // columns))
        figure, axes = plot_figures.panels(len(draw), figsize or size, columns)
        for panel, ax in zip(draw, axes, strict=True):
            panel(ax)
        plot_figures.show_title(figure, self.title)
        return figure


class OverOffset(Response):
    """A response that is one number at each energy and offset."""

    unit: ClassVar[str]
    energy_name: ClassVar[str] = "energy_true"
    yscale: ClassVar[str] = "log"

    def _values(self, offsets: FloatArray, energies: FloatArray) -> FloatArray:
        """Return it at offsets and energies, shape (offset, energy)."""
        raise NotImplementedError

    @property
    def _shows(self) -> str:
        return plot_labels.ENERGY_TRUE if self.energy_name == "energy_true" else plot_labels.ENERGY

    @property
    def _offset_edges(self) -> FloatArray:
        return self._axes["offset"].edges

    def plot_energy_dependence(self, ax: Axes | None = None, offset: Any = None, **style: Any) -> Axes:
        """Draw it over energy, a line for each offset, by default for some."""
        energies, offsets = self._energies(self.energy_name), self._offsets_or(offset)
        look = {"yscale": self.yscale, "energy_name": self._shows, **style}
        values = self._values(offsets, energies)
        return plot_responses.plot_lines(energies, values, offsets, self.title, self.unit, ax, **look)

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw it over energy, a line for each of some offsets."""
        return self.plot_energy_dependence(ax, **style)

    def plot_offset_dependence(self, ax: Axes | None = None, energy: Any = None, **style: Any) -> Axes:
        """Draw it over offset, a line for each energy, by default 0.1, 1 and 10 TeV."""
        edges, energies = self._offset_edges, self._energies_or(energy, self.energy_name)
        offsets = np.linspace(max(edges[0], 0.0), edges[-1], FIELD)
        values = self._values(offsets, energies).T
        return plot_responses.plot_over_offset(offsets, values, energies, self.title, self.unit, ax, **style)

    def plot_image(self, ax: Axes | None = None, add_cbar: bool = True, **style: Any) -> Axes:
        """Draw it as colours over energy and offset."""
        axis, offsets = (
            self._axes[self.energy_name],
            np.linspace(max(self._offset_edges[0], 0.0), self._offset_edges[-1], FIELD),
        )
        values = self._values(0.5 * (offsets[1:] + offsets[:-1]), axis.center)
        return plot_responses.plot_plane(
            axis.edges, offsets, values, self.title, self.unit, ax, self._shows, add_cbar, **style
        )

    def _panels(self) -> Sequence[Callable[[Axes], Axes]]:
        if np.ptp(self._offset_edges) <= 0 or ("offset" in self._axes and self._axes["offset"].nbin == 1):
            return [self.plot]
        return [self.plot_energy_dependence, self.plot_offset_dependence, self.plot_image]


class EffectiveArea(OverOffset):
    """The effective area over true energy and offset."""

    title, unit = "Effective area", "m2"

    def evaluate(self, offset: Any, energy_true: Any) -> u.Quantity:
        """Return the area at offsets and energies that broadcast; 0 outside of its axes."""
        return u.Quantity(_outer(self._values, offset, energy_true), "m2")

    def _values(self, offsets: FloatArray, energies: FloatArray) -> FloatArray:
        return np.asarray(effective_area(self._at(offsets), energies)[0])


class EnergyDispersion(Response):
    """The density of reconstructed over true energy."""

    title = "Energy dispersion"

    def kernel(self, offset: Any, energy_true: Any, energy_edges: Any) -> FloatArray:
        """Return the probability of each bin of reconstructed energy at one offset, shape (energy_true, energy)."""
        true, edges = (u.Quantity(values, "TeV").value for values in (energy_true, energy_edges))
        return np.asarray(edisp_kernel(self._at(plain_quantity(offset, "deg").reshape(1)), true, edges)[0, 0])

    def to_edisp_kernel(
        self, offset: Any, energy_axis_true: MapAxis | None = None, energy_axis: MapAxis | None = None
    ) -> EDispKernel:
        """Return the kernel at one offset; bins that are not given are those of the true energies of the response."""
        true = MapAxis.of(self._axes["energy_true"] if energy_axis_true is None else energy_axis_true)
        reco = true.rename("energy") if energy_axis is None else energy_axis
        axes = MapAxes([true, reco])
        return EDispKernel(self.kernel(offset, axes[0].center, axes[1].edges), axes)

    def density(self, offset: Any) -> xr.DataArray:
        """Return the density in ``migra`` at one offset, dims (migra, energy_true)."""
        values = self._at(plain_quantity(offset, "deg").reshape(1)).values["edisp"][0, 0]
        coords = {name: self.data[name].variable for name in ("migra", "energy_true")}
        return xr.DataArray(values, coords, ("migra", "energy_true"), attrs={"units": ""})

    def _normalized(self, offset: float) -> FloatArray:
        """Return the density with an integral of 1 at each energy, which that of some files has not."""
        values = np.nan_to_num(self.density(offset).values)
        total = np.diff(self._axes["migra"].edges) @ values
        return np.asarray(np.divide(values, total, out=np.zeros_like(values), where=total > 0))

    def plot(self, ax: Axes | None = None, offset: Any = None, add_cbar: bool = True, **style: Any) -> Axes:
        """Draw the density at one offset, by default that of the first node."""
        at = float(self._offsets_or(offset, 1)[0])
        axes = self._axes
        return plot_responses.plot_migration(
            axes["energy_true"].edges, axes["migra"].edges, self._normalized(at), at, ax, add_cbar, **style
        )

    plot_bias = plot

    def plot_migration(self, ax: Axes | None = None, offset: Any = None, energy_true: Any = None, **style: Any) -> Axes:
        """Draw the density over the ratio of both energies, a line for each true energy, by default 0.1, 1, 10 TeV."""
        at, axis = float(self._offsets_or(offset, 1)[0]), self._axes["energy_true"]
        energies = self._energies_or(energy_true, "energy_true")
        lines = self._normalized(at)[:, axis.index(energies)].T
        return plot_responses.plot_densities(self._axes["migra"].center, lines, energies, at, ax, **style)

    def plot_matrix(self, ax: Axes | None = None, offset: Any = None, **style: Any) -> Axes:
        """Draw the probability of each reconstructed energy, with as many bins as the true one has."""
        at, edges = float(self._offsets_or(offset, 1)[0]), self._axes["energy_true"].edges
        kernel = self.kernel(at, self._energies("energy_true"), edges)
        known = np.nan_to_num(kernel)
        # At the ends all of the few simulated events may be in one bin.
        look = {"vmax": float(np.quantile(known.max(axis=1), 0.8)) or None, **style}
        return plot_spectrum.plot_edisp(edges, edges, known, ax, **look)

    def _panels(self) -> Sequence[Callable[[Axes], Axes]]:
        return [self.plot_bias, self.plot_migration, self.plot_matrix]


class PointSpread(Response):
    """The point spread function."""

    title = "Point spread function"

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
        return float(self._axes["rad"].edges[-1]) if "rad" in self._axes else 10.0

    def plot_containment_radius_vs_energy(
        self, ax: Axes | None = None, fraction: Sequence[float] = FRACTIONS, offset: Any = None, **style: Any
    ) -> Axes:
        """Draw the radii that hold fractions over true energy, a line for each offset, by default for two."""
        energy, offsets = self._energies("energy_true"), self._offsets_or(offset, 2)
        ax = plot_figures.normalize_axes(ax)
        for number, share in enumerate(np.atleast_1d(fraction)):
            label = f"{share:.0%} at {{offset:.2g}} deg"
            look = {"linestyle": ("-", "--", ":", "-.")[number % 4], "label": label, "yscale": "linear", **style}
            radii = self._radius(float(share), offsets, energy)
            plot_responses.plot_lines(energy, radii, offsets, "Containment radius", "deg", ax, **look)
        return ax

    def plot(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the radii that hold 68 and 95 % over true energy, a line for each of two offsets."""
        return self.plot_containment_radius_vs_energy(ax, **style)

    def plot_containment_radius(
        self, ax: Axes | None = None, fraction: float = FRACTIONS[0], add_cbar: bool = True, **style: Any
    ) -> Axes:
        """Draw the radius that holds a fraction as colours over true energy and offset."""
        energy, offset = self._axes["energy_true"], self._axes["offset"]
        radii = self._radius(fraction, offset.center, energy.center)
        quantity = f"Radius of {fraction:.0%}"
        look = {"vmin": 0.0, **style}
        return plot_responses.plot_plane(
            energy.edges, offset.edges, radii, quantity, "deg", ax, add_cbar=add_cbar, **look
        )

    def plot_psf_vs_rad(
        self, ax: Axes | None = None, offset: Any = None, energy_true: Any = None, **style: Any
    ) -> Axes:
        """Draw it over the distance from the source, by default at the first offset and 0.1, 1 and 10 TeV."""
        offsets, energies = self._offsets_or(offset, 1), self._energies_or(energy_true, "energy_true")
        widest = self._radius(FRACTIONS[-1], offsets, energies)
        if energy_true is None:
            # What is known of few simulated events is noise.
            is_known = np.isfinite(widest).all(axis=0)
            energies, widest = energies[is_known], widest[:, is_known]
        edges = np.linspace(0.0, float(np.nanmax(widest, initial=0.0)) or self._largest, RADII + 1)
        shares = np.stack([self._fraction(offsets, energies, np.full(len(offsets), one)) for one in edges[1:]], -1)
        solid = 2 * np.pi * np.diff(-np.cos(np.deg2rad(edges)))
        lines = np.diff(np.nan_to_num(shares), axis=-1, prepend=0.0) / solid
        labels = [f"{energy:.3g} TeV at {place:.2g} deg" for place in offsets for energy in energies]
        center = 0.5 * (edges[1:] + edges[:-1])
        flat = lines.reshape(-1, RADII)
        return plot_responses.plot_radial(center, flat, labels, self.title, "sr-1", ax, **style)

    def _panels(self) -> Sequence[Callable[[Axes], Axes]]:
        image = [self.plot_containment_radius] if self._axes["offset"].nbin > 1 else []
        return [self.plot_containment_radius_vs_energy, self.plot_psf_vs_rad, *image]


class BackgroundRate(OverOffset):
    """The rate of background events in the field of view."""

    title, unit, energy_name = "Background rate", "s-1 TeV-1 sr-1", "energy"

    def evaluate(self, energy: Any, **places: Any) -> u.Quantity:
        """Return the rate at energies (n,) and places (m,), ``offset`` or ``fov_lon`` and ``fov_lat``: shape (m, n)."""
        energies = np.atleast_1d(plain_quantity(energy, "TeV"))
        at = {name: np.atleast_1d(plain_quantity(value, "deg"))[np.newaxis] for name, value in places.items()}
        return u.Quantity(background_rate(self._table, _FIRST, at, energies)[0], "s-1 TeV-1 sr-1")

    def rate(self, offset: Any, energy: Any) -> u.Quantity:
        """Return the rate at offsets and energies that broadcast, in the field of view the mean over directions."""
        return u.Quantity(_outer(self._values, offset, energy), self.unit)

    def _values(self, offsets: FloatArray, energies: FloatArray) -> FloatArray:
        if "offset" in self._axes:
            return np.asarray(self.evaluate(energies, offset=offsets).value)
        angle = np.arange(AROUND) * (2 * np.pi / AROUND)
        lon, lat = offsets[:, np.newaxis] * np.cos(angle), offsets[:, np.newaxis] * np.sin(angle)
        rates = self.evaluate(energies, fov_lon=lon.ravel(), fov_lat=lat.ravel()).value
        return np.asarray(rates.reshape(len(offsets), AROUND, len(energies)).mean(axis=1))

    @property
    def _offset_edges(self) -> FloatArray:
        if "offset" in self._axes:
            return self._axes["offset"].edges
        return np.array([0.0, self._axes["fov_lon"].edges[-1]])

    def _offsets(self, count: int = 4) -> FloatArray:
        return np.asarray(self._offset_edges[-1] * np.arange(count) / count)

    def plot_at_energy(
        self, energy: Any = "1 TeV", add_cbar: bool = True, ncols: int = 3,
        figsize: tuple[float, float] | None = None, **style: Any,
    ) -> Figure:  # fmt: skip
        """Draw the field of view at each of some energies in a new figure, and return it."""
        energies = np.atleast_1d(plain_quantity(energy, "TeV"))
        columns = max(1, min(ncols, len(energies)))
        size = (PANEL[0] * columns, PANEL[1] * -(-len(energies) // columns))
        figure, axes = plot_figures.panels(len(energies), figsize or size, columns)
        for one, ax in zip(energies, axes, strict=True):
            self._draw_field(ax, float(one), add_cbar, **style)
        plot_figures.show_title(figure, self.title)
        return figure

    def _draw_field(self, ax: Axes, energy: float | None = None, add_cbar: bool = True, **style: Any) -> Axes:
        shown = self._energies_or(None, "energy")
        at = float(shown[np.abs(np.log(shown)).argmin()]) if energy is None else energy
        reach = self._offset_edges[-1]
        edges = np.linspace(-reach, reach, FIELD + 1)
        lon, lat = (part.ravel() for part in np.meshgrid(*[0.5 * (edges[1:] + edges[:-1])] * 2))
        places = {"offset": np.hypot(lon, lat)} if "offset" in self._axes else {"fov_lon": lon, "fov_lat": lat}
        rates = self.evaluate(at, **places).value.reshape(FIELD, FIELD)
        quantity = f"Rate at {at:.3g} TeV"
        return plot_responses.plot_field(edges, rates, quantity, self.unit, ax, add_cbar, **style)

    def plot_spectrum(self, ax: Axes | None = None, **style: Any) -> Axes:
        """Draw the rate of the whole field of view over energy."""
        edges = np.deg2rad(np.linspace(max(self._offset_edges[0], 0.0), self._offset_edges[-1], FIELD + 1))
        rings = 2 * np.pi * np.diff(-np.cos(edges))
        energies = self._energies("energy")
        rates = rings @ self._values(np.rad2deg(0.5 * (edges[1:] + edges[:-1])), energies)
        reach = np.array([self._offset_edges[-1]])
        look = {"label": "Within {offset:.2g} deg", "energy_name": self._shows, **style}
        return plot_responses.plot_lines(energies, rates[np.newaxis], reach, "Rate", "s-1 TeV-1", ax, **look)

    def _panels(self) -> Sequence[Callable[[Axes], Axes]]:
        return [self.plot_energy_dependence, self.plot_offset_dependence, self._draw_field, self.plot_spectrum]


class RadMax(OverOffset):
    """The radius of the on-region that point-like responses hold for."""

    title, unit, energy_name, yscale = "Radius of the on-region", "deg", "energy", "linear"

    def _values(self, offsets: FloatArray, energies: FloatArray) -> FloatArray:
        # Radii are those of bins.
        bins = np.clip(self._axes["energy"].index(energies), 0, self._axes["energy"].nbin - 1)
        return np.asarray(self._at(offsets).values["rad_max"][0][:, bins])

    plot_rad_max_vs_energy = OverOffset.plot_energy_dependence


RESPONSES: Mapping[str, type[Response]] = {
    "aeff": EffectiveArea,
    "edisp": EnergyDispersion,
    "psf": PointSpread,
    "bkg": BackgroundRate,
    "rad_max": RadMax,
}
"""The view of each role."""


def _outer(function: Callable[[FloatArray, FloatArray], FloatArray], offset: Any, energy: Any) -> FloatArray:
    """Return a function of offsets (n,) and energies (m,), shape (n, m), at pairs that broadcast."""
    offsets, energies = np.broadcast_arrays(plain_quantity(offset, "deg"), plain_quantity(energy, "TeV"))
    places, place = np.unique(offsets, return_inverse=True)
    nodes, node = np.unique(energies, return_inverse=True)
    return np.asarray(function(places, nodes)[place.reshape(offsets.shape), node.reshape(offsets.shape)])
