"""Finish the project with the package that cookiecutter has just written into it, in `UNFINISHED/setup/`."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the shared temporary folder, whose modules must not shadow the standard library
    from pathlib import Path

    sys.path.insert(0, str(Path.cwd() / "UNFINISHED"))
    Path(__file__).unlink(missing_ok=True)  # cookiecutter leaves the rendered hook in the temporary folder
    try:
        from setup.finish import main

        sys.exit(main(Path.cwd()))
    except Exception as error:  # noqa: BLE001 - any other exit status than 0 would delete the project
        print(f"The project is not finished: {error!r}. To finish it: cd {Path.cwd()} && python UNFINISHED/finish.py")
