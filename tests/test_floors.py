"""The tables of docs/architecture.md hold: floors, libraries, where things go, glossary."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src"
PAGE = REPOSITORY / "docs" / "architecture.md"
PACKAGE = "xgamma"
# The package itself and the entry point may import everything.
TOP = {"xgamma", "xgamma.__main__"}

Position = tuple[int, int]


@dataclass(frozen=True)
class Import:
    module: str
    target: str
    line: int
    own_level: bool

    def __str__(self) -> str:
        return f"{self.module}, line {self.line}: {self.target}"


def table_after(heading: str) -> list[list[str]]:
    """Return the cells of the first table after a heading of the page, without its two head rows."""
    lines = PAGE.read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def names_in(cell: str) -> list[str]:
    return [name.rstrip("/").replace("/", ".") for name in re.findall(r"`([^`]+)`", cell)]


def floors() -> dict[str, Position]:
    """Return the floor of each module or package of the table of floors, and its position there."""
    return {
        f"{PACKAGE}.{name}": (int(floor.split()[0]), position)
        for floor, modules, _ in table_after("## Floors")
        for position, name in enumerate(names_in(modules))
    }


def libraries() -> dict[str, list[str]]:
    """Return for each third-party library the modules that may import it."""
    return {names_in(library)[0]: names_in(modules) for library, modules, _ in table_after("## Libraries")}


def is_at_or_below(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def nearest(module: str, known: dict[str, Position]) -> str | None:
    return max((name for name in known if is_at_or_below(module, name)), key=len, default=None)


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted((SOURCE / PACKAGE).rglob("*.py"))}


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def only_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _statements(node: ast.AST, own_level: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, own_level
        # No expression holds an import.
        elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case) and not only_for_types(child):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from _statements(child, own_level and not inside)


def _targets(statement: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    assert statement.level == 0, f"line {statement.lineno}: a relative import; write the full name"
    whole = [f"{statement.module}.{alias.name}" for alias in statement.names]
    # `from package import module` is an import of the module, `from module import name` one of the module named first.
    return [name if name in MODULES else str(statement.module) for name in whole]


def imports_of(module: str) -> list[Import]:
    return [
        Import(module, target, statement.lineno, own_level)
        for statement, own_level in _statements(tree_of(module))
        for target in dict.fromkeys(_targets(statement))
    ]


@cache
def imports() -> list[Import]:
    return [one for module in MODULES for one in imports_of(module)]


@cache
def own() -> list[Import]:
    return [one for one in imports() if is_at_or_below(one.target, PACKAGE)]


@cache
def foreign() -> list[Import]:
    return [one for one in imports() if not is_at_or_below(one.target, PACKAGE)]


def test_every_module_is_in_the_table_of_floors():
    missing = [module for module in MODULES if module not in TOP and nearest(module, floors()) is None]
    assert not missing, f"docs/architecture.md names no floor for {', '.join(missing)}"


def test_every_entry_of_the_table_of_floors_is_a_module():
    empty = [name for name in floors() if not any(is_at_or_below(module, name) for module in MODULES)]
    assert not empty, f"docs/architecture.md names modules that do not exist: {', '.join(empty)}"


def test_where_things_go_names_modules_that_exist():
    named = [name for _, where, _ in table_after("## Where things go") for name in names_in(where) if name.islower()]
    missing = sorted(name for name in named if f"{PACKAGE}.{name}" not in MODULES)
    assert not missing, f"docs/architecture.md names modules that do not exist: {', '.join(missing)}"


def test_the_glossary_is_short_and_its_types_exist():
    rows = table_after("## Glossary")
    assert len({word for word, *_ in rows}) == len(rows) <= 30
    for name in (name for *_, cell in rows for name in names_in(cell)):
        module, _, attribute = name.rpartition(".")
        path = "builtins" if not module else module if module == "xarray" else f"{PACKAGE}.{module}"
        assert hasattr(importlib.import_module(path), attribute), name


def test_imports_go_down_or_left():
    positions = floors()
    wrong = []
    for one in own():
        mine, other = nearest(one.module, positions), nearest(one.target, positions)
        if one.module in TOP or mine == other or one.target in TOP:
            continue
        if mine is None or other is None or positions[other] >= positions[mine]:
            wrong.append(f"{one} ({positions.get(mine)} imports {positions.get(other)})")
    assert not wrong, "imports that go up or right:\n" + "\n".join(wrong)


def test_no_own_module_is_imported_inside_a_function():
    inside = [str(one) for one in own() if not one.own_level and one.module not in TOP]
    assert not inside, "own imports inside functions:\n" + "\n".join(inside)


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {module: {one.target for one in own() if one.module == module} - {module} for module in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle of imports: {' -> '.join((*path, module))}"
        if module not in done:
            for target in graph.get(module, ()):
                visit(target, (*path, module))
            done.add(module)

    for module in MODULES:
        # A package only collects what its modules offer; it is not part of their work.
        if MODULES[module].name != "__init__.py":
            visit(module, ())


def test_third_party_libraries_are_imported_only_where_the_table_allows():
    allowed = libraries()
    wrong = []
    for one in foreign():
        library = max((name for name in allowed if is_at_or_below(one.target, name)), key=len, default=None)
        if one.target.split(".")[0] in sys.stdlib_module_names:
            continue
        if library is None:
            wrong.append(f"{one} (a library without a row in the table of libraries)")
        elif "*" not in allowed[library] and not any(
            is_at_or_below(one.module, f"{PACKAGE}.{name}") for name in allowed[library]
        ):
            wrong.append(f"{one} (it may be imported in {', '.join(allowed[library])})")
    assert not wrong, "imports that the table of libraries does not allow:\n" + "\n".join(wrong)


def test_every_library_is_imported_where_the_table_allows_it():
    unused = [
        f"{library} in {name}"
        for library, modules in libraries().items()
        for name in modules
        if name != "*"
        and not any(
            is_at_or_below(one.target, library) for one in foreign() if is_at_or_below(one.module, f"{PACKAGE}.{name}")
        )
    ]
    assert not unused, f"entries of the table of libraries that nothing uses: {', '.join(unused)}"


@pytest.mark.parametrize("word", ["utils", "common", "base", "helpers"])
def test_no_module_has_a_name_without_meaning(word):
    # The import paths of Gammapy have a `utils`; they hold only names.
    of_gammapy = (f"{PACKAGE}.utils", f"{PACKAGE}.estimators.utils", f"{PACKAGE}.makers.utils")
    named = [module for module in MODULES if module.split(".")[-1] == word and module not in of_gammapy]
    assert not named


# --- sizes

MOST_MODULES = 469
LONGEST_MODULE, LONGEST_FUNCTION, MOST_LONG_FUNCTIONS = 450, 50, 3


def lines_of(module: str) -> int:
    return len(MODULES[module].read_text(encoding="utf-8").splitlines())


def functions_of(module: str) -> Iterator[tuple[str, int]]:
    """Yield the functions of a module with their lines, of the signature, the docstring and the code."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{module}.{node.name}", int(node.end_lineno or 0) - node.lineno + 1


def test_there_are_not_too_many_modules():
    # A package only collects what its modules offer.
    counted = [module for module, path in MODULES.items() if path.name != "__init__.py"]
    assert len(counted) <= MOST_MODULES


def test_no_module_is_too_long():
    assert {module: lines for module in MODULES if (lines := lines_of(module)) > LONGEST_MODULE} == {}


def test_few_functions_are_long():
    long = {name: lines for module in MODULES for name, lines in functions_of(module) if lines > LONGEST_FUNCTION}
    assert len(long) <= MOST_LONG_FUNCTIONS, f"functions above {LONGEST_FUNCTION} lines: {long}"
