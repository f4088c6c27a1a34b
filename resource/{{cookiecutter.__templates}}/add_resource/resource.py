"""The resource that is asked for: its name and fields, checked against the project, and its new files."""

import builtins
import hashlib
import keyword
import re
import tomllib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from add_resource.project import LEFT_OVER, Project, find_head, refuse

ENVIRONMENT = jinja2.Environment(
    autoescape=jinja2.select_autoescape(),  # of HTML, which is not written here
    loader=jinja2.FileSystemLoader(Path(__file__).parents[1]),
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
)
PACKAGES = ("dependencies", "models", "routers", "schemas", "services")

WORD = re.compile(r"(?=.{1,30}$)(?!model_)[a-z][a-z0-9]*(_[a-z0-9]+)*")
VALUE = r"[a-z][a-z0-9_-]{,39}"
TYPES = rf"(?:str|int|money|decimal|date|datetime|uuid|email|ref=\w+)(?:\??!?|!\?)|(?:text|bool|enum={VALUE}(?:\|{VALUE})*)\??"
FIELD = re.compile(rf"([^:]*):(?=(?:{TYPES})$)(\w+)=?([^?!]*)([?!]*)")
RULE = """A field is name:type, then ? if it is optional and ! if it is unique. The types are str, int, money, decimal,
date, datetime, uuid, email, ref=TABLE and, which can't be unique, text, bool and enum=open|paid."""
RESERVED = {
    *("metadata", "registry"),  # attributes of each model
    *("construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw", "schema", "schema_json"),
    *("update_forward_refs", "validate"),  # with those above, methods of each schema
    *("id", "owner", "owner_id"),  # fields of each resource
    *("bool", "dt", "int", "str", "self", "l"),  # names in annotations, of a parameter, and one that ruff refuses
}
MAX_KEY = 63  # bytes, of a name in PostgreSQL


def camel(name: str) -> str:
    """Return the class for a name: `OrderItem` for `order_item`."""
    return "".join(word.capitalize() for word in name.split("_"))


@dataclass(frozen=True)
class Field:
    """A field, and its column; `argument` has the values of an enum, or the table that it refers to."""

    name: str
    column: str
    type_: str
    argument: str
    optional: bool = False
    unique: bool = False


@dataclass(frozen=True)
class Resource:
    """A resource; `relations` are the fields that refer to models, `head` is the last migration before its own."""

    name: str
    names: str
    fields: list[Field]
    relations: list[Field]
    project: Project
    head: str | None

    def describe(self, field: Field) -> dict[str, Any]:
        """Return a field with what its type is in each package, and with the names of a relationship's other side."""
        model = self.project.models.get(field.argument)
        ambiguous = [each.argument for each in self.relations].count(field.argument) > 1
        plain = not ambiguous and model and self.names not in model.attributes
        values = {
            **vars(field),
            "shape": camel(self.name) + camel(field.name),
            "project": self.project,
            "model": model,
            "ambiguous": ambiguous,
            "back": self.names if plain else f"{field.name}_{self.names}",
        }
        kinds = tomllib.loads(ENVIRONMENT.get_template("types.toml.jinja").render(values))
        return {**values, "storage": "", "definition": "", "files": [], **kinds[field.type_]}

    def render(self) -> dict[str, str]:
        """Return the new files, not formatted yet, or raise `RefusedError`; some come with the first resource that needs them."""
        fields, relations = ([self.describe(field) for field in each] for each in (self.fields, self.relations))
        revision = hashlib.sha256(f"{self.head} {self.names}".encode()).hexdigest()[:12]  # differs between branches
        tests = ("migrations", "routers", "services", *(["models"] if relations else []))
        shared = sorted({file for field in (*fields, *relations) for file in field["files"]})
        templates = {
            **{f"api/{package}/{self.names}.py": f"api/{package}/resources.py" for package in PACKAGES},
            **{f"tests/{package}/test_{self.names}.py": f"tests/{package}/test_resources.py" for package in tests},
            f"migrations/versions/{revision}_{self.names}.py": "migrations/versions/revision_resources.py",
        }
        refuse(*(f"{file} exists already. {LEFT_OVER}" for file in templates if (self.project.folder / file).exists()))
        templates |= {file: file for file in shared if not (self.project.folder / file).exists()}
        values = {**vars(self), "fields": fields, "relations": relations, "revision": revision}
        return {file: ENVIRONMENT.get_template(f"{name}.jinja").render(values) for file, name in templates.items()}


def unusable(word: str, reserved: Container[str]) -> list[str]:
    """Return why a word can't be a name, if so."""
    usable = WORD.fullmatch(word) and not keyword.iskeyword(word) and word not in reserved
    return [] if usable else [f"The name {word!a} is reserved, or not lower_case, with a-z, 0-9 and _, at most 30."]


def taken(name: str, names: str, project: Project) -> list[str]:
    """Return what has the name of a resource, or its plural, already."""
    there = [f"{project.taken[word]} has {word} already" for word in (names, camel(name)) if word in project.taken]
    uses = re.search(rf"\b{names}\b", (project.folder / "api/main.py").read_text(encoding="utf-8"))
    there += [f"api/main.py has the name {names} already; plural= sets another one"] if uses else []
    return [f"{each}. {LEFT_OVER}" for each in there[:1]]


def read_resource(answers: Mapping[str, str], project: Project) -> Resource:
    """Return the resource that is asked for, or raise `RefusedError` with everything that is wrong."""
    name, texts = answers["name"], answers["fields"].split()
    names = answers["plural"] or f"{name}s"
    tables = [table for table, each in project.models.items() if not project.auth or "owner_id" in each.attributes]
    wrong = [each for word in (name, names) for each in unusable(word, {"metadata", "registry", *dir(builtins)})]
    wrong += [] if wrong else taken(name, names, project)
    unclear = [text for text in texts if not FIELD.fullmatch(text)]
    wrong += [f"{' '.join(unclear)!a} can't be read. {RULE}"] if unclear or not texts else []
    fields = [
        Field(word, f"{word}_id" if type_ == "ref" else word, type_, argument, "?" in marks, "!" in marks)
        for word, type_, argument, marks in (match.groups() for match in map(FIELD.fullmatch, texts) if match)
    ]
    wrong += [why for field in fields for why in unusable(field.name, RESERVED)]
    twice = [field.name for field in fields if len({*field.argument.split("|")}) <= field.argument.count("|")]
    wrong += [f"{each}: the values of an enum must differ." for each in twice]
    lost = [field.name for field in fields if field.type_ == "ref" and field.argument not in tables]
    wrong += [f"{each}: it can refer to {', '.join(tables) or 'nothing yet'}." for each in lost]
    used = [each for field in fields for each in {field.name, field.column}]
    wrong += sorted({f"Two fields are called {each}." for each in used if used.count(each) > 1})
    relations = [field for field in fields if field.type_ == "ref"]
    relations[:0] = [Field("owner", "owner_id", "ref", "users")] if project.auth else []
    keys = [f"fk_{names}_{each.column}_{each.argument}" for each in relations]
    keys += [f"uq_{names}_owner_id_{field.column}" for field in fields if field.unique]
    wrong += [f"{key} is longer than {MAX_KEY} bytes." for key in keys if len(key) > MAX_KEY]
    refuse(*wrong)
    return Resource(name, names, fields, relations, project, find_head(project.folder))
