"""The title, description and version of the API."""

import importlib
from contextlib import suppress

try:
    with suppress(ModuleNotFoundError):
        importlib.import_module("opentelemetry.propagate")  # FastAPI imports it, too
except ValueError as wrong:
    message = f"OTEL_PROPAGATORS: {wrong}"
    raise SystemExit(message) from None

TITLE = "{{ cookiecutter.__project_name }}"  # fmt: skip
DESCRIPTION = "{{ cookiecutter.__description }}"  # fmt: skip
VERSION = "0.1.0"
