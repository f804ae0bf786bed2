"""Where the programs of a control plane are looked for, and how the cache is filled, with stand-ins for Go and the hosts."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lowtide.app.local_build import local_build
from lowtide.local.controlplane.binaries import cache_of, find_binaries
from lowtide.local.controlplane.build import PACKAGES, arguments
from lowtide.local.controlplane.cache import Cache
from lowtide.local.controlplane.download import download
from lowtide.local.controlplane.releases import DEFAULT_MINOR, NAMES, RELEASES, release_of
from lowtide.local.controlplane.supply import State, Step
from lowtide.model.errors import InputError, LowtideError

RELEASE = release_of(DEFAULT_MINOR)


def write_program(folder: Path, name: str, version: str) -> Path:
    """Write a program that prints a version."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{name} v{version}'\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def write_programs(folder: Path, **versions: str) -> Path:
    """Write all programs, with pinned versions or those given by name (kube_scheduler=...)."""
    for name in NAMES:
        version = versions.get(name.replace("-", "_"), RELEASE.version(name))
        write_program(folder, name, version)
    return folder


def environment(tmp_path: Path, *path: Path) -> dict[str, str]:
    """Return an environment with a cache of its own and a PATH of these folders and the shell's."""
    places = [*(str(one) for one in path), "/usr/bin", "/bin"]
    return {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "HOME": str(tmp_path),
        "PATH": os.pathsep.join(places),
    }


def write_go(folder: Path, body: str) -> Path:
    """Write a stand-in for Go; $out is where it should write to, $package what it should build."""
    folder.mkdir(parents=True, exist_ok=True)
    go = folder / "go"
    script = f"""\
        #!/bin/sh
        while [ $# -gt 1 ]; do [ "$1" = -o ] && out="$2"; shift; done
        package="$1"
        {body}
        """
    go.write_text(textwrap.dedent(script), encoding="utf-8")
    go.chmod(0o755)
    return folder


GOOD_GO = 'echo "$package" > "$out"; echo "$package" >> "$HOME/built"'


def test_a_named_folder_comes_before_path_and_path_before_the_cache(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    write_program(folder, "etcd", RELEASE.etcd)
    path = tmp_path / "path"
    for name in ("etcd", "kwok"):
        write_program(path, name, RELEASE.version(name))
    environ = environment(tmp_path, path, write_go(tmp_path / "go", GOOD_GO))
    local_build(report=lambda _: None, environ=environ)
    found = find_binaries(DEFAULT_MINOR, folder=folder, environ=environ)
    assert found.etcd == folder / "etcd"
    assert found.kwok == path / "kwok"
    assert found.kube_apiserver == cache_of(RELEASE, environ).folder / "kube-apiserver"
    by_variable = find_binaries(DEFAULT_MINOR, environ={**environ, "LOWTIDE_BINARIES": str(folder)})
    assert by_variable == found


def test_a_program_on_path_of_another_minor_is_passed_over(tmp_path: Path) -> None:
    path = write_programs(tmp_path / "path", kube_apiserver="1.31.0", etcd="3.4.23")
    with pytest.raises(LowtideError) as caught:
        find_binaries(DEFAULT_MINOR, environ=environment(tmp_path, path))
    assert caught.value.what.endswith("etcd, kube-apiserver are missing")
    for way in ("--binaries", "PATH", "lowtide local build --download", "lowtide local build ("):
        assert way in caught.value.fix


def test_another_patch_release_on_path_is_as_good(tmp_path: Path) -> None:
    path = write_programs(tmp_path / "path", kube_scheduler="1.36.0")
    found = find_binaries(DEFAULT_MINOR, environ=environment(tmp_path, path))
    assert found.path("kube-scheduler") == path / "kube-scheduler"


def test_a_program_of_another_minor_in_a_named_folder_is_an_error(tmp_path: Path) -> None:
    folder = write_programs(tmp_path / "folder", kube_apiserver="1.31.0")
    with pytest.raises(InputError, match="kube-apiserver is of another version") as caught:
        find_binaries(DEFAULT_MINOR, folder=folder, environ=environment(tmp_path))
    assert "1.31.0" in caught.value.why


def test_a_named_folder_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        find_binaries(DEFAULT_MINOR, folder=tmp_path / "no", environ=environment(tmp_path))


def test_other_minors_come_from_path_and_the_error_says_that_they_cannot_be_built(
    tmp_path: Path,
) -> None:
    other = release_of("1.35")
    path = tmp_path / "path"
    for name in NAMES:
        write_program(path, name, other.version(name))
    found = find_binaries("1.35", environ=environment(tmp_path, path))
    assert found.kube_apiserver == path / "kube-apiserver"
    with pytest.raises(LowtideError) as caught:
        find_binaries("1.34", environ=environment(tmp_path))
    assert "lowtide local build serves 1.36 alone" in caught.value.fix
    with pytest.raises(InputError, match="cannot be built here"):
        local_build(report=lambda _: None, minor="1.34", environ=environment(tmp_path))


def test_a_minor_without_a_release_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Kubernetes 1\.20") as caught:
        find_binaries("1.20", environ=environment(tmp_path))
    assert all(one.minor in caught.value.why for one in RELEASES)


def test_the_default_minor_is_what_the_shipped_go_mod_requires() -> None:
    from importlib import resources

    text = (resources.files("lowtide.local.controlplane") / "go" / "go.mod").read_text("utf-8")
    for module, version in (
        ("k8s.io/kubernetes", RELEASE.kubernetes),
        ("go.etcd.io/etcd/server/v3", RELEASE.etcd),
        ("sigs.k8s.io/kwok", RELEASE.kwok),
    ):
        assert f"\t{module} v{version} " in text
    for package in PACKAGES.values():
        assert f"\t{package}\n" in text


def test_the_build_takes_modules_as_go_sum_says_and_names_the_version() -> None:
    given = arguments("kube-apiserver", RELEASE, Path("/out"))
    assert "-mod=readonly" in given
    assert any("gitVersion=v1.36.3" in one for one in given)
    assert given[-1] == "k8s.io/kubernetes/cmd/kube-apiserver"


def test_a_build_fills_the_cache_and_the_next_one_keeps_it(tmp_path: Path) -> None:
    environ = environment(tmp_path, write_go(tmp_path / "go", GOOD_GO))
    steps: list[Step] = []
    built = local_build(report=steps.append, environ=environ)
    assert [one.name for one in steps if one.state is State.DONE] == list(NAMES)
    assert {name: one.version for name, one in built.programs.items()} == {
        name: RELEASE.version(name) for name in NAMES
    }
    assert stat.S_IMODE((built.folder / "kwok").stat().st_mode) == 0o755
    steps.clear()
    assert local_build(report=steps.append, environ=environ) == built
    assert [one.state for one in steps] == [State.KEPT] * len(NAMES)
    assert find_binaries(DEFAULT_MINOR, environ=environ).etcd == built.folder / "etcd"


def test_a_program_that_changed_in_the_cache_is_not_used_and_is_built_again(tmp_path: Path) -> None:
    environ = environment(tmp_path, write_go(tmp_path / "go", GOOD_GO))
    folder = local_build(report=lambda _: None, environ=environ).folder
    whole = (folder / "kwok").read_bytes()
    (folder / "kwok").write_bytes(whole[:-2] + b"x\n")  # same size
    with pytest.raises(LowtideError, match="kwok is missing") as caught:
        find_binaries(DEFAULT_MINOR, environ=environ)
    assert "kwok in the cache changed" in caught.value.why
    local_build(report=lambda _: None, environ=environ)
    assert (folder / "kwok").read_bytes() == whole


def test_a_program_that_was_only_touched_is_still_whole(tmp_path: Path) -> None:
    environ = environment(tmp_path, write_go(tmp_path / "go", GOOD_GO))
    folder = local_build(report=lambda _: None, environ=environ).folder
    os.utime(folder / "etcd", (1, 1))
    assert find_binaries(DEFAULT_MINOR, environ=environ).etcd == folder / "etcd"


@pytest.mark.parametrize(
    ("said", "what", "fix"),
    [
        ("go: go.mod requires go >= 1.26.0 (running go 1.21)", "too old", "GOTOOLCHAIN"),
        ("write /x: no space left on device", "Building kube-apiserver failed", "free some space"),
        ("dial tcp: lookup proxy.golang.org: no such host", "cannot be fetched", "GOPROXY"),
        ("verifying module: checksum mismatch\nSECURITY ERROR", "refused", "GOPROXY"),
        ("x.go:1: syntax error", "Building kube-apiserver failed", "run it again"),
    ],
)
def test_a_build_that_fails_says_why_and_what_to_do_and_keeps_what_was_built(
    tmp_path: Path, said: str, what: str, fix: str
) -> None:
    fails = f'case "$package" in *apiserver) printf "{said}\\n"; exit 1;; esac\n{GOOD_GO}'
    environ = environment(tmp_path, write_go(tmp_path / "go", fails))
    with pytest.raises(LowtideError, match=what) as caught:
        local_build(report=lambda _: None, environ=environ)
    assert said.splitlines()[0] in caught.value.why
    assert fix in caught.value.fix
    cache = cache_of(RELEASE, environ)
    assert list(cache.entries()) == ["etcd"]
    assert sorted(one.name for one in cache.folder.iterdir()) == [".lock", "etcd", "manifest.json"]
    write_go(tmp_path / "go", GOOD_GO)
    steps: list[Step] = []
    local_build(report=steps.append, environ=environ)
    assert steps[0] == Step(name="etcd", state=State.KEPT)


def test_without_go_the_error_says_where_to_get_it(tmp_path: Path) -> None:
    environ = {**environment(tmp_path), "PATH": str(tmp_path)}
    with pytest.raises(LowtideError, match="Go is needed") as caught:
        local_build(report=lambda _: None, environ=environ)
    assert "https://go.dev/dl" in caught.value.fix


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    environ = environment(tmp_path, write_go(tmp_path / "go", GOOD_GO))
    with (
        cache_of(RELEASE, environ).writing(),
        pytest.raises(LowtideError, match="Another lowtide"),
    ):
        local_build(report=lambda _: None, environ=environ)


def test_a_cache_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder", encoding="utf-8")
    environ = environment(tmp_path, write_go(tmp_path / "go", GOOD_GO))
    with pytest.raises(LowtideError, match="cannot be written") as caught:
        local_build(report=lambda _: None, environ=environ)
    assert "XDG_CACHE_HOME" in caught.value.fix


BUILD = """
from lowtide.app.local_build import local_build
local_build(report=lambda step: print(step.name, step.state.name, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_cut_off_leaves_the_cache_whole(
    tmp_path: Path, number: signal.Signals
) -> None:
    slow = (
        'case "$package" in *apiserver) echo half > "$out"; echo $$ > "$HOME/pid"; '
        f"exec sleep 600;; esac\n{GOOD_GO}"
    )
    environ = environment(tmp_path, write_go(tmp_path / "go", slow))
    popen = subprocess.Popen(
        [sys.executable, "-c", BUILD],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A shell's background job ignores SIGINT, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    pid_file = tmp_path / "pid"
    until = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text(encoding="utf-8").strip()):
        assert time.monotonic() < until
        time.sleep(0.02)
    popen.send_signal(number)
    popen.communicate(timeout=60)
    compiler = int(pid_file.read_text(encoding="utf-8"))
    if number is signal.SIGINT:  # Go was told to end too
        with pytest.raises(ProcessLookupError):
            os.kill(compiler, 0)
    else:
        os.kill(compiler, signal.SIGKILL)
    cache = cache_of(RELEASE, environ)
    assert list(cache.entries()) == ["etcd"]
    assert cache.find("kube-apiserver") is None
    write_go(tmp_path / "go", GOOD_GO)
    local_build(report=lambda _: None, environ=environ)
    assert not list(cache.folder.glob(".work-*"))
    assert cache.find("kube-apiserver", full=True) is not None


class Served(io.BytesIO):
    """An answer of a stand-in host; ``cut`` breaks the connection after so many bytes."""

    def __init__(self, content: bytes, cut: int | None = None) -> None:
        super().__init__(content if cut is None else content[:cut])
        self._cut = cut
        self.length: int | None = len(content)

    def read(self, amount: int | None = -1, /) -> bytes:
        """Return bytes, or break."""
        found = super().read(amount)
        if not found and self._cut is not None:
            raise ConnectionResetError("connection reset")
        return found


def published(architecture: str = "amd64") -> dict[str, bytes]:
    """Return what the hosts publish, by URL."""
    version = RELEASE.kubernetes
    found: dict[str, bytes] = {}
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        url = f"https://dl.k8s.io/release/v{version}/bin/linux/{architecture}/{name}"
        found[url] = name.encode()
        found[f"{url}.sha256"] = hashlib.sha256(name.encode()).hexdigest().encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        folder = f"etcd-v{RELEASE.etcd}-linux-{architecture}"
        for member in ("README.md", "etcd", "etcdctl"):
            info = tarfile.TarInfo(f"{folder}/{member}")
            info.size = len(member)
            tar.addfile(info, io.BytesIO(member.encode()))
    base = f"https://github.com/etcd-io/etcd/releases/download/v{RELEASE.etcd}"
    asset = f"etcd-v{RELEASE.etcd}-linux-{architecture}.tar.gz"
    found[f"{base}/{asset}"] = archive.getvalue()
    digest = hashlib.sha256(archive.getvalue()).hexdigest()
    found[f"{base}/SHA256SUMS"] = f"{digest}  {asset}\n".encode()
    kwok = f"https://github.com/kubernetes-sigs/kwok/releases/download/v{RELEASE.kwok}"
    found[f"{kwok}/kwok-linux-{architecture}"] = b"kwok"
    about = f"https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags/v{RELEASE.kwok}"
    digest = f"sha256:{hashlib.sha256(b'kwok').hexdigest()}"
    assets = {"assets": [{"name": f"kwok-linux-{architecture}", "digest": digest}]}
    found[about] = json.dumps(assets).encode()
    return found


def host(files: Mapping[str, bytes], *, cut: str = "") -> Callable[[str], Served]:
    """Return an opener of these files; the one whose URL ends in ``cut`` breaks half-way."""

    def opened(url: str) -> Served:
        content = files[url]
        return Served(content, len(content) // 2 if cut and url.endswith(cut) else None)

    return opened


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine for which upstream publishes everything."""
    monkeypatch.setattr("lowtide.local.controlplane.download.sys.platform", "linux")
    monkeypatch.setattr("lowtide.local.controlplane.download.platform.machine", lambda: "x86_64")


def test_a_download_fills_the_cache_with_what_was_published(tmp_path: Path, linux: None) -> None:
    cache = Cache(tmp_path)
    download(cache, RELEASE, report=lambda _: None, open_url=host(published()))
    contents = {name: (tmp_path / name).read_text(encoding="utf-8") for name in NAMES}
    assert contents == {name: name for name in NAMES}
    assert cache.entries()["kwok"].origin.startswith("downloaded from https://github.com/")


@pytest.mark.parametrize("name", ["etcd", "kube-scheduler", "kwok"])
def test_a_download_that_is_not_what_was_published_is_thrown_away(
    tmp_path: Path, linux: None, name: str
) -> None:
    ends = {"etcd": ".tar.gz", "kwok": "kwok-linux-amd64"}.get(name, name)
    files = {
        url: content + b"!" if url.endswith(ends) else content
        for url, content in published().items()
    }
    cache = Cache(tmp_path)
    with pytest.raises(LowtideError, match="not what was published"):
        download(cache, RELEASE, report=lambda _: None, open_url=host(files))
    assert cache.find(name) is None
    assert list(cache.entries()) == list(NAMES[: NAMES.index(name)])


def test_a_download_without_a_published_checksum_is_refused(tmp_path: Path, linux: None) -> None:
    files = published()
    about = next(url for url in files if "api.github.com" in url)
    files[about] = b'{"assets": [{"name": "kwok-linux-amd64", "digest": null}]}'
    with pytest.raises(LowtideError, match="not what was published") as caught:
        download(Cache(tmp_path), RELEASE, report=lambda _: None, open_url=host(files))
    assert "published is none" in caught.value.why


def test_a_download_that_breaks_leaves_no_half_file_and_the_next_one_goes_on(
    tmp_path: Path, linux: None
) -> None:
    cache = Cache(tmp_path)
    broken = host(published(), cut="kube-controller-manager")
    with pytest.raises(LowtideError, match="cannot be downloaded") as caught:
        download(cache, RELEASE, report=lambda _: None, open_url=broken)
    assert "connection reset" in caught.value.why
    left = sorted(one.name for one in tmp_path.iterdir())
    assert left == [".lock", "etcd", "kube-apiserver", "manifest.json"]
    steps: list[Step] = []
    download(cache, RELEASE, report=steps.append, open_url=host(published()))
    assert [one.name for one in steps if one.state is State.KEPT] == ["etcd", "kube-apiserver"]


def test_without_the_network_the_error_names_the_host_and_the_other_way(
    tmp_path: Path, linux: None
) -> None:
    def offline(url: str) -> Served:
        raise OSError("Name or service not known")

    with pytest.raises(LowtideError, match="cannot be downloaded") as caught:
        download(Cache(tmp_path), RELEASE, report=lambda _: None, open_url=offline)
    assert caught.value.where.startswith("https://github.com/etcd-io/etcd/")
    assert "lowtide local build" in caught.value.fix


def test_where_upstream_publishes_nothing_the_error_names_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lowtide.local.controlplane.download.sys.platform", "darwin")
    with pytest.raises(LowtideError, match="Nothing is published") as caught:
        download(Cache(tmp_path), RELEASE, report=lambda _: None, open_url=host({}))
    assert "lowtide local build" in caught.value.fix
