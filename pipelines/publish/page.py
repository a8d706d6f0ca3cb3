"""Self-contained HTML pages: one template engine, every text escaped, nothing fetched from anywhere.

Belongs here: the engine, the content security policy, the drawing of a table as HTML boxes. Does not belong here: what
a page says (receipt.py, board.py, rulebook.py) and how it looks (templates/).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.publish.page_text import visible

TEMPLATES = Path(__file__).with_name("templates")


def _finalize(value: object) -> object:
    """What a template prints: text from anywhere is made visible before it is escaped; our own markup is left."""
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _source(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def content_policy(style: str, script: str) -> str:
    """The policy of a page: exactly this style and this script (none if ""), and no request to anywhere."""
    scripts = _digest(script) if script else "'none'"
    return f"default-src 'none'; style-src {_digest(style)}; script-src {scripts}; base-uri 'none'; form-action 'none'"


def render(template: str, context: Mapping[str, object], *, script: str = "") -> bytes:
    """The page of ``templates/<template>`` as UTF-8. ``script``: a file of templates/ to stand inline.

    The same context gives the same bytes. A name that the template needs and the context lacks raises UndefinedError.
    """
    style, code = _source("style.css"), _source(script) if script else ""
    page = (
        _environment()
        .get_template(template)
        .render(
            context,
            style=Markup(style),  # noqa: S704  our own file, whose digest stands in the policy
            script=Markup(code),  # noqa: S704
            policy=Markup(content_policy(style, code)),  # noqa: S704
        )
    )
    return page.encode("utf-8")
