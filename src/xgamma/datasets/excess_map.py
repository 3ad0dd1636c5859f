"""``ExcessMap``: the view of a DL5 Dataset of an excess map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import astropy
import numpy as np
import xarray as xr
from astropy import units as u

from xgamma.axes import Axis, BoolArray, FloatArray
from xgamma.datasets import files, maps, text
from xgamma.datasets.sed_table import ERRORS
from xgamma.datasets.titles import significance_text
from xgamma.description import Described, Description, facts
from xgamma.errors import ConfigError, ConfigTypeError, DataError, UnknownNameError, did_you_mean
from xgamma.estimate import SignificanceDistribution, significance_distribution
from xgamma.formats.local_files import local_path
from xgamma.formats.sed.kinds import LIKELIHOOD, QUANTITIES
from xgamma.formats.sky_maps import flux_maps
from xgamma.masks import Exclusion
from xgamma.models.spectral import model as spectra
from xgamma.plot import figures as plot_figures
from xgamma.plot import significance as plot_significance
from xgamma.schema.excess_map import DIMS, image_of
from xgamma.tables import maps as map_tables

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from xgamma.datasets.maps import Map, WcsGeom
    from xgamma.models import SpectralModel


SUFFIXES = ("", *ERRORS, "_sensitivity")
# As Gammapy calls what has another name here.
OTHER_NAMES = {"npred_background": "background", "excess": "npred_excess", "acceptance_on": "acceptance"}
SHOWN = "sqrt_ts"


class ExcessMap(Described):
    """Maps of the excess within a circle about each pixel: counts, background, significance, fluxes.

    Each is an attribute, and an entry by its name: ``sqrt_ts``, ``ts``, ``counts``, ``background``, ``npred_excess``,
    ``npred``; ``norm``, ``flux``, ``dnde``, ``eflux``, ``e2dnde``, with ``_err``, and as far as they were asked for
    ``_errn``, ``_errp``, ``_ul``, ``_sensitivity``; the same of ``npred_excess``; with off counts ``counts_off`` and
    ``alpha``.

    Parameters
    ----------
    data
        A DL5 Dataset with the dims ``energy, y, x``: see ``xgamma.estimate.excess_map``.
    known
        What titles say of the dataset, such as its source, telescope and live time; by default what ``data`` say.

    Raises
    ------
    DataError
        When ``data`` is no excess map.

    Examples
    --------
    >>> excess["sqrt_ts"].data.max()  # doctest: +SKIP
    >>> excess.flux_ul.get_by_coord({"skycoord": position})  # doctest: +SKIP
    """

    def __init__(self, data: xr.Dataset, known: Sequence[str] = ()) -> None:
        missing = next((name for name in (*DIMS, SHOWN) if name not in (*data.dims, *data)), None)
        if missing is not None:
            raise DataError(
                f"An excess map has the dims {', '.join(DIMS)} and {SHOWN!r}; this Dataset has no {missing}."
            )
        self.data = data
        self._known = tuple(known) or (self.name, str(data.attrs.get("telescope", "")))

    # --- maps

    def __getattr__(self, name: str) -> Map:
        if not name.startswith("_") and self.has(name):
            return self[name]
        kind = type(self).__name__
        raise AttributeError(f"{kind} has no {name!r} here.{did_you_mean(name, self.available_quantities)}")

    def __getitem__(self, name: str) -> Map:
        array, unit = self._values(name)
        return maps.Map(self.geom, array, unit, name=name)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.available_quantities]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.has(name)

    def has(self, name: str) -> bool:
        """Whether there is such a map, such as ``flux_ul``."""
        kind, suffix = _parts(name)
        if kind == "npred_excess" and suffix:
            return f"norm{suffix}" in self.data
        if kind in QUANTITIES:
            return f"norm{suffix}" in self.data and (f"ref_{kind}" in self.data)
        return name == "npred" or OTHER_NAMES.get(name, name) in self._planes

    @property
    def _planes(self) -> list[str]:
        return [str(name) for name in self.data.data_vars if self.data[name].dims == DIMS]

    @property
    def available_quantities(self) -> list[str]:
        """The names of all maps."""
        fluxes = [f"{kind}{suffix}" for kind in ("npred_excess", *QUANTITIES) for suffix in SUFFIXES]
        return list(dict.fromkeys([*self._planes, "npred", *(name for name in fluxes if self.has(name))]))

    def _values(self, name: str) -> tuple[FloatArray, str]:
        """Return the values of a map and their unit; raises ``UnknownNameError``."""
        if not self.has(name):
            raise UnknownNameError(f"There is no map {name!r} here.{did_you_mean(name, self.available_quantities)}")
        kind, suffix = _parts(name)
        if name == "npred":
            return np.asarray(self.data["background"].values + self.data["npred_excess"].values), ""
        if kind == "npred_excess" and suffix:
            # Without an exposure norms are counts.
            reference = self.data["npred_excess_ref"].values if "npred_excess_ref" in self.data else 1.0
            return np.asarray(self.data[f"norm{suffix}"].values * reference), ""
        if kind in QUANTITIES:
            reference = self.data[f"ref_{kind}"].values[:, np.newaxis, np.newaxis]
            return np.asarray(self.data[f"norm{suffix}"].values * reference), QUANTITIES[kind]
        own = self.data[OTHER_NAMES.get(name, name)]
        return np.asarray(own.values), str(own.attrs.get("units", ""))

    # --- what they are of

    @property
    def name(self) -> str:
        """The name of the dataset that the maps are of."""
        return str(self.data.attrs.get("dataset", ""))

    @property
    def energy_axis(self) -> Axis:
        """The energies of the planes, in TeV; ``geom.axes["energy"]`` is the same with its unit."""
        return Axis.from_coords(self.data.coords, "energy")

    @property
    def geom(self) -> WcsGeom:
        """The pixels and energies."""
        return maps.WcsGeom(image_of(self.data), maps.MapAxes([self.energy_axis]))

    @property
    def energy_ref(self) -> u.Quantity:
        """Reference energies, the geometric means of the edges."""
        return u.Quantity(self.data["energy"].values, "TeV")

    @property
    def energy_min(self) -> u.Quantity:
        """Lower edges."""
        return u.Quantity(self.data["energy_bounds"].values[:, 0], "TeV")

    @property
    def energy_max(self) -> u.Quantity:
        """Upper edges."""
        return u.Quantity(self.data["energy_bounds"].values[:, 1], "TeV")

    @property
    def n_sigma(self) -> float:
        """How many standard deviations the errors are."""
        return float(self.data.attrs["n_sigma"])

    @property
    def n_sigma_ul(self) -> float:
        """How many standard deviations the limits are."""
        return float(self.data.attrs["n_sigma_ul"])

    @property
    def correlation_radius(self) -> u.Quantity:
        """The radius of the circle."""
        return u.Quantity(float(self.data.attrs["correlation_radius"]), "deg")

    @property
    def reference_spectral_model(self) -> SpectralModel | None:
        """The spectrum that norms are multiples of; ``None`` where they are counts."""
        document = self.data.attrs.get("spectrum")
        return None if document is None else spectra.read_spectral(document, {})

    # --- what they say

    def significance_distribution(self, exclusion: Any = None, plane: int = 0) -> SignificanceDistribution:
        """Return how the significances of a plane are distributed, and the normal distribution outside of an exclusion.

        Parameters
        ----------
        exclusion
            A mask that is true where nothing is excluded, as ``Map`` of any geometry or as array; or what a reduction
            excludes (``recipe.exclusion``). ``None`` excludes nothing.
        plane
            The number of the plane of energy.
        """
        values = self.data[SHOWN].values[plane]
        pixels = int(self.data.attrs.get("kernel_pixels", 1))
        return significance_distribution(values, self._usable(exclusion), pixels)

    def _usable(self, exclusion: Any) -> BoolArray:
        shape = image_of(self.data).shape
        if exclusion is None:
            return np.ones(shape, dtype=bool)
        if isinstance(exclusion, maps.Map):
            return np.asarray(exclusion.get_by_coord(self.geom.to_image().get_coord()) > 0).reshape(shape)
        if isinstance(exclusion, np.ndarray) and exclusion.shape == shape:
            return exclusion.astype(bool)
        if hasattr(exclusion, "is_usable"):
            return _of_exclusion(exclusion, self.data)
        raise ConfigTypeError(
            f"exclusion: expected a mask as Map, or as array of the shape {shape}, got a {type(exclusion).__name__}."
        )

    def hottest(self, number: int = 10) -> Table:
        """Return the pixels with the largest significances, each farther than two radii from those before it.

        Columns ``lon``, ``lat`` (ICRS, deg), ``e_min``, ``e_max`` (TeV), ``sqrt_ts``, ``npred_excess``, ``counts``,
        ``background``, and ``flux`` where there is one.
        """
        names = [name for name in (SHOWN, "npred_excess", "counts", "background", "flux") if self.has(name)]
        peaks = map_tables.hottest_pixels(self.data, number)
        space = image_of(self.data)
        plane, y, x = (np.array([peak[place] for peak in peaks], dtype=int) for place in range(3))
        lon, lat = space.sky_of(x, y)
        columns: dict[str, Any] = {"lon": u.Quantity(lon, "deg"), "lat": u.Quantity(lat, "deg")}
        columns |= {"e_min": self.energy_min[plane], "e_max": self.energy_max[plane]}
        for name in names:
            values, unit = self._values(name)
            columns[name] = u.Quantity(values[plane, y, x], unit) if unit else values[plane, y, x]
        return astropy.table.Table(columns)

    # --- pictures

    def plot(self, name: str = SHOWN, ax: Axes | None = None, plane: int = 0, **style: Any) -> Axes:
        """Draw a plane of one of the maps; ``style`` is that of ``Map.plot``, by default with a bar and the circle."""
        image = self[name].slice_by_idx({"energy": plane})
        circle = {"beam": self.correlation_radius} if "correlation_radius" in self.data.attrs else {}
        return image.plot(ax=ax, **{"add_cbar": True, **circle, **style})

    def plot_grid(self, name: str = SHOWN, **style: Any) -> list[Axes]:
        """Draw all planes of one of the maps in a new figure; see ``Map.plot_grid``."""
        return self[name].plot_grid(**style)

    def facts(self) -> tuple[str, ...]:
        """Return what titles say: source, telescope, live time, as far as they are known, largest significance."""
        significance = self.data[SHOWN].values
        known = significance[np.isfinite(significance)]
        return (*self._known, f"up to {significance_text(float(known.max()))}" if known.size else "")

    def peek(self, figsize: tuple[float, float] = (10, 8), plane: int = 0) -> Figure:
        """Draw excess, background, significance and its distribution of a plane in a new figure, and return it."""
        shown = [name for name in ("npred_excess", "background", SHOWN) if self.has(name)]
        figure = plot_figures.new_figure(figsize)
        for number, name in enumerate(shown):
            ax = plot_figures.add_axes(figure, (2, 2, number + 1), projection=self.geom.wcs)
            self.plot(name, ax, plane)
        self.plot_distribution(None, plot_figures.add_axes(figure, (2, 2, len(shown) + 1)), plane)
        plot_figures.show_title(figure, *self.facts())
        return figure

    def plot_distribution(self, exclusion: Any = None, ax: Axes | None = None, plane: int = 0, **style: Any) -> Axes:
        """Draw how the significances of a plane are distributed; see ``significance_distribution``."""
        found = self.significance_distribution(exclusion, plane)
        normal, errors = (found.mean, found.std), (found.mean_error, found.std_error)
        return plot_significance.plot_distribution(
            found.edges, found.counts, found.counts_outside, normal, errors, ax, **style
        )

    # --- files

    def write(self, filename: str | PathLike[str], sed_type: str = LIKELIHOOD, overwrite: bool = False) -> None:
        """Write all maps to ``.fits``, ``.fits.gz`` (as Gammapy reads them) or ``.zarr``; they are read back identical.

        Parameters
        ----------
        filename
            Whose ending says which.
        sed_type
            As what norms are written to FITS: ``likelihood``, ``dnde``, ``flux``, ``eflux`` or ``e2dnde``.
        overwrite
            Whether a file that exists is replaced.

        Raises
        ------
        ConfigError
            For another ending.
        OutputExistsError, OutputError
            When the file exists and ``overwrite`` is false, or the folder cannot be written.
        """
        path = local_path(filename)
        if path.suffix != ".zarr":
            flux_maps.write_flux_maps(self.data, path, sed_type, overwrite=overwrite)
            return
        if sed_type != LIKELIHOOD:
            raise ConfigError(f"{path.name}: Zarr holds norms beside their reference; write sed_type='likelihood'.")
        files.write_zarr([self.data], path, overwrite)

    @classmethod
    def read(cls, filename: str | PathLike[str]) -> Self:
        """Read the maps of a file of xgamma or Gammapy; raises ``MissingInputError``, ``InputError``."""
        path = local_path(filename)
        if path.suffix != ".zarr":
            return cls(flux_maps.read_flux_maps(path))
        [data] = files.read_zarr(path)
        return cls(data)

    # --- words

    def paragraphs(self) -> list[text.Paragraph]:
        """Return what is printed: lists of (label, text)."""
        attrs, significance = self.data.attrs, self.data[SHOWN].values
        known = np.isfinite(significance)
        most = f"{significance[known].max():.2f}" if known.any() else "none"
        low, high = self.data["energy_bounds"].values[[0, -1], [0, 1]]
        ny, nx = image_of(self.data).shape
        return [
            [("Dataset", self.name)],
            [
                ("Pixels", f"{nx} x {ny}, {int(known.any(axis=0).sum())} with a significance"),
                ("Planes of energy", f"{self.data.sizes['energy']}, {low:.3g} - {high:.3g} TeV"),
                ("Correlation radius", f"{attrs.get('correlation_radius', np.nan):.4g} deg"),
                ("Pixels of the circle", f"{attrs.get('kernel_pixels', '')}"),
                ("Largest significance", most),
            ],
            [("Maps", ", ".join(self._planes))],
        ]

    def _description(self) -> Description:
        return Description(type(self).__name__, facts(*self.paragraphs()))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}, {' x '.join(map(str, self.data[SHOWN].shape))}>"


def _parts(name: str) -> tuple[str, str]:
    """Return the kind of a quantity and its suffix, such as ``flux`` and ``_ul``."""
    for suffix in SUFFIXES[1:]:
        if name.endswith(suffix):
            return name.removesuffix(suffix), suffix
    return name, ""


def _of_exclusion(exclusion: Exclusion, data: xr.Dataset) -> BoolArray:
    space = image_of(data)
    lon, lat = space.positions()
    on_sky = np.isfinite(lon)
    usable = np.zeros(lon.shape, dtype=bool)
    usable[on_sky] = exclusion.is_usable(lon[on_sky], lat[on_sky], outside=True)
    return usable.reshape(space.shape)


def plot_distribution(
    wcs_map: Map,
    mask: Map | None = None,
    ax: Axes | Sequence[Axes] | None = None,
    ncols: int = 3,
    func: Callable[..., Any] | str | None = None,
    kwargs_hist: Mapping[str, Any] | None = None,
    kwargs_axes: Mapping[str, Any] | None = None,
    kwargs_fit: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Draw a histogram of the values of each plane of a map, with a function that is fitted to its bins.

    ``ExcessMap.plot_distribution`` draws what is published: all pixels, those outside of an exclusion, and the normal
    distribution of greatest likelihood, which does not depend on bins.

    Parameters
    ----------
    wcs_map, mask
        A map, and an image that is true where its values count; those that are not finite do not.
    ax, ncols, func, kwargs_hist, kwargs_axes, kwargs_fit
        As in ``xgamma.plot.significance.plot_histograms``; ``norm`` goes with ``density=True`` in ``kwargs_hist``.

    Returns
    -------
    tuple
        An array of the Axes; for each fit a dict of its ``param``, their ``covar`` and the ``axis_edges`` of the plane.

    Raises
    ------
    ConfigTypeError, DataError
        For what is no map, and for a mask of other pixels.
    """
    if not isinstance(wcs_map, maps.Map):
        raise ConfigTypeError(f"plot_distribution: expected a Map, got a {type(wcs_map).__name__}.")
    values = np.asarray(wcs_map.data, dtype=float).reshape(-1, *wcs_map.geom.data_shape[-2:])
    if mask is not None:
        if mask.geom.data_shape[-2:] != values.shape[1:]:
            raise DataError(
                f"plot_distribution: expected a mask of the shape {values.shape[1:]}, got {mask.geom.data_shape[-2:]}."
            )
        kept = np.asarray(mask.data, dtype=bool).reshape(-1, *values.shape[1:])
        values = np.where(kept, values, np.nan)
    axes, results = plot_significance.plot_histograms(
        list(values), wcs_map.plane_titles(), ax, ncols, func, kwargs_hist, kwargs_axes, kwargs_fit
    )
    if len(wcs_map.geom.axes) == 1:
        [axis] = wcs_map.geom.axes
        for number, result in enumerate(results):
            result["axis_edges"] = tuple(axis.edges[number : number + 2])
    return np.array(axes, dtype=object), results
