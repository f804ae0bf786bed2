"""``python -m lowtide`` is the same as ``lowtide``."""

from __future__ import annotations

from lowtide.cli.main import main

if __name__ == "__main__":
    main()
