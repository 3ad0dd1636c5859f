"""How views print: paragraphs of (label, text), as a block of text or a small HTML table."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import xarray as xr

from xgamma.datasets.info import Column, is_on_off
from xgamma.models.models import Models

Paragraph = Sequence[tuple[str, str]]

LABEL_WIDTH = 31


def block(title: str, paragraphs: Sequence[Paragraph]) -> str:
    """Return a titled block; paragraphs are parted by an empty line."""
    texts = ["\n".join(f"  {label:<{LABEL_WIDTH}} : {text}".rstrip() for label, text in lines) for lines in paragraphs]
    return "\n\n".join([f"{title}\n{'-' * len(title)}", *texts]) + "\n"


def html_block(title: str, paragraphs: Sequence[Paragraph]) -> str:
    """Return the same as an HTML table."""
    rows = [
        f"<tr><td style='text-align:left'>{html.escape(label)}</td>"
        f"<td style='text-align:right'>{html.escape(text)}</td></tr>"
        for lines in paragraphs
        for label, text in lines
    ]
    return f"<table><caption><b>{html.escape(title)}</b></caption>{''.join(rows)}</table>"


def describe_models(models: Models) -> Paragraph:
    """Return the numbers of models, parameters and free parameters."""
    return [
        ("Number of models", f"{len(models)}"),
        ("Number of parameters", f"{len(models.parameters)}"),
        ("Number of free parameters", f"{len(models.parameters.free_parameters)}"),
    ]


def model_text(models: Models) -> str:
    """Return the components as ``print(models)`` shows them, indented, or nothing without models."""
    if not len(models):
        return ""
    components = str(models).split("\n", 1)[1].strip("\n")
    return "\n" + "\n".join(f"  {line}".rstrip() for line in components.splitlines()) + "\n"


def describe_row(ds: xr.Dataset, columns: Mapping[str, Column], models: Models) -> list[Paragraph]:
    """Return the paragraphs of a one-row DL4 Dataset from its summary."""
    row = {name: column.values[0] for name, column in columns.items()}
    paragraphs: list[Paragraph] = [
        [("Name", str(row["name"]))],
        [
            ("Total counts", f"{row['counts']}"),
            ("Total background counts", f"{row['background']:.2f}"),
            ("Total excess counts", f"{row['excess']:.2f}"),
        ],
        [
            ("Predicted counts", f"{row['npred']:.2f}"),
            ("Predicted background counts", f"{row['npred_background']:.2f}"),
            ("Predicted excess counts", f"{row['npred_signal']:.2f}"),
        ],
        [
            ("Exposure min", f"{row['exposure_min']:.2e} m2 s"),
            ("Exposure max", f"{row['exposure_max']:.2e} m2 s"),
        ],
        [("Number of total bins", f"{row['n_bins']}"), ("Number of fit bins", f"{row['n_fit_bins']}")],
        [("Fit statistic type", str(row["stat_type"])), ("Fit statistic value (-2 log(L))", f"{row['stat_sum']:.2f}")],
        describe_models(models),
    ]
    if is_on_off(ds):
        # Users of Gammapy know the acceptances of this block as sums over all bins, not only the safe ones.
        on_area, off_area = (float(ds[name].values.sum()) for name in ("acceptance", "acceptance_off"))
        off = [("Total counts_off", f"{row['counts_off']}")]
        paragraphs.append([*off, ("Acceptance", f"{on_area:.0f}"), ("Acceptance off", f"{off_area:.0f}")])
    return paragraphs
