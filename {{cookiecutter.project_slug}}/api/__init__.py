"""The title, description and version of the API."""

TITLE = "{{ cookiecutter.__project_name }}"  # fmt: skip
DESCRIPTION = "{{ cookiecutter.__description }}"  # fmt: skip
VERSION = "0.1.0"
