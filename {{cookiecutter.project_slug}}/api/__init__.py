"""Who we are: the title, description and version that the API announces."""

TITLE = "{{ cookiecutter.__project_name }}"  # fmt: skip
DESCRIPTION = "{{ cookiecutter.__description }}"  # fmt: skip
VERSION = "0.1.0"
