"""A plugin for repo-review: does a FastAPI backend follow the layout of cookiecutter-backend?"""
