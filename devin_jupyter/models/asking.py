"""Whether Devin's last words ask something of a person, or only report.

Neither API says which it is: a session that has finished its work and one that has a question both wait for their user.
"""

from __future__ import annotations

import re

_LONGEST = 6000
"""Only the end of a message counts."""
_FENCED = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_NOT_ITS_WORDS = re.compile(
    r"`[^`\n]*`"  # code
    r"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|(?<!\w)\"[^\"\n]*\"(?!\w)"  # quotations
    r"|\b\w+://\S+|<[^<>\n]*>"  # addresses and tags
    r"|^[ \t]*(?:>|#|\*\*[^\n]*\*\*[ \t]*$)[^\n]*"  # quoted lines and headings
    r"|(?<=[?？])[ \t]*\([^()\n]{0,80}\)"  # "Shall I? (y/n)"
    r"|^ATTACHMENT:[^\n]*",
    re.MULTILINE,
)
_ITEM = re.compile(r"^\s*(?:[-*+•]|\(?[\w]{1,2}[.)])\s")
_BETWEEN = re.compile(r"(?<=[.!?。！？؟])[\"'*_)\]}]*(?:\s+|(?=[^\x00-\x7f])|$)")
"""Between two sentences."""
_QUESTION = re.compile(r"[?？؟][\s\"'*_)\]}]*$")
_ADDRESSED = re.compile(r"\b(?:you|your|yours|i|we|me|my|us|our|should|shall|may)\b", re.IGNORECASE)
_POLITE = re.compile(
    r"\b(?:anything|something|anyone) else\b|\bany (?:other |further |more )?(?:questions?|changes|feedback|comments)\b"
    r"|\b(?:does|did) (?:that|this) help\b",
    re.IGNORECASE,
)
_NEEDED = (
    "provide|confirm|clarify|specify|choose|pick|select|decide|tell me|share|approve|grant|authorize|answer|reply"
    "|respond|advise|upload|paste|log in|sign in|give me|send me|point me|let me know"
)
_REQUEST = re.compile(
    rf"\b(?:please|kindly)\s+(?:also\s+|first\s+|either\s+)?(?:{_NEEDED})\b"
    r"|\b(?:let me know|tell me)\s+(?:which|whether|what|how|when|where|who|if (?:i|we) (?:should|may|can|shall))\b"
    r"|\b(?:waiting|wait|blocked)\s+(?:here\s+)?(?:for|on)\s+(?:you\b|your\s+(?!review))"
    r"|\bawait(?:ing)?\s+your\s+(?!review)"
    r"|\bi(?:'ll| will)?\s+need\s+(?:you\s+to\b|your\b)"
    r"|\b(?:until|unless|once)\s+you\s+(?:\w+\s+)?"
    r"(?:answer|confirm|decide|reply|respond|provide|approve|choose|tell|give|send|share|grant)\b",
    re.IGNORECASE,
)


def asks(text: str | None) -> bool:
    """Return whether a message asks its reader for something; the same text always gives the same answer.

    Code, quotations, headings and addresses do not count. Then it asks if, in its last two paragraphs (a list at the
    end counts with the paragraph before it), a paragraph or an item of a list ends with a question, or a sentence
    either is a question with you, I or we in it, or requests an answer ("please confirm …", "let me know which …",
    "waiting for your reply"). Further up, only a paragraph counts that ends with a question to you. Closing phrases
    ("Anything else?", "Let me know if you have any questions.") do not ask.

    Args:
        text: Devin's last message, in Markdown; None asks nothing.
    """
    if not text:
        return False
    words = _NOT_ITS_WORDS.sub(" ", _FENCED.sub("\n", text[-_LONGEST:]))
    paragraphs = [part for part in re.split(r"\n[ \t]*(?:\n[ \t]*)+", words) if part.strip()]
    last = len(paragraphs) - 1
    while last > 0 and all(_ITEM.match(line) for line in paragraphs[last].strip().splitlines()):
        last -= 1
    return any(_paragraph_asks(part, is_last=index >= last - 1) for index, part in enumerate(paragraphs))


def _paragraph_asks(paragraph: str, *, is_last: bool) -> bool:
    lines = paragraph.strip().splitlines()
    before_list = [line for line in lines if not _ITEM.match(line)]
    ends = {lines[-1], *before_list[-1:], *(line for line in lines if _ITEM.match(line))}
    for line in lines:
        sentences = [part.strip() for part in _BETWEEN.split(line) if part.strip()]
        for sentence in sentences:
            if _POLITE.search(sentence):
                continue
            is_question, is_end = bool(_QUESTION.search(sentence)), line in ends and sentence is sentences[-1]
            to_you = bool(_ADDRESSED.search(sentence))
            if is_question and ((is_last and (is_end or to_you)) or (is_end and to_you)):
                return True
            if is_last and _REQUEST.search(sentence):
                return True
    return False
