"""What stands above pictures: the source, who observed it, for how long, and how significant it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from xgamma.models import Models, SkyModel

NAMES_MOST = 2


def source_names(models: Models) -> str:
    """Return the names of the sources of models, or how many there are; empty for none."""
    names = [model.name for model in models if isinstance(model, SkyModel)]
    return " + ".join(names) if len(names) <= NAMES_MOST else f"{len(names)} sources"


def duration(seconds: float) -> str:
    """Return a time in words.

    >>> duration(6900.0), duration(1500.0), duration(0.0)
    ('1.92 h', '25 min', '')
    """
    hours = seconds / 3600.0
    return f"{hours:.3g} h" if hours >= 1 else f"{seconds / 60.0:.0f} min" if seconds > 0 else ""


def row_facts(view: Any, with_significance: bool = True) -> tuple[str, ...]:
    """Return what is known of a row: source or name, telescope, live time, significance; what is not is left out."""
    source = source_names(view.models)
    telescope = str(view.arrays.attrs.get("telescope", ""))
    facts = [source or view.name, telescope, duration(float(view.livetime.value))]
    if with_significance:
        facts.append(significance_text(view.significance))
    return tuple(facts)


def significance_text(sqrt_ts: float) -> str:
    """Return a significance with its sign, empty where it is not known."""
    return rf"{sqrt_ts:.1f} $\sigma$" if sqrt_ts == sqrt_ts else ""


def joint_facts(views: Iterable[Any], models: Models) -> tuple[str, ...]:
    """Return what is known of several rows together: sources, telescopes, live time; of one what is known of it."""
    every = [view for view in views if hasattr(view, "livetime")]
    if len(every) == 1:
        return row_facts(every[0], with_significance=not hasattr(every[0], "image"))
    telescopes = dict.fromkeys(name for view in every for name in view.arrays.attrs.get("telescope", "").split(", "))
    # Several regions of a run share its time.
    times = {(id(view.arrays), view.position[0]): float(view.livetime.value) for view in every}
    count = f"{len(every)} datasets"
    return source_names(models), ", ".join(filter(None, telescopes)), count, duration(sum(times.values()))
