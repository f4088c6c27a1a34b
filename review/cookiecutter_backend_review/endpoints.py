"""Rules of routers and services."""

import ast
from collections.abc import Iterator

from cookiecutter_backend_review.code import Endpoint, Function, Module, expressions_in, is_below, last_name, names_in
from cookiecutter_backend_review.layout import modules_of
from cookiecutter_backend_review.repository import Repository, code

MAX_STATEMENTS = 3
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try, ast.TryStar, ast.Match)


def endpoints(repository: Repository) -> Iterator[tuple[Module, Endpoint, str]]:
    """Return all endpoints, wherever they are, each with its place for a report."""
    for module in modules_of(repository):
        for endpoint in module.endpoints:
            function = endpoint.function
            yield module, endpoint, f"{code(module.path)}, line {function.lineno}: {code(function.name)}"


def long_bodies(repository: Repository) -> Iterator[str]:
    """A router's body is a line or two.

    What is decided in a router can't be called from anywhere else, and its tests need HTTP.
    """
    for _, endpoint, place in endpoints(repository):
        statements = [each for each in statements_of(endpoint.function) if not sets_response(each)]
        if any(isinstance(each, BRANCHES) for each in statements):
            yield f"{place} has branches, loops or `try`"
        elif len(statements) > MAX_STATEMENTS:
            yield f"{place} has {len(statements)} statements, more than {MAX_STATEMENTS}"


def routers_without_service(repository: Repository) -> Iterator[str]:
    """Each router hands its work to a service.

    A router that only fills a response schema has nothing to hand over.
    """
    for module, endpoint, place in endpoints(repository):
        function = endpoint.function
        imported = {
            kind: {each.bound for each in module.imports if f".{kind}." in f".{each.target}."} for kind in KINDS
        }
        services = imported["services"] | {each.arg for each in arguments_of(function) if is_service(each)}
        body = ast.Module(function.body, [])
        if services.isdisjoint(name.id for name in names_in(body)) and not fills_schema(body, imported["schemas"]):
            yield f"{place} hands nothing to a service"


KINDS = ("services", "schemas")


def undeclared_responses(repository: Repository) -> Iterator[str]:
    """Each endpoint declares its response, by response_model or by its return annotation.

    The declaration filters and validates what leaves, and documents it in OpenAPI.
    """
    for _, endpoint, place in endpoints(repository):
        keywords = {each.arg for each in endpoint.decorator.keywords}
        if endpoint.function.returns is None and keywords.isdisjoint({"response_model", "response_class"}):
            yield f"{place} declares no response"


def http_exceptions(repository: Repository) -> Iterator[str]:
    """Services raise domain errors, not HTTPException.

    A service also runs where there is no request. One handler maps each kind of error to a status.
    """
    for module in modules_of(repository):
        for node in ast.walk(module.tree) if module.layer == "services" else ():
            if isinstance(node, ast.Raise) and last_name(node.exc) == "HTTPException":
                yield f"{code(module.path)}, line {node.lineno}: raises `HTTPException`"


def statements_of(function: Function) -> list[ast.stmt]:
    """Return the statements of a function, nested ones too, without its docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return [node for each in body for node in ast.walk(each) if isinstance(node, ast.stmt)]


def sets_response(statement: ast.stmt) -> bool:
    """Return whether a statement is like `response.headers[...] = ...`, which only a router can do."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return bool(targets) and all(is_below(each, "response") for each in targets)


def arguments_of(function: Function) -> list[ast.arg]:
    """Return the parameters of a function."""
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def is_service(argument: ast.arg) -> bool:
    """Return whether a parameter is annotated with a service, such as `BudgetServiceDep`."""
    annotation = ast.Module([ast.Expr(argument.annotation)] if argument.annotation else [], [])
    words = (each.value if isinstance(each, ast.Constant) else last_name(each) for each in expressions_in(annotation))
    return any("Service" in str(word) for word in words)


def fills_schema(body: ast.Module, schemas: set[str]) -> bool:
    """Return whether all that is called are schemas."""
    return all(
        isinstance(node.func, ast.Name) and node.func.id in schemas
        for node in ast.walk(body)
        if isinstance(node, ast.Call)
    )
