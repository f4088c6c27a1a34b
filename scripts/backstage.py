"""Write the `template.yaml` for Backstage into `docs/teams.md`, from the questions in `cookiecutter.json`."""

import json
import re
from pathlib import Path

import yaml

from hooks.pre_gen_project import MAX_SLUG_LENGTH, MAX_TEXT_LENGTH, RESERVED, SLUG

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "teams.md"
BLOCK = re.compile(r"(?<=```yaml\n)apiVersion: scaffolder.*?(?=```)", re.DOTALL)
PROJECT = "{{cookiecutter.project_slug}}"
NOT_ASKED = ("create_venv", "check_docker")  # for the machine where finish.py runs

# Backstage runs no hooks, so its form has to refuse what they do: Jinja in text is evaluated.
PATTERNS = {
    "project_name": f"^(?!.*({RESERVED.pattern})).{{1,{MAX_TEXT_LENGTH}}}$",
    "description": f"^(?!.*({RESERVED.pattern})).{{0,{MAX_TEXT_LENGTH}}}$",
    "project_slug": f"^(?=.{{1,{MAX_SLUG_LENGTH}}}$){SLUG.pattern}$",
}


def field(name: str, default: object, prompt: str | dict[str, str]) -> dict[str, object]:
    """Return the field of a form for a question."""
    if isinstance(prompt, dict):
        title, *names = prompt.values()
        return {
            "title": title,
            "type": "string",
            "default": list(prompt)[1],
            "enum": list(prompt)[1:],
            "enumNames": names,
        }
    if isinstance(default, bool):
        return {"title": prompt, "type": "boolean", "default": default}
    shown = {} if "{{" in str(default) else {"default": default}
    return {"title": prompt, "type": "string", **shown, "pattern": PATTERNS[name]}


def template_yaml() -> str:
    """Return the file; questions whose default follows from other answers are not asked, except for the slug."""
    questions = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    fields = {
        name: field(name, questions[name], prompt)
        for name, prompt in questions["__prompts__"].items()
        if name not in NOT_ASKED and (name in PATTERNS or "{{" not in str(questions[name]))
    }
    repository = {"title": "Repository", "type": "string", "ui:field": "RepoUrlPicker"}
    fetch = {
        "url": "https://github.com/OWNER/cookiecutter-backend/tree/v1.0.0",
        "targetPath": "rendered",
        "copyWithoutRender": ["[!{]*", *(f"{PROJECT}/{pattern}" for pattern in questions["_copy_without_render"])],
        "values": {name: f"${{{{ parameters.{name} }}}}" for name in fields},
    }
    publish = {
        "repoUrl": "${{ parameters.repository }}",
        "sourcePath": "rendered/${{ parameters.project_slug }}",
        "defaultBranch": "main",
    }
    template = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {
            "name": "backend",
            "title": "Backend",
            "description": "A FastAPI backend in the documented layout.",
        },
        "spec": {
            "owner": "OWNER",
            "type": "service",
            "parameters": [
                {
                    "title": "Backend",
                    "required": ["project_name", "project_slug", "repository"],
                    "properties": {**fields, "repository": repository},
                }
            ],
            "steps": [
                {"id": "fetch", "name": "Render", "action": "fetch:cookiecutter", "input": fetch},
                {"id": "publish", "name": "Publish", "action": "publish:github", "input": publish},
            ],
        },
    }
    return yaml.safe_dump(template, default_flow_style=None, sort_keys=False, width=120)


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda _: template_yaml(), page), encoding="utf-8", newline="\n")
