"""Entry point of `python -m hldctl`, which is the same as `hldctl`."""

from __future__ import annotations

from hldctl.cli.main import main

if __name__ == "__main__":
    main()
