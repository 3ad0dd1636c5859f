"""A look ahead: which runs a configuration selects, what is wrong with them, and where its region lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xgamma.analysis.look import Look, look_ahead
from xgamma.analysis.plan import validated_plan
from xgamma.analysis.preflight import Chosen, Request, chosen_runs, validated_request
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import outdir_of
from xgamma.select import Selection, is_known_early
from xgamma.store import Store

Dropped = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class Preview:
    """What a configuration would work on.

    Parameters
    ----------
    obs_ids
        The selected runs.
    unusable
        Those that cannot be used, and those that lack a response, with the reason.
    dropped
        Why other runs are not selected, by criterion and observation id; ``obs_ids`` and ``obs_file`` drop no run,
        they name what is wanted.
    undecided
        The criteria that can drop more runs once these are ingested.
    remarks
        Sentences about what is given and not used, or will not be what it seems.
    facts
        The rest, as text.
    """

    obs_ids: Sequence[int]
    unusable: Mapping[int, str]
    dropped: Dropped
    undecided: Sequence[str]
    remarks: Sequence[str]
    facts: Mapping[str, str]


def preview(config: AnalysisConfig) -> Preview:
    """Check a configuration, its files and its geometry, and look into some of its runs. Writes nothing.

    Raises
    ------
    ConfigError, InputError, DataError
        For everything that ``run`` would refuse, in the same words.
    """
    request = validated_request(config)
    outdir = outdir_of(config)
    _validate_store_of_url(config)
    if config.general.memory_limit is not None:
        validated_plan(config)
    chosen = chosen_runs(request)
    look = look_ahead(request, chosen)
    undecided = [] if look.is_complete else _undecided(chosen, request.selection)
    late = {"expression": look.unlike, "obs_time": look.outside}
    obs_ids = [obs_id for obs_id in chosen.obs_ids if not any(obs_id in of for of in late.values())]
    dropped = chosen.sieved.dropped
    return Preview(
        obs_ids,
        _unusable(chosen, look),
        {name: {**dropped.get(name, {}), **late.get(name, {})} for name in (*dropped, "obs_time")},
        undecided,
        [*request.remarks, *look.remarks],
        _facts(request, chosen, look, len(obs_ids)) | {"results": str(outdir)},
    )


def _validate_store_of_url(config: AnalysisConfig) -> None:
    """Raise ``StoreError`` where a server does not answer, or nobody knows how to ask it; nothing is made."""
    location = config.general.store_location()
    if "://" in location:
        Store(location, read_only=True)


def _undecided(chosen: Chosen, selection: Selection) -> list[str]:
    """Return the criteria that drop runs which were not looked at, by what the index does not tell."""
    names = ("expression", "required_irf")
    looked_at = [*chosen.obs_ids, *(obs_id for name in names for obs_id in chosen.sieved.dropped[name])]
    is_early = is_known_early([chosen.facts[obs_id] for obs_id in looked_at], selection)
    return [*([] if is_early else ["expression"]), *(["obs_time"] if selection.intervals else [])]


def _unusable(chosen: Chosen, look: Look) -> dict[int, str]:
    """Return the reason against each run that cannot be used; of pieces of a run that of the first."""
    found = {failure.obs_id: failure.message for failure in chosen.lacking} | dict(chosen.far)
    for run in look.unused:
        found.setdefault(run.obs_id, run.message.rstrip("."))
    return found


def _facts(request: Request, chosen: Chosen, look: Look, selected: int) -> dict[str, str]:
    energy, offset = request.recipe.grid.energy, chosen.offset
    seen = f"all {len(look.obs_ids)}" if look.is_complete else f"{len(look.obs_ids)} of {len(chosen.obs_ids)}, evenly"
    return {
        "datastore": f"{chosen.release.name}: {len(chosen.facts)} run{'s' * (len(chosen.facts) != 1)}",
        "selected runs": f"{selected}",
        **({} if look.is_complete else {"looked into": f"{seen} spaced; of the others, whether their files are there"}),
        "offset of the region": f"{offset.min():.2f} to {offset.max():.2f} deg",
        "energies": f"{energy.nbin} bins, {energy.edges[0]:g} to {energy.edges[-1]:g} TeV",
        "background": "none" if request.recipe.background is None else "reflected regions",
        "models": "none" if request.models is None else ", ".join(request.models.names),
        "steps": ", ".join(request.steps),
    }
