"""Markdown of the agent as HTML that can do nothing: HTML is off in the parser, and the result is cleaned again.

Links go to http(s) only and open apart; pictures become links, so that reading a message fetches nothing.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from devin_jupyter.render.wording import TEXT_LIMIT, safe_text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_TAGS = frozenset(
    "a blockquote br code del em h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul".split()  # noqa: SIM905 a list this long reads better as words
)


def markdown(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return safe HTML for Markdown that somebody else wrote, cut at `limit` characters."""
    import nh3

    rendered = _parser().render(safe_text(text, limit))
    return nh3.clean(
        rendered,
        tags=set(_TAGS),
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        clean_content_tags={"script", "style"},
    )


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    parser.core.ruler.push("tame", _tame)
    return parser


def _tame(state: Any) -> None:
    """Keep headings below the panel's own, and turn pictures into links."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
        if token.children:
            token.children = [part for child in token.children for part in _without_picture(child)]


def _without_picture(token: Any) -> list[Any]:
    if token.type != "image":
        return [token]
    from markdown_it.token import Token

    opening = Token("link_open", "a", 1, attrs={"href": token.attrGet("src") or ""})
    label = Token("text", "", 0, content=f"picture: {token.content or 'without a name'}")
    return [opening, label, Token("link_close", "a", -1)]
