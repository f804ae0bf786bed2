"""Makes lightkube's typed decoders ready in one thread, before several use them.

Why it exists: lightkube decodes into msgspec's structs, and msgspec (0.22) ends the whole process with SIGSEGV when two
threads decode into one type for its first time: others see the type's table while it is still being filled. A box has
several threads per cluster, and they all begin at once. A type that was decoded once is safe.
"""

from __future__ import annotations

from typing import Any

import lightkube
from lightkube.core import decoders

_KUBECONFIG = {
    "current-context": "x",
    "clusters": [{"name": "x", "cluster": {}}],
    "users": [{"name": "x", "user": {}}],
    "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
}


def prepared(resource: Any) -> Any:
    """Return a resource class of lightkube's once lists of it can be decoded by any thread; one thread may call it."""
    decoders.decode_list(b'{"items":[],"metadata":{}}', resource)
    return resource


def _prepare_common() -> None:
    """Decode what every kind has in common; Python imports a module in one thread."""
    decoders.decode_watch_event(b'{"type":"","object":{}}')
    decoders.decode_status(b"{}")
    lightkube.KubeConfig.from_dict(_KUBECONFIG)


_prepare_common()
