"""Who we are: the title, description and version that the API announces."""

TITLE = "{{ cookiecutter.__project_name }}"
DESCRIPTION = "{{ cookiecutter.__description }}"
VERSION = "0.1.0"
