"""`%devin usage`, `budget`, `journal`, `lock`: what was spent, what may be, and what is written down about it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devin_jupyter.errors import Forbidden, NotFound, OptionError, Unsupported
from devin_jupyter.magics import written
from devin_jupyter.magics.command import Call
from devin_jupyter.magics.commands_list import moment
from devin_jupyter.magics.shown import Table, labeled
from devin_jupyter.text import format_acus, format_amount


def usage(call: Call) -> Table:
    """ACUs by day; where the key may not see that, the sum over sessions by the day they started."""
    since, until = moment(call.said.since), moment(call.said.until)
    try:
        found = call.devin.consumption.daily(since=since, until=until)
    except (Forbidden, NotFound, Unsupported) as problem:
        return _summed(call, since, until, problem.message)
    rows = [
        {"day": f"{datetime.fromtimestamp(day['date'], UTC):%Y-%m-%d}", "ACU": format_amount(day.get("acus") or 0)}
        for day in found.get("consumption_by_date") or ()
    ]
    title = f"{format_acus(found.get('total_acus'))} in all; days begin at 08:00 UTC"
    return Table(rows, title=labeled(title, call.devin.settings.simulated), empty="no usage")


def _summed(call: Call, since: int | None, until: int | None, why: str) -> Table:
    """The cheap way: what the sessions themselves say."""
    if call.devin.settings.api_version == "v1":
        raise Unsupported("v1 tells no ACUs", "", "see the usage page of the web app, or use a v3 key")
    filters = {name: value for name, value in (("created_after", since), ("created_before", until)) if value}
    days: dict[str, float] = {}
    unknown = 0
    for raw in call.devin.sessions.list(**filters):
        acus = raw.get("acus_consumed")
        day = f"{datetime.fromtimestamp(raw.get('created_at') or 0, UTC):%Y-%m-%d}"
        days[day] = days.get(day, 0.0) + (acus or 0.0)
        unknown += not acus
    rows = [{"day": day, "ACU": format_amount(acus)} for day, acus in sorted(days.items())]
    missing = f"; unknown for {unknown} sessions" if unknown else ""
    total = format_acus(sum(days.values()))
    title = f"{total} over sessions by the day they started{missing} ({why})"
    return Table(rows, title=labeled(title, call.devin.settings.simulated), empty="no sessions")


def budget(call: Call) -> None:
    """Show or set the budget of this notebook, with the arithmetic."""
    said = call.said
    if said.off and said.acus not in (None, "off"):
        raise OptionError("--off and a limit contradict each other", hint="keep one of them")
    from devin_jupyter.models.policy import notebook_scope

    wanted = "off" if said.off else said.acus
    scope = notebook_scope(call.notebook.host.notebook)
    print(call.journal.budgets.set_or_show(scope, wanted, now=time.time()))


def journal(call: Call) -> Any:
    """Show, check, export or repair the journal."""
    return {"check": _check, "export": _export, "repair": _repair}.get(call.said.act or "show", _show)(call)


def _show(call: Call) -> Table:
    book = call.journal
    entries = book.sessions(notebook=call.notebook.host.notebook)
    simulated = sum(entry.snapshot is not None and entry.snapshot.simulated for entry in entries)
    label = f"{simulated} of {len(entries)} are simulated; " if 0 < simulated < len(entries) else ""
    title = f"sessions of this notebook in {book.path}"
    rows = [
        {
            "session": entry.session_id,
            "title": entry.snapshot.title if entry.snapshot else None,
            "phase": entry.snapshot.phase.label if entry.snapshot else None,
            "ACU": None if entry.acus is None else format_amount(entry.acus),
            "take": entry.facts.take,
            "batch": entry.facts.batch,
        }
        for entry in reversed(entries)
    ]
    open_acts = len(book.undecided(call.notebook.host.notebook))
    title += f"; acts without outcome: {open_acts}, see %devin journal check" if open_acts else ""
    title = labeled(label + title, simulated == len(entries) > 0)
    return Table(rows, title=title, empty="the journal has none of this notebook")


def _check(call: Call) -> None:
    problems = call.journal.check()
    open_acts = [] if problems else call.journal.undecided()
    print("\n".join(problems or [f"{call.journal.path} is sound", *open_acts]))


def _export(call: Call) -> None:
    text = json.dumps(call.journal.export(), indent=1, ensure_ascii=False)
    print(written.write(call.said.file or "devin-journal.json", text))


def _repair(call: Call) -> None:
    print(call.journal.repair())


def lock(call: Call) -> None:
    """Write the lock file of this notebook."""
    from devin_jupyter.journal import lockfile

    path = Path(call.said.file).expanduser() if call.said.file else None
    print(lockfile.record(call.journal, call.notebook.host.notebook, path))
