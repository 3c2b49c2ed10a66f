# SPDX-License-Identifier: Apache-2.0
# weft.viz draws what plans and benchmarks say: the numbers of bars, not their looks.
import json

import pytest

import weft
from weft import viz

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def test_a_plan_has_a_bar_for_each_item():
    attn = weft.Attention(
        weft.AttentionConfig(dtype_q="f32", dtype_kv="f32", num_qo_heads=2, num_kv_heads=1,
                             head_dim_qk=32, max_batch_size=4, max_nnz_qo=64),
        weft.Target(num_workers=4))
    plan = attn.plan(weft.AttentionBatch([0, 2, 3], [0, 600, 2000]))
    axes = viz.plan_timeline(plan)
    assert len(axes.patches) == plan.num_items
    assert any(bar.get_hatch() for bar in axes.patches)
    assert "2 requests" in axes.get_title()
    costs = sum(item["cost"] for group in plan.to_dict()["lists"][0]["groups"] for item in group)
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(costs / 1e3)


def test_a_roofline_has_a_bar_for_each_row_with_a_roof(tmp_path):
    rows = [{"id": "decode/a", "us": 2.0, "ratio_to_roof": 0.5},
            {"id": "prefill/b", "us": 3.0, "share_of_roof": 0.25}, {"id": "plan/c", "us": 1.0}]
    file = tmp_path / "bench.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for results in (rows, file, [json.dumps(row) for row in rows]):
        assert [bar.get_width() for bar in viz.roofline(results).patches] == [25, 50]
    with pytest.raises(ValueError, match="results: expected rows"):
        viz.roofline(rows[2:])
