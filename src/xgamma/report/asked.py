"""What was asked: the configuration in words, what of it differs from the defaults, and all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from xgamma.config.config import AnalysisConfig, given_document
from xgamma.config.section import Section as ConfigSection
from xgamma.config.sections import DatasetsConfig
from xgamma.digits import NOTHING
from xgamma.formats.yaml_documents import mixed_yaml
from xgamma.report.blocks import Block, Download, Facts, Rows, Section, Text
from xgamma.units import quantity_string

YAML = "application/yaml"


def asked(config: AnalysisConfig, missing: Sequence[str] = ()) -> Section:
    """Return the section of a configuration, and of the steps that are not done yet."""
    entries = dict(config.entries)
    blocks: list[Block] = []
    if len(entries) == 1:
        blocks.append(Facts(_facts(next(iter(entries.values())), config)))
    else:
        blocks.append(
            Rows(
                [{"entry": entry.name or where, **_facts(entry, config)} for where, entry in entries.items()],
                "Entries of datasets",
            )
        )
    steps = ", ".join(step.replace("_", " ") for step in config.planned_steps())
    blocks.append(Text(f"Steps: {steps}."))
    if missing:
        blocks.append(Text(f"Not done yet: {'; '.join(missing)}.", True))
    given = given_document(config)
    blocks.append(Download("config.yaml", YAML, mixed_yaml(given), "What differs from the defaults, as YAML"))
    blocks.append(Download("config-full.yaml", YAML, config.to_yaml(), "The whole configuration, with all defaults"))
    return Section("What was asked", blocks)


def _facts(entry: DatasetsConfig, config: AnalysisConfig) -> dict[str, Any]:
    names = ("kind", "where", "energies", "background", "safe range by", "read from", "runs", "fitted")
    facts: dict[str, Any] = dict.fromkeys(names, NOTHING) | {"fitted": _fitted(entry, config)}
    if entry.read is not None:
        files = entry.read if isinstance(entry.read, list | tuple) else [entry.read]
        return facts | {"kind": "spectra of files", "read from": ", ".join(str(file) for file in files)}
    observations, axis = entry.observations or config.observations, entry.geom.axes.energy
    return facts | {
        "kind": "maps" if entry.type == "3d" else "spectra of regions",
        "where": "; ".join(_where(entry)),
        "energies": f"{quantity_string(axis.min)} to {quantity_string(axis.max)}, {axis.nbins} bins",
        "background": entry.background.method or "none",
        "safe range by": ", ".join(entry.safe_mask.methods) or "none",
        "read from": str(observations.datastore),
        "runs": _selection(observations),
    }


def _fitted(entry: DatasetsConfig, config: AnalysisConfig) -> str:
    chosen = config.fit.fit_range if entry.fit_range is None else entry.fit_range
    low, high = (NOTHING if end is None else f"{end:.4g} TeV" for end in chosen.bounds())
    return "all that is safe" if low == high == NOTHING else f"{low} to {high}"


def _where(entry: DatasetsConfig) -> Iterator[str]:
    if entry.type == "3d":
        wcs = entry.geom.wcs
        width, height, pixel = (quantity_string(size) for size in (wcs.width.width, wcs.width.height, wcs.binsize))
        yield f"{width} x {height} in pixels of {pixel}"
        return
    regions = entry.on_region if isinstance(entry.on_region, list | tuple) else [entry.on_region]
    for region in regions:
        document = region.document() if isinstance(region, ConfigSection) else {"file": region}
        yield ", ".join(f"{name} {value}" for name, value in document.items() if value is not None)


def _selection(observations: Any) -> str:
    cone, times = observations.obs_cone, observations.obs_time
    found = []
    if cone.lon is not None:
        found.append(
            f"within {quantity_string(cone.radius)} of {quantity_string(cone.lon)}, {quantity_string(cone.lat)}"
        )
    if times.start is not None or times.stop is not None:
        found.append("in a range of time")
    if observations.obs_ids:
        found.append(f"{len(observations.obs_ids)} ids")
    if observations.obs_file is not None:
        found.append(f"ids in {observations.obs_file}")
    if observations.expression:
        found.append(str(observations.expression))
    return " and ".join(found) or "all"
