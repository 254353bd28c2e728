"""Fills the templates: HTML is escaped by the engine, Markdown cells by a filter."""

import datetime
import pathlib

import jinja2

from report.units import mode_text


def markdown(value):
    """Text that is safe inside a cell of a Markdown table."""
    text = str(value)
    for character in "\\`*_[]|#":
        text = text.replace(character, "\\" + character)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(text.split())


def day(iso):
    """2026-11-23T10:00:00Z -> 2026-11-23 10:00 UTC; anything else stays as it is."""
    try:
        moment = datetime.datetime.fromisoformat(str(iso).replace("Z", "+00:00"))
    except ValueError:
        return str(iso)
    zone = {None: "", datetime.timedelta(0): " UTC"}.get(moment.utcoffset(), moment.strftime(" %z"))
    return moment.strftime("%Y-%m-%d %H:%M") + zone


def render(template, **values):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(pathlib.Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(md=markdown, day=day, mode_text=mode_text)
    return environment.get_template(template).render(**values)
