"""A look ahead: which runs a configuration selects, what is wrong with them, and where its region lies in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xgamma.analysis.look import Look, look_ahead
from xgamma.analysis.plan import Request, planned, validate_steps, validated_request
from xgamma.analysis.selected import Selected
from xgamma.analysis.steps.reduce import ReductionWanted
from xgamma.config.config import AnalysisConfig
from xgamma.config.requests import outdir_of
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
    chosen = request.selected()
    if config.general.memory_limit is not None:
        validate_steps(config, list(planned(request, chosen)))
    look = look_ahead(request, chosen)
    late = [look.dropped[criterion] for criterion in ("expression", "obs_time")]
    obs_ids = [obs_id for obs_id in chosen.obs_ids if not any(obs_id in runs for runs in late)]
    return Preview(
        obs_ids,
        _unusable(request, chosen, look),
        look.dropped,
        [] if look.is_complete else chosen.undecided,
        [*request.remarks, *look.remarks],
        _facts(request, chosen, look, len(obs_ids)) | {"results": str(outdir)},
    )


def _validate_store_of_url(config: AnalysisConfig) -> None:
    """Raise ``StoreError`` where a server does not answer, or nobody knows how to ask it; nothing is made."""
    location = config.general.store_location()
    if "://" in location:
        Store(location, read_only=True)


def _unusable(request: Request, chosen: Selected, look: Look) -> dict[int, str]:
    """Return the reason against each run that cannot be used; of pieces of a run that of the first."""
    found: dict[int, str] = {}
    far = [run for recipe in request.recipes for run in chosen.far(recipe)]
    for run in (*chosen.lacking, *far, *look.unused):
        found.setdefault(run.obs_id, run.message.rstrip("."))
    return found


def _facts(request: Request, chosen: Selected, look: Look, selected: int) -> dict[str, str]:
    seen = f"all {len(look.obs_ids)}" if look.is_complete else f"{len(look.obs_ids)} of {len(chosen.obs_ids)}, evenly"
    return {
        "datastore": f"{chosen.release.name}: {len(chosen.facts)} run{'s' * (len(chosen.facts) != 1)}",
        "selected runs": f"{selected}",
        **({} if look.is_complete else {"looked into": f"{seen} spaced; of the others, whether their files are there"}),
        **{name: text for wanted in request.reductions for name, text in _facts_of(wanted, chosen).items()},
        "models": "none" if request.models is None else ", ".join(request.models.names),
        "steps": ", ".join(request.sections),
    }


def _facts_of(wanted: ReductionWanted, chosen: Selected) -> dict[str, str]:
    """Return what is to be said of an entry of ``datasets``."""
    energy, offset = wanted.recipe.grid.energy, chosen.offsets(wanted.recipe)
    facts = {
        "offset of the region": f"{offset.min():.2f} to {offset.max():.2f} deg",
        "energies": f"{energy.nbin} bins, {energy.edges[0]:g} to {energy.edges[-1]:g} TeV",
        "background": "none" if wanted.recipe.background is None else f"{wanted.recipe.background.name} regions",
    }
    return {f"{name} of {wanted.name}" if wanted.name else name: text for name, text in facts.items()}
