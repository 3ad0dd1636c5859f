"""Modules that are loaded when something of them is first used, while their imports stay at the top of a file."""

from __future__ import annotations

import dis
import importlib
import importlib.util
import pkgutil
import sys
import threading
from collections.abc import Callable, Mapping
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def _there(name: str) -> ModuleType | None:
    """Return a module that is loaded to its end. Names that modules hold go on standing for it, and are used often."""
    module = sys.modules.get(name)
    if module is None or type(module) is _Deferred or getattr(module.__spec__, "_initializing", False):
        return None
    return module


class _Unloaded(ModuleType):
    """Stands for a module until something of it is used; the import system sees to it that threads load it once."""

    def _module(self) -> ModuleType:
        return importlib.import_module(self.__name__)

    def __getattr__(self, name: str) -> Any:
        return getattr(_there(self.__name__) or self._module(), name)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """That of the module, of which whoever patches it takes what was there."""
        return vars(self._module())

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            setattr(self._module(), name, value)


def unloaded(package: str, name: str, known: frozenset[str]) -> ModuleType:
    """Return what stands for the module ``name`` of a package; for its ``__getattr__``.

    ``from package import name`` then loads nothing, the first ``name.function`` does.

    Raises ``AttributeError`` for a name that is not one of the ``known``.
    """
    if name not in known:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return _Unloaded(f"{package}.{name}")


def exported(
    package: str, otherwise: Callable[[str], Any] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a ``__getattr__`` and a ``__dir__`` for a package, which offers names of its modules.

    The imports of the package stand under ``if TYPE_CHECKING``, none with ``as``; each is done when its name is first
    asked for. None of the names may be that of a module of the package, which takes the place of the name once it is
    loaded. ``from package import module`` loads nothing, the first ``module.function`` does. ``otherwise`` is asked
    for all other names.
    """
    modules = frozenset(found.name for found in pkgutil.iter_modules(sys.modules[package].__path__))

    def get(name: str) -> Any:
        home = _homes(package).get(name)
        if home is None:
            return otherwise(name) if otherwise and name not in modules else unloaded(package, name, modules)
        found = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, found)
        return found

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *_homes(package), *modules})

    return get, names


@cache
def _homes(package: str) -> dict[str, str]:
    """Return the modules of the names that a package imports, also under ``if TYPE_CHECKING``: its code says them.

    That is there where an installation has compiled modules alone.
    """
    spec = importlib.util.find_spec(package)
    code = None if spec is None or spec.loader is None else spec.loader.get_code(package)  # type: ignore[attr-defined]
    found, module = dict[str, str](), ""
    for step in dis.get_instructions(code) if code else ():
        if step.opname == "IMPORT_NAME":
            module = str(step.argval)
        elif step.opname == "IMPORT_FROM":
            found[str(step.argval)] = module
    return found


_LOOKED_AT = ("__file__", "__warningregistry__", "__wrapped__")


class _NoInstanceYet(type):
    """A class of a module that is not loaded: nothing can be an instance of it before the module is."""

    def __instancecheck__(cls, value: object) -> bool:
        known = loaded(cls.__module__)
        return known is not None and isinstance(value, getattr(known, cls.__name__, ()))


def _is_dask_collection(value: object) -> bool:
    known = loaded("dask.base")
    return known is not None and bool(known.is_dask_collection(value))


def _folders(package: str) -> Any:
    spec = PathFinder.find_spec(package)
    return None if spec is None else spec.submodule_search_locations


def _no_folders() -> Any:
    raise AttributeError("a module that is no package has no __path__")


def _version(package: str) -> Any:
    return importlib.import_module("importlib.metadata").version(package)


_ANSWERS: Mapping[tuple[str, str], Callable[[], Any]] = {
    ("dask", "__path__"): lambda: _folders("dask"),
    ("dask", "__version__"): lambda: _version("dask"),
    ("dask.array", "Array"): lambda: _NoInstanceYet("Array", (), {"__module__": "dask.array"}),
    ("dask.base", "__path__"): _no_folders,
    ("dask.base", "is_dask_collection"): lambda: _is_dask_collection,
}
"""What is said of deferred modules without loading them: xarray asks of each array whether it is one of dask.

The answer is no until dask is loaded, and that of dask from then on."""


class _Deferred(_Unloaded):
    """An unloaded module that the import system knows, so that whoever imports it gets it.

    Whoever looks at all modules, as ``inspect.getmodule`` does for their files, does not use it.
    """

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            if name in _LOOKED_AT:
                raise AttributeError(f"module {self.__name__!r} is not loaded yet and has no {name}")
            answer = _ANSWERS.get((self.__name__, name))
            if answer is not None:
                return answer()
        return super().__getattr__(name)

    def _module(self) -> ModuleType:
        package = sys.modules.get(self.__name__.rpartition(".")[0])
        if isinstance(package, _Deferred):
            package._module()
        gave_way = _give_way(self)
        module = super()._module()
        for name in _deferred_in(self.__name__) if gave_way else ():
            # The import system said it of what stood for the package.
            vars(module).setdefault(name.rpartition(".")[2], sys.modules[name])
        return module

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, _Deferred) and sys.modules.get(self.__name__) is self:
            ModuleType.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        """What stands for the module has nothing in it until that is loaded."""
        return {} if sys.modules.get(self.__name__) is self else vars(self._module())


class _Kept:
    """Loads a module that its package has loaded while it was being looked for: once is enough."""

    def __init__(self, module: ModuleType, loader: Any) -> None:
        self.module, self.loader = module, loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return what there is."""
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing."""
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader


def _kept(module: ModuleType) -> ModuleSpec | None:
    # The import system takes the spec of the module, and its loader, in the place of any other.
    spec = module.__spec__
    if spec is not None and not isinstance(module, _Deferred):
        spec.loader = _Kept(module, spec.loader)  # type: ignore[assignment]
    return spec


class _DeferredModules:
    """Asked first by the import system for each module that is not loaded; its loader too."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.given: list[str] = []
        self.lock = threading.Lock()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Find what stands for a deferred module; whoever asks for a part of a deferred package gets that first."""
        if name in self.names:
            return ModuleSpec(name, self)  # type: ignore[arg-type]
        package = sys.modules.get(name.rpartition(".")[0])
        if isinstance(package, _Deferred):
            package._module()
        module = sys.modules.get(name) if target is None else None
        return None if module is None else _kept(module)

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make the module, of which it looks at some attributes."""

    def exec_module(self, module: ModuleType) -> None:
        """Load nothing."""
        module.__class__ = _Deferred
        self.given.append(module.__name__)


_DEFERRED = _DeferredModules()


def defer(*names: str) -> None:
    """Let ``import name`` load nothing in this process, whoever imports it; the first ``name.something`` does.

    For a process with one task, such as the command. ``from name import something`` loads as ever.
    """
    if _DEFERRED not in sys.meta_path:
        sys.meta_path.insert(0, _DEFERRED)
    _DEFERRED.names.update(name for name in names if name not in sys.modules)


def _give_way(module: _Deferred) -> bool:
    """Let the import system find the module itself; return whether it knew what stands for it until now."""
    with _DEFERRED.lock:
        _DEFERRED.names.discard(module.__name__)
        is_known = sys.modules.get(module.__name__) is module
        if is_known:
            del sys.modules[module.__name__]
        return is_known


def _deferred_in(package: str) -> list[str]:
    """Return the names of the modules of a package that something stands for."""
    inside = [name for name in _DEFERRED.given if name.rpartition(".")[0] == package]
    return [name for name in inside if isinstance(sys.modules.get(name), _Deferred)]


def loaded(name: str) -> ModuleType | None:
    """Return a module that was imported and is not deferred, else ``None``."""
    found = sys.modules.get(name)
    return None if isinstance(found, _Unloaded) else found
