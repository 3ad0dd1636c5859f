"""What became of sources on maps in a fit: one that left the map or outgrew it, one that nothing sees, no counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xgamma.axes import FloatArray
from xgamma.fit.signal import Values
from xgamma.fit.sky_terms import MapTerm, SkyTerm
from xgamma.fit.terms import CountsTerm
from xgamma.models.models import Models, SkyModel
from xgamma.predict.held import Holder, beyond_maps, lies_inside
from xgamma.predict.sky import FarAwayError


def outcomes(terms: Sequence[CountsTerm], models: Models, holders: Sequence[Holder], values: Values) -> list[str]:
    """Return a sentence for each reason why the end of a fit is none: mostly none.

    Parameters
    ----------
    terms
        Of which those of maps are looked at.
    models, holders
        The models, with their values at the end, and what they are on.
    values
        The arguments of the terms at the end.
    """
    maps = [term for term in terms if isinstance(term, MapTerm)]
    if not maps:
        return []
    held = {model.name: [one for one in holders if one.is_map and one.has(model)] for model in models}
    left = [model for model in models if _has_left(model, held[model.name])]
    sentences = [_left(model) for model in left]
    sentences += [text for model in models if (text := _beyond(model, held[model.name]))]
    seen: dict[str, float] = {}
    below = 0
    for term in maps:
        whole, parts = _predicted(term, values)
        for signal, counts in zip(whole.signals, parts, strict=True):
            seen[signal.model.name] = max(seen.get(signal.model.name, 0.0), float(np.abs(counts).max(initial=0.0)))
        total = whole.prediction(values)
        expected = getattr(whole.data, "background", np.zeros(()))
        below += int((total + expected < 0).sum())
    unseen = [model for model in models if seen.get(model.name) == 0.0 and model not in left]
    for model in unseen:
        free = model.parameters.free_parameters.names
        if free:
            sentences.append(
                f"No bin that is fitted sees the model {model.name!r}, so that {', '.join(free)} are not known; "
                "look at mask_safe, mask_fit and the energies of the fit, or remove it."
            )
    if below:
        sentences.append(
            f"The models predict less than no counts in {below} bins or sums of bins; give the norm of the negative "
            "one a limit of 0, or remove it."
        )
    return sentences


def _has_left(model: SkyModel, maps: Sequence[Holder]) -> bool:
    place = model.spatial_model
    if not maps or place is None or place.center() is None:
        return False
    is_moved = any(parameter.name in ("lon_0", "lat_0") for parameter in place.parameters.free_parameters)
    return is_moved and not lies_inside(maps, place, with_psf=False)


def _beyond(model: SkyModel, maps: Sequence[Holder]) -> str:
    place = model.spatial_model
    said = "" if place is None or not maps else beyond_maps(maps, place)
    return f"The model {model.name!r} {said}." if said else ""


def _left(model: SkyModel) -> str:
    place = model.spatial_model
    center = None if place is None else place.center()
    assert place is not None and center is not None
    return (
        f"The model {model.name!r} left the map: it ended at {center[0]:.6g}, {center[1]:.6g} deg ({place.frame}), "
        "where there is no pixel; start it nearer to its source, or freeze its position."
    )


def _predicted(term: MapTerm, values: Values) -> tuple[MapTerm, list[FloatArray]]:
    """Return a term and what its models predict in their bins; of a source far away of more bins."""
    try:
        return term, [signal.seen(values) for signal in term.signals]
    except FarAwayError:
        assert isinstance(term, SkyTerm)
        return term.wide, [signal.seen(values) for signal in term.wide.signals]
