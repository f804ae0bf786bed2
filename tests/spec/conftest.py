"""Makes the helper modules of this folder importable as ``tests.spec...`` however pytest was started."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:  # `python -m pytest` has it already
    sys.path.insert(0, ROOT)
