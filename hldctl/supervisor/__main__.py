"""Entry point of `python -m hldctl.supervisor launch` and `adopt SESSION`; see `main`."""

from __future__ import annotations

import sys

from hldctl.system import interpreter

if __name__ == "__main__":
    interpreter.reduce_garbage_collection()
    from hldctl.supervisor import main

    main.main(*sys.argv[1:])
