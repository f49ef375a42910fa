"""Charts of frames, with Altair: timeline, spend, organizations, outcomes, durations.

    dj.charts.timeline(dj.sessions_frame(since="7d"))

Each takes a frame and returns an Altair chart, which can be changed further. It is shown as Vega-Lite where that is
supported, with links on its marks, and as a picture everywhere else: on GitHub, in nbconvert, without a kernel.
It is as wide as the cell, and has at most 40 bars: beyond them it counts together. Colors and gray text suit light and
dark pages. Altair and vl-convert are imported when a chart is drawn.
"""

from __future__ import annotations

import base64
import json
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import OptionError
from devin_jupyter.frames import chart_data
from devin_jupyter.frames.chart_data import Records
from devin_jupyter.loop import understood
from devin_jupyter.models.enums import Phase

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = ["durations", "organizations", "outcomes", "spend", "timeline"]


def __dir__() -> list[str]:
    return ["durations", "outcomes", "spend", "timeline"]  # for Tab; `organizations` is for enterprises only


VEGA_LITE = "5.21"
"""The version that JupyterLab and VS Code draw; newer specifications are not understood everywhere."""
MIME = "application/vnd.vegalite.v5+json"
PHASE_COLORS = {
    Phase.QUEUED: "#9aa1a9",
    Phase.WORKING: "#3f86e0",
    Phase.YOUR_TURN: "#c9880f",
    Phase.NEEDS_APPROVAL: "#b062cf",
    Phase.DONE: "#2f9e57",
    Phase.ASLEEP: "#7c83c9",
    Phase.BLOCKED: "#dd6b20",
    Phase.STOPPED: "#747b83",
    Phase.FAILED: "#e0474f",
}
GROUP_COLORS = (
    *("#3f86e0", "#dd6b20", "#2f9e57", "#b062cf", "#c9880f", "#1f9db0"),
    *("#e0474f", "#7c83c9", "#8a9199"),
)
_GRAY = "#808488"
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_WIDTH = 640
"""Where nothing tells how wide the cell is, as in a picture."""
_FITTED = f"containerSize()[0] >= 100 ? containerSize()[0] - 16 : clamp((windowSize()[0] || 1000) - 280, 200, {_WIDTH})"
_FOLLOWING: Records = [  # signals of Vega, which Vega-Lite passes on; see _fit
    {"name": "page", "init": "windowSize()[0]", "on": [{"events": "timer{250}", "update": "windowSize()[0]"}]},
    {
        "name": "cell",
        "init": _FITTED,
        "on": [
            {"events": "window:resize", "update": "max(100, cell - max(0, page - windowSize()[0]))"},
            {"events": "timer{250}", "update": _FITTED},
        ],
    },
    {"name": "width", "init": None, "on": [], "update": "cell"},
]
_STRETCHED = {
    "name": "stretched",
    "value": "",
    "bind": {
        "input": "text",
        "name": " ",
        "size": 1000,
        "style": "display: block; box-sizing: border-box; width: 100%; height: 0; margin: 0; border: 0; padding: 0;"
        " visibility: hidden",
    },
}
# In UTC: the time, below the first one and where the day changes the date, and below dates in the same way the year.
_DATE_LABELS = (
    "utchours(datum.value) || utcminutes(datum.value) || utcseconds(datum.value)"
    " ? [utcFormat(datum.value, utcseconds(datum.value) ? '%H:%M:%S' : '%H:%M'),"
    " datum.index ? '' : utcFormat(datum.value, '%b %-d')]"
    " : [utcFormat(datum.value, '%b %-d'),"
    " datum.index && utcdayofyear(datum.value) > 1 ? '' : utcFormat(datum.value, '%Y')]"
)


@understood
def timeline(sessions: pd.DataFrame) -> alt.LayerChart:
    """Draw one bar per session over time, from its start to its last activity, colored by phase.

    More than 40 sessions are counted by the hour, day, week, month or year they were started.

    Args:
        sessions: a sessions frame.
    """
    altair = _altair()
    records = chart_data.timeline_records(sessions)
    known = len(sessions) - chart_data.count_missing(sessions, "created_at")
    if not records and known:
        return _starts(sessions, known)
    ticks = altair.ExprRef("ceil(width / 80)")  # wide enough apart for every label to be shown
    axis = altair.Axis(labelExpr=_DATE_LABELS, tickCount=ticks)
    limit = altair.ExprRef("clamp(cell / 3, 90, 240)")
    titles = json.dumps([record["title"] for record in records])
    rows = altair.Axis(labelExpr=f"{titles}[datum.value]", labelLimit=limit, domain=False, ticks=False, labelPadding=8)
    bars = (
        altair.Chart(altair.Data(values=records))
        .mark_bar(strokeWidth=1, cornerRadius=1, height={"band": 0.8})
        .encode(
            x=altair.X("start:T", title=None, scale=altair.Scale(type="utc"), axis=axis),
            x2="end:T",
            y=altair.Y("place:O", title=None, axis=rows),
            color=_phase_color(records),
            stroke=_phase_color(records),
            tooltip=_tooltips(title="title", phase="phase", acus="acus", started="started", took="took"),
            href="url:N",
        )
    )
    height = max(40, 18 * len(records))
    return _finish([bars], "Sessions over time", "", records, _empty_note(sessions, "start"), height=height)


def _starts(sessions: pd.DataFrame, known: int) -> alt.LayerChart:
    altair = _altair()
    records, unit = chart_data.start_records(sessions)
    axis = altair.Axis(labelExpr=_DATE_LABELS, tickCount=altair.ExprRef("ceil(width / 80)"), grid=False)
    bars = (
        altair.Chart(altair.Data(values=records))
        .mark_bar(strokeWidth=0, orient="vertical", binSpacing=0)
        .encode(
            x=altair.X("start:T", title=None, scale=altair.Scale(type="utc", padding=0), axis=axis),
            x2="end:T",
            y=altair.Y("count:Q", title="sessions", stack="zero", axis=altair.Axis(tickMinStep=1)),
            order="order:Q",
            color=_phase_color(records),
            tooltip=_tooltips(started="when", phase="phase", sessions="count", acus="acus", newest="newest"),
            href="url:N",
        )
    )
    note = f"{known:,} sessions by their start, one bar per {unit}"
    return _finish([bars], "Sessions over time", note, records, height=220)


@understood
def spend(
    frame: pd.DataFrame, *, by: str | None = None, tag_prefix: str | None = None, unit: str | None = None
) -> alt.LayerChart:
    """Draw the ACUs of sessions by the day they were started on, or the billed days of a consumption frame.

    The title counts the sessions whose cost is unknown. A session of several groups is divided between them. More than
    40 bars are counted by the next longer unit.

    Args:
        frame: a sessions frame, or a consumption frame.
        by: `"tag"`, `"repo"`, `"category"`, `"user"`, `"origin"`, `"mode"`, `"playbook"` or `"phase"`.
        tag_prefix: group by the tags that begin with this, such as `"team:"`.
        unit: `"day"`, `"week"`, `"month"` or `"year"`; by default what suits the span. `by="week"` means the same.
    """
    if by in chart_data.UNITS and unit in (None, by):
        by, unit = None, by
    if {"date", "devin"} <= set(getattr(frame, "columns", ())):
        if by or tag_prefix:
            raise OptionError(
                "a consumption frame is shown by day and product", hint="give a sessions frame for groups"
            )
        records, shown = chart_data.consumption_records(frame, unit)
        title, note, empty_note = f"ACUs by {shown}, which begins at 08:00 UTC", "", "nothing consumed"
    else:
        if tag_prefix and by not in (None, "tag"):
            raise OptionError(f"tag_prefix= divides by tags, and by={by!r} does not", hint="give one or the other")
        records, shown = chart_data.spend_records(frame, by or ("tag" if tag_prefix else None), tag_prefix, unit)
        unknown = chart_data.count_missing(frame, "acus")
        title, empty_note = f"ACUs by the {shown} sessions were started", _empty_note(frame, "cost")
        note = f"{unknown:,} session{'s' * (unknown != 1)} of unknown cost not included" if unknown else ""
    if unit not in (None, shown):
        note = "; ".join(part for part in (f"by the {shown}: more than {chart_data.MOST_BARS} {unit}s", note) if part)

    altair = _altair()
    groups = {record["group"]: None for record in sorted(records, key=lambda record: record["order"])}
    scale = altair.Scale(domain=list(groups), range=list(GROUP_COLORS[: len(groups)]))
    legend = altair.Legend(title=None) if len(groups) > 1 else None
    labels = chart_data.tick_labels(records, shown)
    label = f"{json.dumps({str(place): text for place, text in labels.items()})}[time(datum.value)]"
    axis = altair.Axis(values=list(labels), labelExpr=label, labelFlush=False, grid=False)
    bars = (
        altair.Chart(altair.Data(values=records))
        .mark_bar(strokeWidth=0, orient="vertical", binSpacing=0)
        .encode(
            x=altair.X("start:T", title=None, scale=altair.Scale(type="utc", padding=0), axis=axis),
            x2="end:T",
            y=altair.Y("cost:Q", title="ACU", stack="zero"),
            order="order:Q",
            color=altair.Color("group:N", scale=scale, legend=legend),
            tooltip=_tooltips(
                when="when", group="group", acus="acus", sessions="sessions", **{"most expensive": "top"}
            ),
            href="url:N",
        )
    )
    return _finish([bars], title, note, records, empty_note, height=220)


@understood
def organizations(frame: pd.DataFrame) -> alt.LayerChart:
    """Draw what each organization of an enterprise has consumed over a billing cycle, against its limit.

    Args:
        frame: of `dj.enterprise_consumption_frame(…)`.
    """
    records = chart_data.organization_records(frame)
    altair = _altair()
    order = [record["organization"] for record in records]
    y = altair.Y("organization:N", title=None, sort=order, axis=altair.Axis(labelLimit=200))
    most = max((max(record["spent"], record["limit"] or 0.0) for record in records), default=0.0)
    scale = altair.Scale(domain=[0, most * 1.25 or 1.0])
    x = altair.X("spent:Q", title="ACU", scale=scale, axis=altair.Axis(grid=False))
    base = altair.Chart(altair.Data(values=records))
    colors = dict(zip(chart_data.LIMIT_STATES, ("#7c83c9", "#2f9e57", "#c9880f", "#e0474f"), strict=True))
    found = [state for state in colors if any(record["state"] == state for record in records)]
    shown = altair.Scale(domain=found, range=[colors[state] for state in found])
    color = altair.Color("state:N", scale=shown, legend=altair.Legend(title=None, orient="top"))
    tooltip = _tooltips(organization="organization", spent="label", days="days", id="org_id")
    bars = base.mark_bar(height={"band": 0.6}).encode(x=x, y=y, color=color, tooltip=tooltip)
    limited = altair.Chart(altair.Data(values=[record for record in records if record["limit"] is not None]))
    limits = limited.mark_tick(thickness=3, color=_GRAY).encode(x="limit:Q", y=y)
    # behind the bar or the limit, whichever is longer
    ends = [{**record, "end": max(record["spent"], record["limit"] or 0.0)} for record in records]
    texts = altair.Chart(altair.Data(values=ends)).mark_text(align="left", dx=8, color=_GRAY, fontSize=11)
    labels = texts.encode(x="end:Q", y=y, text="label:N")
    title, note = "ACUs by organization, against the limit of the cycle", chart_data.cycle_text(frame)
    return _finish([bars, limits, labels], title, note, records, "no organizations", height=max(60, 26 * len(records)))


@understood
def outcomes(sessions: pd.DataFrame, *, by: str | None = None) -> alt.LayerChart:
    """Draw how many sessions there were, how many made a pull request, and how many had one merged.

    Args:
        sessions: a sessions frame.
        by: `"repo"` draws the share of sessions with a merged pull request for each repository instead.
    """
    if by is not None:
        return _merge_rates(sessions, by)
    altair = _altair()
    records = chart_data.outcome_records(sessions)
    scale = altair.Scale(domain=[0, max(1, len(sessions)) * 1.2])  # room for the label of the longest bar
    base = altair.Chart(altair.Data(values=records)).encode(
        x=altair.X("count:Q", title=None, axis=None, scale=scale),
        y=altair.Y("stage:N", title=None, sort=altair.SortField("place"), axis=altair.Axis(labelLimit=200)),
        tooltip=_tooltips(stage="stage", sessions="share"),
        href="url:N",
    )
    color = altair.Color("stage:N", legend=None, sort=None, scale=altair.Scale(range=list(GROUP_COLORS[:3])))
    bars = base.mark_bar(height={"band": 0.7}).encode(color=color)
    labels = base.mark_text(align="left", dx=6, color=_GRAY, fontSize=12).encode(text="share:N")
    shown = records if len(sessions) else []
    return _finish([bars, labels], "From sessions to merged pull requests", "", shown, height=110)


def _merge_rates(sessions: pd.DataFrame, by: str) -> alt.LayerChart:
    if by != "repo":
        raise OptionError(f"outcomes cannot be divided by {by!r}", hint='by="repo", or leave it out')
    altair = _altair()
    records = chart_data.merge_records(sessions)
    y = altair.Y("repo:N", title=None, sort=altair.SortField("place"), axis=altair.Axis(labelLimit=260))
    axis = altair.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1], grid=False)
    x = altair.X("rate:Q", title=None, axis=axis, scale=altair.Scale(domain=[0, 1.2]))
    tooltip = _tooltips(repository="repo", merged="label")
    base = altair.Chart(altair.Data(values=records)).encode(y=y, tooltip=tooltip, href="url:N")
    bars = base.mark_bar(height={"band": 0.7}, color=GROUP_COLORS[2]).encode(x=x)
    labels = base.mark_text(align="left", dx=6, color=_GRAY, fontSize=11).encode(x=x, text="label:N")
    note, empty = "of the sessions that made a pull request", "no sessions with a pull request"
    height = max(40, 20 * len(records))
    return _finish([bars, labels], "Sessions with a merged pull request", note, records, empty, height=height)


@understood
def durations(sessions: pd.DataFrame) -> alt.LayerChart:
    """Draw how many sessions took how long from their start to their last activity, colored by phase.

    Args:
        sessions: a sessions frame.
    """
    altair = _altair()
    records = chart_data.duration_records(sessions)
    angle, align = (
        altair.ExprRef(f"cell < 480 ? {narrow} : {wide}") for narrow, wide in ((-40, 0), ("'right'", "'center'"))
    )
    axis = altair.Axis(labelAngle=angle, labelAlign=align, labelFlush=False)
    bars = (
        altair.Chart(altair.Data(values=records))
        .mark_bar()
        .encode(
            x=altair.X("took:O", title=None, sort=chart_data.DURATION_LABELS, axis=axis),
            y=altair.Y("count:Q", title="sessions", stack="zero"),
            order="order:Q",
            color=_phase_color(records),
            tooltip=_tooltips(took="took", phase="phase", sessions="count", acus="acus", longest="example"),
            href="url:N",
        )
    )
    note = "from their start to their last activity"
    return _finish([bars], "How long sessions take", note, records, _empty_note(sessions, "duration"), height=220)


def _altair() -> Any:
    try:
        import altair
    except ImportError:
        raise OptionError("charts need Altair", hint="pip install 'devin-jupyter[charts]'") from None
    return altair


def _tooltips(**fields: str) -> list[Any]:
    return [_altair().Tooltip(f"{field}:N", title=name) for name, field in fields.items()]


def _phase_color(records: Records) -> Any:
    altair = _altair()
    colors = {**{phase.value: color for phase, color in PHASE_COLORS.items()}, chart_data.UNKNOWN: _GRAY}
    found = {record["phase"] for record in records}
    names = [name for name in colors if name in found]
    scale = altair.Scale(domain=names, range=[colors[name] for name in names])
    columns = altair.ExprRef("cell < 480 ? 3 : 0")  # 0: in one row
    legend = altair.Legend(title=None, orient="top", columns=columns, labelExpr="replace(datum.label, '_', ' ')")
    return altair.Color("phase:N", scale=scale, legend=legend)


def _empty_note(sessions: pd.DataFrame, what: str) -> str:
    return f"no sessions with a known {what}" if len(sessions) else "no sessions"


def _finish(
    layers: list[Any],
    title: str,
    note: str,
    records: Records,
    empty_note: str = "no sessions",
    *,
    height: int,
) -> alt.LayerChart:
    """Put the layers into a chart for light and dark pages, or a note if there are no records."""
    altair = _altair()
    if not records:
        word = altair.Chart(altair.Data(values=[{"word": empty_note}])).mark_text(color=_GRAY, fontSize=13)
        layers, height = [word.encode(text="word:N")], 60
    chart: Any = _chart_class()(layer=layers)
    labels = {
        "labelColor": _GRAY,
        "titleColor": _GRAY,
        "labelFont": _FONT,
        "titleFont": _FONT,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
    }
    finished: alt.LayerChart = (
        chart.properties(
            width="container",
            height=height,
            params=[altair.VariableParameter(name="cell", expr=f"containerSize()[0] || {_WIDTH}")],
            title=altair.TitleParams(text=title, subtitle=note, anchor="start", frame="bounds"),
            usermeta={"embedOptions": {"loader": {"target": "_blank", "rel": "noopener noreferrer"}}},
        )
        .configure(background="transparent", font=_FONT)
        .configure_view(stroke=None, continuousWidth=_WIDTH, discreteWidth=_WIDTH)
        .configure_axis(
            **labels, gridColor=_GRAY, gridOpacity=0.25, domainColor=_GRAY, tickColor=_GRAY, titleFontSize=11
        )
        .configure_legend(**labels)
        .configure_title(color=_GRAY, subtitleColor=_GRAY, font=_FONT, subtitleFont=_FONT, fontSize=14, offset=10)
    )
    return finished


@cache
def _chart_class() -> type[alt.LayerChart]:
    """Return the class of our charts. They display themselves, regardless of the enabled renderer."""
    import altair

    class LayerChart(altair.LayerChart):  # type: ignore[misc]  # Altair is an extra, mypy may not see it
        def __repr__(self) -> str:
            title: Any = self.to_dict().get("title", {})
            if not isinstance(title, dict):
                return f"<chart: {title}>"
            note = f" ({title['subtitle']})" if title.get("subtitle") else ""
            return f"<chart: {title['text']}{note}>"

        def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
            schema = f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE}.0.json"
            specification = {**self.to_dict(), "$schema": schema}
            bundle: dict[str, Any] = {MIME: _fit(specification), "text/plain": repr(self)}
            try:
                import vl_convert
            except ImportError:
                return bundle
            picture = _compress(vl_convert.vegalite_to_png(specification, vl_version=VEGA_LITE, scale=2))
            return {**bundle, "image/png": base64.b64encode(picture).decode()}

    return LayerChart


def _fit(specification: dict[str, Any]) -> dict[str, Any]:
    """Make a chart of `width="container"` as wide as its cell.

    JupyterLab puts a chart in a box that is as wide as what is in it, so that `"container"` alone is 0 pixels:
    https://github.com/vega/altair/issues/2057. An invisible input, which would like to be wide and need not be,
    stretches the box. The width follows it in time, because a cell outside the window is drawn before it is on the page
    and opening a sidebar is no event of the window. The chart stays 16 pixels narrower than the box, which is never
    narrower than the chart: so it follows a cell that becomes narrower, too.
    """
    if specification.get("width") != "container":
        return specification
    params = [param for param in specification.get("params", ()) if param["name"] != "cell"]
    return {**specification, "params": [*params, *_FOLLOWING, _STRETCHED]}


def _compress(png: bytes) -> bytes:
    """Compress a PNG again: those of vl-convert 1.9 are four times larger, and a notebook keeps them forever."""
    chunks, at = list[tuple[bytes, bytes]](), 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    pixels = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    header = next(content for kind, content in chunks if kind == b"IHDR")
    parts = [png[:8]]
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(pixels, 8)), (b"IEND", b"")):
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        parts += [len(content).to_bytes(4, "big"), kind, content, checksum]
    return b"".join(parts)
