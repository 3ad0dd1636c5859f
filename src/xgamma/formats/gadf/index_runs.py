"""``Index``: the runs of a release as its index tells them; an object is made of a run when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from xgamma.axes import BoolArray, IntArray
from xgamma.events import RunFacts
from xgamma.formats.gadf.files import NOWHERE, File, Files, several, statuses_of
from xgamma.formats.gadf.index_columns import HduColumns, ObsColumns, no_hdus, of_runs, unknown_obs
from xgamma.formats.gadf.index_tables import ROLES, HduLocation, ObsFacts, RunEntry, entry_of
from xgamma.outcome import Note

Look = Callable[[RunEntry], RunEntry]


@dataclass(frozen=True)
class IndexRuns(Mapping[int, RunEntry]):
    """Runs by obs id, in the order of the observation index.

    Parameters
    ----------
    obs, hdus
        The same runs as columns, and their HDUs.
    files
        Where the names of files lead to.
    looked_at
        Those whose files had to be looked at, as they are known since then.
    """

    obs: ObsColumns
    hdus: HduColumns
    files: Files
    looked_at: Mapping[int, RunEntry] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Mapping[int, RunEntry], files: Files) -> IndexRuns:
        """Return runs that no table tells of."""
        obs = unknown_obs(np.array(list(entries), dtype=np.int64))
        return cls(obs, no_hdus(len(entries)), files, entries)

    @cached_property
    def _numbers(self) -> dict[int, int]:
        return {obs_id: number for number, obs_id in enumerate(self.obs.obs_id.tolist())}

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __contains__(self, obs_id: object) -> bool:
        return obs_id in self._numbers

    def __getitem__(self, obs_id: int) -> RunEntry:
        return self.looked_at.get(obs_id) or self._told(obs_id)

    def _told(self, obs_id: int) -> RunEntry:
        """Return a run as the tables tell it."""
        obs, number = self.obs, self._numbers[obs_id]
        ra, dec, zenith = (float(column[number]) for column in (obs.ra, obs.dec, obs.zenith))
        hdus = of_runs(self.hdus, np.array([number]))
        paths = {code: self._file(code) for code in hdus.file.tolist()}
        places: dict[str, HduLocation] = {}
        for what, file in zip(hdus.what.tolist(), hdus.file.tolist(), strict=True):
            role, kind, name, refusal = hdus.hdus[what]
            places[role] = HduLocation(role, kind, paths[file], name, hdus.places[file][1] or refusal)
        return entry_of(ObsFacts(obs_id, ra, dec, zenith, obs.target[number], obs.id_texts.get(obs_id, "")), places)

    def _file(self, code: int) -> File:
        name, refusal = self.hdus.places[code]
        return NOWHERE if refusal else self.files.file(name)

    def facts(self) -> dict[int, RunFacts]:
        """Return what a selection looks at, by observation id."""
        return dict(self._facts)

    @cached_property
    def _facts(self) -> dict[int, RunFacts]:
        obs, ids = self.obs, self.obs.obs_id.tolist()
        notes: list[tuple[Note, ...]] = [()] * len(ids)
        for number in self._noted().tolist():
            notes[number] = self[ids[number]].early_notes
        numbers = (column.tolist() for column in (obs.ra, obs.dec))
        every = map(RunFacts, ids, *numbers, self._roles(), obs.zenith.tolist(), obs.target, notes)
        return dict(zip(ids, every, strict=True)) | {obs_id: run.facts for obs_id, run in self.looked_at.items()}

    def _noted(self) -> IntArray:
        """Return the numbers of the runs of which something is to be said."""
        texts = [self._numbers[obs_id] for obs_id in self.obs.id_texts]
        return np.union1d(np.array(texts, dtype=np.int64), self.hdus.run[self.hdus.is_refused])

    def _roles(self) -> list[frozenset[str]]:
        bits = 1 << np.arange(len(ROLES))
        sums = (self._has() @ bits).tolist()
        sets = {
            whole: frozenset(role for role, bit in zip(ROLES, bits, strict=True) if whole & bit) for whole in {*sums}
        }
        return [sets[whole] for whole in sums]

    def _has(self) -> BoolArray:
        """Return whether each run has an HDU of each role, shape (run, role)."""
        has = np.zeros((len(self), len(ROLES)), dtype=bool)
        has[self.hdus.run, self.hdus.role] = True
        return has

    def without(self, roles: Iterable[str]) -> list[int]:
        """Return the runs that have no HDU of any of the roles."""
        lacking = self.obs.obs_id[~self._has()[:, [ROLES.index(role) for role in roles]].any(axis=1)]
        return [run for run in lacking.tolist() if run not in self.looked_at or not set(roles) & set(self[run].hdus)]

    def without_pointing(self) -> list[int]:
        """Return the runs whose pointing the tables do not tell."""
        is_known = np.isfinite(self.obs.ra) & np.isfinite(self.obs.dec)
        return [int(obs_id) for obs_id in self.obs.obs_id[~is_known]]

    def looking_at(self, obs_ids: Sequence[int], look: Look) -> IndexRuns:
        """Return the same with some runs as a look into their files changes them."""
        runs = [self[obs_id] for obs_id in obs_ids]
        found = several(look, runs, any(run.is_remote for run in runs))
        return replace(self, looked_at={**self.looked_at, **{run.obs_id: run for run in found}})

    def reasons_against(self, role: str) -> set[str]:
        """Return the sentences why no HDU of a role is read; only nothing where one is."""
        of_role = self.hdus.role == ROLES.index(role)
        if (of_role & ~self.hdus.is_refused).any():
            return {""}
        pairs = zip(self.hdus.file[of_role].tolist(), self.hdus.what[of_role].tolist(), strict=True)
        told = {self.hdus.places[file][1] or self.hdus.hdus[what].refusal for file, what in pairs}
        return told | {run.hdus[role].refusal for run in self.looked_at.values() if role in run.hdus}

    def lacking_files(self, obs_ids: Sequence[int], roles: Iterable[str]) -> list[int]:
        """Return those of some runs that lack a file of one of the roles; what may not be read lacks none."""
        named = [obs_id for obs_id in obs_ids if obs_id not in self.looked_at]
        hdus = of_runs(self.hdus, np.array([self._numbers[obs_id] for obs_id in named], dtype=np.int64))
        is_needed = np.isin(hdus.role, [ROLES.index(role) for role in roles])
        codes, file = np.unique(hdus.file[is_needed], return_inverse=True)
        names = [name for name, refusal in (hdus.places[code] for code in codes.tolist()) if not refusal]
        absent = self.files.absent(names)
        is_absent = np.array([hdus.places[code][0] in absent for code in codes.tolist()], dtype=bool)
        lacking = {named[run] for run in hdus.run[is_needed][is_absent[file]].tolist()}
        lacking |= {obs_id for obs_id in obs_ids if obs_id in self.looked_at and _lacks(self.looked_at[obs_id], roles)}
        return [obs_id for obs_id in obs_ids if obs_id in lacking]


def _lacks(run: RunEntry, roles: Iterable[str]) -> bool:
    return None in statuses_of(at.path for role, at in run.hdus.items() if role in roles).values()


@dataclass(frozen=True)
class Index:
    """The index of a release."""

    runs: IndexRuns
