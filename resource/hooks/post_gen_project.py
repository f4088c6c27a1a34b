"""Add the resource with the package that cookiecutter has just copied into the current folder, beside the templates."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the shared temporary folder, whose modules must not shadow the standard library
    import json
    from pathlib import Path

    sys.path.insert(0, str(Path.cwd()))
    Path(__file__).unlink(missing_ok=True)  # cookiecutter leaves the rendered hook in the temporary folder
    from add_resource.main import main

    sys.exit(main(json.loads(r"""{{ cookiecutter | tojson }}"""), Path.cwd()))
