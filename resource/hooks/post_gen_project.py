"""Write a finished slice into a project: all of it, or nothing.

Cookiecutter has copied the templates of the slice into the current folder. The slice is made and checked in a stage, a
folder of the project that git ignores. Then the new files are linked into the project, which never overwrites, and the
two files that list routers and models are replaced. The stage knows what is about to change, so that a fault is taken
back at once, and what a killed run has left is taken back by the next one.
"""

import sys

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the shared temporary folder, whose modules must not shadow the standard library

import ast
import builtins
import dataclasses
import difflib
import io
import json
import keyword
import os
import re
import shutil
import signal
import subprocess
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import jinja2

RAW = r"""{{ cookiecutter | tojson }}"""  # {% raw %}

RECORD = "cookiecutter-backend"
STAGE = ".resource"
MAIN = "api/main.py"
MODELS = "api/models/__init__.py"
ROWS = "tests/rows.py"
ROOMS = ("dependencies", "models", "routers", "schemas", "services")
LISTS = {
    MAIN: "routers are listed there: app.include_router(health.router)",
    MODELS: "models are listed there: from api.models.base import Base as Base",
}

ON = ("1", "true", "t", "yes", "y", "on")
OFF = ("", "0", "false", "f", "no", "n", "off")

TYPES = ("str", "text", "int", "decimal", "bool", "date", "datetime", "uuid", "email", "enum", "ref")
NEVER_UNIQUE = {"text": "too long for an index", "bool": "one of two values", "enum": "one of a few values"}

WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
OPTION = re.compile(r"[a-z][a-z0-9_-]{,39}")
FIELD = re.compile(r"(?P<name>[^:]*):(?P<type>[^=?!]*)(=(?P<argument>[^=?!]*))?(?P<marks>[?!]*)")
LONGEST_WORD = 40
LONGEST_IDENTIFIER = 63
"""Of PostgreSQL, in bytes."""

INTERRUPTS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

# What the slice's functions call something else, and a resource can't be called.
WORDS_OF_THE_SLICE = {
    *("l", "add_row", "ada", "after", "api", "before", "body", "change", "client", "database", "documented", "error"),
    *("errors", "field", "fields", "first", "keys", "main", "message", "method", "migrated", "migration", "migrations"),
    *("missing", "other", "outcomes", "page", "part", "path", "paths", "problem_responses", "referred", "request"),
    *("response", "router", "row", "same", "second", "session", "statement", "taken", "test", "tests", "theirs"),
    *("valid", "value"),
}
# What models, their rows and shapes have already, and a field can't be called.
WORDS_OF_FIELDS = {
    *("bool", "construct", "copy", "count", "date", "datetime", "dict", "from_orm", "id", "index", "int"),
    *("json", "metadata", "owner", "owner_id", "registry", "schema", "schema_json", "str", "t", "tuple"),
    *("id_1", "l", "parse_file", "parse_obj", "parse_raw", "self", "update_forward_refs", "validate"),
}

# What is appended to the name of the model, to name what goes with it.
SUFFIXES = ("", "Create", "Update", "Read", "Service", "NotFoundError", "TakenError", "ReferenceError")

IRREGULAR = (
    {"child": "children", "foot": "feet", "goose": "geese", "man": "men", "mouse": "mice", "person": "people"}
    | {"tooth": "teeth", "woman": "women", "half": "halves", "leaf": "leaves", "life": "lives", "shelf": "shelves"}
    | {"datum": "data", "hero": "heroes", "potato": "potatoes", "quiz": "quizzes", "tomato": "tomatoes"}
)
UNCHANGED = ("equipment", "fish", "information", "money", "news", "series", "sheep", "species", "staff")

Answers = Mapping[str, str]
Classes = Sequence[tuple[str, ast.ClassDef]]


class RefusedError(Exception):
    """The slice cannot be written."""


def complaint(what: str, value: object, rule: str, way_out: str) -> str:
    """One reason, as the user reads it."""
    return f"{what} = {value!a}\n  {rule}\n  Try: {way_out}"


def refuse(complaints: Iterable[str | None]) -> None:
    """Stop where there is anything to complain about.

    Raises:
        RefusedError: with all complaints.
    """
    if found := [each for each in complaints if each]:
        raise RefusedError("\n".join(found))


def plural_of(name: str) -> str:
    """Form the English plural of the last word."""
    rest, underscore, word = name.rpartition("_")
    if word in UNCHANGED:
        plural = word
    elif word in IRREGULAR:
        plural = IRREGULAR[word]
    elif re.search(r"[^aeiou]y$", word):
        plural = f"{word[:-1]}ies"
    elif word.endswith("sis"):
        plural = f"{word[:-2]}es"
    elif re.search(r"(s|x|z|ch|sh)$", word):
        plural = f"{word}es"
    else:
        plural = f"{word}s"
    return f"{rest}{underscore}{plural}"


def with_article(words: str) -> str:
    """Put "a" or "an" before it, as it is spoken."""
    vowel = re.match(r"[aeiou]|hour|honest|heir", words) and not re.match(r"uni|use|usa|eu|one\b|once", words)
    return f"{'an' if vowel else 'a'} {words}"


def class_name(name: str) -> str:
    """Name the class: `order_item` is an `OrderItem`."""
    return "".join(word.capitalize() for word in name.split("_"))


def suggested_word(text: str) -> str:
    """The nearest name that is allowed."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).lstrip("_0123456789")[:LONGEST_WORD].strip("_") or "invoice"


def complaint_about_word(what: str, word: str, taken: Container[str], way_out: str) -> str | None:
    """A name is one of Python, of SQL and of a path, and nothing else is called so."""
    if not WORD.fullmatch(word):
        rule = "It must be lower-case words of a-z and 0-9, joined by '_', and begin with a letter."
        nearest = suggested_word(word)
        return complaint(what, word, rule, f"the_{nearest}" if nearest in taken else nearest)
    if len(word) > LONGEST_WORD:
        rule = f"It has {len(word)} characters; at most {LONGEST_WORD} are allowed."
        return complaint(what, word, rule, suggested_word(word))
    if keyword.iskeyword(word) or word in taken:
        return complaint(what, word, "Python, a library or the code of every slice calls something else so.", way_out)
    return None


@dataclasses.dataclass(frozen=True)
class Field:
    """A field, as it was asked for."""

    name: str
    type_: str
    argument: str
    optional: bool
    unique: bool
    model: str = ""
    kind: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def refers_to(self) -> str:
        """The table that it refers to, if it does."""
        return self.argument if self.type_ == "ref" else ""

    @property
    def options(self) -> list[str]:
        """What it can be, if it is a choice."""
        return self.argument.split("|") if self.type_ == "enum" else []

    @property
    def column(self) -> str:
        """Its name everywhere in the slice."""
        return f"{self.name}_id" if self.refers_to else self.name

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return self.name.replace("_", " ")

    @property
    def on_delete(self) -> str:
        """What becomes of it when what it refers to goes: nobody is kept from removing that."""
        return "SET NULL" if self.optional else "CASCADE"

    @property
    def counted(self) -> str:
        """Its `n`th sample, as Python writes it."""
        sample: str = self.kind["samples"][0]
        return f"f{sample}" if sample.startswith('"') else "n"

    def shared_files(self) -> list[str]:
        """Name the files that its type needs, and that other resources may have brought already."""
        module = self.kind["module"]
        modules = [f"api/schemas/{module}.py", f"tests/schemas/test_{module}.py"] if module else []
        return [*modules, *([ROWS] if self.refers_to else [])]

    def sample(self, n: int) -> str:
        """Its sample of that number, as Python writes it."""
        samples: list[str] = self.kind["samples"]
        return samples[(n - 1) % len(samples)].format(n=n)


def read_field(text: str) -> Field | None:
    """Read `name:type`, with `?` where it may be left out and `!` where no two may have the same."""
    match = FIELD.fullmatch(text)
    if match is None or len(set(match["marks"])) < len(match["marks"]):
        return None
    return Field(match["name"], match["type"], match["argument"] or "", "?" in match["marks"], "!" in match["marks"])


def fault_of(field: Field) -> tuple[str, str] | None:
    """What is wrong with the type of a field, and a way out."""
    name = field.name
    if field.type_ not in TYPES:
        nearest = difflib.get_close_matches(field.type_, TYPES, 1) or ["str"]
        return f"Its type must be one of {', '.join(TYPES)}.", f"{name}:{nearest[0]}"
    if bool(field.argument) != (field.type_ in ("enum", "ref")):
        rule = "An enum names its choices, a ref names a resource, and the other types are all there is to say."
        return rule, f"{name}:enum=open|paid, or {name}:ref=budgets"
    if field.unique and field.type_ in NEVER_UNIQUE:
        return f"It is {NEVER_UNIQUE[field.type_]}, so it cannot be unique.", f"{name}:{field.type_}"
    if len(set(field.options)) < len(field.options) or not all(map(OPTION.fullmatch, field.options)):
        rule = "Its choices must differ; they are words of a-z, 0-9, '-' and '_' that begin with a letter."
        return rule, f"{name}:enum=open|paid"
    return None


def complaint_about_field(text: str) -> str | None:
    """A field has a name and a type."""
    field = read_field(text)
    if field is None:
        rule = "A field is name:type, with ? where it may be left out, and ! where no two may have the same."
        return complaint("fields", text, rule, "number:str!")
    if field.name.startswith("model_"):
        return complaint("fields", text, "Pydantic keeps names that begin with model_.", f"the_{field.name}")
    fault = fault_of(field)
    return complaint_about_word("fields", field.name, WORDS_OF_FIELDS, f"the_{field.name}") or (
        complaint("fields", text, *fault) if fault else None
    )


def complaints_about_fields(texts: Sequence[str]) -> list[str | None]:
    """There are fields, and each has a name of its own."""
    times = Counter(field.column for field in map(read_field, texts) if field)
    return [
        *([] if texts else [complaint("fields", "", "There must be one at least.", 'fields="number:str! due:date?"')]),
        *map(complaint_about_field, texts),
        *(complaint("fields", name, "Two are called so.", f"other_{name}") for name in times if times[name] > 1),
    ]


@dataclasses.dataclass(frozen=True)
class Resource:
    """What is to be written."""

    name: str
    names: str
    fields: Sequence[Field]
    auth: bool
    revision: str
    previous: str | None

    @cached_property
    def unique(self) -> list[Field]:
        """The fields of which no two may be the same."""
        return [field for field in self.fields if field.unique]

    @cached_property
    def references(self) -> list[Field]:
        """The fields that refer to something."""
        return [field for field in self.fields if field.refers_to]

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/v1/{self.names.replace('_', '-')}"

    def templates(self) -> dict[str, str]:
        """Name the template of each new file."""
        return {
            **{f"api/{room}/{self.names}.py": f"api/{room}/resources.py" for room in ROOMS},
            f"migrations/versions/{self.revision}_{self.names}.py": "migrations/versions/revision_resources.py",
            **{
                f"tests/{room}/test_{self.names}.py": f"tests/{room}/test_resources.py"
                for room in ("migrations", "routers", "services")
            },
        }

    def identifiers(self) -> Iterator[str]:
        """Name the longest of what the database has to name."""
        for field in self.fields:
            yield f"uq_{self.names}_{'owner_id_' if self.auth else ''}{field.column}" if field.unique else ""
            yield f"fk_{self.names}_{field.column}_{field.refers_to}" if field.refers_to else ""

    def context(self) -> dict[str, object]:
        """Give the templates their words."""
        one, those = self.name.replace("_", " "), self.names.replace("_", " ")
        goes_with = [field.words for field in self.references if not field.optional]
        rules = [
            *(["no two have the same value of a unique field"] if self.unique else []),
            *(["what they refer to exists"] if self.references else []),
        ]
        return {
            "auth": self.auth,
            "revision": self.revision,
            "previous": self.previous,
            "name": self.name,
            "names": self.names,
            "Name": class_name(self.name),
            "NAME": self.name.upper(),
            "NAMES": self.names.upper(),
            "one": one,
            "those": those,
            "a_one": with_article(one),
            "a_name": with_article(one).replace(" ", "_"),
            "slug": self.name.replace("_", "-"),
            "path": self.path,
            "ends": f"; it goes when its {' or its '.join(goes_with)} goes" if goes_with else "",
            "rules": f": {', and '.join(rules)}" if rules else "",
            "fields": self.fields,
            "unique": self.unique,
            "countable": [field for field in self.unique if not field.refers_to],
            "references": self.references,
            "referred_models": sorted({field.model for field in self.references}),
            "required": [field for field in self.fields if not field.optional],
            "optional": [field for field in self.fields if field.optional],
            "conflicts": bool(self.unique or self.references),
            "indexed": [
                *(["owner_id"] if self.auth and not self.unique else []),
                *(field.column for field in self.references),
            ],
        }


def parse(project: Path, name: str) -> ast.Module:
    """Parse a file of the project.

    Raises:
        RefusedError: where it is missing, or is no Python.
    """
    try:
        return ast.parse((project / name).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise RefusedError(complaint("file", name, f"It must be Python: {error}.", "mend it first")) from error


def assigned(body: Sequence[ast.stmt]) -> dict[str, ast.expr | None]:
    """Map the names that a body assigns or declares to their values."""
    found: dict[str, ast.expr | None] = {}
    for node in body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                found[name] = value
    return found


def bound(tree: ast.AST) -> set[str]:
    """Name whatever the code imports, defines, assigns or takes."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.alias(name=name, asname=asname):
                found.add(asname or name.partition(".")[0])
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                found.add(name)
    return found


def classes(project: Path) -> Classes:
    """Find the classes of all rooms, each with its file."""
    paths = [path.relative_to(project).as_posix() for path in sorted((project / "api").rglob("*.py"))]
    return [(path, node) for path in paths for node in parse(project, path).body if isinstance(node, ast.ClassDef)]


def table_of(model: ast.ClassDef) -> str:
    """Read the name of a model's table; other classes have none."""
    match assigned(model.body).get("__tablename__"):
        case ast.Constant(value=str(name)):
            return name
    return ""


def next_revision(project: Path) -> tuple[str, str | None]:
    """Name the next revision, and the one that it follows.

    Raises:
        RefusedError: where two have one name, as two branches give it, or the history has several ends.
    """
    before: dict[str, set[str]] = {}
    paths: dict[str, str] = {}
    for path in sorted((project / "migrations/versions").glob("*.py")):
        name = path.relative_to(project).as_posix()
        values = assigned(parse(project, name).body)
        with suppress(KeyError, ValueError):
            revision, down = (ast.literal_eval(values[each] or "") for each in ("revision", "down_revision"))
            if revision in before:
                rule = f"{paths[revision]} and {name} both have it."
                way_out = f"another revision in one of them, with down_revision = {revision!r}"
                refuse([complaint("revision", revision, rule, way_out)])
            before[revision] = {down} if isinstance(down, str) else set(down or ())
            paths[revision] = name
    heads = sorted(before.keys() - set().union(*before.values()))
    if len(heads) > 1:
        rule = "The history of the tables must have one end, which the new migration follows."
        refuse([complaint("migrations", " ".join(heads), rule, 'venv/bin/alembic merge heads -m "one history"')])
    number = 1 + max([int(revision) for revision in before if revision.isdecimal()], default=0)
    return f"{number:04}", heads[0] if heads else None


def answers_of(project: Path) -> Mapping[str, object]:
    """Read what the template has recorded of the project's own answers.

    Raises:
        RefusedError: where this is no such project.
    """
    try:
        pyproject = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
        answers: Mapping[str, object] = pyproject["tool"][RECORD]
    except (OSError, KeyError, ValueError) as error:
        rule = f"It must be a project of the template, with [tool.{RECORD}] in its pyproject.toml."
        raise RefusedError(complaint("folder", str(project), rule, "make resource, in such a project")) from error
    return answers


def complaints_about_names(name: str, names: str, project: Path, present: Classes) -> list[str | None]:
    """A resource is called what nothing else is."""
    taken = {*WORDS_OF_THE_SLICE, *ROOMS, *dir(builtins)}
    found = [
        complaint_about_word("name", name, taken, f"{name}_record"),
        complaint_about_word("plural", names, taken, f"{name}_records"),
    ]
    if any(found):
        return found
    if name == names:
        return [complaint("plural", names, "It must differ from the name.", f"plural={name}_list")]
    there = {taken: path for path, node in present for taken in (table_of(node), node.name)}
    ours = [names, *(class_name(name) + suffix for suffix in SUFFIXES)]
    if taken_by := [f"{there[each]} has {each}" for each in ours if each in there]:
        return [complaint("name", name, f"{taken_by[0]} already.", f"{name}_record")]
    if names in bound(parse(project, MAIN)):
        return [complaint("plural", names, f"{MAIN} calls something else so.", f"plural={name}_list")]
    return []


def referable(present: Classes, *, auth: bool) -> dict[str, str]:
    """Map the tables that can be referred to, those that belong to users where there are any, to their models."""
    return {
        table: node.name
        for path, node in present
        if path.startswith("api/models/")
        and (table := table_of(node))
        and (not auth or "owner_id" in assigned(node.body))
    }


def complaint_about_reference(field: Field, tables: Mapping[str, str], *, auth: bool) -> str | None:
    """What a field refers to is there, and is the user's own."""
    if not field.refers_to or field.refers_to in tables:
        return None
    rule = f"It must refer to the table of a resource{' that belongs to a user' if auth else ''}."
    nearest = [*difflib.get_close_matches(field.refers_to, tables, 1), *tables]
    way_out = f"{field.name}:ref={nearest[0]}" if nearest else "make that resource first"
    return complaint("fields", f"{field.name}:ref={field.refers_to}", rule, way_out)


def described(field: Field, resource: str, types: Mapping[str, Mapping[str, Any]], *, auth: bool) -> Field:
    """Give a field what its type is in each room."""
    kind = types["email_without_auth" if field.type_ == "email" and not auth else field.type_]
    options = field.options or [""]
    values = {
        "n": "{n}",
        "shape": class_name(resource) + class_name(field.name),
        "options": ", ".join(f'"{option}"' for option in options),
        "longest": max(map(len, options)),
        "first": options[0],
        "second": options[1 % len(options)],
        "refers_to": field.refers_to,
        "on_delete": field.on_delete,
    }
    return dataclasses.replace(
        field,
        kind={
            name: value.format(**values) if isinstance(value, str) else [each.format(**values) for each in value]
            for name, value in {"module": "", "storage": "", "definition": "", **kind}.items()
        },
    )


def resource_of(answers: Answers, templates: Path, project: Path) -> Resource:
    """Read the answers, in the light of the project.

    Raises:
        RefusedError: with everything that is wrong.
    """
    auth, present = bool(answers_of(project).get("auth")), classes(project)
    name, texts, dry_run = answers["name"], answers["fields"].split(), answers["dry_run"]
    names = answers["plural"] or plural_of(name)
    refuse(
        [
            *complaints_about_names(name, names, project, present),
            *complaints_about_fields(texts),
            None
            if dry_run.lower() in ON + OFF
            else complaint(
                "dry_run", dry_run, f"It must be one of {', '.join(filter(None, ON + OFF))}.", "dry_run=yes"
            ),
        ]
    )
    tables = referable(present, auth=auth)
    fields = [field for field in map(read_field, texts) if field]
    refuse(complaint_about_reference(field, tables, auth=auth) for field in fields)
    fields = [dataclasses.replace(field, model=tables.get(field.refers_to, "")) for field in fields]
    types = tomllib.loads((templates / "types.toml").read_text(encoding="utf-8"))
    fields = [described(field, name, types, auth=auth) for field in fields]
    resource = Resource(name, names, fields, auth, *next_revision(project))
    rule = f"PostgreSQL names nothing with more than {LONGEST_IDENTIFIER} characters."
    refuse(
        complaint("identifier", each, rule, "shorter names")
        for each in resource.identifiers()
        if len(each) > LONGEST_IDENTIFIER
    )
    return resource


def complaint_about_code(resource: Resource, target: str, text: str) -> str | None:
    """No two things in one file have one name."""
    names: list[str] = []
    for node in ast.parse(text).body:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.FunctionDef() | ast.AsyncFunctionDef():
                names += bound(node) if isinstance(node, ast.Import | ast.ImportFrom) else [node.name]
            case ast.ClassDef(name=name) | ast.Assign(targets=[ast.Name(id=name)]) if not name.startswith("_"):
                names.append(name)
    twice = {name for name, times in Counter(names).items() if times > 1} | {resource.name, resource.names} & {*names}
    if not twice:
        return None
    rule = f"{target} would call two things {' and '.join(sorted(twice))}."
    return complaint("name", resource.name, rule, f"{resource.name}_record")


def render(resource: Resource, folder: Path, project: Path) -> dict[str, bytes]:
    """Write the new files, unformatted.

    Raises:
        RefusedError: where a file is there already, or two things in one would have one name.
    """
    environment = jinja2.Environment(  # noqa: S701 - this is Python, not HTML
        loader=jinja2.FileSystemLoader(folder),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    templates, context = resource.templates(), resource.context()
    rule = "It is there already, and nothing is overwritten."
    refuse(complaint("file", name, rule, "another name") for name in templates if os.path.lexists(project / name))
    shared = [name for field in resource.fields for name in field.shared_files()]
    templates |= {name: name for name in shared if not os.path.lexists(project / name)}
    texts = {target: environment.get_template(f"{name}.jinja").render(context) for target, name in templates.items()}
    refuse(complaint_about_code(resource, target, text) for target, text in texts.items())
    return {target: text.encode() for target, text in texts.items()}


def tidy(project: Path, files: Iterable[Path]) -> None:
    """Drop the imports that this slice does not need, sort the others, and format as the project does.

    Raises:
        RefusedError: where ruff is missing, or can't.
    """
    folders = (project / "venv/bin", project / "venv/Scripts", Path(sys.executable).parent)
    ruff = shutil.which("ruff", path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    if ruff is None:
        raise RefusedError(complaint("ruff", "", "It formats what is written, and is missing.", "make venv/.installed"))
    ours = 'lint.isort.known-first-party = ["api", "tests"]'
    for command in (("check", "--fix", "--select=F401,I", f"--config={ours}"), ("format",)):
        whole = [ruff, *command, "--no-cache", "--quiet", *(path.relative_to(project).as_posix() for path in files)]
        done = subprocess.run(whole, cwd=project, capture_output=True, encoding="utf-8", check=False)
        if done.returncode:
            raise RefusedError(complaint("ruff", command[0], done.stdout + done.stderr, "make lint"))


def natural(name: str) -> list[str | int]:
    """Sort as ruff does: numbers by their value."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name.lower())]


def with_line(source: str, after: int, line: str) -> str:
    """Insert a line after so many others, and end it as they end."""
    lines = source.split("\n")
    return "\n".join([*lines[:after], line + "\r" * ("\r\n" in source), *lines[after:]])


def with_import(source: str, module: str, names: str) -> str | None:
    """Insert an import among the others of ours, in their order; None where there are none."""
    ours = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and re.match(r"api\b", node.module or "") and not node.level
    ]
    before = [node.end_lineno for node in ours if natural(node.module or "") < natural(module)]
    after = before[-1] if before else ours[0].lineno - 1 if ours else None
    return None if after is None else with_line(source, after, f"from {module} import {names}")


def with_router_import(source: str, names: str) -> tuple[str | None, str]:
    """Import a router as the others are, one a line, or else by itself; tell what it is called then."""
    lines = source.split("\n")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == "api.routers":
            rows = [alias.lineno for alias in node.names]
            one_a_line = len({node.lineno, *rows}) > len(rows) and re.search(r",\s*(#.*)?$", lines[rows[-1] - 1])
            if one_a_line and not any(alias.asname for alias in node.names):
                before = [alias.lineno for alias in node.names if natural(alias.name) < natural(names)]
                line = f"{' ' * node.names[0].col_offset}{names},"
                return with_line(source, before[-1] if before else rows[0] - 1, line), f"{names}.router"
    return with_import(source, f"api.routers.{names}", f"router as {names}_router"), f"{names}_router"


def includer(node: ast.AST) -> ast.expr | None:
    """Find what includes a router in a statement, if anything does."""
    for each in ast.walk(node):
        match each:
            case ast.Call(func=ast.Attribute(value=owner, attr="include_router")):
                return owner
    return None


def with_router(source: str, names: str) -> str | None:
    """Include a router after the last one; None where none is included."""
    imported, router = with_router_import(source, names)
    if imported is None:
        return None
    tree = ast.parse(imported)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.FunctionDef) and includer(node))]
    statements = [(node, owner) for node in bodies[-1] if (owner := includer(node))]
    if not statements:
        return None
    last, owner = statements[-1]
    line = f"{' ' * last.col_offset}{ast.unparse(owner)}.include_router({router})"
    return with_line(imported, last.end_lineno or 0, line)


def with_registration(resource: Resource, project: Path) -> dict[str, tuple[bytes, bytes]]:
    """Write the two files that list things: what they are, and what they become.

    Raises:
        RefusedError: where there is no list.
    """
    model = class_name(resource.name)
    changed: dict[str, tuple[bytes, bytes]] = {}
    for name, rule in LISTS.items():
        parse(project, name)
        before = (project / name).read_bytes()
        if name == MAIN:
            after = with_router(before.decode(), resource.names)
        else:
            after = with_import(before.decode(), f"api.models.{resource.names}", f"{model} as {model}")
        if after is None:
            raise RefusedError(complaint("file", name, "It lists nothing that the new line could join.", rule))
        changed[name] = before, after.encode()
    return changed


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def move_in(stage: Path, project: Path, new: Iterable[str], changed: Mapping[str, tuple[bytes, bytes]]) -> None:
    """Bring what is ready into the project; new files first, since nothing uses them yet.

    Raises:
        RefusedError: where somebody has changed a file in the meantime.
    """
    for name in new:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(stage / "ready" / name, project / name)
    for name, (before, _) in changed.items():
        if (project / name).read_bytes() != before:
            raise RefusedError(complaint("file", name, "It was changed in the meantime.", "the same command again"))
        shutil.copymode(project / name, stage / "ready" / name)
        (stage / "ready" / name).replace(project / name)
    (stage / "after").rename(stage / "done")


def take_back(stage: Path, project: Path) -> None:
    """Take back what was moved in; what somebody has changed since stays."""
    after = stage / "after"
    for path in [path for path in after.rglob("*") if path.is_file()]:
        target, before = project / path.relative_to(after), stage / "before" / path.relative_to(after)
        if target.is_file() and target.read_bytes() == path.read_bytes():
            if before.exists():
                shutil.copymode(target, before)
                before.replace(target)
            else:
                target.unlink()
        with suppress(OSError):  # a folder that holds anything stays
            for folder in target.relative_to(project).parents:
                (project / folder).rmdir()


def diff_of(name: str, before: bytes, after: bytes) -> str:
    """Show the lines that are added."""
    lines, new_lines = (content.decode().splitlines(keepends=True) for content in (before, after))
    return "".join(difflib.unified_diff(lines, new_lines, name if before else os.devnull, name))


def add(answers: Answers, templates: Path, project: Path) -> str:
    """Make everything in the stage, then move it in; give what there is to say.

    Raises:
        RefusedError: where it can't be done.
    """
    resource = resource_of(answers, templates, project)
    new = render(resource, templates, project)
    changed = with_registration(resource, project)
    stage = project / STAGE
    write(stage, {".gitignore": b"*\n"})
    write(stage / "after", new)
    tidy(project, [stage / "after" / name for name in new])
    write(stage / "after", {name: content for name, (_, content) in changed.items()})
    originals = {name: content for name, (content, _) in changed.items()}
    if answers["dry_run"].lower() in ON:
        after = {name: (stage / "after" / name).read_bytes() for name in (*new, *changed)}
        return "\n".join(diff_of(name, originals.get(name, b""), content) for name, content in after.items())
    write(stage / "before", originals)
    shutil.copytree(stage / "after", stage / "ready")
    move_in(stage, project, new, changed)
    names = [*(f"  new      {name}" for name in sorted(new)), *(f"  changed  {name}" for name in changed)]
    return "\n".join([f"{class_name(resource.name)}, at {resource.path}:", *names, "Next: make migrate lint test"])


def add_or_take_back(answers: Answers, templates: Path, project: Path) -> str:
    """Add a resource to a project that nobody else works on; a fault leaves it as it was."""
    stage = project / STAGE
    with alone(project):
        clean_up(stage, project)  # after a run that was killed
        try:
            return add(answers, templates, project)
        finally:
            with undisturbed():
                clean_up(stage, project)


def clean_up(stage: Path, project: Path) -> None:
    """Take back what is not done, and remove the stage."""
    take_back(stage, project)
    shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def alone(project: Path) -> Iterator[None]:
    """Let no two runs work on one project; Windows can't tell.

    Raises:
        RefusedError: where another one does.
    """
    if sys.platform == "win32" or not (project / "pyproject.toml").is_file():
        yield
        return
    import fcntl  # noqa: PLC0415 - Windows has none

    with (project / "pyproject.toml").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RefusedError(complaint("folder", str(project), "Another run is at work.", "wait for it")) from error
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Finish before Ctrl-C, or the end of the terminal or session, is heeded."""
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def say(text: str, file: TextIO) -> None:
    """Print; nobody has to be there to read it, and no console has to know every character."""
    if isinstance(file, io.TextIOWrapper):
        file.reconfigure(errors="replace")
    with suppress(OSError):
        print(text, file=file, flush=True)


def main(answers: Answers, templates: Path) -> int:
    """Add a resource, or say why not; the exit status tells which."""
    project = Path(templates.parent, answers["project"])
    for number in INTERRUPTS:
        signal.signal(number, signal.default_int_handler)
    try:
        said = add_or_take_back(answers, templates, project)
    except RefusedError as error:
        say(f"\nNothing was changed:\n\n{error}\n", sys.stderr)
    except OSError as error:
        say(f"\nNothing was changed: {error}\n", sys.stderr)
    except KeyboardInterrupt:
        say("\nInterrupted; nothing was changed.\n", sys.stderr)
    else:
        os.chdir(project)
        shutil.rmtree(templates, ignore_errors=True)
        say(said, sys.stdout)
        return 0
    return 1


if __name__ == "__main__":
    ANSWERS = json.loads(RAW)
    # Cookiecutter has rendered this file into the temporary folder, and would leave it there.
    with suppress(OSError):
        Path(__file__).unlink()
    sys.exit(main(ANSWERS, Path.cwd()))
# {% endraw %}
