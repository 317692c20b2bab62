"""Bars as SVG, drawn without a library; readable on light and dark ground."""

import math
from xml.sax.saxutils import escape

WIDTH, PLOT_HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 64, 56
GAP_SHARE = 0.28
TICKS = 5
ORDER = ("direct", "relay", "relay-1", "pgbouncer", "tollgate")
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.axis { fill: #59636e; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.whisker { stroke: #59636e; stroke-width: 1.5; }
.direct { fill: #8c959f; } .relay { fill: #0969da; } .relay-1 { fill: #54aeff; } .pgbouncer { fill: #bf8700; } .tollgate { fill: #1a7f37; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .axis { fill: #9198a1; }
  .grid { stroke: #3d444d; }
  .whisker { stroke: #9198a1; }
  .direct { fill: #7d8590; } .relay { fill: #4493f8; } .relay-1 { fill: #1f6feb; } .pgbouncer { fill: #d29922; } .tollgate { fill: #3fb950; }
}
"""


def linear_scale(top):
    """The height of a value in the plot, and the values to mark."""
    power = 10 ** math.floor(math.log10(top / TICKS))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice * TICKS >= top)
    marks = [step * n for n in range(math.ceil(top / step) + 1)]
    return (lambda value: value / marks[-1] * PLOT_HEIGHT), marks


def logarithmic_scale(low, top):
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(top))
    span = max(last - first, 1)
    return (
        lambda value: (math.log10(value) - first) / span * PLOT_HEIGHT,
        [10**power for power in range(first, first + span + 1)],
    )


def tag(name, content="", **attributes):
    pairs = "".join(f' {key.rstrip("_").replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{pairs}>{content}</{name}>"


def text(content, x, y, **attributes):
    return tag("text", escape(str(content)), x=round(x, 1), y=round(y, 1), **attributes)


def bars(title, unit, groups, logarithmic=False):
    """`groups`: labels of two lines, each with {target: (value, whisker or None)}."""
    values = [value for _, bars in groups for pair in bars.values() for value in pair if value]
    scale, marks = logarithmic_scale(min(values), max(values)) if logarithmic else linear_scale(max(values))
    base = TOP + PLOT_HEIGHT
    names = [name for name in ORDER if any(name in bars for _, bars in groups)]
    parts = [tag("style", STYLE), text(title, LEFT, 24, class_="title"), *legend(names), text(unit, 8, TOP - 10, class_="axis")]
    for mark in marks:
        y = base - scale(mark)
        parts.append(tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=round(y, 1), y2=round(y, 1)))
        parts.append(text(f"{mark:,g}", LEFT - 8, y + 4, class_="axis", text_anchor="end"))
    wide = (WIDTH - LEFT - RIGHT) / len(groups)
    bar = wide * (1 - GAP_SHARE) / len(names)
    for at, ((above, below), found) in enumerate(groups):
        start = LEFT + at * wide + wide * GAP_SHARE / 2
        for place, name in enumerate(names):
            if name in found:
                parts += one_bar(name, found[name], start + place * bar, bar * 0.9, base, scale)
        middle = LEFT + (at + 0.5) * wide
        parts.append(text(above, middle, base + 20, text_anchor="middle"))
        parts.append(text(below, middle, base + 38, text_anchor="middle", class_="axis"))
    height = base + BOTTOM
    return tag(
        "svg", "\n".join(parts), xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {WIDTH} {height}", width=WIDTH,
        height=height, role="img", aria_label=escape(title),
    ) + "\n"


def one_bar(name, pair, x, width, base, scale):
    value, whisker = pair
    height = scale(value)
    told = escape(f"{name}: {value:,.0f}" + (f", p99 {whisker:,.0f}" if whisker else ""))
    yield tag(
        "rect", tag("title", told), class_=name, x=round(x, 1), y=round(base - height, 1), width=round(width, 1),
        height=round(height, 1), rx=1,
    )
    if whisker:
        middle, top = round(x + width / 2, 1), round(base - scale(whisker), 1)
        yield tag("line", class_="whisker", x1=middle, x2=middle, y1=round(base - height, 1), y2=top)
        yield tag("line", class_="whisker", x1=round(x + width * 0.2, 1), x2=round(x + width * 0.8, 1), y1=top, y2=top)


def legend(names):
    for at, name in enumerate(names):
        x = LEFT + 480 + at * 100
        yield tag("rect", class_=name, x=x, y=14, width=12, height=12, rx=2)
        yield text(name, x + 18, 24)
