"""Regions of the sky in the configuration: mappings of a shape, DS9 text, files, and lists of these."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import (
    BeforeValidator,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from xgamma.config.fields import (
    ANGLE,
    KEY,
    LATITUDE,
    TEXT_SCHEMA,
    Angle,
    Choice,
    PathOrUrl,
    PathOrUrlField,
    Radius,
    Size,
    Text,
    each_read,
    expected,
    read_location,
    read_text,
)
from xgamma.config.ranges import SkyCircle
from xgamma.config.section import OneOrSeveral, Section, key
from xgamma.errors import ConfigError, InputError
from xgamma.formats.fits import regions as fits_regions
from xgamma.formats.local_files import state_of
from xgamma.formats.region_files import CRTF, DS9, NamedShape, is_ds9, read_regions, read_sources, shapes_of_text
from xgamma.masks import MASK, ExcludedShapes, Exclusion, MaskInFile, together
from xgamma.shapes import Annulus, Circle, Ellipse, Polygon, Rectangle, Shape
from xgamma.shapes.objects import is_region, normalize_shape
from xgamma.units import quantity_string

# The keys that each shape needs; centre and frame are common to all but the polygon.
NEEDED: Mapping[str, tuple[str, ...]] = {
    "circle": ("lon", "lat", "radius"),
    "ellipse": ("lon", "lat", "width", "height"),
    "annulus": ("lon", "lat", "inner_radius", "outer_radius"),
    "rectangle": ("lon", "lat", "width", "height"),
    "polygon": ("vertices",),
    "point": ("lon", "lat"),
}
_ALSO = {"ellipse": ("angle",), "rectangle": ("angle",)}
SIZES = ("radius", "width", "height", "angle", "inner_radius", "outer_radius", "vertices")
WHOLE = ("ds9", "file")
_PLACE = "frame: icrs, lon: 83.633 deg, lat: 22.014 deg"
EXAMPLES: Mapping[str, str] = {
    "circle": f"{{{_PLACE}, radius: 0.11 deg}}",
    "ellipse": f"{{shape: ellipse, {_PLACE}, width: 0.4 deg, height: 0.2 deg, angle: 30 deg}}",
    "annulus": f"{{shape: annulus, {_PLACE}, inner_radius: 0.2 deg, outer_radius: 0.4 deg}}",
    "rectangle": f"{{shape: rectangle, {_PLACE}, width: 0.4 deg, height: 0.2 deg, angle: 30 deg}}",
    "polygon": "{shape: polygon, frame: icrs, vertices: [[83 deg, 22 deg], [84 deg, 22 deg], [84 deg, 23 deg]]}",
    "point": f"{{shape: point, {_PLACE}}}",
}
SHAPE = Choice(tuple(NEEDED))
Vertices: TypeAlias = list[list[Any]]


def read_vertices(value: Any) -> Vertices:
    """Read corners, each a longitude and a latitude."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or len(value) < 3:
        raise expected("three corners or more such as [[10 deg, 5 deg], [11 deg, 5 deg], [10 deg, 6 deg]]", value)
    return each_read(list(value), _read_vertex)


def _read_vertex(value: Any) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise expected("a corner such as [10 deg, 5 deg]", value)
    return [ANGLE(value[0]), LATITUDE(value[1])]


def read_ds9(value: Any) -> str:
    """Read regions as DS9 writes them; what cannot be read raises."""
    text = read_text(value)
    shapes_of_text(text, KEY)
    return text


Ds9 = Annotated[str, PlainValidator(read_ds9), WithJsonSchema(TEXT_SCHEMA)]
Corners = Annotated[
    Vertices,
    PlainValidator(read_vertices),
    PlainSerializer(lambda corners: [[quantity_string(angle) for angle in corner] for corner in corners]),
    WithJsonSchema({"type": "array", "minItems": 3, "items": {"type": "array", "items": {"type": "string"}}}),
]
ShapeWord = Annotated[str, PlainValidator(SHAPE), WithJsonSchema(SHAPE.schema())]


class SkyRegion(SkyCircle):
    """A region on the sky: a circle as Gammapy writes it, another shape, DS9 text, or a file of regions."""

    silent: ClassVar[frozenset[str]] = frozenset({"name", "shape", *SIZES[1:], *WHOLE})
    whole: ClassVar[tuple[str, ...]] = WHOLE

    radius: Radius | None = key(None, "With a unit such as deg; 0 deg is a point, whose radius the responses say.")
    name: Text | None = key(None, "What the region is called, where there are several.")
    shape: ShapeWord | None = key(None, "null is circle; sizes and corners are on the plane tangent at the centre.")
    width: Size | None = key(None, "Of an ellipse or a rectangle, from edge to edge.")
    height: Size | None = key(None, "Of an ellipse or a rectangle, from edge to edge.")
    angle: Angle | None = key(None, "By which the width is turned from west to north; null is 0 deg.")
    inner_radius: Size | None = key(None, "Of an annulus.")
    outer_radius: Size | None = key(None, "Of an annulus.")
    vertices: Corners | None = key(None, "The corners of a polygon, [[lon, lat], ...], which great circles connect.")
    ds9: Ds9 | None = key(None, "Instead of all that: regions as DS9 writes them, such as 'icrs; circle(1, 2, 0.1)'.")
    file: PathOrUrlField | None = key(None, "Instead of all that: a file, .reg (DS9), .crtf, or FITS.")

    @property
    def kind(self) -> str:
        """The word of the shape."""
        return self.shape or "circle"

    def _given(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    @property
    def is_set(self) -> bool:
        """Whether all that the shape needs is given."""
        return bool(self._given(WHOLE)) or all(getattr(self, name) is not None for name in NEEDED[self.kind])

    @model_serializer(mode="wrap")
    def _without_silent_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        as_circle = self.kind == "circle" and not self._given(self.whole)
        kept = {name for name in document if as_circle and name not in self.silent}
        return {name: value for name, value in document.items() if value is not None or name in kept}

    def problems(self, where: str) -> Iterator[str]:
        """Check that the keys go together and that they make a shape; ``where`` is the path of the section."""
        whole, sizes = self._given(WHOLE), self._given(("lon", "lat", *SIZES))
        others = [*whole[1:], *self._given(("frame", "shape")), *sizes]
        if whole and others:
            yield f"{where}: expected {whole[0]} alone, got {', '.join(others)} too; leave it out."
        if whole or (self.shape is None and not sizes):
            return
        needed, kind = NEEDED[self.kind], self.kind
        foreign = [name for name in sizes if name not in (*needed, *_ALSO.get(kind, ()))]
        missing = [name for name in needed if getattr(self, name) is None]
        if foreign:
            yield f"{where}: a {kind} has no {' and no '.join(foreign)}; leave it out, or write another shape."
        elif missing:
            listed = f"{', '.join(needed[:-1])} and {needed[-1]}" if len(needed) > 1 else needed[0]
            none = ", or none of them" if self.shape is None else f" of the {kind}"
            yield (
                f"{where}: expected {listed}{none}; {' and '.join(missing)} not given. "
                f"Write for example {EXAMPLES[kind]}."
            )
        else:
            try:
                self._shape()
            except ConfigError as error:
                yield f"{where}: {error}"

    def shapes(self) -> list[NamedShape]:
        """Return the shapes in degrees with their names; reads the file.

        Raises
        ------
        ConfigError
            Where a key is missing, and for text or a file that cannot be read.
        """
        if self.ds9 is not None:
            found = shapes_of_text(self.ds9, self.where)
        elif self.file is not None:
            found = read_regions(Path(self.file.expanded()))
        else:
            found = [NamedShape(self._shape())]
        return found if self.name is None else _named(found, self.name)

    def _shape(self) -> Shape:
        if self.kind == "circle":
            return self.circle()
        missing = [name for name in NEEDED[self.kind] if getattr(self, name) is None]
        if missing:
            raise ConfigError(f"{self.where}: {self.kind}: {' and '.join(missing)} not given.")
        frame = self.frame or "icrs"
        if self.vertices is not None:
            corners = [[float(angle.to_value("deg")) for angle in corner] for corner in self.vertices]
            lons, lats = (tuple(corner[axis] for corner in corners) for axis in (0, 1))
            return Polygon(lons, lats, frame)
        lon, lat = self._degrees("lon"), self._degrees("lat")
        match self.kind:
            case "ellipse" | "rectangle":
                kind = Ellipse if self.kind == "ellipse" else Rectangle
                return kind(lon, lat, self._degrees("width"), self._degrees("height"), self._degrees("angle"), frame)
            case "annulus":
                outer, inner = (Circle(lon, lat, self._degrees(f"{side}_radius"), frame) for side in ("outer", "inner"))
                return Annulus(outer, inner)
        return Circle(lon, lat, 0.0, frame)

    def _degrees(self, name: str) -> float:
        value = getattr(self, name)
        return 0.0 if value is None else float(value.to_value("deg"))


class OnRegionConfig(SkyRegion):
    """The region whose spectrum is extracted."""

    where: ClassVar[str] = "datasets.on_region"


class ExcludedRegionConfig(SkyRegion):
    """A region that the background may not use."""

    where: ClassVar[str] = "datasets.background.exclusion"
    silent: ClassVar[frozenset[str]] = SkyRegion.silent | {"catalog"}
    whole: ClassVar[tuple[str, ...]] = (*WHOLE, "catalog")

    catalog: PathOrUrlField | None = key(
        None, "Instead of all that: a table of sources (.ecsv, .fits); radius is that of sources without one."
    )

    @property
    def is_set(self) -> bool:
        """Whether all that the shape needs is given."""
        return self.catalog is not None or super().is_set

    def problems(self, where: str) -> Iterator[str]:
        """Check that the keys go together; a catalogue has a radius, and nothing else."""
        others = self._given(("frame", "shape", "lon", "lat", *SIZES[1:], *WHOLE))
        if self.catalog is None:
            yield from super().problems(where)
        elif others:
            yield f"{where}: expected catalog, and radius or not, got {', '.join(others)} too; leave it out."

    def shapes(self) -> list[NamedShape]:
        """Return the shapes in degrees with their names; reads the files."""
        if self.catalog is None:
            return super().shapes()
        radius = None if self.radius is None else self._degrees("radius")
        return read_sources(Path(self.catalog.expanded()), radius)


def _named(shapes: Sequence[NamedShape], name: str) -> list[NamedShape]:
    """Return shapes that are all called by one name, numbered where they are several."""
    if len(shapes) == 1:
        return [shapes[0]._replace(name=name)]
    return [one._replace(name=f"{name}-{number}") for number, one in enumerate(shapes, 1)]


def _region_given(given: Any) -> Any:
    """Return the mapping of a region that is given as text, as a path, or as an object of the package `regions`."""
    if isinstance(given, str):
        return {"ds9": given} if is_ds9(given) else {"file": given}
    if isinstance(given, os.PathLike | PathOrUrl):
        return {"file": given}
    if not is_region(given):
        return given
    try:
        shape = normalize_shape(given)
    except ConfigError as error:
        raise ConfigError(f"{KEY}: {error}") from None
    if not isinstance(shape, Circle) or shape.radius == 0:
        return {"ds9": str(shape)}
    return {"frame": shape.frame, **{name: f"{getattr(shape, name)!r} deg" for name in ("lon", "lat", "radius")}}


def _regions_given(given: Any) -> Any:
    """Return a mapping, or a list of them where several regions are given, such as ``Regions`` of that package."""
    if isinstance(given, str | Mapping | Section) or not hasattr(given, "__getitem__"):
        return _region_given(given)
    return [_region_given(one) for one in given]


OnRegions = Annotated[OneOrSeveral[OnRegionConfig], BeforeValidator(_regions_given)]
"""An on-region, or a list of them."""


def regions_of(given: OnRegionConfig | list[OnRegionConfig]) -> list[OnRegionConfig]:
    """Return the on-regions that are given."""
    return given if isinstance(given, list) else [given]


def named_regions(given: OnRegionConfig | list[OnRegionConfig]) -> tuple[tuple[Shape, ...], tuple[str, ...]]:
    """Return the on-regions and their names; one that nobody gave a name is called nothing. Reads files.

    Raises
    ------
    ConfigError
        Where a key is missing, for text that cannot be read, and where two have one name.
    MissingInputError, InputError
        For a file that is not there or cannot be read.
    """
    found = [one for section in regions_of(given) for one in section.shapes()]
    shapes = tuple(one.shape for one in found)
    if len(found) == 1 and regions_of(given)[0].name is None:
        return shapes, ()
    names = tuple(one.name or f"region-{number}" for number, one in enumerate(found, 1))
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"{OnRegionConfig.where}: two regions are called {twice!r}; give each a name of its own.")
    return shapes, names


# --- what is excluded


def read_exclusion(value: Any) -> Any:
    """Read a path or URL of a mask or of a region file, or regions: DS9 text, a mapping, an object, or a list."""
    if isinstance(value, PathOrUrl | os.PathLike) or (isinstance(value, str) and not is_ds9(value)):
        return read_location(value)
    given = _regions_given(value)
    items = list(given) if isinstance(given, list) else [given]
    if not items or not all(isinstance(item, Mapping | ExcludedRegionConfig) for item in items):
        example = EXAMPLES["circle"]
        raise expected(f"the path of a FITS mask or a region file, DS9 text, or a list of regions as {example}", value)
    return each_read(items, _read_excluded)


def _read_excluded(item: Any) -> ExcludedRegionConfig:
    section = item if isinstance(item, ExcludedRegionConfig) else ExcludedRegionConfig(**item)
    problems = list(section.problems(ExcludedRegionConfig.where))
    if not problems and not section.is_set:
        problems = [
            f"{ExcludedRegionConfig.where}: expected a region such as {EXAMPLES['circle']}, got an empty mapping."
        ]
    if problems:
        raise ConfigError("\n".join(problems))
    return section


def _written(value: Any) -> Any:
    return value.text if isinstance(value, PathOrUrl) else [section.document() for section in value]


_REGION: dict[str, Any] = {"type": "object", "properties": {"lon": TEXT_SCHEMA, "lat": TEXT_SCHEMA}}
ExcludedSky = Annotated[
    Any,
    PlainValidator(read_exclusion),
    PlainSerializer(_written),
    WithJsonSchema({"anyOf": [TEXT_SCHEMA, _REGION, {"type": "array", "items": {"anyOf": [TEXT_SCHEMA, _REGION]}}]}),
]


Recall: TypeAlias = Callable[[str, int, int], str | None]
"""Returns the digest of a file by its name, size and time of change, where it is known."""


def exclusion_of(value: Any, recall: Recall = lambda *_: None) -> Exclusion | None:
    """Return what is excluded; reads the files but for masks whose digest is known.

    Raises
    ------
    MissingInputError, InputError
        For a file that is not there or cannot be read.
    """
    if value is None:
        return None
    if isinstance(value, PathOrUrl):
        return _excluded_by_file(value, recall)
    parts: list[Exclusion] = [_excluded_by_file(one.file, recall) for one in value if one.file is not None]
    each = [_excluded(one.shapes()) for one in value if one.file is None]
    shapes = tuple(shape for one in each for shape in one.shapes)
    # A table without a source is a part of its own, which is said to exclude nothing.
    empty = [one for one in each if not one.shapes][:1]
    return together([*parts, *([ExcludedShapes(shapes)] if shapes else []), *empty])


def _excluded_by_file(location: PathOrUrl, recall: Recall) -> Exclusion:
    """Return the mask of a FITS image, else the regions or the sources of a file."""
    path = Path(location.expanded())
    name = path.name.lower()
    if name.endswith((*DS9, *CRTF)):
        return _excluded(read_regions(path))
    if name.endswith(".ecsv"):
        return _excluded(read_sources(path))
    file = state_of(path, MASK)
    if file is not None and (known := recall(*file)) is not None:
        # Through its module, which is loaded then.
        return MaskInFile(known, path, lambda path: fits_regions.read_mask(path))
    try:
        return fits_regions.read_mask(path)
    except InputError:
        for read in (read_regions, read_sources):
            with suppress(InputError):
                return _excluded(read(path))
        raise


def _excluded(shapes: Sequence[NamedShape]) -> ExcludedShapes:
    return ExcludedShapes(tuple(shape for shape, _ in shapes))
