"""Files: upload, list those of a session, download."""

from __future__ import annotations

import asyncio
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from devin_jupyter.api.client import Service
from devin_jupyter.api.responses import unreadable
from devin_jupyter.errors import NotFound, OptionError
from devin_jupyter.loop import also_blocking, checked
from devin_jupyter.models import wire
from devin_jupyter.models.fields import session_id as prefixed
from devin_jupyter.text import write_atomically
from devin_jupyter.values import path_of

Files = list[wire.SessionAttachment]
Paths = list[Path]
_LONGEST_BYTES = 180
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@checked
class Attachments:
    """The files of the organization and of its sessions.

    If the service refuses, calls raise an `ApiError`; if it cannot be reached, `ConnectionTrouble`.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @also_blocking
    async def upload(self, name: str, content: bytes) -> wire.Attachment:
        """Upload a file and return `{attachment_id, name, url}`. (`POST …/attachments`)

        Nothing is attached by uploading: the `url` goes into a create or a message. v1 returns the URL only.

        Args:
            name: the file's base name.
            content: its bytes.

        Raises:
            UnreadableAnswer: the answer holds no URL.
        """
        answer = await self._service.call("attachments.upload", files={"file": (name, content)}, text=True)
        if isinstance(answer, str):
            return {"attachment_id": None, "name": name, "url": answer.strip().strip('"')}
        if not isinstance(answer, dict) or not isinstance(answer.get("url"), str):
            raise unreadable(await self._service.request_info("attachments.upload"), 200, b"", "it contains no URL")
        return cast(wire.Attachment, answer)

    @also_blocking
    async def list(self, session_id: str) -> Files:
        """Return the files of a session; names may repeat. v3 only. (`GET …/attachments`)"""
        return await self._service.call_list(
            wire.SessionAttachment, "attachments.list", bare=True, session_id=prefixed(session_id)
        )

    @also_blocking
    async def fetch(self, attachment: Mapping[str, Any] | str) -> bytes:
        """Return the content of a file. (`GET …/attachments/{uuid}/{name}`, redirects followed without the key)

        Args:
            attachment: an entry of `list`, or the URL of an upload.

        Raises:
            NotFound: no such file.
            OptionError: not the URL of an upload.
            UnreadableAnswer: the service sends to an address that is not https.
        """
        first, *others = _addresses(attachment)
        try:
            return await self._content(*first)
        except NotFound:
            if not others:
                raise
            return await self._content(*others[0])

    async def _content(self, uuid: str, name: str) -> bytes:
        info = await self._service.request_info("attachments.download", uuid=uuid, name=name)
        return await self._service.transport.fetch(info.path, info=info)

    @also_blocking
    async def download(self, session_id: str, folder: str | os.PathLike[str] | None = None) -> Paths:
        """Fetch all files of a session into a folder and return their paths.

        Names are made safe; a file that is there already with the same content is left alone, another of the same
        name is never overwritten: the new one becomes `name (2).csv`.

        Args:
            session_id: in any form.
            folder: made if missing; by default named after the session, in the working directory.

        Raises:
            OptionError: the folder cannot be written to.
        """
        target = path_of(folder, "folder") if folder is not None else Path(prefixed(session_id))
        listed = await self.list(session_id)
        try:
            return [
                await asyncio.to_thread(_save, target, str(entry.get("name") or "file"), await self.fetch(entry))
                for entry in listed
            ]
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise OptionError(f"{target} cannot be written to: {reason}", hint="give another folder") from None


def _addresses(attachment: Mapping[str, Any] | str) -> list[tuple[str, str]]:
    """Return what may be the last two steps of a file's path on the API, the likeliest first.

    They come from its URL, regardless of host (the key goes to the API only), or, for any other URL,
    id and name.
    """
    entry = {"url": attachment} if isinstance(attachment, str) else attachment
    url, listed = str(entry.get("url") or ""), (entry.get("attachment_id"), entry.get("name"))
    steps = [unquote(step) for step in urlsplit(url).path.split("/") if step]
    found = [(str(listed[0]), str(listed[1]))] if all(listed) else []
    if len(steps) >= 2 and ("attachments" in steps[-3:-2] or not found):
        found.insert(0, (steps[-2], steps[-1]))
    if not found:
        raise OptionError(f"{url!r} is not the URL of an uploaded file", hint="give an entry of attachments.list()")
    return list(dict.fromkeys(found))


def _save(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path in _free_names(folder / safe_name(name)):
        if path.is_file() and not path.is_symlink() and path.read_bytes() == content:
            return path
        if not os.path.lexists(path):
            write_atomically(path, content)  # a file that was cut short must not look whole
            return path
    raise AssertionError("names do not run out")


def _free_names(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")
        number += 1


def safe_name(text: str) -> str:
    """Return a base name that cannot leave its folder, hide itself or look like another.

    Folders, control and bidirectional characters and leading dots are dropped; the suffix survives shortening.
    """
    name = unicodedata.normalize("NFC", text).replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in name if not unicodedata.category(char).startswith("C"))
    name = _FORBIDDEN.sub("_", name).strip().lstrip(".").rstrip(". ")
    if _RESERVED.fullmatch(name):
        name = f"_{name}"
    return _shortened(name) or "file"


def _shortened(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix) > 20:
        stem, dot, suffix = name, "", ""
    room = _LONGEST_BYTES - len((dot + suffix).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + suffix
