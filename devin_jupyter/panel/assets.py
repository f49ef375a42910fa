"""The front end as one script per widget: a widget loads a single module, while the source is many small ones.

The modules import each other by relative path, so node's test runner loads them as they are; here they are put
into one file, each in its own scope.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "js"
STYLES = "\n".join((Path(__file__).parent / name).read_text("utf-8") for name in ("panel.css", "board.css"))

_IMPORT = re.compile(r'^import \{ ([^}]*) \} from "\./(\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|const) (\w+)", re.MULTILINE)
_KEYWORD = re.compile(r"^export (?!default)", re.MULTILINE)


@cache
def script(entry: str) -> str:
    """Return the module `entry` with everything it imports, as one self-contained ES module."""
    order: list[str] = []
    _collect(entry, order)
    *parts, main = order
    return "\n".join([*(_scoped(name) for name in parts), _bound(main)])


def _collect(name: str, order: list[str]) -> None:
    if name in order:
        return
    for match in _IMPORT.finditer(_source(name)):
        _collect(match[2], order)
    order.append(name)


def _source(name: str) -> str:
    return (FOLDER / f"{name}.js").read_text(encoding="utf-8")


def _bound(name: str) -> str:
    return _IMPORT.sub(lambda match: f"const {{ {match[1]} }} = $_{match[2]};\n", _source(name))


def _scoped(name: str) -> str:
    exports = ", ".join(_EXPORT.findall(_source(name)))
    body = _KEYWORD.sub("", _bound(name))
    return f"const $_{name} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();"
