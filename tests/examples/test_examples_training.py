"""The training script itself, run against a stand-in for torch that counts steps and needs no GPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "noble-gpu"

FAKE_TORCH = '''
import json, os, time

class Anything:
    """Answers every call and operator with itself; its state is a number of steps."""
    steps = 0
    def __getattr__(self, name): return lambda *args, **kwargs: self
    def __call__(self, *args): return self
    def __sub__(self, other): return self
    def __format__(self, form): return "0.0"
    def item(self): return 0.0
    def step(self): time.sleep(float(os.environ["STEP_SECONDS"]))
    def state_dict(self): return "state"
    def load_state_dict(self, state): assert state == "state"

class nn:
    Linear = lambda *args: Anything()

class optim:
    Adam = lambda *args: Anything()

def randn(*args, **kwargs): return Anything()
def save(state, path): open(path, "w").write(json.dumps(state))
def load(path, **kwargs): return json.load(open(path))
'''


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script of training-job.yaml with its checkpoints in a folder of the test, and fewer steps."""
    objects = yaml.safe_load_all((EXAMPLE / "training-job.yaml").read_text(encoding="utf-8"))
    (code,) = [one["data"]["train.py"] for one in objects if one["kind"] == "ConfigMap"]
    assert "/checkpoints/last.pt" in code
    assert "20_000, 500" in code
    code = code.replace("/checkpoints", str(tmp_path)).replace("20_000, 500", "1_000, 400")
    (tmp_path / "torch.py").write_text(FAKE_TORCH)
    path = tmp_path / "train.py"
    path.write_text(code)
    return path


def test_a_stopped_training_saves_leaves_with_143_and_goes_on_where_it_was(script: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "STEP_SECONDS": "0.05"},
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "starting at step 0\n"
        first.send_signal(signal.SIGTERM)
        stopped_at = int(first.stdout.read().split()[-3])
    assert first.returncode == 143
    assert 0 < stopped_at < 1000

    second = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "STEP_SECONDS": "0"},
    )

    assert second.returncode == 0, second.stderr
    assert second.stdout.startswith(f"starting at step {stopped_at}\n")
    assert "step 1000 " in second.stdout
    assert not list(script.parent.glob("*.new"))
