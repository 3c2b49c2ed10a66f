# SPDX-License-Identifier: Apache-2.0
# One drawing of a benchmark run: a bar a case, its time beside its roof and its target. Called by
# `./dev gpu`; knows rows of figures, no device.
from html import escape

ROW, LEFT, WIDE = 18, 230, 460  # pixels: of a row, before the bars, of a bar that is at its roof
COLOURS = {True: "#2a7f62", False: "#c0562f", None: "#5b6b7a"}


def roofs_svg(rows, device):
    """Share of the roof of each row that has one; a tick where its target lies."""
    rows = [row for row in rows if row.get("share_of_roof")]
    height = ROW * (len(rows) + 3)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDE + 130}" '
           f'height="{height}" font-family="sans-serif" font-size="12" role="img" '
           f'aria-label="share of the roof by case">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="8" y="{ROW}">{escape(device)}: roof over time of a call; '
           'tick: the target; green: met</text>']
    for i, row in enumerate(rows):
        y = ROW * (i + 2)
        share = min(row["share_of_roof"], 1.15)
        colour = COLOURS[row.get("met")]
        out.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(row["id"])}'
                   '</text>')
        out.append(f'<rect x="{LEFT}" y="{y + 2}" width="{WIDE * share:.1f}" height="{ROW - 5}" '
                   f'fill="{colour}"/>')
        if row.get("target_us"):
            x = LEFT + WIDE * min(row["roof_us"] / row["target_us"], 1.15)
            out.append(f'<path d="M{x:.1f} {y}v{ROW - 1}" stroke="black" stroke-width="2"/>')
        x = LEFT + WIDE * share + 6
        out.append(f'<text x="{x:.1f}" y="{y + 12}">{row["us"]:.1f} us</text>')
    x = LEFT + WIDE
    out.append(f'<path d="M{x} {ROW * 2}V{height - ROW}" stroke="#999" stroke-dasharray="4 3"/>')
    out.append(f'<text x="{x}" y="{height - 4}" text-anchor="middle">roof</text></svg>')
    return "\n".join(out) + "\n"
