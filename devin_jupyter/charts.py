"""Charts of frames, with Altair: timeline, spend, outcomes, durations.

    dj.charts.timeline(dj.sessions_frame(since="7d"))

Each takes a frame and returns an Altair chart, which can be changed further. It is shown as Vega-Lite where that is
understood, with links on its marks, and as a picture everywhere else: on GitHub, in nbconvert, without a kernel.
Colors and gray text are made for light and for dark pages. Altair and vl-convert are imported when a chart is drawn.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

from devin_jupyter.errors import OptionError
from devin_jupyter.frames import spending, summaries
from devin_jupyter.models.phase import Phase

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

__all__ = ["durations", "outcomes", "spend", "timeline"]

VEGA_LITE = "5.21"
"""What JupyterLab and VS Code draw; newer specifications are not understood everywhere."""
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
_GRAY, _GRID = "#808488", "#80848844"
_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
_WIDTH = 640
_DATES = (
    "utchours(datum.value) || utcminutes(datum.value) || utcseconds(datum.value)"
    " ? [utcFormat(datum.value, utcseconds(datum.value) ? '%H:%M:%S' : '%H:%M'),"
    " datum.index ? '' : utcFormat(datum.value, '%b %-d')]"
    " : [utcFormat(datum.value, '%b %-d'),"
    " datum.index && utcdayofyear(datum.value) > 1 ? '' : utcFormat(datum.value, '%Y')]"
)


def timeline(sessions: pd.DataFrame) -> alt.LayerChart:
    """Draw one bar per session over time, from its start to its last activity, colored by phase.

    Args:
        sessions: a sessions frame; of many sessions the newest thousand are shown.
    """
    altair = _altair()
    records = summaries.timeline(sessions)
    known = len(sessions) - summaries.undated(sessions)
    note = f"the newest {len(records):,} of {known:,} sessions" if len(records) < known else ""
    few = len(records) <= 40
    step = 16 if few else max(1.0, min(8.0, 600 / max(1, len(records))))
    bars = (
        altair.Chart(altair.Data(values=records))
        .mark_bar(strokeWidth=1, cornerRadius=1, height={"band": 0.8})
        .encode(
            x=altair.X("start:T", title=None, scale=altair.Scale(type="utc"), axis=_dates()),
            x2="end:T",
            y=altair.Y("place:O", title=None, axis=None),
            color=_phases(records),
            stroke=_phases(records),
            tooltip=_tips(title="title", phase="phase", acus="acus", started="started", took="took"),
            href="url:N",
        )
    )
    layers = [bars, *([_titles(records)] if few and records else [])]
    chart = altair.layer(*layers).properties(width=_WIDTH, height=max(40, int(step * len(records))))
    return _finished(chart, _title("Sessions over time", note), records, _nothing(sessions, "start"))


def spend(
    frame: pd.DataFrame, *, by: str | None = None, tag_prefix: str | None = None, unit: str | None = None
) -> alt.LayerChart:
    """Draw the ACUs of the sessions by the day they were started on, or the true days of a consumption frame.

    Sessions whose cost is unknown are counted in the title. A session of several groups is divided between them.

    Args:
        frame: a sessions frame, or a consumption frame.
        by: `"tag"`, `"repo"`, `"category"`, `"user"`, `"origin"`, `"mode"`, `"playbook"` or `"phase"`.
        tag_prefix: such as `"team:"`: divide by the tags that begin like this.
        unit: `"day"`, `"week"` or `"month"`; by default what suits the span.
    """
    if {"date", "devin"} <= set(getattr(frame, "columns", ())):
        if by or tag_prefix or unit not in (None, "day"):
            raise OptionError(
                "a consumption frame is shown by day and product", hint="give a sessions frame for groups"
            )
        records = spending.spend_of_days(frame)
        return _spend(records, "day", "ACUs by day, which begins at 08:00 UTC", "", "nothing consumed")
    if tag_prefix and by not in (None, "tag"):
        raise OptionError(f"tag_prefix= divides by tags, and by={by!r} does not", hint="give one or the other")
    records, unit = spending.spend(frame, by or ("tag" if tag_prefix else None), tag_prefix, unit)
    unknown = spending.unknown_costs(frame)
    note = f"{unknown:,} session{'s' * (unknown != 1)} of unknown cost not included" if unknown else ""
    return _spend(records, unit, f"ACUs by the {unit} sessions were started", note, _nothing(frame, "cost"))


def outcomes(sessions: pd.DataFrame) -> alt.LayerChart:
    """Draw how many sessions there were, how many made a pull request, and how many had one merged.

    Args:
        sessions: a sessions frame.
    """
    altair = _altair()
    records = summaries.outcomes(sessions)
    base = altair.Chart(altair.Data(values=records)).encode(
        x=altair.X("count:Q", title=None, axis=None, scale=altair.Scale(domainMin=0)),
        y=altair.Y("stage:N", title=None, sort=altair.SortField("place"), axis=altair.Axis(labelLimit=200)),
        tooltip=_tips(stage="stage", sessions="share"),
        href="url:N",
    )
    color = altair.Color("stage:N", legend=None, sort=None, scale=altair.Scale(range=list(GROUP_COLORS[:3])))
    bars = base.mark_bar(height={"band": 0.7}).encode(color=color)
    labels = base.mark_text(align="left", dx=6, color=_GRAY, fontSize=12).encode(text="share:N")
    chart = altair.layer(bars, labels).properties(width=_WIDTH - 120, height=110)
    return _finished(chart, _title("From sessions to merged pull requests", ""), records if len(sessions) else [])


def durations(sessions: pd.DataFrame) -> alt.LayerChart:
    """Draw how many sessions took how long from their start to their last activity, colored by phase.

    Args:
        sessions: a sessions frame.
    """
    altair = _altair()
    records = summaries.durations(sessions)
    axis = altair.Axis(labelAngle=0, labelFlush=False)
    bars = (
        altair.Chart(altair.Data(values=records))
        .mark_bar()
        .encode(
            x=altair.X("took:O", title=None, sort=summaries.duration_labels(), axis=axis),
            y=altair.Y("low:Q", title="sessions"),
            y2="high:Q",
            color=_phases(records),
            tooltip=_tips(took="took", phase="phase", sessions="count", acus="acus", longest="example"),
            href="url:N",
        )
    )
    chart = altair.layer(bars).properties(width=_WIDTH, height=220)
    title = _title("How long sessions take", "from their start to their last activity")
    return _finished(chart, title, records, _nothing(sessions, "duration"))


def _spend(records: summaries.Records, unit: str, title: str, note: str, nothing: str) -> alt.LayerChart:
    altair = _altair()
    groups = [record["group"] for record in sorted(records, key=lambda record: record["order"])]
    names = list(dict.fromkeys(groups))
    scale = altair.Scale(domain=names, range=list(GROUP_COLORS[: len(names)]))
    legend = altair.Legend(title=None) if len(names) > 1 else None
    bars = (
        altair.Chart(altair.Data(values=records))
        .mark_rect(strokeWidth=0)
        .encode(
            x=altair.X("start:T", title=None, scale=altair.Scale(type="utc"), axis=_middles(records, unit)),
            x2="end:T",
            y=altair.Y("low:Q", title="ACU"),
            y2="high:Q",
            color=altair.Color("group:N", scale=scale, legend=legend),
            tooltip=_tips(when="when", group="group", acus="acus", sessions="sessions", dearest="dearest"),
            href="url:N",
        )
    )
    chart = altair.layer(bars).properties(width=_WIDTH, height=220)
    return _finished(chart, _title(title, note), records, nothing)


def _altair() -> Any:
    try:
        import altair
    except ImportError:
        raise OptionError("charts need Altair", hint="pip install 'devin-jupyter[charts]'") from None
    return altair


def _title(text: str, note: str) -> Any:
    return _altair().TitleParams(text=text, subtitle=note, anchor="start", frame="group")


def _dates() -> Any:
    """An axis in UTC with the date where the day changes and below the first hour, and so the year of dates."""
    altair = _altair()
    ticks = altair.ExprRef("ceil(width / 80)")  # wide enough apart for every label to be shown
    return altair.Axis(labelExpr=_DATES, tickCount=ticks, gridOpacity=0.4)


def _middles(records: summaries.Records, unit: str) -> Any:
    """An axis with its labels in the middle of bars."""
    labels = {str(place): label for place, label in spending.middles(records, unit).items()}
    expression = f"{json.dumps(labels)}[time(datum.value)]"
    return _altair().Axis(values=[int(place) for place in labels], labelExpr=expression, labelFlush=False, grid=False)


def _tips(**fields: str) -> list[Any]:
    return [_altair().Tooltip(f"{field}:N", title=name) for name, field in fields.items()]


def _phases(records: summaries.Records) -> Any:
    altair = _altair()
    colors = {**{phase.value: color for phase, color in PHASE_COLORS.items()}, summaries.UNKNOWN: _GRAY}
    names = summaries.present(records, "phase", colors)
    scale = altair.Scale(domain=names, range=[colors[name] for name in names])
    return altair.Color("phase:N", scale=scale, legend=altair.Legend(title=None, orient="top"))


def _titles(records: summaries.Records) -> Any:
    altair = _altair()
    return (
        altair.Chart(altair.Data(values=records))
        .mark_text(align="right", dx=-6, baseline="middle", color=_GRAY, fontSize=11, limit=260)
        .encode(x="start:T", y=altair.Y("place:O", axis=None), text="title:N", href="url:N")
    )


def _nothing(sessions: pd.DataFrame, what: str) -> str:
    return f"no session of known {what}" if len(sessions) else "no sessions"


def _finished(chart: Any, title: Any, records: summaries.Records, nothing: str = "no sessions") -> alt.LayerChart:
    """Dress a chart: one look for light and dark, links that open elsewhere, a word where there is nothing."""
    altair = _altair()
    if not records:
        word = altair.Chart(altair.Data(values=[{"word": nothing}])).mark_text(color=_GRAY, fontSize=13)
        chart = altair.layer(word.encode(text="word:N")).properties(width=_WIDTH, height=60)
    dressed = chart.properties(
        title=title, usermeta={"embedOptions": {"loader": {"target": "_blank", "rel": "noopener noreferrer"}}}
    )
    text = {
        "labelColor": _GRAY,
        "titleColor": _GRAY,
        "labelFont": _FONT,
        "titleFont": _FONT,
        "titleFontWeight": "normal",
    }
    dressed = (
        dressed.configure(background="transparent", font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(**text, gridColor=_GRID, domainColor=_GRAY, tickColor=_GRAY, labelFontSize=11, titleFontSize=11)
        .configure_legend(**text, labelFontSize=11)
        .configure_title(color=_GRAY, subtitleColor=_GRAY, font=_FONT, subtitleFont=_FONT, fontSize=14, offset=10)
    )
    return _showing_itself(dressed)


def _showing_itself(chart: Any) -> Any:
    """Give a chart the bundle below, also when it is changed further, whatever renderer is enabled for others."""
    kind = type(chart)
    shown = type(
        kind.__name__, (kind,), {"_repr_mimebundle_": _bundle, "__repr__": _text, "__module__": kind.__module__}
    )
    object.__setattr__(chart, "__class__", shown)
    return chart


def _text(chart: Any) -> str:
    title = chart.to_dict().get("title", {})
    note = f" ({title['subtitle']})" if isinstance(title, dict) and title.get("subtitle") else ""
    return f"<chart: {title['text'] if isinstance(title, dict) else title}{note}>"


def _bundle(chart: Any, include: Any = None, exclude: Any = None) -> dict[str, Any]:
    schema = f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE}.0.json"
    specification = {**chart.to_dict(), "$schema": schema}
    bundle: dict[str, Any] = {MIME: specification, "text/plain": repr(chart)}
    try:
        import vl_convert
    except ImportError:
        return bundle
    picture = _packed(vl_convert.vegalite_to_png(specification, vl_version=VEGA_LITE, scale=2))
    return {**bundle, "image/png": base64.b64encode(picture).decode()}


def _packed(png: bytes) -> bytes:
    """Pack a PNG as tightly as it goes: vl-convert's are five times larger, and notebooks keep them for ever."""
    chunks, at = list[tuple[bytes, bytes]](), 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + size]))
        at += 12 + size
    pixels = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    kept = [chunk for chunk in chunks if chunk[0] == b"IHDR"]
    packed = [*kept, (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")]
    return png[:8] + b"".join(_chunk(kind, content) for kind, content in packed)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return len(content).to_bytes(4, "big") + kind + content + check.to_bytes(4, "big")
