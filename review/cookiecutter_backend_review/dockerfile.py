"""A Dockerfile: its stages and their instructions."""

import re
from dataclasses import dataclass, field

INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)", re.DOTALL)
FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<alias>\S+))?", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{?(\w+)(?::?-([^}]*))?\}?")


@dataclass
class Image:
    """A stage: the image it begins with, and its instructions, in which those of an earlier stage come first."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def last(self, name: str) -> str | None:
        """Return the argument of the last instruction of this name."""
        return next((argument for each, argument in reversed(self.instructions) if each == name), None)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return the instructions of a Dockerfile, each with its argument on one line."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*#", line)]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines)).splitlines()
    matches = [match for line in joined if (match := INSTRUCTION.fullmatch(line))]
    return [(match[1].upper(), match[2].strip()) for match in matches]


def stages(text: str) -> tuple[list[Image], list[str]]:
    """Return the stages of a Dockerfile, and the images that it begins with and does not build itself."""
    found: list[Image] = []
    named: dict[str, Image] = {}
    external: list[str] = []
    defaults: dict[str, str] = {}
    for name, argument in instructions(text):
        if name == "FROM" and (words := FROM.fullmatch(argument)):
            base = VARIABLE.sub(lambda match: defaults.get(match[1], match[2] or match[0]), words["image"])
            parent = named.get(base.lower())
            stage = Image(base, list(parent.instructions) if parent else [])
            if parent is None and base != "scratch":
                external.append(base)
            found.append(stage)
            if words["alias"]:
                named[words["alias"].lower()] = stage
        elif found:
            found[-1].instructions.append((name, argument))
        elif name == "ARG":
            key, _, value = argument.partition("=")
            defaults[key] = value.strip("\"'")
    return found, external


def final_image(text: str) -> Image:
    """Return the last stage, which is the image that a build gives."""
    return ([Image("scratch")] + stages(text)[0])[-1]


def from_images(text: str) -> list[str]:
    """Return the images that a Dockerfile begins with and does not build itself, each once."""
    return list(dict.fromkeys(stages(text)[1]))
