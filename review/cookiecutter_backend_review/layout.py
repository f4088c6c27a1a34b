"""Rules of the layout: packages, file names, and imports."""

import re
from collections import defaultdict
from collections.abc import Iterator

from cookiecutter_backend_review.code import LAYERS, Import, Module, layer_of, names_in, root_of
from cookiecutter_backend_review.repository import Repository, SkippedError, code, is_selection

HTTP = {"fastapi", "starlette"}
SQL = {"sqlalchemy", "sqlmodel"}
FILES = (".gitignore", "Dockerfile", "README.md")
ROLE = re.compile(r"_?(router|route|endpoint|service|model|schema|dependency|dependencie|dep|crud|repository)s?$")


def unreadable_files(repository: Repository) -> Iterator[str]:
    """Every file can be read.

    A file that is no valid Python, TOML, JSON, YAML or UTF-8 is not covered by the other checks.
    """
    for name, reason in sorted(repository.unreadable.items()):
        yield f"{code(name)}: {code(reason)}"
    for name, value in repository.table("tool", "repo-review").items():
        if not is_selection(value):
            yield f"`pyproject.toml`: {code(name)} of `[tool.repo-review]` holds no names of checks"


def undocumented_packages(repository: Repository) -> Iterator[str]:
    """The package api holds the documented packages and no other.

    A developer finds each kind of code without a search, and the import rules cover all of it.
    """
    package = repository.package
    if package != "api":
        yield f"`api/` is missing; the backend is in {code(package + '/')}" if package else "`api/` is missing"
    if not package:
        return
    below = [path.removeprefix(f"{package}/").split("/") for path in repository.paths]
    folders = {parts[0] for parts in below if len(parts) > 1}
    modules = {parts[0].removesuffix(".py") for parts in below if len(parts) == 1} - {"__init__"}
    for layer in LAYERS[1:]:
        if layer not in folders:
            state = "is a module, not a package" if layer in modules else "is missing"
            yield f"{code(f'{package}/{layer}')} {state}"
    if "main" not in modules:
        yield f"{code(f'{package}/main.py')} is missing"
    others = {f"{name}/" for name in folders - set(LAYERS[1:])} | {f"{name}.py" for name in modules - set(LAYERS)}
    others |= {f"{parts[0]}/{parts[1]}/" for parts in below if parts[0] in LAYERS and parts[2:]}
    for other in sorted(others - {"dependencies/middleware/"}):
        yield f"{code(f'{package}/{other}')} is not part of the layout"


def file_names(repository: Repository) -> Iterator[str]:
    """One entity has one file name in every package.

    All files of an entity are then found by its name; `make resource` relies on it too.
    """
    spellings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in repository.paths:
        folder, _, stem = path.removeprefix(f"{repository.package}/").removesuffix(".py").partition("/")
        if folder in LAYERS and (entity := entity_of(stem)):
            spellings[entity][stem].append(path)
    for by_stem in spellings.values():
        if len(by_stem) > 1:
            yield "one entity has several names: " + ", ".join(
                code(path) for paths in by_stem.values() for path in paths
            )
    services = {entity_of(stem_of(path)) for path in repository.paths if f"{repository.package}/services/" in path}
    for module in repository.modules:
        if module.layer == "routers" and module.endpoints and services and entity_of(module.stem) not in services:
            yield f"{code(module.path)} has no service in a file of that name"


def entity_of(stem: str) -> str:
    """Return the entity that a file name stands for: `budget` for `budgets` and for `budget_service`."""
    stem = ROLE.sub("", stem.lower())
    if stem.endswith("ies"):
        return f"{stem[:-3]}y"
    if re.search(r"(ss|x|ch|sh)es$", stem):
        return stem[:-2]
    return stem if re.search(r"(ss|us|is)$|^__init__$", stem) else stem.removesuffix("s")


def stem_of(path: str) -> str:
    """Return the name of a file without its folder and suffix."""
    return path.rpartition("/")[2].removesuffix(".py")


def missing_files(repository: Repository) -> Iterator[str]:
    """The documented files lie beside api.

    Each of them is where every tool and developer looks for it first.
    """
    for name in FILES:
        if not repository.has(name):
            yield f"`{name}` is missing"


def missing_migrations(repository: Repository) -> Iterator[str]:
    """Alembic's migrations lie in migrations, beside api.

    They change the database, not requests: no layer imports them, and an image can bring them along.
    """
    if not repository.has("migrations/env.py"):
        yield "`migrations/env.py` is missing"


def import_direction(repository: Repository) -> Iterator[str]:
    """Each layer imports only itself and those after it: main, routers, dependencies, services, models, schemas.

    Code can be read and tested from the bottom up, and no import is circular.
    """
    for module in modules_of(repository):
        if module.layer in LAYERS:
            for each in module.imports:
                layer = own_layer(module, each)
                if layer in LAYERS and LAYERS.index(layer) < LAYERS.index(module.layer):
                    yield f"{code(module.path)}, line {each.line}: `{module.layer}` must not import {code(each.target)}"


def http_imports(repository: Repository) -> Iterator[str]:
    """Services, models and schemas import nothing of FastAPI or Starlette.

    Business rules then also serve scripts and jobs, and their tests need no request.
    """
    yield from forbidden_imports(repository, {"services", "models", "schemas"}, HTTP)


def sql_imports(repository: Repository) -> Iterator[str]:
    """Routers and schemas import nothing of SQLAlchemy.

    Queries belong to services, where they are tested once and reused.
    """
    yield from forbidden_imports(repository, {"routers", "schemas"}, SQL)


def models_in_routers(repository: Repository) -> Iterator[str]:
    """Routers name models in annotations alone.

    A router that creates or queries a model does the work of a service.
    """
    for module in modules_of(repository):
        if module.layer == "routers":
            models = {each.bound for each in module.imports if own_layer(module, each) == "models"}
            for name in names_in(module.tree, annotations=False):
                if name.id in models:
                    yield f"{code(module.path)}, line {name.lineno}: uses {code(name.id)}"


def forbidden_imports(repository: Repository, layers: set[str], packages: set[str]) -> Iterator[str]:
    """Report imports of some packages in some layers."""
    for module in modules_of(repository):
        if module.layer in layers:
            for each in module.imports:
                if root_of(each.target) in packages:
                    yield f"{code(module.path)}, line {each.line}: imports {code(each.target)}"


def modules_of(repository: Repository) -> list[Module]:
    """Return the modules of the package; raise SkippedError where there is none."""
    if not repository.package:
        raise SkippedError("there is no package")
    return repository.modules


def own_layer(module: Module, each: Import) -> str:
    """Return the layer of the package that a module imports from, or nothing."""
    return layer_of(each.target) if root_of(each.target) == root_of(module.name) else ""
