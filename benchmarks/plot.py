"""Draw the CPU time of each route; matplotlib is in the environment of the benchmarks alone."""

import json
import sys

import matplotlib as mpl
from matplotlib.figure import Figure

COLOURS = ("#9aa5b1", "#1f77b4", "#e8a33d", "#6baed6", "#7b4f9d", "#c0504d")

mpl.rcParams["svg.hashsalt"] = "benchmarks"
mpl.rcParams["svg.fonttype"] = "none"
mpl.rcParams["font.size"] = 9


def main() -> None:
    """Read microseconds by backend and route from standard input; the argument is the file to write."""
    costs: dict[str, dict[str, float]] = json.load(sys.stdin)
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    width = 0.9 / len(costs)
    for place, ((name, routes), colour) in enumerate(zip(costs.items(), COLOURS, strict=True)):
        at = [number + (place - (len(costs) - 1) / 2) * width for number in range(len(routes))]
        bars = axes.bar(at, list(routes.values()), width * 0.92, color=colour, label=name)
        axes.bar_label(bars, [f"{value:,.0f}" for value in routes.values()], fontsize=7)
    axes.set_xticks(range(len(routes)), list(routes))
    axes.set_title("CPU time of a request in µs")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
