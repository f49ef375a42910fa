"""The options of `%%devin` and `dj.create`: one table, and what is read from it. Pure: no I/O, no notebook."""

from devin_jupyter.options.option import GROUPS, MODES, Option
from devin_jupyter.options.parsing import Parser, continued, from_keywords, parse, refuse_keys, split
from devin_jupyter.options.table import BY_FLAG, BY_NAME, OPTIONS
from devin_jupyter.options.values import Options, check_name, number

__all__ = [
    "BY_FLAG",
    "BY_NAME",
    "GROUPS",
    "MODES",
    "OPTIONS",
    "Option",
    "Options",
    "Parser",
    "check_name",
    "continued",
    "from_keywords",
    "number",
    "parse",
    "refuse_keys",
    "split",
]
