"""`python -m facecap_addon …`: the command line."""

from __future__ import annotations

from .jobs.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
