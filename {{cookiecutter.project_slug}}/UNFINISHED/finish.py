"""Finish a project that was generated without hooks: `python UNFINISHED/finish.py`."""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER))
    from setup.finish import main

    sys.exit(main(FOLDER.parent))
