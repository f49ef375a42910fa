"""The one table of options: the parser, the help, the completion, the README and `dj.create` are all read from it.

A new option is one entry in `work` or `cell` and one field of `Options`; nothing here parses, renders or sends.
"""

from __future__ import annotations

from devin_jupyter.options.cell import CELL_OPTIONS
from devin_jupyter.options.work import WORK_OPTIONS

OPTIONS = WORK_OPTIONS + CELL_OPTIONS
BY_NAME = {option.name: option for option in OPTIONS}
BY_FLAG = {flag: option for option in OPTIONS for flag in (option.flag, option.short) if flag}
