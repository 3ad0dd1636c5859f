"""Models of predicted counts: what is in a dataset, or in a file, times a norm spectrum."""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import astropy
import numpy as np
from astropy import units as u

from xgamma.axes import FloatArray
from xgamma.errors import ConfigError
from xgamma.formats.local_files import local_path
from xgamma.formats.sky_maps import files as map_files
from xgamma.formats.sky_maps import sky_map
from xgamma.geometry import to_frame
from xgamma.models.component import component_class
from xgamma.models.parameters import Parameter
from xgamma.models.skymodel import ModelComponent, new_name, normalize_names, validate_keys
from xgamma.models.spatial import table as sky_tables
from xgamma.models.spatial import templates
from xgamma.models.spectral import model as spectra
from xgamma.models.spectral import powerlaws
from xgamma.models.tabulated import table_bytes
from xgamma.units import unit_string

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord

    from xgamma.models.spatial.model import SpatialModel
    from xgamma.models.spatial.table import SkyTable
    from xgamma.models.spectral.model import SpectralModel


log = logging.getLogger(__name__)


class NormModel(ModelComponent):
    """What models of predicted counts share: a norm spectrum, and maybe a factor that depends on the position."""

    @property
    def spectral_model(self) -> SpectralModel:
        """The spectrum, a norm."""
        return cast("SpectralModel", self._parts["spectral"])

    def validate_factors(self) -> None:
        """Raise ``ConfigError`` unless spectrum and spatial part are factors; opens the file of a template."""
        spectrum, place = self.spectral_model, self.spatial_model
        if spectrum.canonical_unit != u.dimensionless_unscaled:
            raise ConfigError(
                f"The model {self.name!r}: expected a norm spectrum, such as PowerLawNormSpectralModel, got "
                f"{type(spectrum).__name__} in {unit_string(spectrum.canonical_unit)}."
            )
        if place is None:
            return
        low = (
            []
            if place.rest.get("interp") != "log" or isinstance(place, templates.MapModel)
            else place.parameters.free_parameters
        )
        if not all(norm.min > 0 for norm in low):
            raise ConfigError(
                f"The model {self.name!r}: its norms have logarithms and are free; give each a min above 0, or say "
                "interp: lin."
            )
        # The unit of a template that is not normalised is not looked at, as in Gammapy.
        is_plain = isinstance(place, templates.MapModel) and not place.rest.get("normalize", False)
        if not (is_plain or place.density_unit == u.dimensionless_unscaled):
            raise ConfigError(
                f"The model {self.name!r}: expected a spatial part that is a factor, got {type(place).__name__}; take "
                "a PiecewiseNormSpatialModel, or a TemplateSpatialModel with normalize: false."
            )

    def factor(self, lon: FloatArray, lat: FloatArray, energy: FloatArray, values: Any = None) -> FloatArray:
        """Return the spatial factor at ICRS positions (...) and energies in TeV, shape (energy or 1, ...).

        ``values`` stand in for those of the spatial part.
        """
        place = self.spatial_model
        if place is None:
            return np.ones((1, *np.shape(lon)))
        own = place.canonical_values(values)
        x, y = to_frame(lon, lat, "icrs", place.frame)
        if not place.is_energy_dependent:
            return place.density(x, y, own)[np.newaxis]
        return np.stack([place.density_at(x, y, one, own) for one in energy.tolist()])


def _spatial(data: Mapping[str, Any], shared: dict[str, Parameter]) -> SpatialModel | None:
    document = data.get("spatial")
    return None if document is None else component_class("spatial", document).from_document(document, shared)


class FoVBackgroundModel(NormModel):
    """The background of the field of view of one dataset, times a norm spectrum and maybe a factor on the sky.

    Raises ``ConfigError`` unless it names exactly one dataset.
    """

    tag = ("FoVBackgroundModel", "fov-bkg")

    def __init__(
        self,
        spectral_model: SpectralModel | None = None,
        dataset_name: str | None = None,
        datasets_names: Any = None,
        spatial_model: SpatialModel | None = None,
        name: str | None = None,
    ) -> None:
        names = normalize_names(datasets_names if dataset_name is None else dataset_name)
        if not names or len(names) != 1:
            raise ConfigError(f"FoVBackgroundModel: expected the name of exactly one dataset, got {names!r}.")
        spectral_model = powerlaws.PowerLawNormSpectralModel() if spectral_model is None else spectral_model
        self._default_name = f"{names[0]}-bkg"
        super().__init__({"spectral": spectral_model, "spatial": spatial_model}, name or self._default_name, names)

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return type, dataset and spectrum; the name only if it is not the default."""
        name = {} if self.name == self._default_name else {"name": self.name}
        parts = {kind: part.document(full_output, labels) for kind, part in self._parts.items()}
        return {**name, "type": self.tag[0], **self._datasets_document(), **parts}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], shared: dict[str, Parameter] | None = None) -> Self:
        """Build the model from its document."""
        validate_keys(data, cls.tag[0], ["name", "type", "datasets_names", "spectral", "spatial"])
        shared = {} if shared is None else shared
        spectral = spectra.read_spectral(data["spectral"], shared) if data.get("spectral") is not None else None
        spatial = _spatial(data, shared)
        return cls(spectral, datasets_names=data.get("datasets_names"), spatial_model=spatial, name=data.get("name"))

    def _header(self) -> list[tuple[str, str]]:
        return [*super()._header(), ("Spectral model type", type(self._parts["spectral"]).__name__)]


class TemplateNPredModel(NormModel):
    """Predicted counts in a map or in its file, times a norm spectrum and maybe a factor on the sky.

    Parameters
    ----------
    map
        A ``Map`` of counts with an axis ``energy``; ``None`` for that in the file.
    spectral_model
        A norm spectrum at the energies of the dataset; without one a norm, whose tilt is frozen.
    name
        The name of the model.
    filename
        The file of the map, which documents name; it is opened when values are first needed.
    datasets_names
        The datasets that it is in; all by default.
    copy_data
        Whether the values are copied.
    spatial_model
        A factor, see ``FoVBackgroundModel``.

    Raises
    ------
    ConfigError
        For a map that is not one of counts in bins of reconstructed energy.
    """

    tag = ("TemplateNPredModel", "template-npred")

    def __init__(
        self,
        map: Any = None,
        spectral_model: SpectralModel | None = None,
        name: str | None = None,
        filename: str | Path | None = None,
        datasets_names: Any = None,
        copy_data: bool = True,
        spatial_model: SpatialModel | None = None,
    ) -> None:
        if spectral_model is None:
            spectral_model = powerlaws.PowerLawNormSpectralModel()
            spectral_model.parameters["tilt"].frozen = True
        parts = {"spectral": spectral_model, "spatial": spatial_model}
        super().__init__(parts, new_name() if name is None else str(name), datasets_names)
        self.filename = "" if filename is None else str(filename)
        # What its document holds beside what is known.
        self.rest: dict[str, Any] = {}
        self._given: SkyTable | None = None
        if map is not None:
            given = sky_tables.SkyTable.of_map(map, f"TemplateNPredModel {self.name!r}")
            self._given = self._validated(sky_tables.SkyTable(given.values.copy(), given.axes, given.space, given.unit,
                                                   given.remark) if copy_data else given)  # fmt: skip

    def _validated(self, table: SkyTable) -> SkyTable:
        """Return a table; raises ``ConfigError`` for one of something else than counts."""
        axes = ", ".join(axis.name for axis in table.axes) or "no axes"
        if [axis.name for axis in table.axes] != ["energy"] or table.unit != u.dimensionless_unscaled:
            raise ConfigError(
                f"TemplateNPredModel {self.name!r}: expected a map of counts with an axis energy, got one in "
                f"{unit_string(table.unit) or 'no unit'} with {axes}."
            )
        return table

    @cached_property
    def table(self) -> SkyTable:
        """The counts; the file is opened for it. Raises as `xgamma.formats.sky_maps.files.read_map`."""
        if self._given is not None:
            return self._given
        if not self.filename:
            raise ConfigError(f"The model {self.name!r}: expected a map or the name of its file, got none.")
        return self._validated(sky_tables.SkyTable.read(self.filename, f"TemplateNPredModel {self.name!r}"))

    @property
    def map(self) -> Any:
        """The counts as a ``Map``."""
        if templates.MapModel.view is None:
            raise ConfigError("map: maps are not loaded; import xgamma.maps, or use model.table.")
        return templates.MapModel.view(self.table)

    def evaluate(self) -> Any:
        """Return the map times spectrum and factor, as a ``Map``."""
        found, table = self.map, self.table
        [axis] = table.axes
        lon, lat = (each.reshape(table.space.shape) for each in table.space.positions())
        energy = axis.center * float(u.Unit(axis.unit).to("TeV"))
        norm = self.spectral_model.dnde(energy)[:, None, None]
        values = table.values * norm * self.factor(lon, lat, energy)
        return type(found)(found.geom, values, found.unit)

    def cutout(self, position: Any, width: Any, mode: str = "trim", name: str | None = None) -> TemplateNPredModel:
        """Return the model of the part of the map of a width about a position; arguments as in ``Map.cutout``."""
        part = self.map.cutout(position=position, width=width, mode=mode)
        place = copy.deepcopy(self.spatial_model)
        return TemplateNPredModel(part, copy.deepcopy(self.spectral_model), name, spatial_model=place)

    @property
    def position(self) -> SkyCoord:
        """The middle of the map."""
        space = self.table.space
        lon, lat = space.sky_of(*(np.array(0.5 * (n - 1)) for n in space.npix))
        return astropy.coordinates.SkyCoord(lon, lat, unit="deg", frame="icrs")

    def tables(self) -> list[bytes]:
        """Return values, axis and image of the map, for which the file is opened; nothing where it is missing."""
        if self._given is None and not (self.filename and local_path(self.filename).is_file()):
            return []
        table = self.table
        return [
            *table_bytes(table.values, *(axis.edges for axis in table.axes)),
            repr(table.space).encode(),
        ]

    def origins(self) -> list[str]:
        """Return the file and the digest of its map, and where the tables of its parts are from."""
        digest = hashlib.sha256(b"".join(self.tables())).hexdigest()[:12]
        return [f"{self.name}: map: {Path(self.filename).name or 'no file'}, values {digest}", *super().origins()]

    def write(self, filename: str | Path = "", overwrite: bool = False) -> None:
        """Write the map to a FITS file, by default that of ``filename``, which the document names from then on.

        Raises ``ConfigError`` without a name, ``OutputExistsError``, ``OutputError``.
        """
        target = filename or self.filename
        if not target:
            raise ConfigError(f"The model {self.name!r}: expected the name of a file for its map, got none.")
        map_files.write_map(
            sky_map.SkyMap.of_space(self.table.values, self.table.axes, self.table.space), target, overwrite=overwrite
        )
        self.filename = str(target)

    def document(self, full_output: bool, labels: Mapping[int, str]) -> dict[str, Any]:
        """Return name, type, spectrum, file and what else was read; a map has to be in a file."""
        if not self.filename:
            raise ConfigError(
                f"The model {self.name!r}: its map is in no file; write it with model.write('map.fits') first."
            )
        parts = {kind: part.document(full_output, labels) for kind, part in self._parts.items()}
        head = {"name": self.name, "type": self.tag[0], **parts, **copy.deepcopy(self.rest)}
        return {**head, "filename": self.filename, **self._datasets_document()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], shared: dict[str, Parameter] | None = None) -> Self:
        """Build the model from its document; the file is opened later."""
        shared = {} if shared is None else shared
        spectral = spectra.read_spectral(data["spectral"], shared) if data.get("spectral") is not None else None
        known = ("name", "type", "spectral", "spatial", "filename", "datasets_names")
        model = cls(None, spectral, data.get("name"), data.get("filename"), data.get("datasets_names"),
                    spatial_model=_spatial(data, shared))  # fmt: skip
        model.rest = {key: copy.deepcopy(value) for key, value in data.items() if key not in known}
        return model
