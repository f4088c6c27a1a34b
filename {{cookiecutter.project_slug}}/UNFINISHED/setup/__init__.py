"""Finish a project that cookiecutter has just written; `finish.main` runs all steps."""
