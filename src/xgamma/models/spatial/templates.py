"""Maps as morphologies: one image or one for each energy, and maps with axes that are parameters."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import astropy
import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.formats.local_files import local_path
from xgamma.formats.sky_maps.files import read_map, write_map
from xgamma.formats.sky_maps.sky_map import SkyMap
from xgamma.geometry import from_field, to_field, to_frame
from xgamma.models.component import parameter_entries
from xgamma.models.parameters import Parameter
from xgamma.models.spatial.model import SpatialModel
from xgamma.models.spatial.outlines import rectangle_region
from xgamma.models.spatial.table import SkyTable
from xgamma.models.tabulated import Tabulated, table_bytes
from xgamma.shapes import Rectangle, Shape
from xgamma.shapes.shape import LARGEST_REACH
from xgamma.units import unit_string

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord


log = logging.getLogger(__name__)
INTERPOLATIONS = ("lin", "log")


class MapModel(Tabulated, SpatialModel):
    """A model whose values are in a file or were given; the file is opened when they are first needed."""

    takes_any_parameter: ClassVar[bool] = True
    view: ClassVar[Callable[[SkyTable], Any] | None] = None
    """Makes a map of a table; maps are on a floor above and put it here."""

    _given: SkyTable | None = None

    @cached_property
    def table(self) -> SkyTable:
        """The values; the file is opened for it. Raises as `xgamma.formats.sky_maps.files.read_map`, and what it is."""
        if self._given is None and not self.filename:
            raise ConfigError(f"{self.tag[0]}: expected a map or the name of its file, got none.")
        table = SkyTable.read(self.filename, self.tag[0]) if self._given is None else self._given
        if table.remark:
            log.warning("%s: %s.", self._owner, table.remark)
        return self._prepared(table)

    def _prepared(self, table: SkyTable) -> SkyTable:
        return table.in_unit(self._owner)

    @property
    def map(self) -> Any:
        """The values as a ``Map``."""
        if MapModel.view is None:
            raise ConfigError("map: maps are not loaded; import xgamma.maps, or use model.table.")
        return MapModel.view(self.table)

    @property
    def interp(self) -> str:
        """How values are interpolated between pixels, and between nodes of parameters.

        ``lin`` for lines, by default, which preserve sums over pixels; ``log`` for lines of logarithms, as in Gammapy.
        """
        chosen = self.rest.get("interp", "lin")
        if chosen not in INTERPOLATIONS:
            raise ConfigError(f"{self._owner}.interp: expected 'lin' or 'log', got {chosen!r}.")
        zero = int((self.table.values <= 0).sum()) if chosen == "log" else 0
        if zero:
            raise ConfigError(f"{self._owner}.interp: {zero} of its values are 0 and have no logarithm; say 'lin'.")
        return str(chosen)

    @cached_property
    def _is_log(self) -> bool:
        return self.interp == "log"

    @property
    def is_energy_dependent(self) -> bool:
        """Whether the map has an axis of energy."""
        return self.table.energy is not None

    @property
    def density_unit(self) -> u.UnitBase:
        """sr-1, or cm-2 s-1 TeV-1 sr-1."""
        return self.table.unit

    @property
    def _is_missing(self) -> bool:
        return self._given is None and not (self.filename and local_path(self.filename).is_file())

    def tables(self) -> list[bytes]:
        """Return values, axes and image of the map, for which the file is opened; nothing where it is missing."""
        # A spectrum needs no map, and is fitted without it.
        if self._is_missing:
            return []
        table = self.table
        about = repr((table.space, str(table.unit))).encode()
        return [*table_bytes(table.values, *(axis.edges for axis in table.axes)), about]

    def origins(self) -> list[str]:
        """Return the file and the digest of its map; spectra need none, so that it may be missing."""
        if self._is_missing:
            return [f"map: {self.filename or 'no file'}, not found"]
        digest = hashlib.sha256(b"".join(self.tables())).hexdigest()[:12]
        return [f"map: {Path(self.filename).name or 'no file'}, values {digest}"]

    def remark(self) -> str:
        """Return what of the map was left out, as a part of a sentence; mostly empty."""
        return self.table.remark

    # --- values

    def _density(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> FloatArray:
        x, y = self._on_map(lon, lat, values)
        planes = self.table.at_parameters(self._places(values), self._is_log)
        return self.table.at(x, y, planes, self._is_log)

    def _density_at(self, lon: FloatArray, lat: FloatArray, energy: FloatArray, values: Sequence[float]) -> FloatArray:
        x, y = np.broadcast_arrays(lon, lat)
        planes = self._density(x, y, values)
        axis = self.table.energy
        assert axis is not None
        given, (first, last) = energy * u.TeV.to(axis.unit), axis.edges[[0, -1]].tolist()
        beyond = energy[(given < first * (1 - 1e-9)) | (given > last * (1 + 1e-9))]
        if beyond.size:
            _say_beyond(self._owner, float(beyond.min()), float(beyond.max()), f"{first:.3g} to {last:.3g} {axis.unit}")
        return self.table.at_energies(planes, energy)

    def _on_map(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> tuple[FloatArray, FloatArray]:
        """Return the ICRS positions of the map that show at positions of the model."""
        return to_frame(lon, lat, self.frame, "icrs")

    def _places(self, values: Sequence[float]) -> list[float]:
        """Return the values of the axes that are parameters, in the unit of each."""
        return []

    # --- where, how far, how fine

    @property
    def map_center(self) -> SkyCoord:
        """The position of the middle of the map."""
        return astropy.coordinates.SkyCoord(*self._map_center(), unit="deg", frame=self.frame)

    def _map_center(self) -> tuple[float, float]:
        space = self.table.space
        middle = (np.array(0.5 * (n - 1)) for n in space.npix)
        lon, lat = to_frame(*space.sky_of(*middle), "icrs", self.frame)
        return float(lon), float(lat)

    def center(self, values: Sequence[float] | None = None) -> tuple[float, float] | None:
        """Return the middle of the map."""
        return self._map_center()

    def is_round(self, values: Sequence[float] | None = None) -> bool:
        """No map is taken to be round."""
        return False

    @property
    def _sides(self) -> tuple[float, float]:
        space = self.table.space
        return space.npix[0] * abs(space.aspect) * space.binsize, space.npix[1] * space.binsize

    def reach(self, values: Sequence[float] | None = None) -> float:
        """Return half of the diagonal of the map: its corners are looked at in any frame."""
        return min(0.5 * float(np.hypot(*self._sides)), 180.0)

    def resolution(self, values: Sequence[float] | None = None) -> float:
        """Return the size of a pixel."""
        space = self.table.space
        return space.binsize * min(1.0, abs(space.aspect))

    def outline(self, size_factor: float = 1.0) -> Shape | None:
        """Return the rectangle of the map, which has no other size; ``None`` for more than a quarter of the sky."""
        if 0.5 * float(np.hypot(*self._sides)) > LARGEST_REACH:
            return None
        space = self.table.space
        lon, lat = to_frame(*self._map_center(), self.frame, space.frame)
        return Rectangle(float(lon), float(lat), *self._sides, 0.0, space.frame)

    def to_region(self, size_factor: float = 1.0, **kwargs: Any) -> Any:
        """Return the rectangle of the map as a region of the package `regions`; it has no other size."""
        space = self.table.space
        center = (
            astropy.coordinates.SkyCoord(*self._map_center(), unit="deg", frame=self.frame)
            .transform_to(space.frame)
            .spherical
        )
        return rectangle_region((center.lon.deg, center.lat.deg), space.frame, *self._sides, **kwargs)

    # --- documents and files

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, frame, parameters, file name and what else was read; the map has to be in a file."""
        if self._given is not None and not self.filename:
            raise ConfigError(f"{self.tag[0]}: the map is in no file; write it with model.write('map.fits') first.")
        return super().document(full_output, labels)

    def write(self, filename: str | Path = "", overwrite: bool = False) -> None:
        """Write the map to a FITS file, by default that of ``filename``, which the document names from then on.

        Raises ``ConfigError`` without a name, ``OutputExistsError``, ``OutputError``.
        """
        target = filename or self.filename
        if not target:
            raise ConfigError(f"{self.tag[0]}.write: expected the name of a file, got none.")
        table = self.table
        named = SkyMap.of_space(table.values, table.axes, table.space, unit_string(table.unit))
        write_map(named, target, overwrite=overwrite)
        self.filename = target

    @classmethod
    def from_document(cls, document: Mapping[str, Any], shared: dict[str, Parameter]) -> Self:
        """Keep parameters and everything else; the file is opened later."""
        model = cls.__new__(cls)
        SpatialModel.__init__(model)
        for name in parameter_entries(document, cls.tag[0]):
            model._add_parameter(model._default(name) or Parameter(name, 0.0))
        model.read_parameters(document, shared, quiet=True)
        model.rest = {key: value for key, value in document.items() if key not in ("type", "parameters")}
        model._keys = [key for key in document if key != "type"]
        return model

    def _take(self, given: Any, filename: Any, interp: str, **rest: Any) -> None:
        """Set what a map that is given makes of the model: its values, its frame, and its document."""
        SpatialModel.__init__(self)
        self._given = SkyTable.of_map(given, self.tag[0])
        self.rest = {"frame": self._given.space.frame, "filename": "" if filename is None else str(filename), **rest}
        self.rest["unit"] = unit_string(self.table.unit)
        if interp != "lin":
            self.rest["interp"] = interp
            _ = self.interp
        self._keys = ["frame", "parameters", *(key for key in self.rest if key != "frame")]


_SAID: set[tuple[str, float, float]] = set()


def _say_beyond(owner: str, low: float, high: float, known: str) -> None:
    """Warn of energies beside a map, once for each range."""
    if (owner, low, high) not in _SAID:
        _SAID.add((owner, low, high))
        log.warning(
            "%s: energies from %.3g to %.3g TeV lie beside the map, %s; it is 0 there.", owner, low, high, known
        )


class TemplateSpatialModel(MapModel):
    """map(lon - lon_0, lat - lat_0)

    Parameters
    ----------
    map
        A ``Map``: an image, or with an axis ``energy_true``.
    normalize
        Whether it is divided by its sum over the sphere, each plane of energy by its own: what is left of them is
        their form. Without, values are in sr-1, or in cm-2 s-1 TeV-1 sr-1 for a norm spectrum.
    interp
        ``lin`` or ``log``; see ``interp``.
    filename
        The file of the map, which documents name.
    **parameters
        ``lon_0`` and ``lat_0``: where the middle of the map is, by default where it is in the map. Both are frozen.

    Raises
    ------
    ConfigError
        For a map in which nothing is above 0, or in another unit where it is not normalised.
    """

    tag = ("TemplateSpatialModel", "template")

    def __init__(
        self, map: Any, normalize: bool = True, interp: str = "lin", filename: Any = None, **parameters: Any
    ) -> None:
        self._take(map, filename, interp, normalize=bool(normalize))
        for name, value in zip(("lon_0", "lat_0"), self._map_center(), strict=True):
            parameter = self._default(name)
            assert parameter is not None
            parameter.value = value
            self._add_parameter(parameter)
        for name, given in parameters.items():
            self._set_at_the_door(name, given)

    def _default(self, name: str) -> Parameter | None:
        if name not in ("lon_0", "lat_0"):
            return None
        parameter = Parameter(name, float("nan"), "deg", frozen=True)
        if name == "lat_0":
            parameter.min, parameter.max = -90.0, 90.0
        return parameter

    @classmethod
    def read(cls, filename: str | Path, normalize: bool = True, interp: str = "lin", **parameters: Any) -> Self:
        """Read the first map of a FITS file; raises as `xgamma.formats.sky_maps.files.read_map`."""
        from_file = SkyTable.read(filename, cls.tag[0])
        given = SkyMap.of_space(from_file.values, from_file.axes, from_file.space, unit_string(from_file.unit))
        model = cls(given, normalize, interp, filename, **parameters)
        if from_file.remark:
            log.warning("%s: %s.", model._owner, from_file.remark)
        return model

    @property
    def normalize(self) -> bool:
        """Whether the map is divided by its sum."""
        return bool(self.rest.get("normalize", True))

    def _prepared(self, table: SkyTable) -> SkyTable:
        return table.normalised(self._owner) if self.normalize else table.in_unit(self._owner)

    def center(self, values: Sequence[float] | None = None) -> tuple[float, float] | None:
        """Return where the middle of the map is."""
        given = self._plain(values)
        return (given[0], given[1]) if self.has_center and np.isfinite(given[:2]).all() else self._map_center()

    def _on_map(self, lon: FloatArray, lat: FloatArray, values: Sequence[float]) -> tuple[FloatArray, FloatArray]:
        middle, place = self._map_center(), self.center(values)
        if place is None or np.allclose(place, middle, rtol=0.0, atol=1e-9):
            return super()._on_map(lon, lat, values)
        # The sphere is turned, so that the form stays what it is at any distance; north is that of the map.
        frame = self.table.space.frame
        positions = ((lon, lat), (np.asarray(place[0]), np.asarray(place[1])), middle)
        (lon, lat), new, old = (to_frame(x, y, self.frame, frame) for x, y in positions)
        return to_frame(*from_field(*to_field(lon, lat, *new), *old), frame, "icrs")


class TemplateNDSpatialModel(MapModel):
    """map(lon, lat, parameters)

    Parameters
    ----------
    map
        A ``Map`` with an axis for each parameter, and maybe one of energy.
    interp
        ``lin`` or ``log``; see ``interp``.
    filename
        The file of the map, which documents name.
    **parameters
        Values of the parameters by name, by default the middle of each axis.
    """

    tag = ("TemplateNDSpatialModel", "templateND")

    def __init__(self, map: Any, interp: str = "lin", filename: Any = None, **parameters: Any) -> None:
        self._take(map, filename, interp)
        for axis in self.table.parameter_axes:
            low, high = float(axis.center[0]), float(axis.center[-1])
            self._add_parameter(Parameter(axis.name, 0.5 * (low + high), axis.unit, min=low, max=high))
        for name, given in parameters.items():
            self._set_at_the_door(name, given)

    @classmethod
    def read(cls, filename: str | Path, interp: str = "lin", **parameters: Any) -> Self:
        """Read the first map of a FITS file; raises as `xgamma.formats.sky_maps.files.read_map`."""
        return cls(read_map(filename), interp, filename, **parameters)

    def _default(self, name: str) -> Parameter | None:
        return None

    def _places(self, values: Sequence[float]) -> list[float]:
        named = dict(zip(self._order, zip(values, self._ordered, strict=True), strict=True))
        found = []
        for axis in self.table.parameter_axes:
            if axis.name not in named:
                raise ConfigError(f"{self._owner}: it has no parameter for the axis {axis.name!r} of its map.")
            value, parameter = named[axis.name]
            found.append(value / parameter.canonical_factor * float(parameter.unit.to(u.Unit(axis.unit))))
        return found
