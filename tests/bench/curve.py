#!/usr/bin/python3
"""Throughput and p99 from 1 to 1,000 stations, as a picture.

  curve.py [--stations 1,2,...] [--window N] [--seconds S] [--out FILE.svg] [--data FILE.json]
  curve.py --draw FILE.json [--out FILE.svg]

Each point is one run of `linesign bench` with an appliance of its own. The points are printed, and
kept as JSON with --data, so that the picture can be drawn again. Programs come from $LINESIGN_BIN.
"""

import argparse
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.bench_runs import ROOT, bench, machine_line, note  # noqa: E402

STATIONS = "1,2,4,8,16,32,64,128,256,512,1000"
OUT = ROOT / "docs" / "performance-curve.svg"

# --- measuring ----------------------------------------------------------------------------------


def measure(options):
    points, machine = [], ""
    for stations in map(int, options.stations.split(",")):
        report = bench("--stations", stations, "--window", options.window, "--warm-up",
                       options.warm_up, "--seconds", options.seconds, "--no-ceiling",
                       what=f"{stations} stations")
        machine = machine_line(report)
        points.append({"stations": stations,
                       "certificates_per_second": report["certificates_per_second"],
                       "p50_ms": report["latency"]["p50_us"] / 1000,
                       "p99_ms": report["latency"]["p99_us"] / 1000,
                       "later": report["later"]})
        note(f"{stations:>5} stations {points[-1]['certificates_per_second']:>8.0f}/s  "
             f"p50 {points[-1]['p50_ms']:>8.1f} ms  p99 {points[-1]['p99_ms']:>8.1f} ms  "
             f"{report['later'] or ''}")
    return {"machine": machine, "window": options.window, "seconds": options.seconds,
            "points": points}


# --- drawing ------------------------------------------------------------------------------------

WIDTH, HEIGHT = 760, 560
LEFT, RIGHT, TOP = 80, 40, 64
PANEL, GAP = 190, 70
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-size: 16px; font-weight: 600 }
  .small { font-size: 12px; fill: #666 }
  .grid { stroke: #8884; stroke-width: 1 }
  .axis { stroke: #888; stroke-width: 1 }
  .rate { stroke: #1769aa; fill: none; stroke-width: 2 }
  .p99 { stroke: #b5482a; fill: none; stroke-width: 2 }
  .p50 { stroke: #b5482a; fill: none; stroke-width: 2; stroke-dasharray: 5 4 }
  circle { stroke: none }
  .rate-dot { fill: #1769aa }
  .p99-dot { fill: #b5482a }
  .ground { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .small { fill: #aaa } .ground { fill: #161b22 }
    .rate { stroke: #58a6ff } .rate-dot { fill: #58a6ff }
    .p99, .p50 { stroke: #ff9b77 } .p99-dot { fill: #ff9b77 }
  }
"""


def nice_ceiling(value):
    """The next of 1, 2, 2.5, 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(max(value, 1)))
    return next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= value)


def x_of(stations, most):
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(stations) / max(math.log10(most), 0.1)


def line(points, name):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{name}" points="{path}"/>'


def dots(points, name):
    return "".join(f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points)


def x_axis(points, bottom, top):
    parts = [f'<line class="axis" x1="{LEFT}" y1="{bottom}" x2="{WIDTH - RIGHT}" y2="{bottom}"/>']
    most = points[-1]["stations"]
    for point in points:
        x = x_of(point["stations"], most)
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text class="small" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">'
                     f'{point["stations"]}</text>')
    return parts


def y_ticks(ticks, y_of, label):
    parts = []
    for tick in ticks:
        y = y_of(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
        parts.append(f'<text class="small" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
                     f'{label(tick)}</text>')
    return parts


def rate_panel(points):
    bottom = TOP + PANEL
    top_rate = nice_ceiling(max(each["certificates_per_second"] for each in points))

    def y_of(rate):
        return bottom - PANEL * rate / top_rate
    places = [(x_of(each["stations"], points[-1]["stations"]), y_of(each["certificates_per_second"]))
              for each in points]
    return [f'<text x="{LEFT}" y="{TOP - 10}">certificates per second</text>',
            *x_axis(points, bottom, TOP),
            *y_ticks([top_rate * part / 4 for part in range(5)], y_of, lambda tick: f"{tick:,.0f}"),
            line(places, "rate"), dots(places, "rate-dot")]


def latency_panel(points):
    top, bottom = TOP + PANEL + GAP, TOP + 2 * PANEL + GAP
    values = [each[name] for each in points for name in ("p50_ms", "p99_ms")]
    low = math.floor(math.log10(max(min(values), 0.1)))
    high = max(math.ceil(math.log10(max(*values, 1))), low + 1)

    def y_of(value):
        part = (math.log10(max(value, 10 ** low)) - low) / (high - low)
        return bottom - PANEL * part
    most = points[-1]["stations"]
    p50 = [(x_of(each["stations"], most), y_of(each["p50_ms"])) for each in points]
    p99 = [(x_of(each["stations"], most), y_of(each["p99_ms"])) for each in points]
    return [f'<text x="{LEFT}" y="{top - 10}">milliseconds from a request to its certificate: '
            'p99, and p50 dashed</text>',
            *x_axis(points, bottom, top),
            *y_ticks([10 ** each for each in range(low, high + 1)], y_of, lambda tick: f"{tick:,g}"),
            line(p50, "p50"), line(p99, "p99"), dots(p99, "p99-dot"),
            f'<text class="small" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{bottom + 38}" '
            'text-anchor="middle">stations</text>']


def draw(data):
    points = data["points"]
    title = f"linesign under load: {data['window']} requests of each station on their way"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 20}" role="img">',
             f"<title>{title}</title>", f"<style>{STYLE}</style>",
             f'<rect class="ground" width="{WIDTH}" height="{HEIGHT + 20}"/>',
             f'<text class="title" x="{LEFT}" y="28">{title}</text>',
             *rate_panel(points), *latency_panel(points),
             f'<text class="small" x="{LEFT}" y="{HEIGHT + 10}">{data["machine"]}; the stations run on '
             'the same machine</text>', "</svg>"]
    return "\n".join(parts) + "\n"


# --- the command --------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--stations", default=STATIONS)
    parser.add_argument("--window", type=int, default=64)
    parser.add_argument("--warm-up", type=float, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--data", type=Path, help="keep the points here")
    parser.add_argument("--draw", type=Path, help="draw these points; measure nothing")
    options = parser.parse_args()
    data = json.loads(options.draw.read_text()) if options.draw else measure(options)
    if options.data:
        options.data.write_text(json.dumps(data, indent=1) + "\n")
    options.out.write_text(draw(data))
    print(data["machine"])
    print("| stations | certificates/s | p50 ms | p99 ms |\n|---|---|---|---|")
    for each in data["points"]:
        print(f"| {each['stations']} | {each['certificates_per_second']:,.0f} | {each['p50_ms']:,.1f} | "
              f"{each['p99_ms']:,.1f} |")
    print(f"\n{options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
