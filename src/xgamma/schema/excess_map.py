"""DL5 of maps: excess maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from xgamma.schema.arrays import NamedArrays
from xgamma.schema.dl4 import IMAGE_ATTRS
from xgamma.schema.tables import (
    Attribute,
    Group,
    Kind,
    Product,
    Variable,
    Violation,
    apart,
    axis,
    field_violations,
    head_attrs,
)
from xgamma.sky import IMAGE, SkySpace

EXCESS_MAP_SCHEMA = "xgamma DL5 excess map"
SCHEMA_VERSION = 1
DIMS = ("energy", "y", "x")
STATISTICS = ("cash", "wstat")


def _plane(long_name: str, required: bool = True, needed_with: str = "") -> Variable:
    return Variable(DIMS, "", "f8", long_name, required, needed_with)


def _reference(units: str, long_name: str) -> Variable:
    return Variable(("energy",), units, "f8", long_name, False)


EXCESS_MAP_VARIABLES: Mapping[str, Variable] = {
    **axis("energy", "TeV", "Energy"),
    IMAGE: Variable((), "", "i1", "What image the pixels are of, in its attributes"),
    "lon": Variable(("y", "x"), "deg", "f8", "Right ascension of the pixel", False),
    "lat": Variable(("y", "x"), "deg", "f8", "Declination of the pixel", False, "lon"),
    "counts": _plane("Counts within the circle about the pixel"),
    "background": _plane("Background expected there"),
    "npred_excess": _plane("Excess: counts without the background"),
    "npred_excess_ref": _plane("Counts that the reference predicts, whose multiples norms are", False),
    "ts": _plane("Difference of the statistic between no excess and this one"),
    "sqrt_ts": _plane("Significance, negative for a negative excess"),
    "norm": _plane("Excess in multiples of npred_excess_ref; without it the excess itself"),
    "norm_err": _plane("Error of the norm, n_sigma of them"),
    "norm_errn": _plane("Error of the norm downwards, n_sigma", False),
    "norm_errp": _plane("Error of the norm upwards, n_sigma", False, "norm_errn"),
    "norm_ul": _plane("Upper limit of the norm, n_sigma_ul", False),
    "norm_sensitivity": _plane("Norm of an excess that would be seen with the wanted significance", False),
    "counts_off": _plane("Off counts", False),
    "alpha": _plane("Ratio of the acceptances, on to off", False, "counts_off"),
    "acceptance": _plane("Acceptance within the circle", False),
    "acceptance_off": _plane("Acceptance of the off counts", False, "acceptance"),
    "ref_dnde": _reference("cm-2 s-1 TeV-1", "Flux at the centre for norm 1"),
    "ref_flux": _reference("cm-2 s-1", "Integral flux of the plane for norm 1"),
    "ref_eflux": _reference("TeV cm-2 s-1", "Energy flux of the plane for norm 1"),
    "ref_e2dnde": _reference("TeV cm-2 s-1", "Energy squared times flux at the centre for norm 1"),
}


# --- laws


def pixels_of_the_image(ds: NamedArrays) -> Iterator[Violation]:
    """`image` says in its attributes where the pixels lie, and how many there are."""
    faults = list(field_violations(ds[IMAGE].attrs, IMAGE_ATTRS, f"{IMAGE} attrs"))
    yield from faults
    shape = [ds.sizes["x"], ds.sizes["y"]]
    if not faults and list(ds[IMAGE].attrs["npix"]) != shape:
        yield Violation(f"{IMAGE} attrs npix", str(shape), str(ds[IMAGE].attrs["npix"]))


def excess_is_the_difference(ds: NamedArrays) -> Iterator[Violation]:
    """The excess is the counts without the background, and a significance has its sign."""
    counts, background, excess = (ds[name].values for name in ("counts", "background", "npred_excess"))
    known = np.isfinite(excess)
    if not np.allclose(excess[known], (counts - background)[known], rtol=1e-6, atol=1e-6):
        yield Violation("npred_excess", "counts - background", "other numbers")
    if (np.sign(ds["sqrt_ts"].values) * np.sign(excess) < 0).any():
        yield Violation("sqrt_ts", "the sign of npred_excess", "another one")


def statistic_is_known(ds: NamedArrays) -> Iterator[Violation]:
    """`statistic` is cash for a known background and wstat for off counts, which are there then."""
    expected = "wstat" if "counts_off" in ds else "cash"
    if ds.attrs["statistic"] != expected:
        yield Violation("attrs statistic", expected, repr(ds.attrs["statistic"]))


EXCESS_MAP = Product(
    Kind.EXCESS_MAP,
    "The excess in a circle about each pixel of an image, and its significance",
    {
        "": Group(
            "Pixels",
            EXCESS_MAP_VARIABLES,
            {
                **head_attrs(EXCESS_MAP_SCHEMA, SCHEMA_VERSION),
                "dataset": Attribute("text", "The name of the dataset that the map is of"),
                "telescope": Attribute("text", "The telescope"),
                "statistic": Attribute("text", "What the significance follows from: cash or wstat"),
                "correlation_radius": Attribute("number", "The radius of the circle, deg"),
                "kernel_pixels": Attribute("whole number", "How many pixels the circle holds"),
                "kernel_solid_angle": Attribute("number", "The solid angle of these pixels, sr"),
                "correlate_off": Attribute("true or false", "Whether off counts are summed over the circle, too"),
                "n_sigma": Attribute("number", "How many standard deviations the errors are"),
                "n_sigma_ul": Attribute("number", "How many standard deviations the limits are"),
                "UL_CONF": Attribute("number", "The confidence of the limits"),
                "spectrum": Attribute("mapping", "The spectrum that norms are multiples of, as a document", False),
                "binning_report": Attribute("list of text", "What of the requested energies could not be honoured"),
            },
            (apart("energy"), pixels_of_the_image, excess_is_the_difference, statistic_is_known),
        )
    },
)


def image_of(ds: NamedArrays) -> SkySpace:
    """Return the image that the coordinate ``image`` of maps describes."""
    nx, ny = ds[IMAGE].attrs["npix"]
    return SkySpace.from_coords(ds.coords, (ny, nx))


def plane_chunks(ds: NamedArrays) -> dict[str, dict[str, tuple[int, ...]]]:
    """Return how a store cuts maps: one energy in a chunk, so that a plane is read without the others."""
    return {
        str(name): {"chunks": (1, *variable.shape[1:])}
        for name, variable in ds.variables.items()
        if variable.dims == DIMS
    }
