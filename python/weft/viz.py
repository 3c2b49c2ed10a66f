# SPDX-License-Identifier: Apache-2.0
# Plots for notebooks (extra [viz]): who computes what in a plan, and measurements beside their
# roof. Reads what plans and `weft bench` say of themselves; knows no kernel.
"""Plots of plans and measurements. Needs matplotlib: ``pip install weft[viz]``."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable


def _axes(axes: Any, **size: Any) -> Any:
    if axes is not None:
        return axes
    try:
        import matplotlib.pyplot as pyplot
    except ImportError as error:
        raise ImportError("weft.viz: expected matplotlib, got none; pip install weft[viz]") \
            from error
    return pyplot.subplots(**size)[1]


def plan_timeline(plan: Any, axes: Any = None) -> Any:
    """The items of each group of workers one after another, by the cost model's time, coloured by
    request; pieces of a split tile are hatched. ``plan`` is an AttentionPlan or its ``to_dict()``.
    Returns the axes. The plan of a GPU is read back, which waits for it.
    """
    data = plan if isinstance(plan, dict) else plan.to_dict()
    groups = [group for work in data["lists"] for group in work["groups"]]
    axes = _axes(axes, figsize=(9, max(2.0, 0.14 * len(groups))))
    for row, items in enumerate(groups):
        at = 0.0
        for item in items:
            axes.barh(row, item["cost"] / 1e3, left=at, height=0.8,
                      color=f"C{item['request'] % 10}", edgecolor="white", linewidth=0.4,
                      hatch="//" if item["merge"] >= 0 else None)
            at += item["cost"] / 1e3
    axes.set_xlabel("us by the cost model")
    axes.set_ylabel("workers")
    axes.invert_yaxis()
    merges = sum(work["num_merges"] for work in data["lists"])
    balance = max(work["balance"] for work in data["lists"])
    axes.set_title(f"{data['batch_size']} requests, {merges} merges, balance {balance:.3f}")
    return axes


def rows_of(results: Any) -> list[dict]:
    """Rows of `weft bench --json`: dicts, lines of JSON, or the path of a file of such lines."""
    if isinstance(results, (str, Path)):
        results = Path(results).read_text().splitlines()
    return [json.loads(row) if isinstance(row, str) else row
            for row in results if not isinstance(row, str) or row.strip().startswith("{")]


def roofline(results: Iterable[Any] | str | Path, axes: Any = None) -> Any:
    """Share of the roof that each measured case reached, best first. Rows without a roof are left
    out. Returns the axes."""
    rows = [(share_of(row), row) for row in rows_of(results)]
    told = sorted(((share, row) for share, row in rows if share is not None),
                  key=lambda pair: pair[0])
    if not told:
        raise ValueError("results: expected rows with a share of a roof, got none")
    axes = _axes(axes, figsize=(8, max(2.0, 0.26 * len(told))))
    axes.barh([str(row["id"]) for _, row in told], [100 * share for share, _ in told], color="C0")
    axes.axvline(100, color="black", linewidth=0.8)
    axes.set_xlabel("% of the roof")
    return axes


def share_of(row: dict) -> float | None:
    """`weft bench` calls it ratio_to_roof, the GPU's benchmark share_of_roof."""
    share = row.get("ratio_to_roof", row.get("share_of_roof"))
    return None if share is None else float(share)
