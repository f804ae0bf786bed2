"""Threads that decode a kind for its first time at once: the process lives."""

from __future__ import annotations

import subprocess
import sys

#: Without ``prepared`` about one such process in three is killed by SIGSEGV (msgspec 0.22).
SCRIPT = """
import sys, threading
from lightkube.core import decoders
from lowtide.kube.live import client, kinds

sys.setswitchinterval(1e-6)
together = threading.Barrier(16)
broken = []

def decode(number):
    together.wait()
    try:
        for kind in (kinds.POD, kinds.NODE):
            decoders.decode_list(b'{"items":[{"a":1}],"metadata":{"resourceVersion":"5"}}', client._resource(kind))
            decoders.decode_watch_event(b'{"type":"ADDED","object":{"a":1}}')
            decoders.decode_status(b'{"message":"x","code":404,"details":{"causes":[{"field":"a"}]},"metadata":{}}')
    except Exception as error:
        broken.append(error)

threads = [threading.Thread(target=decode, args=(number,)) for number in range(16)]
for one in threads:
    one.start()
for one in threads:
    one.join()
sys.exit(bool(broken))
"""


def test_threads_that_begin_at_once_decode_and_the_process_lives() -> None:
    codes = {
        subprocess.run([sys.executable, "-c", SCRIPT], check=False).returncode for _ in range(12)
    }
    assert codes == {0}
