"""Fluxes: points over energy, curves over time, and what groups of datasets came to by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

from xgamma.axes import FloatArray
from xgamma.datasets import FluxPoints, FluxPointsDataset, GroupFits, GroupPoints, LightCurve
from xgamma.datasets.variability import compute_lightcurve_chisq, compute_lightcurve_fvar
from xgamma.digits import NOTHING, decimals, number_text, some, value_and_error
from xgamma.errors import XgammaError
from xgamma.plot import figures
from xgamma.report.blocks import Block, Picture, Rows, Section, Text

DNDE = "cm-2 s-1 TeV-1"
SIZE = (7.5, 5.0)
Draw = Callable[[], "Figure"]


def points_section(points: Mapping[str, FluxPointsDataset], together: Draw | None = None) -> Section:
    """Return the section of flux points by the name of their entry, empty for those of all; ``together`` shows all."""
    blocks = [] if together is None else [_of_several(points, together)]
    parts = [
        Section(f"Flux points of {name}" if name else "Points", list(_points(name, each)))
        for name, each in points.items()
    ]
    if len(parts) == 1 and not blocks:
        return Section("Flux points", parts[0].blocks)
    return Section("Flux points", blocks, parts)


def _of_several(points: Mapping[str, FluxPointsDataset], draw: Draw) -> Picture:
    alt = (
        f"Flux points of {', '.join(points)} over energy, each in its colour, with the spectrum that was fitted to all "
        "and its error."
    )
    return Picture.of(draw, alt, "Flux points of each entry, with the spectrum that was fitted to all of them.")


def _points(name: str, points: FluxPointsDataset) -> Iterator[Block]:
    data = points.data
    table: Any = data.to_table(sed_type="dnde")
    detected = ~np.asarray(data.is_ul, bool) & np.isfinite(np.asarray(table["dnde"], float))
    of = f" of {name}" if name else ""
    low, high = data.energy_min.value.min(), data.energy_max.value.max()
    if detected.any():

        def draw() -> Figure:
            figure = figures.new_figure((SIZE[0], 5.8))
            points.plot_fit(*figure.subplots(2, 1, sharex=True, height_ratios=[3, 1]))
            return figure

        residuals = points.residuals()
        known = residuals[np.isfinite(residuals)]
        alt = (
            f"Flux points{of} from {low:.3g} to {high:.3g} TeV, {detected.sum()} with a flux and {(~detected).sum()} "
            "as limits or without a measurement, on the spectrum that was fitted with its error; residuals lie between "
            f"{known.min(initial=0.0):.2g} and {known.max(initial=0.0):.2g} of the model."
        )
        yield Picture.of(draw, alt, f"Flux points{of} with the fitted spectrum, and residuals.")
    if data.has_stat_profiles and detected.any():
        yield _profiles(data, of, int(detected.sum()))
    yield Rows(
        [_point_row(row) for row in table],
        f"Flux points{of}: energies in TeV, dnde in {DNDE}, limits of 95 % confidence",
    )
    for sentence in _sentences(data.data.attrs.get("binning_report", "")):
        yield Text(sentence)


def _profiles(data: FluxPoints, of: str, detected: int) -> Picture:
    def draw() -> Figure:
        figure = figures.new_figure(SIZE)
        ax = figure.subplots()
        data.plot(ax, sed_type="e2dnde", color="black", ms=4)
        data.plot_ts_profiles(ax, sed_type="e2dnde")
        return figure

    alt = (
        f"Likelihood profiles of the flux points{of}: for each of {some(data.data.sizes['energy'], 'bin')} of energy "
        "the statistic over the flux, dark at the best fit and white where it is four above; "
        f"{detected} points have a flux."
    )
    return Picture.of(draw, alt, f"Likelihood profiles of the flux points{of}.")


def _point_row(row: Any) -> dict[str, Any]:
    names = row.colnames
    edges = (row["e_min"], row["e_max"])
    used = (row["e_min_fit"], row["e_max_fit"]) if "e_min_fit" in names else edges
    is_same = np.allclose(edges, used, equal_nan=False)
    counts = np.atleast_1d(row["counts"]) if "counts" in names else np.zeros(0)
    return {
        "from": number_text(float(edges[0])),
        "to": number_text(float(edges[1])),
        "used": "all" if is_same else _span(used),
        "counts": decimals(float(np.nansum(counts)), 0) if counts.size else NOTHING,
        "dnde": value_and_error(float(row["dnde"]), float(row["dnde_err"]))
        if "dnde_err" in names
        else number_text(float(row["dnde"])),
        "limit": number_text(float(row["dnde_ul"]), 3) if "dnde_ul" in names else NOTHING,
        "significance": decimals(float(row["sqrt_ts"]), 1) if "sqrt_ts" in names else NOTHING,
        "shown as": "limit"
        if "is_ul" in names and bool(row["is_ul"])
        else "flux"
        if np.isfinite(row["dnde"])
        else "nothing",
    }


def _sentences(report: str | Sequence[str]) -> list[str]:
    """Return sentences about bins, which files and products hold as a text or a list, as sentences."""
    texts = [report] if isinstance(report, str) else report
    return [f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in texts if text]


def _span(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.4g} to {bounds[1]:.4g}" if np.isfinite(bounds).all() else "nothing"


# --- over time


def curve_section(curve: LightCurve) -> Section:
    """Return the section of a light curve."""

    def draw() -> Figure:
        figure = figures.new_figure((8.5, 4.8))
        curve.plot(figure.subplots(), sed_type="flux", close_gaps=True)
        return figure

    flux = np.asarray(curve.flux.value, float)
    known = flux[np.isfinite(flux)]
    bins, energies = flux.shape[0], flux.shape[1]
    least, most = (number_text(float(end), 3) for end in (known.min(initial=np.inf), known.max(initial=-np.inf)))
    first, last = curve.time_min[0].iso[:16], curve.time_max[-1].iso[:16]
    alt = (
        f"Light curve with {some(bins, 'bin')} of time from {first} to {last} TT and {some(energies, 'bin')} of "
        f"energy, fluxes between {least} and {most} per cm2 and s."
    )
    blocks: list[Block] = [Picture.of(draw, alt, "Flux over time; grey bands close long gaps, arrows are limits.")]
    blocks += list(_variability(curve))
    blocks.append(Rows(_curve_rows(curve), "Light curve: times TT, energies in TeV, flux in cm-2 s-1"))
    sentences = _sentences(curve.data.attrs.get("time_report", ""))
    return Section("Light curve", [*blocks, *map(Text, sentences)])


def _variability(curve: LightCurve) -> Iterator[Block]:
    chisq: Any
    fvar: Any
    try:
        chisq, fvar = compute_lightcurve_chisq(curve), compute_lightcurve_fvar(curve)
    except XgammaError as error:
        yield Text(str(error))
        return
    rows = [_variability_row(one, other) for one, other in zip(chisq, fvar, strict=True)]
    yield Rows(rows, "Variability: chi2 of a constant flux, and the fractional excess variance; energies in TeV")


def _variability_row(chisq: Any, fvar: Any) -> dict[str, Any]:
    first = {
        name: float(np.atleast_1d(chisq[name])[0]) for name in ("min_energy", "max_energy", "chi2", "dof", "p_value")
    }
    value, error = (float(np.atleast_1d(fvar[name])[0]) for name in ("fvar", "fvar_err"))
    return {
        "energies": f"{first['min_energy']:.3g} to {first['max_energy']:.3g}",
        "chi2": decimals(first["chi2"]),
        "dof": int(first["dof"]),
        "p-value": number_text(first["p_value"], 3),
        "Fvar": value_and_error(value, error),
    }


def _curve_rows(curve: LightCurve) -> list[dict[str, Any]]:
    shape = curve.data["norm"].shape

    def values(name: str) -> FloatArray:
        given = getattr(curve, name) if curve.has(name) else np.full(shape, np.nan)
        return np.asarray(getattr(given, "value", given), dtype=float)

    flux, error, limit, significance = (values(name) for name in ("flux", "flux_err", "flux_ul", "sqrt_ts"))
    starts, hours = curve.time_min.iso, (curve.time_max - curve.time_min).to_value("h")
    return [
        {
            "start": str(starts[time])[:16],
            "hours": decimals(float(hours[time])),
            "energies": f"{curve.energy_min.value[energy]:.3g} to {curve.energy_max.value[energy]:.3g}",
            "flux": value_and_error(float(flux[time, energy]), float(error[time, energy])),
            "limit": number_text(float(limit[time, energy]), 3),
            "significance": decimals(float(significance[time, energy]), 1),
        }
        for time, energy in np.ndindex(shape)
    ]


# --- groups


def groups_section(fits: GroupFits | None, points: GroupPoints | None) -> Section:
    """Return the section of the fits and the flux points of each group by itself."""
    blocks: list[Block] = []
    if fits is not None:
        by = str(fits.data.attrs["by"])
        said = "; ".join(_group_words(fits, name) for name in fits.free_parameters)
        count = some(len(fits.groups), "group")
        alt = f"Parameters of the fit of each {by} against time, {count}, with that of all as a band: {said}."
        blocks.append(
            Picture.of(
                partial(_drawn_fits, fits),
                alt,
                f"What each {by} came to by itself; the line and the band are the fit of all.",
            )
        )
        blocks.append(Rows(_fit_rows(fits, fits.to_table()), f"Fits of each {by}; times are MJD (TT)"))
    if points is not None:
        by = str(points.data.attrs["by"])
        alt = f"Flux points of each {by} over energy: {', '.join(points.groups[:20])}."
        blocks.append(Picture.of(partial(_drawn_points, points), alt))
        rows = [{"group": group, **_point_row(row)} for group in points.groups for row in _lines(points[group])]
        blocks.append(Rows(rows, f"Flux points of each {by}: energies in TeV, dnde in {DNDE}"))
    return Section("Groups by themselves", blocks)


def _drawn_fits(fits: GroupFits) -> Figure:
    figure = figures.new_figure((8.5, 2.4 + 1.8 * len(fits.free_parameters)))
    fits.plot(figure, close_gaps=True)
    return figure


def _drawn_points(points: GroupPoints) -> Figure:
    figure = figures.new_figure(SIZE)
    points.plot(figure.subplots())
    return figure


def _lines(points: FluxPoints) -> list[Any]:
    table: Any = points.to_table("dnde")
    return list(table)


def _group_words(fits: GroupFits, name: str) -> str:
    values = fits.data["value"].sel(parameter=name).values
    known = values[np.isfinite(values)]
    low, high = (number_text(float(end), 3) for end in (known.min(initial=np.inf), known.max(initial=-np.inf)))
    return f"{fits.labels[name]} from {low} to {high}"


def _fit_rows(fits: GroupFits, table: Any) -> list[dict[str, Any]]:
    return [
        {
            "group": str(row["group"]),
            "from": decimals(float(row["time_min"]), 3),
            "live time (h)": decimals(float(row["livetime"]) / 3600),
            **{
                f"{fits.labels[name]} {f'({fits.unit(name)})' if fits.unit(name) else ''}".strip(): value_and_error(
                    float(row[name]), float(row[f"{name}_err"])
                )
                for name in fits.free_parameters
            },
            "statistic": decimals(float(row["total_stat"])),
            "state": "converged" if row["success"] else "NOT CONVERGED",
        }
        for row in table
    ]
