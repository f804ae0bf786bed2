"""Files that nobody else on the machine may read.

Why it exists: keys and tokens of a control plane lie on disk; mode 0600 from the first byte, in folders of 0700.
"""

from __future__ import annotations

import os
from pathlib import Path


def private_folder(folder: Path) -> Path:
    """Make a folder, with its parents, that only its owner enters; return it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def write_private(file: Path, content: bytes | str) -> Path:
    """Write a file that only its owner reads, whole or not at all; return it."""
    data = content.encode() if isinstance(content, str) else content
    partial = file.with_name(f".{file.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    partial.replace(file)
    return file
