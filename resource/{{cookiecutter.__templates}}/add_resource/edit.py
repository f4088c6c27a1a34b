"""New lines in files of the project: its router, its model, and relationships of other models to it."""

import ast
import re
from collections.abc import Sequence

from add_resource.project import parse, refuse, tidy
from add_resource.resource import Resource, camel

INCLUDE = re.compile(r"(?<![.\w])(\w+)\.include_router\(")


def insert(source: str, line: str, statements: Sequence[ast.stmt], *, in_order: bool = True) -> str:
    """Insert a line after the last of some statements, or `in_order` after the last of those that sort before it."""
    lines = source.split("\n")
    before = [node.end_lineno or 0 for node in statements if not in_order or ast.unparse(node) < line.strip()]
    after = before[-1] if before else statements[0].lineno - 1
    return "\n".join([*lines[:after], line, *lines[after:]])


def add_import(source: str, line: str) -> str:
    """Add an import after the others at the top; `tidy` puts it in its place."""
    body = ast.parse(source).body
    others = [index for index, node in enumerate(body) if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr)]
    return insert(source, line, body[: others[0] if others else None], in_order=False)


def add_router(source: str, names: str) -> str:
    """Import a router and include it among the others of a function, if there are any."""
    source = add_import(source, f"from api.routers import {names}")
    for function in ast.parse(source).body:
        routers = [node for node in getattr(function, "body", []) if INCLUDE.search(ast.unparse(node))]
        if routers and (match := INCLUDE.search(ast.unparse(routers[-1]))):
            return insert(source, f"{' ' * routers[-1].col_offset}{match[1]}.include_router({names}.router)", routers)
    return source


def add_relationship(source: str, model: str, line: str, import_line: str) -> str:
    """Add a relationship to a model, among its others, and what the line imports."""
    tree = ast.parse(source)
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == model)
    attributes = [node for node in body if isinstance(node, ast.Assign | ast.AnnAssign)]
    others = [node for node in attributes if "= relationship(" in ast.unparse(node)]
    source = insert(source, line, others) if others else insert(source, f"\n{line}", attributes, in_order=False)
    for block in tree.body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            source = insert(source, f"    {import_line}", block.body, in_order=False)
            break
    else:
        source = add_import(source, f"from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    {import_line}")
    return add_import(source, "from sqlalchemy.orm import WriteOnlyMapped, relationship")


def relate(source: str, path: str, resource: Resource) -> str:
    """Add relationships to the models in a file; each is one line, since git merges the lines of two branches so."""
    name, folder = camel(resource.name), resource.project.folder
    for each in map(resource.describe, resource.relations):
        if each["model"].path == path:
            key = f'foreign_keys="{name}.{each["column"]}", ' if each["ambiguous"] else ""
            call = f'relationship(back_populates="{each["name"]}", {key}passive_deletes=True)'
            line = f'    {each["back"]}: WriteOnlyMapped["{name}"] = {call}'
            fits = tidy(folder, path, f"class _:\n{line}\n").endswith(f"\n{line}\n")
            line += "" if fits else "  # fmt: skip"
            source = add_relationship(
                source, each["model"].name, line, f"from api.models.{resource.names} import {name}"
            )
    return source


def simple_statements(source: str) -> set[str]:
    """Return the statements that have no others in them; an import counts once for each name."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name} {alias.asname}" for alias in node.names}
        elif isinstance(node, ast.stmt) and not hasattr(node, "body"):
            found.add(ast.unparse(node))
    return found


def edits(resource: Resource) -> dict[str, tuple[bytes, bytes]]:
    """Return the files that get new lines, before and after; only one that is formatted already is formatted again."""
    names, name, folder = resource.names, camel(resource.name), resource.project.folder
    changed = {}
    models = [resource.project.models[field.argument].path for field in resource.relations]
    for path in dict.fromkeys(["api/main.py", "api/models/__init__.py", *models]):
        parse(folder / path)
        before = (folder / path).read_bytes()
        old = new = before.decode().replace("\r\n", "\n")
        if path == "api/main.py":
            new = add_router(old, names)
        elif path == "api/models/__init__.py":
            new = add_import(old, f"from api.models.{names} import {name} as {name}")
        new = relate(new, path, resource)
        new = tidy(folder, path, new) if tidy(folder, path, old) == old else new
        had, has = simple_statements(old), simple_statements(new)
        refuse(not (had < has and len(has - had) > (path == "api/main.py")) and f"{path} has no place for new lines.")
        changed[path] = before, (new.replace("\n", "\r\n") if b"\r\n" in before else new).encode()
    return changed
