"""The resource that is asked for: its name and fields, checked against the project, and its new files."""

import builtins
import hashlib
import keyword
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from add_resource.project import LEFT_OVER, Project, find_head, refuse

ENVIRONMENT = jinja2.Environment(
    autoescape=jinja2.select_autoescape(),  # of HTML, which is not written here
    loader=jinja2.FileSystemLoader(Path(__file__).parents[1]),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
)
PACKAGES = ("dependencies", "models", "routers", "schemas", "services")

WORD = re.compile(r"(?=.{1,30}$)(?!model_)[a-z][a-z0-9]*(_[a-z0-9]+)*")
NO_WORD = "is reserved, or not lower_case of at most 30 a-z, 0-9 and _, beginning with a letter."
FIELD = re.compile(r"([^:]*):(\w*)(?:=([^?!]*))?(\??!?|!\?)")
OPTION = re.compile(r"[a-z][a-z0-9_-]{,39}")
TYPES = ("str", "text", "int", "money", "decimal", "bool", "date", "datetime", "uuid", "email", "enum", "ref")
RESERVED = {
    *("metadata", "registry"),  # attributes of each model
    *("construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw", "schema", "schema_json"),
    *("update_forward_refs", "validate"),  # with those above, methods of each schema
    *("id", "owner", "owner_id"),  # fields of each resource
    *("bool", "dt", "int", "str", "self", "l"),  # names in annotations, of a parameter, and one that ruff refuses
}


def camel(name: str) -> str:
    """Return the class for a name: `OrderItem` for `order_item`."""
    return "".join(word.capitalize() for word in name.split("_"))


@dataclass(frozen=True)
class Field:
    """A field; `argument` has the values of an enum, or the table that it refers to."""

    name: str
    type_: str
    argument: str
    optional: bool = False
    unique: bool = False

    @property
    def column(self) -> str:
        """Its name in the table and in requests."""
        return f"{self.name}_id" if self.type_ == "ref" else self.name

    def complaints(self, tables: list[str]) -> Iterator[str]:
        """Yield what is wrong with it; `tables` are those that it can refer to."""
        options = self.argument.split("|")
        if not WORD.fullmatch(self.name) or keyword.iskeyword(self.name) or self.name in RESERVED:
            yield f"The name of the field {self.name!a} {NO_WORD}"
        if self.type_ not in TYPES:
            yield f"{self.name}:{self.type_}: the types are {', '.join(TYPES)}."
        if self.unique and self.type_ in ("text", "bool", "enum"):
            yield f"{self.name}: {self.type_} can't be unique."
        if self.argument and self.type_ not in ("enum", "ref"):
            yield f"{self.name}: {self.type_} takes nothing after =."
        if self.type_ == "enum" and (len({*options}) < len(options) or not all(map(OPTION.fullmatch, options))):
            yield f"{self.name}: the values of an enum differ, and are lower-case, such as {self.name}:enum=open|paid."
        if self.type_ == "ref" and self.argument not in tables:
            yield f"{self.name}:ref={self.argument}: it can refer to {', '.join(tables) or 'nothing yet'}."


@dataclass(frozen=True)
class Resource:
    """A resource; `head` is the last migration before its own."""

    name: str
    names: str
    fields: list[Field]
    project: Project
    head: str | None

    @property
    def relations(self) -> list[Field]:
        """The fields that refer to other models; with `auth`, one is the owner."""
        owner = [Field("owner", "ref", "users")] if self.project.auth else []
        return [*owner, *(field for field in self.fields if field.type_ == "ref")]

    @property
    def revision(self) -> str:
        """A hash, so that two branches never choose the same one."""
        return hashlib.sha256(f"{self.head} {self.names}".encode()).hexdigest()[:12]

    def describe(self, field: Field) -> dict[str, Any]:
        """Return a field with what its type is in each package, and with the names of a relationship's other side."""
        model = self.project.models.get(field.argument)
        ambiguous = [each.argument for each in self.relations].count(field.argument) > 1
        plain = not ambiguous and model and self.names not in model.attributes
        values = {
            **vars(field),
            "column": field.column,
            "words": field.name.replace("_", " "),
            "shape": camel(self.name) + camel(field.name),
            "auth": self.project.auth,
            "model": model,
            "ambiguous": ambiguous,
            "back": self.names if plain else f"{field.name}_{self.names}",
        }
        kinds = tomllib.loads(ENVIRONMENT.get_template("types.toml.jinja").render(values))
        return {**values, "storage": "", "definition": "", "files": [], **kinds[field.type_]}

    def render(self) -> dict[str, str]:
        """Return the new files, not formatted yet; those that resources share come with the first of them."""
        fields, relations = ([self.describe(field) for field in each] for each in (self.fields, self.relations))
        tests = ("migrations", "routers", "services", *(["models"] if relations else []))
        shared = sorted({file for field in (*fields, *relations) for file in field["files"]})
        templates = {
            **{f"api/{package}/{self.names}.py": f"api/{package}/resources.py" for package in PACKAGES},
            **{f"tests/{package}/test_{self.names}.py": f"tests/{package}/test_resources.py" for package in tests},
            f"migrations/versions/{self.revision}_{self.names}.py": "migrations/versions/revision_resources.py",
            **{file: file for file in shared if not os.path.lexists(self.project.folder / file)},
        }
        names = {"name": self.name, "names": self.names, "head": self.head, "revision": self.revision}
        values = {**names, "auth": self.project.auth, "fields": fields, "relations": relations}
        return {file: ENVIRONMENT.get_template(f"{name}.jinja").render(values) for file, name in templates.items()}


def complaints(name: str, names: str, project: Project) -> Iterator[str]:
    """Yield what is wrong with the name of a resource and its plural."""
    for word in (name, names):
        if not WORD.fullmatch(word) or keyword.iskeyword(word) or word in {"metadata", "registry", *dir(builtins)}:
            yield f"The name {word!a} {NO_WORD}"
            return
    for file in (f"api/{package}/{names}.py" for package in PACKAGES):
        if os.path.lexists(project.folder / file):
            yield f"{file} exists already. {LEFT_OVER}"
    for word in (names, camel(name)):
        if word in project.taken:
            yield f"{project.taken[word]} has {word} already."
    if re.search(rf"\b{names}\b", (project.folder / "api/main.py").read_text(encoding="utf-8")):
        yield f"api/main.py uses the name {names} already; plural= sets another one."


def read_resource(answers: Mapping[str, str], project: Project) -> Resource:
    """Return the resource that is asked for, or raise `RefusedError` with everything that is wrong."""
    name, texts = answers["name"], answers["fields"].split()
    names = answers["plural"] or f"{name}s"
    wrong = list(complaints(name, names, project))
    fields: list[Field] = []
    for text in texts:
        if match := FIELD.fullmatch(text):
            fields.append(Field(match[1], match[2], match[3] or "", "?" in match[4], "!" in match[4]))
            wrong += fields[-1].complaints(project.referable())
        else:
            wrong.append(f"{text!a}: a field is name:type, then ? if it is optional and ! if it is unique.")
    used = [each for field in fields for each in {field.name, field.column}]
    wrong += sorted({f"Two fields are called {each}." for each in used if used.count(each) > 1})
    wrong += [] if texts else ['A resource has fields, such as fields="number:str! due:date?".']
    refuse(*wrong)
    resource = Resource(name, names, fields, project, find_head(project.folder))
    identifiers = [f"fk_{names}_{each.column}_{each.argument}" for each in resource.relations]
    identifiers += [f"uq_{names}_owner_id_{field.column}" for field in fields if field.unique]
    refuse(*(f"{each} is longer than the 63 bytes of PostgreSQL." for each in identifiers if len(each) > 63))
    return resource
