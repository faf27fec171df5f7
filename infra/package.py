"""Builds what `func azure functionapp publish` uploads, the folder less `.funcignore` as one zip: `make package`."""

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).resolve().parent.parent
ALWAYS_LEFT_OUT = (".git/", ".vscode/", ".funcignore", ".gitignore", "local.settings.json", "project.lock.json")
"""What Core Tools leaves out whatever `.funcignore` says."""
REQUIREMENTS_FOLDER = Path(".python_packages/lib/site-packages")
"""Where the Functions host looks for packages that were installed before publishing."""
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def files_of(root: Path) -> Iterator[Path]:
    """Yield the files to publish, relative to ``root``, in one order."""
    ignored = GitIgnoreSpec.from_lines([*(root / ".funcignore").read_text().splitlines(), *ALWAYS_LEFT_OUT])
    yield from sorted(_walk(root, ignored, Path()))


def build(root: Path, target: Path, *, extra: Path | None = None) -> int:
    """Write the zip, the same bytes for the same files, and return its size; ``extra`` holds installed requirements."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for file in files_of(root):
            _add(archive, root / file, file)
        for file in sorted(path for path in (extra.rglob("*") if extra else ()) if path.is_file()):
            _add(archive, file, REQUIREMENTS_FOLDER / file.relative_to(extra or file))
    return target.stat().st_size


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the package and report its size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "forescale.zip")
    parser.add_argument(
        "--with-requirements", action="store_true", help="install requirements.txt into it, by this Python, for Linux"
    )
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        extra = _installed(Path(folder)) if options.with_requirements else None
        size = build(ROOT, options.out, extra=extra)
        unpacked = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    count = len(list(files_of(ROOT)))
    summary = f"{options.out}: {size / 1e6:.2f} MB, {count} files"
    print(summary + (f", and requirements of {unpacked / 1e6:.0f} MB unpacked" if extra else ""))
    return 0


def _installed(folder: Path) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    print(f"installing requirements.txt for Python {version} …", flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command = [*pip, "--target", str(folder), "--requirement", str(ROOT / "requirements.txt")]
    subprocess.run(command, check=True)  # noqa: S603 - our own arguments
    return folder


def _walk(root: Path, ignored: GitIgnoreSpec, folder: Path) -> Iterator[Path]:
    for entry in (root / folder).iterdir():
        relative = folder / entry.name
        if entry.is_dir():
            if not ignored.match_file(f"{relative.as_posix()}/"):
                yield from _walk(root, ignored, relative)
        elif not ignored.match_file(relative.as_posix()):
            yield relative


def _add(archive: zipfile.ZipFile, source: Path, name: Path) -> None:
    entry = zipfile.ZipInfo(name.as_posix(), FIXED_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, source.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
