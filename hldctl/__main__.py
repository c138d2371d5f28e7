"""`python -m hldctl` is `hldctl`."""

from __future__ import annotations

from hldctl.cli.main import main

if __name__ == "__main__":
    main()
