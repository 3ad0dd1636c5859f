"""``xr.open_dataset(url, engine="xgamma")``: a group of a product, or of spectra in a Zarr group, with its names."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from xgamma.errors import ConfigTypeError
from xgamma.storage.backend import Backend
from xgamma.store.documents import Documents, array_documents
from xgamma.store.encoding import open_group, with_chunks
from xgamma.store.opening import documents_at, locate, validate_group


class XgammaBackend(BackendEntrypoint):
    """Open products of xgamma: arrays are read lazily, names are texts.

    ``url`` is a product, ``STORE/kind/key`` or what ``Store.path`` returns, or a Zarr group that xgamma wrote; on a
    disk, in a bucket or on the web.

    Examples
    --------
    >>> xr.open_dataset(store.path("stack", key), engine="xgamma", chunks={})  # doctest: +SKIP
    """

    description = "Open products of xgamma stores, with their names"
    url = "docs/format.md"
    supports_groups = True

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        group: str | None = None,
    ) -> xr.Dataset:
        """Return one group, by default the root.

        Raises
        ------
        MissingInputError, InputError
            When there is no product and no such Zarr group at the url.
        UnknownNameError
            When it has no such group.
        StoreError
            When the location cannot be read.
        """
        location = locate(_url(filename_or_obj))
        folder, documents = documents_at(location)
        name = (group or "").strip("/")
        validate_group(documents, name, location.url)
        return _opened(location.backend, folder, documents, name, drop_variables)

    def open_groups_as_dict(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None, **_: Any
    ) -> dict[str, xr.Dataset]:
        """Return every group that holds arrays, by its path: ``/``, ``/events``, ..."""
        location = locate(_url(filename_or_obj))
        folder, documents = documents_at(location)
        names = [path for path in documents if path == "" or array_documents(documents, path)]
        return {f"/{name}": _opened(location.backend, folder, documents, name, drop_variables) for name in names}

    def open_datatree(
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None, **_: Any
    ) -> xr.DataTree:
        """Return all groups as a tree."""
        return xr.DataTree.from_dict(self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables))

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether it is a product on a local disk; for remote URLs the engine has to be given by name."""
        if not isinstance(filename_or_obj, str | PathLike):
            return False
        folder = Path(fspath(filename_or_obj))
        return any((path / "record.json").is_file() for path in (folder, folder.parent))


def _url(filename_or_obj: Any) -> str:
    if not isinstance(filename_or_obj, str | PathLike):
        raise ConfigTypeError(
            f"engine xgamma: expected the path or url of a product, got a {type(filename_or_obj).__name__}."
        )
    return fspath(filename_or_obj)


def _opened(
    backend: Backend, folder: str, documents: Documents, group: str, left_out: str | Iterable[str] | None
) -> xr.Dataset:
    names = [left_out] if isinstance(left_out, str) else list(left_out or ())
    shown = {
        path: node for path, node in documents.items() if path not in {f"{group}/{name}".lstrip("/") for name in names}
    }
    return with_chunks(open_group(backend, folder, shown, group), shown, group)
