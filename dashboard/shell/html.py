"""Make all HTML of the pages, with every text escaped.

Streamlit's own text commands read Markdown, in which a file name can load a picture from anywhere.
"""

import html
from typing import Literal

import streamlit as st

from streetclip.results.formats import LONGEST, NONE, plain


class Html(str):
    """Text that is HTML already. Only `tag` makes it."""

    __slots__ = ()


def tag(
    name: str,
    *children: str,
    css: str = "",
    role: str = "",
    label: str = "",
    focusable: bool = False,
) -> Html:
    """Make an element around its children; escape a child that is not `Html`.

    Names are constants of the caller; what scrolls is `focusable` by the keyboard.

    Examples:
        >>> tag("b", "1 < 2", tag("i", "x"), css="sc-x", label='"')
        '<b class="sc-x" aria-label="&quot;">1 &lt; 2<i>x</i></b>'
    """
    given = {"class": css, "role": role, "aria-label": label, "tabindex": "0" * focusable}
    attributes = "".join(f' {key}="{html.escape(each)}"' for key, each in given.items() if each)
    inner = "".join(c if isinstance(c, Html) else html.escape(c) for c in children)
    return Html(f"<{name}{attributes}>{inner}</{name}>")


def name(text: object, limit: int = 80) -> Html:
    """Bound an untrusted name inside a sentence, and isolate it from the text's direction."""
    return tag("bdi", plain(text, limit))


def draw(*elements: Html, width: Literal["stretch", "content"] = "stretch") -> None:
    """Put elements on the page; `width` "content" lets others share the row."""
    st.html(Html("").join(elements), width=width)


def notice(title: str, *lines: str, css: str = "", role: str = "status") -> None:
    """Draw a message: what happened, what to do; `css` "sc-alert" marks a fault."""
    body = [tag("p", line) for line in lines]
    draw(tag("div", tag("strong", title), *body, css=f"sc-notice {css}".strip(), role=role))


def remark(text: str, width: Literal["stretch", "content"] = "stretch") -> None:
    """Draw a quiet line under a chart."""
    draw(tag("p", text, css="sc-remark"), width=width)


def definitions(*items: tuple[str, object]) -> None:
    """Draw a list of terms and their untrusted values: a dash for None, a list line by line."""
    rows = []
    for term, value in items:
        lines = value if isinstance(value, list) else [value]
        text = "\n".join("" if line is None else plain(line, LONGEST) for line in lines)
        rows.append(Html(tag("dt", term) + tag("dd", text or NONE)))
    draw(tag("dl", *rows, css="sc-definitions"))
