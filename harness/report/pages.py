"""Renders templates to HTML, with one environment for all pages, which always escapes text from outside."""

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from harness import __version__
from harness.report import numbers
from harness.report.plot import BOTTOM, HEIGHT, LEFT, RIGHT, WIDTH, shorten
from harness.report.suite_figures import look

TEMPLATES = Path(__file__).parent / "templates"
MMPOSE_CONFIGS = "https://github.com/open-mmlab/mmpose/blob/v1.3.2/configs/"

STYLE = "style.css"
SCRIPTS = ("theme.js", "table.js", "find.js")
POLICY = (
    "default-src 'none'; style-src 'self' file: 'unsafe-inline'; script-src 'self' file:; img-src 'self' file: data:; "
    "base-uri 'none'; form-action 'none'"
)
"""Content security policy: a page loads only files of its own site, and runs no inline script."""

LEFT_OUT = re.compile(r"</(?:td|th|tr|thead|tbody|li|dt|dd|option)>")
"""End tags that HTML allows to omit; they are a tenth of the site. Escaped text contains none."""
TAG = re.compile(r"<[a-z][^<>]*>")
QUOTED = re.compile(r'="([\w.:;,%#()+-]+)"(?=[\s>])')
"""An attribute value for which HTML needs no quotes. Escaped text contains neither tags nor quotes."""


def render(template: str, root: str, **values: Any) -> str:
    """Return a page.

    Args:
        template: File name of the template.
        root: Relative path from the page's folder to the site's, such as `../`.
        values: Values for the names in the template.
    """
    html = LEFT_OUT.sub("", _environment().get_template(template).render(root=root, **values))
    return TAG.sub(lambda tag: QUOTED.sub(r"=\1", tag[0]), html)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_short,
    )
    environment.filters.update(file_name=_file_name, look=look, linkable=linkable, shorten=shorten, slug=slug)
    environment.globals.update(
        n=numbers,
        version=__version__,
        canvas=(WIDTH, HEIGHT, LEFT, RIGHT, HEIGHT - BOTTOM),
        configs=MMPOSE_CONFIGS,
        style=STYLE,
        policy=POLICY,
    )
    return environment


def shared_files() -> dict[str, str]:
    """Return the files that all pages load, by name; they are in the folder of the first page."""
    css = re.sub(r"/\*.*?\*/", "", _template(STYLE), flags=re.DOTALL)
    style = re.sub(r"\s*([{};,>])\s*|\s+", lambda found: found[1] or " ", css).strip() + "\n"
    return {STYLE: style} | {name: _template(name) for name in SCRIPTS}


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _short(value: Any) -> Any:
    """Return a coordinate or share without trailing zeros."""
    return f"{value:g}" if isinstance(value, float) else value


def _file_name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def linkable(url: str | None) -> bool:
    """Return whether a URL is safe as a link, i.e. leads to a web page."""
    return url is not None and url.startswith(("https://", "http://"))


def slug(identifier: str) -> str:
    """Return a file name for an id; ids contain lower-case letters, digits and hyphens, but may be long."""
    return (
        identifier
        if len(identifier) <= 100
        else f"{identifier[:80]}-{hashlib.sha256(identifier.encode()).hexdigest()[:8]}"
    )
