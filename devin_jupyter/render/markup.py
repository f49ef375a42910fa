"""Markdown of the agent as HTML that can do nothing: HTML is off in the parser, and the result is cleaned again.

Links go to full http(s) addresses only, never into the server that shows them, and open apart; pictures become links,
so that reading a message fetches nothing.
"""

from __future__ import annotations

from functools import cache
from html import unescape
from typing import TYPE_CHECKING, Any

from devin_jupyter.render.wording import TEXT_LIMIT, one_line, safe_text, web_address

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
        attribute_filter=_checked,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        clean_content_tags={"script", "style"},
    )


def spoken(text: str, limit: int) -> str:
    """Return the words of Markdown as one line of text, cut at `limit` characters."""
    import nh3

    return one_line(unescape(nh3.clean(markdown(text, limit * 4), tags=set())), limit)


def _checked(_tag: str, attribute: str, value: str) -> str | None:
    return value if attribute != "href" else web_address(value)


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    parser.validateLink = _leads_to_the_web  # type: ignore[method-assign]  # the parser's own way to be stricter
    parser.core.ruler.push("tame", _tame)
    return parser


def _leads_to_the_web(url: str) -> bool:
    return web_address(url) is not None


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
