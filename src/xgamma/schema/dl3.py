"""DL3: runs that were ingested together, with their events, good time and responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from xgamma.schema.arrays import NamedArrays
from xgamma.schema.documents import TEXTS
from xgamma.schema.tables import Attribute, Group, Kind, Product, Variable, Violation, axis, axis_law, head_attrs

# The roles in the order of ``events.IRF_ROLES``.
ROLES = ("aeff", "edisp", "psf", "bkg", "rad_max")
SCHEMA = "xgamma DL3 part"
SCHEMA_VERSION = 1
_OBS = ("obs",)
# Parts of xgamma 0.1.0 are known by their kind alone.
_HEAD = {name: replace(spec, required=False) for name, spec in head_attrs(SCHEMA, SCHEMA_VERSION).items()}
_EPOCH = {
    "mjdref": Attribute("number", "The epoch of all times, MJD in `time_scale`"),
    "time_scale": Attribute("text", "The scale of all times", value="tt"),
}


def _number(units: str, long_name: str) -> Variable:
    return Variable(_OBS, units, "f8", long_name)


def _index(long_name: str) -> Variable:
    return Variable(_OBS, "", "i8", long_name)


OBS: Mapping[str, Variable] = {
    "obs_id": _index("Observation id"),
    "ra_pnt": _number("deg", "Pointing right ascension"),
    "dec_pnt": _number("deg", "Pointing declination"),
    "index_ra": _number("deg", "Pointing right ascension in the index"),
    "index_dec": _number("deg", "Pointing declination in the index"),
    "zenith": _number("deg", "Zenith angle of the pointing"),
    "geo_lon": Variable(_OBS, "deg", "f8", "East longitude of the site, NaN where unknown", False),
    "tstart": _number("s", "Start of the first good time since mjdref"),
    "tstop": _number("s", "Stop of the last good time since mjdref"),
    "ontime": _number("s", "Good time"),
    "livetime": _number("s", "Good time corrected for dead time"),
    "deadc": _number("", "Dead time correction"),
    "energy_min": _number("TeV", "Lower end of the recommended energies, NaN for none"),
    "energy_max": _number("TeV", "Upper end of the recommended energies, NaN for none"),
    "rad_max": _number("deg", "Radius of the on-region of a point-like response, NaN for none"),
    "event_start": _index("First event of the run"),
    "event_size": _index("Number of events of the run"),
    "event_outside": Variable(_OBS, "", "f8", "Number of events in no good time, NaN where it is not known", False),
    "gti_start": _index("First good time of the run"),
    "gti_size": _index("Number of good times of the run"),
    "gti_slack": Variable(
        _OBS, "s", "f8", "How long the last good time holds beyond its stop, NaN where it is not known", False
    ),
    **{
        f"{role}_{what}": _index(text.format(role))
        for role in ROLES
        for what, text in (
            ("table", "Table of the {} response, a number into attrs irf_tables, -1 where missing"),
            ("row", "Row of the {} response in its table, -1 where missing"),
        )
    },
    "point_like": Variable(_OBS, "", "b1", "Whether the responses hold for a fixed on-region"),
    "drift": Variable(_OBS, "", "b1", "Whether the pointing drifts over the sky"),
}
EVENTS: Mapping[str, Variable] = {
    "ra": Variable(("event",), "deg", "f8", "Right ascension, ICRS"),
    "dec": Variable(("event",), "deg", "f8", "Declination, ICRS"),
    "energy": Variable(("event",), "TeV", "f8", "Reconstructed energy"),
    "time": Variable(("event",), "s", "f8", "Arrival time since mjdref"),
}
GTI: Mapping[str, Variable] = {
    "start": Variable(("gti",), "s", "f8", "Start of good time since mjdref"),
    "stop": Variable(("gti",), "s", "f8", "Stop of good time since mjdref"),
}
_AXES = {
    "offset": axis("offset", "deg", "Offset from the pointing"),
    "energy": axis("energy", "TeV", "Reconstructed energy"),
    "energy_true": axis("energy_true", "TeV", "True energy"),
    "rad": axis("rad", "deg", "Offset from the source"),
    "migra": axis("migra", "", "Reconstructed over true energy"),
    "fov_lon": axis("fov_lon", "deg", "Longitude in the field of view"),
    "fov_lat": axis("fov_lat", "deg", "Latitude in the field of view"),
}


def _response(hdu_class: str, title: str, dims: tuple[str, ...], **values: tuple[str, str]) -> Group:
    variables = {name: Variable(("irf", *dims), units, "f8", text) for name, (units, text) in values.items()}
    axes = {name: spec for dim in dims for name, spec in _AXES[dim].items()}
    attrs = {"hdu_class": Attribute("text", "The HDU_CLASS of the response", value=hdu_class)}
    return Group(title, {**variables, **axes}, attrs, tuple(axis_law(dim) for dim in dims))


RESPONSES: Mapping[str, Group] = {
    "irf/aeff_2d-*": _response("aeff_2d", "Effective area", ("offset", "energy_true"), aeff=("m2", "Effective area")),
    "irf/edisp_2d-*": _response(
        "edisp_2d", "Energy dispersion", ("offset", "migra", "energy_true"), edisp=("", "Density in migra")
    ),
    "irf/psf_table-*": _response(
        "psf_table", "Point spread function", ("offset", "rad", "energy_true"), psf=("sr-1", "Density on the sky")
    ),
    "irf/psf_3gauss-*": _response(
        "psf_3gauss",
        "Point spread function of three Gaussians",
        ("offset", "energy_true"),
        scale=("", "Scale"),
        sigma_1=("deg", "Width of the first"),
        sigma_2=("deg", "Width of the second"),
        sigma_3=("deg", "Width of the third"),
        ampl_2=("", "Amplitude of the second, relative to the first"),
        ampl_3=("", "Amplitude of the third, relative to the first"),
    ),
    "irf/psf_king-*": _response(
        "psf_king",
        "Point spread function of King",
        ("offset", "energy_true"),
        gamma=("", "Exponent"),
        sigma=("deg", "Width"),
    ),
    "irf/bkg_2d-*": _response(
        "bkg_2d", "Background rate", ("offset", "energy"), bkg=("s-1 TeV-1 sr-1", "Background rate")
    ),
    "irf/bkg_3d-*": _response(
        "bkg_3d",
        "Background rate in the field of view",
        ("energy", "fov_lon", "fov_lat"),
        bkg=("s-1 TeV-1 sr-1", "Background rate"),
    ),
    "irf/rad_max_2d-*": _response(
        "rad_max_2d", "Radius of the on-region", ("offset", "energy"), rad_max=("deg", "Radius")
    ),
}


# --- laws


def columns_of_events(ds: NamedArrays) -> Iterator[Violation]:
    """Further columns of the release stand beside these, with the dim `event` and a unit."""
    for name, variable in ds.variables.items():
        if variable.dims != ("event",):
            yield Violation(str(name), "the dims (event)", f"({', '.join(map(str, variable.dims))})")
        elif not isinstance(variable.attrs.get("units"), str):
            yield Violation(str(name), "attrs['units'], a text", "none")


def intervals(ds: NamedArrays) -> Iterator[Violation]:
    """A good time does not start after it stops."""
    wrong = np.flatnonzero(ds["start"].values > ds["stop"].values)
    if len(wrong):
        yield Violation("start", "starts that are not after their stops", f"another one in row {int(wrong[0])}")


def entries_of_each_run(ds: NamedArrays) -> Iterator[Violation]:
    """There is one telescope, one target and, where there are any, one field and one list of notes for each run."""
    for name in ("telescope", "target", "bkg_field", "notes"):
        if len(ds.attrs.get(name, ds["obs_id"])) != ds.sizes["obs"]:
            yield Violation(f"attrs {name}", f"{ds.sizes['obs']} entries", str(len(ds.attrs[name])))


def ranges_of_runs(groups: Mapping[str, NamedArrays]) -> Iterator[Violation]:
    """The events of run *i* are `event_start[i]` to `event_start[i] + event_size[i]`, its good times likewise."""
    obs = groups[""]
    for group, dim in (("events", "event"), ("gti", "gti")):
        start, size = obs[f"{dim}_start"].values, obs[f"{dim}_size"].values
        length = groups[group].sizes[dim]
        wrong = np.flatnonzero((start < 0) | (size < 0) | (start + size > length))
        if len(wrong):
            row = int(wrong[0])
            found = f"{int(start[row])} to {int(start[row] + size[row])} in row {row}"
            yield Violation(f"{dim}_start", f"ranges inside the {length} rows of {group}", found)


def places_of_responses(groups: Mapping[str, NamedArrays]) -> Iterator[Violation]:
    """`<role>_table` is a number into `irf_tables`, `<role>_row` a row of that table; both are -1 or none is."""
    obs = groups[""]
    tables = obs.attrs["irf_tables"]
    lost = [name for name in tables if name not in groups]
    if lost:
        yield Violation("attrs irf_tables", "names of groups", f"no group {lost[0]!r}")
        return
    rows = np.array([*(groups[name].sizes.get("irf", 0) for name in tables), 0])
    for role in ROLES:
        table, row = obs[f"{role}_table"].values, obs[f"{role}_row"].values
        is_there = (table >= 0) & (table < len(tables))
        within = (row >= 0) & (row < rows[np.where(is_there, table, -1)])
        wrong = np.flatnonzero(~((is_there & within) | ((table == -1) & (row == -1))))
        if len(wrong):
            found = f"table {int(table[wrong[0]])}, row {int(row[wrong[0]])}"
            yield Violation(f"{role}_table", "a table and a row of it, or -1 and -1", found)


PART = Product(
    Kind.DL3,
    "A part: runs that were ingested together",
    {
        "": Group(
            "Table of runs",
            OBS,
            {
                **_HEAD,
                **_EPOCH,
                "release": Attribute("text", "The name of the release"),
                "irf_tables": Attribute("list of text", "The groups of the responses"),
                "telescope": Attribute("list of text", "The telescope of each run"),
                "target": Attribute("list of text", "The target of each run"),
                "bkg_field": Attribute(
                    "list of mapping",
                    "For each run how the field of view of its background lies on the sky: `alignment`, one of RADEC, "
                    "ALTAZ and REVERSE_LON_RADEC, and `site_lat`, the latitude of the site in deg; without what is not "
                    "known",
                    required=False,
                ),
                "notes": Attribute(
                    "list of list of list of text", "Topic and sentence of each note of each run", required=False
                ),
            },
            (entries_of_each_run,),
        ),
        "events": Group("Events", EVENTS, _EPOCH, (columns_of_events,)),
        "gti": Group("Good times", GTI, _EPOCH, (intervals,)),
        **RESPONSES,
    },
    TEXTS[Kind.DL3],
    laws=(ranges_of_runs, places_of_responses),
)
