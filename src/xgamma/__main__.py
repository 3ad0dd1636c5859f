"""``python -m xgamma``: the command line where its entry point is not installed."""

from __future__ import annotations

from xgamma.cli.main import main

if __name__ == "__main__":
    main()
