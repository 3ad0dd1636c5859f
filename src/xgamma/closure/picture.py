"""The picture of a closure: pulls of the parameters, coverage over the counts expected."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import xarray as xr

from xgamma.closure.findings import FEWEST_COUNTS, LIMIT, POINT, Finding, converged, findings
from xgamma.plot.closure import Covered, draw_closure

PANELS = {POINT: "Errors of flux points", LIMIT: "Upper limits of flux points"}


def picture(results: xr.Dataset, others: Sequence[xr.Dataset] = ()) -> bytes:
    """Draw the pulls of some results, and the coverage of these and of ``others``; returns a PNG."""
    good = converged(results)
    pulls = {
        name: ((good["value"] - good["truth"]) / good["error"]).sel(parameter=name).values
        for name in good["parameter"].values.tolist()
    }
    every = [finding for one in (results, *others) for finding in findings(one)]
    figure = draw_closure(pulls, [_covered(every, what) for what in PANELS], FEWEST_COUNTS)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110)
    return content.getvalue()


def _covered(every: Sequence[Finding], what: str) -> Covered:
    chosen = [finding for finding in every if finding.what == what]
    intervals = np.array([finding.coverage.interval for finding in chosen]).reshape(-1, 2)
    return Covered(
        PANELS[what],
        np.array([finding.counts for finding in chosen]),
        np.array([finding.coverage.fraction for finding in chosen]),
        intervals,
        chosen[0].coverage.nominal if chosen else np.nan,
    )
