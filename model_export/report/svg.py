"""Figures of matplotlib as SVG in a page: the page's colours and font, and always the same bytes.

A figure is drawn in colours that stand for the page's own (`Ink`), which its style sheet has for a
light screen, a dark one and for paper. Texts stay texts. A figure is 72 units an inch, and its
texts are set in units: how large they are on a screen is how wide the page shows the figure.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from model_export.errors import ExportError

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

FONT = 10.0
"""Size of a figure's texts, in its units."""


class Ink(StrEnum):
    """What the page's style sheet calls a colour; as a value, what stands for it in a drawing."""

    TEXT = "#000001"
    MUTED = "#000002"
    RULE = "#000003"
    BASELINE = "#000004"
    RESULT = "#000005"
    OTHER = "#000006"
    GROUND = "#000007"


_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"

_STYLE: dict[str, Any] = {
    # A label is a text, whatever dollars it has.
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "edge-export",
    "font.family": "DejaVu Sans",  # matplotlib brings it: all machines measure alike
    "font.size": FONT,
    "axes.edgecolor": str(Ink.RULE),
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": str(Ink.MUTED),
    "axes.labelsize": FONT,
    "axes.linewidth": 1.0,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "grid.color": str(Ink.RULE),
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": FONT,
    "lines.linewidth": 1.8,
    "text.color": str(Ink.TEXT),
    "xtick.color": str(Ink.RULE),
    "xtick.labelcolor": str(Ink.MUTED),
    "xtick.labelsize": FONT - 1,
    "ytick.color": str(Ink.RULE),
    "ytick.labelcolor": str(Ink.MUTED),
    "ytick.labelsize": FONT - 1,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Within it, figures have the page's style, whatever style their user has.

    Raises:
        ExportError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise ExportError(
            "matplotlib is not installed, and the report's plots are drawn with it: "
            "pip install 'edge-runtime[export]'"
        ) from error
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        parameters: Any = matplotlib.rcParams  # the type lists the names of all
        parameters.update(_STYLE)
        # A page's reader has fonts for what ours lacks.
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        yield


def figure(width: float, height: float) -> Figure:
    """An empty one of so many units; within `drawing`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / 72, height / 72), dpi=72)


def in_percent(axis: Axis) -> None:
    """Label an axis of shares, 0..1, in percent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))


def inline(drawn: Figure, name: str, title: str) -> str:
    """The figure as an <svg> element of a page.

    Args:
        name: of the figure, letters and dashes; no other figure of the page has it.
        title: what it shows, for those who do not see it.
    """
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    drawn.savefig(buffer, format="svg", metadata=nothing)
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for element in list(parent):
            # Its rule would be one for the whole page, which has it in its style sheet.
            if element.tag == f"{_SVG}style":
                parent.remove(element)
    for element in root.iter():
        _settle(element, name)
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "class": "plot"}
    root.set("aria-labelledby", f"{name}-title")
    label = ElementTree.Element("title", {"id": f"{name}-title"})
    label.text = title
    root.insert(0, label)
    # Elements of SVG are known by their names in HTML.
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _settle(element: Element, name: str) -> None:
    """Make an element of a file one of a page: without namespaces, its ids the figure's own."""
    element.tag = element.tag.removeprefix(_SVG)
    element.text, element.tail = (element.text or "").strip(), None
    attributes = {key.removeprefix(_XLINK): text for key, text in element.attrib.items()}
    element.attrib.clear()
    for key, text in attributes.items():
        if key == "id" and element.tag == "g":
            continue  # nothing refers to it
        if key == "transform" and text.startswith("rotate(-0 "):
            continue
        element.set(key, _value(key, text, name))


def _value(key: str, text: str, name: str) -> str:
    if key == "id":
        return f"{name}-{text}"
    if key == "style":
        text = re.sub(r"font-family: [^;]*;? ?", "", text)
        for ink in Ink:
            text = text.replace(ink.value, f"var(--{ink.name.lower()})")
        return text
    text = re.sub(r"^(url\()?#", rf"\1#{name}-", text)
    return re.sub(r"-?\d+\.\d+", lambda found: _rounded(found[0]), " ".join(text.split()))


def _rounded(number: str) -> str:
    return f"{float(number):.2f}".rstrip("0").rstrip(".")
