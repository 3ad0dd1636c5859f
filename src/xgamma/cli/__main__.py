"""``python -m xgamma.cli``, which is ``python -m xgamma``."""

from __future__ import annotations

from xgamma.cli.main import main

if __name__ == "__main__":
    main()
