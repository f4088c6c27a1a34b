"""Python modules as syntax trees: their layer, their imports and their endpoints."""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

LAYERS = ("main", "routers", "dependencies", "services", "models", "schemas")
"""The layers of a backend; each may import only itself and those after it."""

METHODS = {"get", "post", "put", "patch", "delete", "head", "options", "trace", "api_route"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Import(NamedTuple):
    """One imported name: `target` is absolute and dotted, `bound` is the name in the module."""

    target: str
    bound: str
    line: int


class Endpoint(NamedTuple):
    """A function with a decorator such as `@router.get("/")`."""

    function: Function
    decorator: ast.Call


@dataclass(frozen=True)
class Module:
    """A module of the package, at a path such as `api/routers/budgets.py`; `name` is `api.routers.budgets`."""

    path: str
    name: str
    tree: ast.Module

    @property
    def layer(self) -> str:
        """Return the part of the name after the package: for the documented layout, one of LAYERS or nothing."""
        return layer_of(self.name)

    @property
    def stem(self) -> str:
        """Return the last part of the name."""
        return self.name.rpartition(".")[2]

    @cached_property
    def imports(self) -> list[Import]:
        """Return all imports, those inside functions and `if TYPE_CHECKING:` too."""
        return list(self._imports())

    def _imports(self) -> Iterator[Import]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, alias.asname or alias.name.partition(".")[0], node.lineno)
            elif isinstance(node, ast.ImportFrom):
                parts = self.name.split(".")
                level = node.level - self.path.endswith("/__init__.py")
                base = parts[: len(parts) - level] if node.level else []
                source = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:
                    yield Import(f"{source}.{alias.name}", alias.asname or alias.name, node.lineno)

    @cached_property
    def endpoints(self) -> list[Endpoint]:
        """Return the functions that are FastAPI's endpoints; WebSocket routes are none."""
        if not any(root_of(each.target) == "fastapi" for each in self.imports):
            return []
        functions = [node for node in ast.walk(self.tree) if isinstance(node, Function)]
        return [
            Endpoint(function, decorator)
            for function in functions
            for decorator in function.decorator_list[:1]
            if isinstance(decorator, ast.Call) and is_route(decorator)
        ]


def parse(path: str, name: str, source: bytes) -> Module:
    """Parse a module; raise SyntaxError, ValueError, RecursionError or MemoryError where this Python can't."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Module(path, name, ast.parse(source))


def root_of(name: str) -> str:
    """Return the top-level package of a dotted name."""
    return name.partition(".")[0]


def layer_of(name: str) -> str:
    """Return the second part of a dotted name, or nothing."""
    return [*name.split("."), ""][1]


def is_route(decorator: ast.Call) -> bool:
    """Return whether a decorator is like `@router.get("/path")`."""
    if not isinstance(decorator.func, ast.Attribute) or decorator.func.attr not in METHODS:
        return False
    path = decorator.args[0] if decorator.args else None
    return not isinstance(path, ast.Constant) or str(path.value)[:1] in ("", "/")


def last_name(node: ast.expr | None) -> str:
    """Return `C` for `C`, `a.C` and `C(...)`."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def expressions_in(node: ast.AST, *, annotations: bool = True) -> Iterator[ast.expr]:
    """Return the expressions below a node, those in annotations only on request; without recursion, however deep."""
    nodes = [node]
    while nodes:
        for field, value in ast.iter_fields(nodes.pop()):
            if annotations or field not in ("annotation", "returns"):
                children = value if isinstance(value, list) else [value]
                nodes += [each for each in children if isinstance(each, ast.AST)]
                yield from (each for each in children if isinstance(each, ast.expr))


def names_in(node: ast.AST, *, annotations: bool = True) -> Iterator[ast.Name]:
    """Return the names that are used below a node, those in annotations only on request."""
    names = (each for each in expressions_in(node, annotations=annotations) if isinstance(each, ast.Name))
    yield from sorted(names, key=lambda name: (name.lineno, name.col_offset))


def is_below(node: ast.expr, name: str) -> bool:
    """Return whether a node is an attribute or item of a name, such as `response.headers[...]` of `response`."""
    below = False
    while isinstance(node, ast.Attribute | ast.Subscript):
        node, below = node.value, True
    return below and isinstance(node, ast.Name) and node.id == name
