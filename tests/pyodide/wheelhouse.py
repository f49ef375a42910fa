"""Wheels for pyodide, without the network: ours is built, those of pure packages are zipped as they are installed."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYODIDE = {"sys_platform": "emscripten", "platform_system": "Emscripten", "os_name": "posix", "extra": ""}
PYODIDE |= {"python_version": "3.14", "python_full_version": "3.14.2", "platform_machine": "wasm32"}
FROM_PYODIDE = {"numpy", "pandas", "nh3", "rpds-py", "pydantic-core"}
"""What is no pure Python: pyodide's own distribution has wheels of these."""

FASTER_COMPILED = {"markupsafe", "psygnal", "wcwidth"}
"""Packages that do without their compiled part."""


def needed(wheel: Path) -> dict[str, metadata.Distribution]:
    """Return the installed packages that a wheel needs in pyodide, itself left out, by name."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("METADATA")]
        lines = archive.read(name).decode().splitlines()
    todo = [line.partition(": ")[2] for line in lines if line.startswith("Requires-Dist: ")]
    found: dict[str, metadata.Distribution] = {}
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        if name in found or name in FROM_PYODIDE or (requirement.marker and not requirement.marker.evaluate(PYODIDE)):
            continue
        found[name] = metadata.distribution(name)
        todo += found[name].requires or ()
    return found


def pack(distribution: metadata.Distribution, folder: Path) -> Path:
    """Zip an installed pure package into a wheel, in the layout of the simple index, and return it."""
    name = canonicalize_name(distribution.metadata["Name"])
    target = folder / name / f"{name.replace('-', '_')}-{distribution.version}-py3-none-any.whl"
    target.parent.mkdir(parents=True)
    files = [path for path in distribution.files or () if ".." not in path.parts and path.suffix != ".pyc"]
    compiled = [path for path in files if path.suffix in (".so", ".pyd")]
    assert not compiled or name in FASTER_COMPILED, f"{name} is no pure Python"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [path for path in files if path not in compiled]:
            archive.write(Path(str(distribution.locate_file(path))), str(path))
    return target


@contextmanager
def index_of(folder: Path) -> Iterator[str]:
    """Serve a folder of wheels as a simple index on this machine."""
    for place in folder.iterdir():
        links = "".join(f'<a href="{wheel.name}">{wheel.name}</a>' for wheel in sorted(place.glob("*.whl")))
        (place / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>", encoding="utf-8")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{{package_name}}/"
    server.shutdown()
    server.server_close()
