"""From templates to HTML: one environment for all pages, in which text from outside is always escaped."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness import __version__
from harness.report import numbers
from harness.report.plot import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, shorten
from harness.report.suite_figures import look

TEMPLATES = Path(__file__).parent / "templates"
MMPOSE_CONFIGS = "https://github.com/open-mmlab/mmpose/blob/v1.3.2/configs/"

STYLE = "style.css"
NOTHING = (
    "default-src 'none'; style-src 'self' file: 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
)
"""A page loads the style sheet beside it and nothing from anywhere else; the browser sees to it."""

LEFT_OUT = re.compile(r"</(?:td|th|tr|thead|tbody|li|dt|dd|option)>")
"""Tags that HTML closes by itself, a tenth of the site; escaped text has none."""


def render(template: str, root: str, **values: Any) -> str:
    """Return a page.

    Args:
        template: Its file's name.
        root: The way from the page's folder to the site's, such as `../`.
        values: What the template names.
    """
    return LEFT_OUT.sub("", _environment().get_template(template).render(root=root, **values))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(look=look, linkable=linkable, shorten=shorten, slug=slug)
    environment.globals.update(
        n=numbers,
        version=__version__,
        canvas=(WIDTH, HEIGHT, LEFT, RIGHT, HEIGHT - BOTTOM),
        configs=MMPOSE_CONFIGS,
        style=STYLE,
        script=_script,
        policy=_policy,
    )
    return environment


def style_sheet() -> str:
    """Return the style sheet, without comments and line breaks.

    It is the one file that pages share: in each of them it would be a quarter of the site.
    """
    css = re.sub(r"/\*.*?\*/", "", (TEMPLATES / STYLE).read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"\s*([{};,>])\s*|\s+", lambda found: found[1] or " ", css).strip() + "\n"


@cache
def _script(name: str) -> Markup:
    """Return one of the project's own scripts, which the page's policy names by its hash."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8").strip())


@cache
def _policy(*scripts: str) -> str:
    digests = [base64.b64encode(hashlib.sha256(_script(name).encode()).digest()).decode() for name in scripts]
    return f"{NOTHING}; script-src " + " ".join(f"'sha256-{digest}'" for digest in digests)


def linkable(url: str | None) -> bool:
    """Return whether a link to it can only lead to a web page."""
    return url is not None and url.startswith(("https://", "http://"))


def slug(identifier: str) -> str:
    """Return a file name for an id; ids are lower-case letters, digits and hyphens, but may be long."""
    return (
        identifier
        if len(identifier) <= 100
        else f"{identifier[:80]}-{hashlib.sha256(identifier.encode()).hexdigest()[:8]}"
    )
