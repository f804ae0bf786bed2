"""One way of writing files: whole or not at all, and what stood there decides links and permissions."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lowtide.app.rendered_folder import write
from lowtide.app.whole_file import put, write_whole
from lowtide.model.errors import LowtideError


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_named_file_is_written_through_its_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("there")

    write_whole(str(tmp_path / "link"), "new\n")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_text("utf-8") == "new\n"


def test_a_link_among_rendered_files_is_replaced_and_not_followed(tmp_path: Path) -> None:
    mine, folder = tmp_path / "mine", tmp_path / "folder"
    mine.write_text("mine\n", "utf-8")
    mine.chmod(0o600)
    folder.mkdir()
    (folder / "a.yaml").symlink_to(mine)

    write(folder, {"a.yaml": "new\n"}, force=True)

    assert mine.read_text("utf-8") == "mine\n"
    assert not (folder / "a.yaml").is_symlink()
    assert (folder / "a.yaml").read_text("utf-8") == "new\n"


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "old\n"})
    (tmp_path / "a.yaml").chmod(0o640)

    write(tmp_path, {"a.yaml": "new\n"})

    assert mode_of(tmp_path / "a.yaml") == 0o640


def test_a_new_file_has_the_permissions_that_the_mask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        put(tmp_path / "a.yaml", "new\n")
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "a.yaml") == 0o640


def test_a_file_that_cannot_be_replaced_is_named_and_nothing_unfinished_is_left(
    tmp_path: Path,
) -> None:
    (tmp_path / "out" / "a.yaml" / "full").mkdir(parents=True)

    with pytest.raises(LowtideError) as caught:
        write(tmp_path / "out", {"a.yaml": "new\n"}, force=True)

    assert caught.value.where == str(tmp_path / "out" / "a.yaml")
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["a.yaml"]
