"""The responses of a window of the sky at any position: views of what its members know at nodes of offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import astropy
import numpy as np
import xarray as xr
from astropy import units as u

from xgamma.axes import Axis, FloatArray
from xgamma.datasets.edisp_kernel import EDispKernel, plain_quantity
from xgamma.datasets.maps.axes import MapAxes
from xgamma.datasets.maps.axis import MapAxis
from xgamma.datasets.responses import SHOWN_AT
from xgamma.description import Described, Description, facts
from xgamma.digits import some
from xgamma.errors import ConfigError
from xgamma.plot import figures as plot_figures
from xgamma.plot import responses as plot_responses
from xgamma.reduce.grids import rad_axis
from xgamma.reduce.nodes import responses_at
from xgamma.reduce.point_spread import CONTAINMENT, kernel_radius, pixel_kernel, radius_of_share, share_within

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FRACTIONS = (0.68, 0.95)


@dataclass(frozen=True, eq=False)
class ResponseMap(Described):
    """What a row knows of its responses.

    Parameters
    ----------
    data
        A DL4 Dataset with one row, a window of the sky.
    center
        ICRS longitude and latitude of its middle, where positions that are not given lie.
    """

    data: xr.Dataset
    center: tuple[float, float]

    @property
    def energy_axis_true(self) -> MapAxis:
        """The axis of true energy."""
        return MapAxis.of(self._true)

    @property
    def _true(self) -> Axis:
        return Axis.from_coords(self.data.coords, "energy_true")

    def __repr__(self) -> str:
        axis, of = self._true, some(self.data.sizes["member"], "run")
        bins = f"{axis.nbin} true energies, {axis.edges[0]:g} to {axis.edges[-1]:g}"
        return f"<{type(self).__name__} of {self.data['dataset'].values[0]}: {bins} TeV, {of}>"

    def _description(self) -> Description:
        lon, lat = self.center
        rows = [
            ("Dataset", str(self.data["dataset"].values[0])),
            ("True energy", self._true.words),
            ("Made of", some(self.data.sizes["member"], "run")),
            ("Centre", f"{lon:.4f}, {lat:.4f} deg (icrs)"),
        ]
        return Description(type(self).__name__, facts(rows))

    def _show_title(self, figure: Figure, what: str) -> None:
        plot_figures.show_title(
            figure, what, str(self.data["dataset"].values[0]), some(self.data.sizes["member"], "run")
        )

    def _place(self, position: Any) -> tuple[float, float]:
        if position is None:
            return self.center
        if not isinstance(position, astropy.coordinates.SkyCoord) or not position.isscalar:
            raise ConfigError(f"position: expected one position as a SkyCoord, got {position!r}.")
        return float(position.icrs.ra.deg), float(position.icrs.dec.deg)


@dataclass(frozen=True, eq=False)
class PSFKernel:
    """A point spread function in pixels, shape (energy_true, y, x); of each energy it sums to 1."""

    data: FloatArray
    energy_axis_true: MapAxis

    def plot_kernel(self, ax: Axes | None = None, energy: Any = None, add_cbar: bool = False, **style: Any) -> Axes:
        """Draw the share of each pixel at one true energy, or the mean over all of them."""
        if energy is None:
            shown = self.data.mean(axis=0)
        else:
            [number] = self.energy_axis_true.coord_to_idx(energy)
            shown = self.data[number]
        return plot_responses.plot_pixels(shown, "Share", ax, add_cbar, **style)

    def peek(self, figsize: tuple[float, float] = (6, 5)) -> Figure:
        """Draw the mean over all energies in a new figure, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize)
        self.plot_kernel(ax, add_cbar=True)
        plot_figures.show_title(figure, "Point spread function in pixels")
        return figure


class PSFMap(ResponseMap):
    """The point spread function of a row: the mean over its members, weighted with their exposure."""

    @property
    def rad_axis(self) -> MapAxis:
        """The axis of distances from the source."""
        return MapAxis.of(self._rad)

    @property
    def _rad(self) -> Axis:
        return rad_axis(self.data)

    def at(self, position: Any = None) -> xr.DataArray:
        """Return the function at a position in sr-1, dims (energy_true, rad); its integral over ``rad`` is 1."""
        lon, lat = self._place(position)
        found = responses_at(self.data, 0, lon, lat).psf
        assert found is not None
        coords = {"energy_true": self._true.center, "rad": self._rad.center}
        return xr.DataArray(found[0], coords, ("energy_true", "rad"), attrs={"units": "sr-1"})

    def _at_energies(self, position: Any, energy_true: Any) -> FloatArray:
        """Return the function at energies, linear in their logarithm between the bins, shape (..., rad)."""
        nodes, values = np.log(self._true.center), self.at(position).values
        wanted = np.log(plain_quantity(energy_true, "TeV"))
        lower = np.clip(np.searchsorted(nodes, wanted) - 1, 0, max(len(nodes) - 2, 0))
        if len(nodes) < 2:
            return np.broadcast_to(values[0], (*wanted.shape, values.shape[1]))
        part = np.clip((wanted - nodes[lower]) / (nodes[lower + 1] - nodes[lower]), 0.0, 1.0)[..., np.newaxis]
        return np.asarray((1 - part) * values[lower] + part * values[lower + 1])

    def containment(self, rad: Any, energy_true: Any, position: Any = None) -> FloatArray:
        """Return the share within a radius, in the shape of the energies."""
        return share_within(self._at_energies(position, energy_true), self._rad, float(plain_quantity(rad, "deg")))

    def containment_radius(self, fraction: float, energy_true: Any, position: Any = None) -> u.Quantity:
        """Return the radius that holds a fraction, in the shape of the energies; NaN where nothing is known.

        Raises ``ConfigError`` for a fraction that is not between 0 and 1.
        """
        if not 0 < fraction < 1:
            raise ConfigError(f"containment_radius: expected a fraction between 0 and 1, got {fraction!r}.")
        return u.Quantity(radius_of_share(self._at_energies(position, energy_true), self._rad, fraction), "deg")

    def get_psf_kernel(
        self, geom: Any, position: Any = None, max_radius: Any = None, containment: float = CONTAINMENT
    ) -> PSFKernel:
        """Return the function at a position as pixels of a geometry, by default that of the middle of the map.

        It reaches to ``max_radius``, by default to where the widest of all energies holds ``containment``, and is 0
        beyond; of each energy it sums to 1.
        """
        psf = self.at(position).values
        radius = kernel_radius(psf, self._rad, containment) if max_radius is None else plain_quantity(max_radius, "deg")
        space = geom.space
        pixel = (space.aspect * space.binsize, space.binsize)
        return PSFKernel(pixel_kernel(psf, self._rad, pixel, float(radius)), self.energy_axis_true)

    def plot_containment_radius_vs_energy(
        self, ax: Axes | None = None, fraction: tuple[float, ...] = FRACTIONS, position: Any = None, **style: Any
    ) -> Axes:
        """Draw the radii that hold fractions over true energy."""
        energy, psf = self._true.center, self.at(position).values
        radii = np.stack([radius_of_share(psf, self._rad, share) for share in fraction])
        return plot_responses.plot_lines(
            energy, radii, np.array(fraction), "Containment radius", "deg", ax, "{offset:.0%}", "linear", **style
        )

    def plot_psf_vs_rad(
        self, ax: Axes | None = None, energy_true: Any = None, position: Any = None, **style: Any
    ) -> Axes:
        """Draw the function over the distance from the source, a line for each energy, by default 0.1, 1 and 10 TeV."""
        edges = self._true.edges
        known = [energy for energy in SHOWN_AT if edges[0] < energy < edges[-1]] or [
            float(np.sqrt(edges[0] * edges[-1]))
        ]
        energies = np.atleast_1d(plain_quantity(known if energy_true is None else energy_true, "TeV"))
        labels = [f"{energy:.3g} TeV" for energy in energies]
        lines = self._at_energies(position, energies)
        quantity = "Point spread function"
        return plot_responses.plot_radial(self._rad.center, lines, labels, quantity, "sr-1", ax, **style)

    def peek(self, figsize: tuple[float, float] = (12, 4)) -> Figure:
        """Draw the containment radii and the function at some energies in a new figure, and return it."""
        figure, (ax_radius, ax_psf) = plot_figures.panels(2, figsize, columns=2)
        self.plot_containment_radius_vs_energy(ax_radius)
        self.plot_psf_vs_rad(ax_psf)
        self._show_title(figure, "Point spread function")
        return figure


class EDispKernelMap(ResponseMap):
    """The energy dispersion of a row: the mean over its members, weighted with their exposure."""

    @property
    def energy_axis(self) -> MapAxis:
        """The axis of reconstructed energy."""
        return MapAxis.of(Axis.from_coords(self.data.coords, "energy"))

    def get_edisp_kernel(self, position: Any = None, energy_axis: Any = None) -> EDispKernel:
        """Return the dispersion at a position, by default in the middle of the map.

        Raises ``ConfigError`` for an ``energy_axis`` that is not that of the dataset.
        """
        if energy_axis is not None and not MapAxis.of(energy_axis).plain.is_close(self.energy_axis.plain):
            raise ConfigError(
                f"get_edisp_kernel: expected the energies of the dataset, {self.energy_axis!r}, got {energy_axis!r}; "
                "dataset.resample_energy_axis makes wider bins."
            )
        lon, lat = self._place(position)
        found = responses_at(self.data, 0, lon, lat).edisp
        assert found is not None
        return EDispKernel(found[0], MapAxes([self.energy_axis_true, self.energy_axis]))

    def peek(self, figsize: tuple[float, float] = (6, 5)) -> Figure:
        """Draw the dispersion in the middle of the map in a new figure, and return it."""
        figure, [ax] = plot_figures.panels(1, figsize, columns=1)
        self.get_edisp_kernel().plot_matrix(ax)
        self._show_title(figure, "Energy dispersion")
        return figure
