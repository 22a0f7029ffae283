"""A drawing of the system as inline SVG: layers along the flow, from left to right or from top to bottom.

Colours come from the page's style sheet (classes), sizes from here. Text is cut to the width of its box; a
`<title>` holds all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from slosim.html.graph import Edge, Graph, Node, utilisation

WIDTH, ROW, HEAD, PADDING = 166, 16, 24, 10
BETWEEN_LAYERS, BETWEEN_NODES, MARGIN = 52, 24, 20
BACK = 44
"""Room for edges that lead back."""
WIDE = 736
"""What is wider than this shrinks down to it on a narrow screen, and scrolls on a narrower one."""
LETTERS = 23
"""Letters of the small font that fit into a box."""
HEAD_LETTERS = 20
SWEEPS = 4
"""How often layers are reordered by the places of their neighbours; more changes nothing in our examples."""

SVG = Markup(
    '<svg class="system {}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}{}</svg>'
)
BOX = Markup('<g class="node {}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="6"/>{}</g>')
TEXT = Markup('<text class="{}" x="{:.0f}" y="{:.0f}">{}</text>')
BAR = Markup(
    '<rect class="bar" x="{:.0f}" y="{:.0f}" width="{:.0f}" height="4" rx="2"/>'
    '<rect class="used {}" x="{:.0f}" y="{:.0f}" width="{:.1f}" height="4" rx="2"/>'
)
LINE = Markup('<g class="edge {}"><path d="{}"/><path class="head" d="{}"/>{}</g>')


@dataclass
class Place:
    """Where a node lies: `layer` along the flow, `at` across it (its middle); a passing edge has no node."""

    layer: int
    across: float
    at: float = 0.0


def drawing(graph: Graph, downwards: bool = False) -> Markup:
    """The graph as SVG; `downwards`: for narrow screens."""
    chains, places = _placed(graph, downwards)
    starts, breadth = _layer_starts(graph, places, downwards)
    length = starts[-1] - BETWEEN_LAYERS + 2 * MARGIN
    lines, boxes = [], []

    def point(key: str, end: bool) -> tuple[float, float]:
        """Where an edge enters a node (end = False) or leaves it."""
        place = places[key]
        along = starts[place.layer] + (_along(graph.nodes.get(key), downwards) if end else 0) + MARGIN
        across = place.at + MARGIN
        return (across, along) if downwards else (along, across)

    def side(key: str, part: float) -> tuple[float, float]:
        """Where an edge that leads back leaves or enters a node: at this part of its far side."""
        node, (x, y) = graph.nodes[key], point(key, False)
        if downwards:
            return x + WIDTH / 2, y + part * _height(node)
        return x + part * WIDTH, y + _height(node) / 2

    for edge, chain in zip(graph.edges, chains, strict=True):
        if _leads_back(edge, places):
            lines.append(_line_back(edge, side(edge.source, 0.65), side(edge.target, 0.35), downwards))
            continue
        steps = [(point(a, True), point(b, False)) for a, b in chain]
        lines.append(_line(edge, steps, downwards))
    if any(_leads_back(edge, places) for edge in graph.edges):
        breadth += BACK
    for key, node in graph.nodes.items():
        x, y = point(key, False)
        boxes.append(_box(node, *((x - WIDTH / 2, y) if downwards else (x, y - _height(node) / 2))))
    width, height = (breadth, length) if downwards else (length, breadth)
    named = ", ".join(f"{node.name} {utilisation(node)}".strip() for node in graph.nodes.values())
    width, height = round(width), round(height)
    direction = "downwards" if downwards else "onwards wide" if width > WIDE else "onwards"
    return SVG.format(
        direction,
        width,
        height,
        width,
        height,
        f"The system: {named}",
        Markup("").join(lines),
        Markup("").join(boxes),
    )


def _height(node: Node) -> float:
    bar = 10 if node.used_ratio is not None else 0
    return HEAD + ROW * len(node.rows) + bar + (PADDING if node.rows or bar else 4)


def _along(node: Node | None, downwards: bool) -> float:
    """How much of its layer's depth a node takes."""
    if node is None:
        return 0.0
    return _height(node) if downwards else WIDTH


def _across(node: Node, downwards: bool) -> float:
    return WIDTH if downwards else _height(node)


def _layers(graph: Graph) -> dict[str, int]:
    """The longest way to each node from one that nothing leads to; what closes a cycle does not count."""
    following: dict[str, list[str]] = {key: [] for key in graph.nodes}
    for edge in graph.edges:
        if edge.style != "redrive":
            following[edge.source].append(edge.target)
    order: list[str] = []
    state: dict[str, str] = {}
    forward: dict[str, list[str]] = {key: [] for key in graph.nodes}

    def visit(key: str) -> None:
        state[key] = "open"
        for target in following[key]:
            if state.get(target) == "open":
                continue
            forward[key].append(target)
            if target not in state:
                visit(target)
        state[key] = "done"
        order.append(key)

    for key in graph.nodes:
        if key not in state:
            visit(key)
    layers = dict.fromkeys(graph.nodes, 0)
    for key in reversed(order):
        for target in forward[key]:
            layers[target] = max(layers[target], layers[key] + 1)
    return layers


def _placed(graph: Graph, downwards: bool) -> tuple[list[list[tuple[str, str]]], dict[str, Place]]:
    """(for each edge its steps from layer to layer, the place of each node and of each passing edge)."""
    layers = _layers(graph)
    places = {key: Place(layers[key], _across(node, downwards)) for key, node in graph.nodes.items()}
    chains = []
    for number, edge in enumerate(graph.edges):
        passing = []
        for layer in range(layers[edge.source] + 1, layers[edge.target]):
            key = f"edge {number} {layer}"
            places[key] = Place(layer, 12.0)
            passing.append(key)
        stops = [edge.source, *passing, edge.target]
        chains.append(list(pairwise(stops)))
    _order(places, [step for chain in chains for step in chain])
    return chains, places


def _order(places: dict[str, Place], steps: list[tuple[str, str]]) -> None:
    """Put the nodes of each layer side by side, near what leads to them and, in turn, what they lead to."""
    rows: list[list[str]] = [[] for _ in range(max((one.layer for one in places.values()), default=0) + 1)]
    for key, place in places.items():
        rows[place.layer].append(key)
    for row in rows:
        _spread(row, places)
    before: dict[str, list[str]] = {key: [] for key in places}
    after: dict[str, list[str]] = {key: [] for key in places}
    for source, target in steps:
        if places[source].layer < places[target].layer:
            before[target].append(source)
            after[source].append(target)

    def wish(key: str, neighbours: dict[str, list[str]]) -> float:
        wanted = [places[its].at for its in neighbours[key]]
        return sum(wanted) / len(wanted) if wanted else places[key].at

    for _ in range(SWEEPS):
        for sweep, neighbours in ((rows, before), (rows[::-1], after), (rows, before)):
            for row in sweep:
                row.sort(key=lambda key: wish(key, neighbours))
                _spread(row, places)


def _spread(row: list[str], places: dict[str, Place]) -> None:
    """Put the nodes of a layer side by side around 0."""
    at = -(sum(places[key].across for key in row) + BETWEEN_NODES * (len(row) - 1)) / 2
    for key in row:
        places[key].at = at + places[key].across / 2
        at += places[key].across + BETWEEN_NODES


def _layer_starts(graph: Graph, places: dict[str, Place], downwards: bool) -> tuple[list[float], float]:
    """(where each layer begins, and one more; the breadth of all); moves the places to begin at 0."""
    depths = [0.0] * (max((place.layer for place in places.values()), default=0) + 1)
    for key, place in places.items():
        depths[place.layer] = max(depths[place.layer], _along(graph.nodes.get(key), downwards))
    starts = [0.0]
    for depth in depths:
        starts.append(starts[-1] + depth + BETWEEN_LAYERS)
    least = min((place.at - place.across / 2 for place in places.values()), default=0.0)
    most = max((place.at + place.across / 2 for place in places.values()), default=0.0)
    for place in places.values():
        place.at -= least
    return starts, most - least + 2 * MARGIN


def _leads_back(edge: Edge, places: dict[str, Place]) -> bool:
    return places[edge.target].layer <= places[edge.source].layer


def _line_back(edge: Edge, start: tuple[float, float], end: tuple[float, float], downwards: bool) -> Markup:
    """A curve around the far sides of two nodes."""
    (x0, y0), (x1, y1) = start, end
    if downwards:
        far = max(x0, x1) + BACK
        path = f"M{x0:.0f} {y0:.0f}C{far:.0f} {y0:.0f} {far:.0f} {y1:.0f} {x1 + 2:.0f} {y1:.0f}"
        head = f"M{x1 + 8:.0f} {y1 - 5:.0f}L{x1:.0f} {y1:.0f}L{x1 + 8:.0f} {y1 + 5:.0f}Z"
        at = (far - BACK / 2, (y0 + y1) / 2)
    else:
        far = max(y0, y1) + BACK
        path = f"M{x0:.0f} {y0:.0f}C{x0:.0f} {far:.0f} {x1:.0f} {far:.0f} {x1:.0f} {y1 + 2:.0f}"
        head = f"M{x1 - 5:.0f} {y1 + 8:.0f}L{x1:.0f} {y1:.0f}L{x1 + 5:.0f} {y1 + 8:.0f}Z"
        at = ((x0 + x1) / 2, far - BACK / 4 + 4)
    words = TEXT.format("label", *at, edge.label) if edge.label else ""
    return LINE.format(edge.style, path, head, words)


def _line(edge: Edge, steps: list, downwards: bool) -> Markup:
    """A curve through the steps, its arrow head, and its label near the end."""
    path, bend = "", BETWEEN_LAYERS / 2
    for (x0, y0), (x1, y1) in steps:
        if downwards:
            curve = f"C{x0:.0f} {y0 + bend:.0f} {x1:.0f} {y1 - bend:.0f} {x1:.0f} {y1 - 2:.0f}"
        else:
            curve = f"C{x0 + bend:.0f} {y0:.0f} {x1 - bend:.0f} {y1:.0f} {x1 - 2:.0f} {y1:.0f}"
        path += f"{'L' if path else 'M'}{x0:.0f} {y0:.0f}{curve}"
    (_, _), (x, y) = steps[-1]
    head = (
        f"M{x - 5:.0f} {y - 8:.0f}L{x:.0f} {y:.0f}L{x + 5:.0f} {y - 8:.0f}Z"
        if downwards
        else (f"M{x - 8:.0f} {y - 5:.0f}L{x:.0f} {y:.0f}L{x - 8:.0f} {y + 5:.0f}Z")
    )
    (x0, y0), (x1, y1) = steps[-1]
    at = ((x0 + x1) / 2, (y0 + y1) / 2 - (0 if downwards else 5))
    words = TEXT.format("label", *at, edge.label) if edge.label else ""
    return LINE.format(edge.style, path, head, words)


def _box(node: Node, x: float, y: float) -> Markup:
    height = _height(node)
    inside = TEXT.format("name", x + PADDING, y + 17, _cut(node.name, HEAD_LETTERS))
    for number, row in enumerate(node.rows):
        inside += TEXT.format("row", x + PADDING, y + HEAD + ROW * number + 11, _cut(row, LETTERS))
    if node.used_ratio is not None:
        room = WIDTH - 2 * PADDING
        filled = room * min(max(node.used_ratio, 0.0), 1.0)
        inside += TEXT.format("busy", x + WIDTH - PADDING, y + HEAD + 11, utilisation(node))
        inside += BAR.format(
            x + PADDING,
            y + height - 11,
            room,
            "full" if node.used_ratio >= 0.8 else "",
            x + PADDING,
            y + height - 11,
            filled,
        )
    if node.mark:
        inside += TEXT.format("mark", x + WIDTH / 2, y - 6, f"▼ {node.mark}")
    whole = "\n".join(part for part in (node.name, *node.rows, utilisation(node), node.mark) if part)
    kind = f"{node.kind} marked" if node.mark else node.kind
    return BOX.format(kind, whole, round(x), round(y), WIDTH, round(height), inside)


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
