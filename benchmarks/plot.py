"""Draw what was measured; matplotlib is in the environment of the benchmarks alone."""

import json
import sys

import matplotlib as mpl
from matplotlib.figure import Figure

COLOURS = {"limit": "#9aa5b1", "generated": "#1f77b4", "typical": "#e8a33d"}
ROUTES = {"livez": "GET /livez", "one": "one row", "page": "page of 20 + total", "create": "create"}

mpl.rcParams["svg.hashsalt"] = "benchmarks"
mpl.rcParams["font.size"] = 9


def main() -> None:
    """Read the figures from standard input; the file to write is the one argument."""
    drawn = json.load(sys.stdin)
    rates = {(route, name): rate for route, name, rate in drawn["bars"]}
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    shares, growth = figure.subplots(1, 2, width_ratios=(3, 2))
    for place, (name, colour) in enumerate(COLOURS.items()):
        at = [number + (place - 1) * 0.27 for number in range(len(ROUTES))]
        bars = shares.bar(at, [rates[route, name] / rates[route, "limit"] for route in ROUTES], 0.25, color=colour)
        shares.bar_label(bars, [f"{rates[route, name]:,.0f}" for route in ROUTES], fontsize=7)
        bars.set_label(name)
    shares.set_xticks(range(len(ROUTES)), ROUTES.values())
    shares.set_title("Requests a second, as a share of the limit")
    for route, title in ROUTES.items():
        points = [(rows, seconds * 1e6) for each, rows, seconds in drawn["growth"] if each == route]
        growth.plot(*zip(*points, strict=True), marker="o", label=title)
    growth.set(xscale="log", ylim=(0, None))
    growth.set_title("CPU in µs a request, by transactions in the budget")
    for axes in (shares, growth):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, columnspacing=1)
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
