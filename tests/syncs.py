"""Counts what goes to disk for good: the syncs of SQLite, through its VFS, and those of Python.

SQLite gives Python no hook for a sync, so the default VFS is patched: each file that it opens gets a copy of its
methods whose `xSync` counts. Folders are synced inside SQLite, so opening one for that is counted as well.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

_P, _I = ctypes.c_void_p, ctypes.c_int
_Open = ctypes.CFUNCTYPE(_I, _P, _P, _P, _I, _P)  # SQLite keeps the name, so it must stay the same pointer
_Sync = ctypes.CFUNCTYPE(_I, _P, _I)
_OpenFolder = ctypes.CFUNCTYPE(_I, ctypes.c_char_p, ctypes.POINTER(_I))
_counts: Counter[str] = Counter()


class _Methods(ctypes.Structure):
    _fields_ = (
        ("iVersion", _I),
        *((name, _P) for name in ("xClose", "xRead", "xWrite", "xTruncate", "xSync")),
        ("others", _P * 13),
    )


class _File(ctypes.Structure):
    _fields_ = (("pMethods", ctypes.POINTER(_Methods)),)


class _Vfs(ctypes.Structure):
    _fields_ = (
        *((name, _I) for name in ("iVersion", "szOsFile", "mxPathname")),
        *((name, _P) for name in ("pNext", "zName", "pAppData", "xOpen")),
        ("others", _P * 12),
        *((name, _P) for name in ("xSetSystemCall", "xGetSystemCall", "xNextSystemCall")),
    )


@cache
def _install() -> list[Any]:
    """Patch the default VFS of this process; returns what has to stay alive."""
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
    vfs = library.sqlite3_vfs_find(None)
    opened, alive, methods = _Open(vfs.contents.xOpen), list[Any](), dict[int, _Methods]()

    def counting(original: _Methods) -> _Methods:
        size = ctypes.sizeof(_Methods) if original.iVersion >= 3 else 8 + 12 * 8 + (original.iVersion == 2) * 4 * 8
        copied, sync = _Methods(), _Sync(original.xSync)
        ctypes.memmove(ctypes.byref(copied), ctypes.byref(original), size)

        def count(file: int, flags: int) -> int:
            _counts["file"] += 1
            return int(sync(file, flags))

        alive.append(_Sync(count))
        copied.xSync = ctypes.cast(alive[-1], _P)
        return copied

    def open_file(vfs: int, name: int, file: int, flags: int, out: int) -> int:
        code = int(opened(vfs, name, file, flags, out))
        handle = _File.from_address(file)
        if code == 0 and handle.pMethods:
            place = ctypes.addressof(handle.pMethods.contents)
            if place not in methods:
                methods[place] = counting(handle.pMethods.contents)
            handle.pMethods = ctypes.pointer(methods[place])
        return code

    system_call = ctypes.CFUNCTYPE(_P, _P, ctypes.c_char_p)(vfs.contents.xGetSystemCall)
    open_folder = _OpenFolder(system_call(ctypes.addressof(vfs.contents), b"openDirectory"))

    def count_folder(name: bytes, out: Any) -> int:
        _counts["folder"] += 1
        return int(open_folder(name, out))

    alive += [_Open(open_file), _OpenFolder(count_folder), methods]
    vfs.contents.xOpen = ctypes.cast(alive[-3], _P)
    set_call = ctypes.CFUNCTYPE(_I, _P, ctypes.c_char_p, _P)(vfs.contents.xSetSystemCall)
    assert set_call(ctypes.addressof(vfs.contents), b"openDirectory", ctypes.cast(alive[-2], _P)) == 0
    return alive


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Yield what is counted from here on: `file` and `folder` by SQLite, `python` by `os.fsync`."""
    _install()
    before, sync = Counter(_counts), os.fsync

    def count(file: Any) -> None:
        _counts["python"] += 1
        sync(file)

    found: Counter[str] = Counter()
    with patch.object(os, "fsync", count):
        try:
            yield found
        finally:
            found.update(_counts - before)


def syncs_of_a_commit(folder: Path, *pragmas: str) -> int:
    """Return what one commit costs with these settings: shows that the counter counts."""
    import sqlite3

    with counted() as found:
        db = sqlite3.connect(folder / "plain.db", isolation_level=None)
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
        db.execute("CREATE TABLE a (b)")
        db.close()
    return found.total()
