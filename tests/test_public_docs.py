"""Every public name of the package has a docstring and types; what a docstring lists as parameters are parameters."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
# Of these every parameter of what they export is named in its docstring, or in that of its class.
SPELLED_OUT = ["catalog", "closure", "ingest", "releases", "simulate", "sources", "store"]


@dataclass(frozen=True)
class Public:
    """A public module, class or function: where it is, and the class that it belongs to."""

    name: str
    node: ast.Module | ast.ClassDef | FunctionNode
    owner: ast.ClassDef | None = None

    @property
    def docstring(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def decorators(self) -> list[str]:
        return [ast.unparse(each) for each in getattr(self.node, "decorator_list", [])]

    @property
    def parameters(self) -> list[ast.arg]:
        """The parameters of a function, without ``self`` or ``cls``."""
        given = self.node.args
        stars = [each for each in (given.vararg, given.kwarg) if each is not None]
        named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        return [*named[self.owner is not None and "staticmethod" not in self.decorators :], *stars]


def public_in(body: list[ast.stmt], where: str, owner: ast.ClassDef | None = None) -> Iterator[Public]:
    for node in body:
        if isinstance(node, ast.ClassDef | FunctionNode) and (not node.name.startswith("_") or node.name == "__init__"):
            name = f"{where}.{node.name}"
            yield Public(name, node, owner)
            if isinstance(node, ast.ClassDef):
                yield from public_in(node.body, name, node)


def public() -> Iterator[Public]:
    for path in sorted(SOURCE.rglob("*.py")):
        module, name = ast.parse(path.read_text(encoding="utf-8")), ".".join(path.relative_to(SOURCE).parts)
        yield Public(name, module)
        yield from public_in(module.body, name)


@cache
def everything() -> list[Public]:
    return list(public())


@cache
def functions() -> list[Public]:
    return [each for each in everything() if isinstance(each.node, FunctionNode)]


def listed_parameters(docstring: str) -> list[str]:
    """Return the names in the section of parameters of a docstring."""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", docstring, re.DOTALL | re.MULTILINE)
    heads = re.findall(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*)\n(?= )", section[1], re.MULTILINE) if section else []
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def test_every_public_name_has_a_docstring():
    # What a property does is said where it is read; __init__ belongs to the docstring of its class.
    bare = [
        each.name
        for each in everything()
        if not each.docstring
        and not each.name.endswith(".__init__")
        and not any(word.endswith((".setter", "overload")) for word in each.decorators)
    ]
    assert not bare


def test_every_parameter_and_result_of_a_public_function_is_typed():
    untyped = [
        f"{each.name}({parameter.arg})"
        for each in functions()
        for parameter in each.parameters
        if parameter.annotation is None
    ]
    untyped += [f"{each.name} -> ?" for each in functions() if each.node.returns is None]
    assert not untyped


def test_a_docstring_that_lists_parameters_lists_those_of_the_signature():
    wrong = []
    for each in functions():
        listed = listed_parameters(each.docstring)
        given = [parameter.arg for parameter in each.parameters if not parameter.arg.startswith("_")]
        if listed and sorted(listed) != sorted(given):
            wrong.append(f"{each.name}: lists {listed}, expected {given}")
    assert not wrong


def test_a_class_that_lists_parameters_lists_all_of_its_constructor():
    wrong = []
    for each in functions():
        listed = listed_parameters(ast.get_docstring(each.owner) or "") if each.name.endswith(".__init__") else []
        missing = {parameter.arg for parameter in each.parameters} - set(listed)
        if listed and missing:
            wrong.append(f"{each.name}: {sorted(missing)}")
    assert not wrong


def exported(package: str) -> Iterator[tuple[str, list[str], str]]:
    """Yield name, parameters and docstring of each function, class and method that a package exports."""
    module = importlib.import_module(f"xgamma.{package}")
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.isfunction(found):
            yield name, list(inspect.signature(found).parameters), inspect.getdoc(found) or ""
        elif inspect.isclass(found) and not issubclass(found, Exception | dict | str):
            for method, value in vars(found).items():
                function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                if inspect.isfunction(function) and (not method.startswith("_") or method == "__init__"):
                    text = f"{inspect.getdoc(function)} {found.__doc__}"
                    yield f"{name}.{method}", list(inspect.signature(function).parameters)[1:], text


@pytest.mark.parametrize("package", SPELLED_OUT)
def test_the_documentation_of_an_export_names_each_parameter(package):
    unnamed = [
        f"{name}({parameter})"
        for name, parameters, text in exported(package)
        for parameter in parameters
        if not re.search(rf"\b{parameter}\b", text)
    ]
    assert not unnamed
