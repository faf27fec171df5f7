"""Blobs in a directory."""

from pathlib import Path

import pytest

from shared.errors import CloudError
from shared.local.directory_blobs import DirectoryBlobs


@pytest.fixture
def blobs(tmp_path: Path) -> DirectoryBlobs:
    return DirectoryBlobs(tmp_path)


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../outside", "a/../../outside", ".hidden", "a//b", "a/", "./a", "nul\0byte", ".lock"]
)
def test_a_name_that_is_no_blobs_name_is_refused(blobs: DirectoryBlobs, name: str) -> None:
    with pytest.raises(CloudError, match="is not a blob name"):
        blobs.read(name)
    with pytest.raises(CloudError, match="is not a blob name"):
        blobs.write(name, b"", if_etag=None)
    with pytest.raises(CloudError, match="is not a blob name"):
        blobs.append(name, b"")


def test_what_the_disk_refuses_is_one_of_our_errors(blobs: DirectoryBlobs) -> None:
    blobs.write("file", b"", if_etag=None)

    with pytest.raises(CloudError, match="writing 'file/below' failed"):
        blobs.write("file/below", b"", if_etag=None)
    with pytest.raises(CloudError, match="appending to 'file/below' failed"):
        blobs.append("file/below", b"")
    with pytest.raises(CloudError, match="reading .* failed: File name too long"):
        blobs.read("a" * 300)


def test_a_write_that_failed_leaves_no_half_file_among_the_names(blobs: DirectoryBlobs, tmp_path: Path) -> None:
    (tmp_path / ".writing-abc").write_bytes(b"half")

    assert blobs.names("") == []
