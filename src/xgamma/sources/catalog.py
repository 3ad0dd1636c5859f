"""``SourceCatalog``: a published list of sources, found by name, alias or row, and the register of all kinds."""

from __future__ import annotations

import copy
import difflib
import logging
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import astropy
import numpy as np
import numpy.typing as npt

from xgamma.datasets.maps.geom import WcsGeom
from xgamma.description import Described, Description, Facts, Sheet, ends
from xgamma.digits import some
from xgamma.errors import ConfigError, ConfigTypeError, InputError, UnknownNameError
from xgamma.formats.local_files import local_path
from xgamma.formats.source_tables import read_source_tables
from xgamma.models import Models
from xgamma.plot import figures as plot_figures
from xgamma.plot import sky as plot_sky
from xgamma.registry import lookup, names, register
from xgamma.sources.source import SourceCatalogObject
from xgamma.sources.table import SourceTable, TableRow

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.table import Table
    from matplotlib.figure import Figure


log = logging.getLogger(__name__)

KIND = "source catalogue"
# Columns of positions and their frame, in the order in which they are looked for.
_POSITIONS = (("RAJ2000", "DEJ2000", "icrs"), ("RAJ2000", "DECJ2000", "fk5"), ("ra", "dec", "icrs"))
# So many sources are named in a sentence.
_NAMED = 5


class SourceCatalog(Described):
    """A published list of sources.

    Sources are found by name, by an alias such as that of an association, or by row; a mask of rows gives the catalogue
    of some of them.

    Parameters
    ----------
    filename
        The file as it is published.

    Raises
    ------
    MissingInputError, InputError
        When there is no such file, or it is another catalogue.

    Examples
    --------
    >>> from xgamma.catalog import SourceCatalog4FGL
    >>> catalog = SourceCatalog4FGL("$GAMMAPY_DATA/catalogs/fermi/gll_psc_v32.fit.gz")  # doctest: +SKIP
    >>> catalog["4FGL J0534.5+2200"].sky_model()  # doctest: +SKIP
    """

    tag: ClassVar[str] = ""
    description: ClassVar[str] = ""
    filename: ClassVar[str] = ""
    """Where the file is in the data of Gammapy."""
    marks: ClassVar[tuple[str, ...]] = ()
    """Columns that tell the catalogue from others."""
    name_column: ClassVar[str] = "Source_Name"
    alias_columns: ClassVar[tuple[str, ...]] = ()
    source_object_class: ClassVar[type[SourceCatalogObject]] = SourceCatalogObject

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "tag" in vars(cls):
            register(KIND, cls.tag)(cls)

    def __init__(self, filename: str | PathLike[str] = "") -> None:
        self.path = local_path(filename or self.filename)
        self.tables: dict[str, Table] = read_source_tables(self.path)
        self._take(self._main_table(self.tables, self.path))

    @classmethod
    def _main_table(cls, tables: Mapping[str, Table], path: Path) -> Table:
        found = cls.found_in(tables)
        if found is not None:
            return found
        others = [kind.__name__ for kind in registered() if kind.found_in(tables) is not None]
        hint = f"Read it with {' or '.join(others)}." if others else f"Its tables are {', '.join(tables) or 'none'}."
        raise InputError(
            f"{path} is not the catalogue {cls.tag}: no table of it has the columns {', '.join(cls.marks)}. {hint}"
        )

    @classmethod
    def found_in(cls, tables: Mapping[str, Table]) -> Table | None:
        """Return the first of ``tables`` that has the columns of this catalogue, ``None`` where none has them."""
        fits = (table for table in tables.values() if set(cls.marks) <= set(table.colnames))
        return next(fits, None) if cls.marks else None

    def _take(self, table: Table) -> None:
        """Make a table the sources of this catalogue."""
        self.columns = SourceTable(table, self.path)
        self.names = self.columns.texts(self.name_column)
        self._index = {name: row for row, name in reversed(list(enumerate(self.names)))}
        # Of each alias the rows that have it, in the order of a dict.
        self._aliases: dict[str, dict[int, None]] = {}
        for column in self.alias_columns:
            for row, text in enumerate(self.columns.texts(column) if column in self.columns else ()):
                for alias in filter(None, (part.strip() for part in text.split(","))):
                    self._aliases.setdefault(alias, {})[row] = None

    # --- rows

    @property
    def table(self) -> Table:
        """The table of sources."""
        return self.columns.table

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Any]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._source(self.row_index(key))
        if isinstance(key, int | np.integer) and not isinstance(key, bool | np.bool_):
            return self._source(range(len(self))[int(key)])
        mask = np.asarray(key) if isinstance(key, np.ndarray | list) else None
        if mask is not None and mask.dtype == np.bool_ and mask.shape == (len(self),):
            return self._only(mask)
        raise ConfigTypeError(
            f"Expected the name, an alias or the row of a source, or a mask of {len(self)} truths; got {key!r}."
        )

    def _only(self, mask: npt.NDArray[np.bool_]) -> Self:
        new = copy.copy(self)
        new._take(self.table[mask])
        return new

    def row_index(self, name: str) -> int:
        """Return the row of a name or an alias.

        Raises
        ------
        UnknownNameError
            When no source has it.
        ConfigError
            When it is an alias of several.
        """
        wanted = name.strip()
        rows = [self._index[wanted]] if wanted in self._index else sorted(self._aliases.get(wanted, ()))
        if len(rows) == 1:
            return rows[0]
        if rows:
            several = ", ".join(self.names[row] for row in rows[:_NAMED])
            raise ConfigError(
                f"{name!r} stands for {len(rows)} sources of {self.tag}: {several}. Take one by its name."
            )
        near = difflib.get_close_matches(wanted, [*self._index, *self._aliases], n=1, cutoff=0.6)
        hint = f"Did you mean {near[0]!r}?" if near else f"It has {len(self)}, such as {self.names[0]!r}."
        raise UnknownNameError(f"There is no source {name!r} in {self.tag}. {hint}")

    def source_name(self, index: int) -> str:
        """Return the name of the row ``index``."""
        return self.names[index]

    def _source(self, index: int) -> SourceCatalogObject:
        lon, lat, frame = self._positions()
        place = (float(lon[index]), float(lat[index]), frame)
        return self.source_object_class(self.names[index], TableRow(self.columns, index), place)

    # --- positions, models

    def _positions(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], str]:
        for lon, lat, frame in _POSITIONS:
            if lon in self.columns and lat in self.columns:
                return self.columns.numbers(lon, "deg"), self.columns.numbers(lat, "deg"), frame
        expected = " or ".join(f"{lon}, {lat}" for lon, lat, _ in _POSITIONS)
        raise InputError(f"{self.path} has no positions: expected the columns {expected}.")

    @property
    def positions(self) -> SkyCoord:
        """The positions of all sources, in double precision whatever the file has."""
        lon, lat, frame = self._positions()
        return astropy.coordinates.SkyCoord(lon, lat, unit="deg", frame=frame)

    def peek(self, figsize: tuple[float, float] = (8, 4.5)) -> Figure:
        """Draw where the sources are on the whole sky in a new figure of ``figsize`` inches, and return it."""
        figure = plot_figures.new_figure(figsize)
        sky = WcsGeom.create(binsz=1.0, proj="AIT", frame="galactic").space
        plot_sky.plot_positions(*self._positions(), sky, figure)
        plot_figures.show_title(figure, self.tag, some(len(self), "source"))
        return figure

    def to_models(self, **kwargs: Any) -> Models:
        """Return all sources as models; those without a spectrum are left out, with a warning that names some.

        ``kwargs`` are those of ``sky_model`` of a source.
        """
        models: list[Any] = []
        without: list[str] = []
        for source in self:
            if source.has_models:
                models += self._models_of(source, **kwargs)
            else:
                without.append(source.name)
        if without:
            log.warning(
                "%d of %d sources of %s have no spectrum in the catalogue and are left out: %s%s.",
                len(without), len(self), self.tag, ", ".join(without[:_NAMED]), ", ..." * (len(without) > _NAMED),
            )  # fmt: skip
        return Models(models)

    def _models_of(self, source: Any, **kwargs: Any) -> list[Any]:
        return [source.sky_model(**kwargs)]

    # --- words

    def __str__(self) -> str:
        lines = {"name": self.tag, "description": self.description, "sources": len(self)}
        return "\n".join([f"{type(self).__name__}:", *(f"    {label}: {text}" for label, text in lines.items()), ""])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self)} sources>"

    def _description(self) -> Description:
        numbers, more = ends(len(self))
        (lon, lat, frame), shown = self._positions(), [self[number] for number in numbers]
        rows = [(one.name, f"{lon[at]:.3f}", f"{lat[at]:.3f}") for one, at in zip(shown, numbers, strict=True)]
        about = Facts([("Catalogue", f"{self.tag}: {self.description}"), ("Sources", some(len(self), "source"))])
        columns = ("source", f"lon [deg] ({frame})", "lat [deg]")
        return Description(type(self).__name__, [about, *([Sheet(columns, rows, more)] if rows else [])])


def registered() -> list[type[SourceCatalog]]:
    """Return all kinds of catalogues, by tag."""
    return [lookup(KIND, tag).function for tag in names(KIND)]  # type: ignore[misc]


class CatalogRegistry:
    """All kinds of catalogues of sources."""

    def __iter__(self) -> Iterator[type[SourceCatalog]]:
        return iter(registered())

    def __len__(self) -> int:
        return len(registered())

    def get_cls(self, tag: str) -> type[SourceCatalog]:
        """Return the class of a tag such as ``4fgl``; raises ``UnknownNameError``."""
        return lookup(KIND, tag).function  # type: ignore[return-value]

    def __str__(self) -> str:
        return "\n".join(f"{kind.tag:<10}: {kind.__name__}: {kind.description}" for kind in self)


CATALOG_REGISTRY = CatalogRegistry()
