"""Lines of very many points (web/src/lab/lines.ts), in Node: a column of pixels keeps its highest and lowest place."""

import json

import numpy as np
from node_cases import in_node

from tinygrad_lr import lab

LINES = f"{lab.__path__[0]}/web/src/lab/lines.ts"
DRAWN = f"""
import({json.dumps(f"file://{LINES}")}).then(({{ inColumns }}) => {{
    const {{ xs, ys }} = JSON.parse(fs.readFileSync(`${{folder}}/given.json`, "utf8"));
    const found = inColumns(xs.length, (i) => xs[i], (i) => ys[i]);
    fs.writeFileSync(`${{folder}}/found.bin`, JSON.stringify(found));
}});
"""


def drawn(folder, xs, ys):
    """The points that are drawn of a line, a row each."""
    return np.array(json.loads(in_node(DRAWN, folder, {"xs": xs.tolist(), "ys": ys.tolist()})))


def test_every_column_keeps_its_lowest_highest_and_last_point(tmp_path):
    rng = np.random.default_rng(0)
    xs, ys = np.linspace(60, 70, 5001), rng.standard_normal(5001)
    points = drawn(tmp_path, xs, ys)
    assert len(points) < 35
    for column in range(60, 71):
        there, seen = np.floor(xs) == column, points[np.floor(points[:, 0]) == column]
        assert [seen[:, 1].min(), seen[:, 1].max()] == [ys[there].min(), ys[there].max()]
        assert seen[-1].tolist() == [xs[there][-1], ys[there][-1]]


def test_a_line_of_few_points_is_drawn_as_it_is(tmp_path):
    xs, ys = np.arange(50) * 3.5, np.sin(np.arange(50))
    assert (drawn(tmp_path, xs, ys) == np.column_stack([xs, ys])).all()
