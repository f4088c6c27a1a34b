"""Stand-in for `setup.options` of the template: replace the import of it, and delete this file."""

import importlib.util

_spec = importlib.util.spec_from_file_location("hook", "hooks/post_gen_project.py")
assert _spec  # noqa: S101 - stand-in
assert _spec.loader  # noqa: S101 - stand-in
_hook = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_hook)


def prune_text(text: str, enabled: frozenset[str]) -> str:
    """Remove the lines and blocks of options that are not enabled, and all markers."""
    answers = dict.fromkeys(("auth", "example", "telemetry", "kubernetes", "database", "ci"), "")
    answers |= {name: choice or "yes" for name, _, choice in (option.partition("=") for option in enabled)}
    pruned: str = _hook.prune_text(text, answers)
    return pruned
