"""What the schedule tests share: arguments for the rows of SCHEDULES, and a small optimizer."""

import copy

from hypothesis import strategies as st

from tinygrad_lr.schedules import SCHEDULES

factors = st.one_of(st.sampled_from([0.0, 0.1, 1.0]), st.floats(0, 4, allow_subnormal=False).map(lambda x: round(x, 6)))
KINDS = {
    "steps": st.one_of(st.integers(0, 5), st.integers(0, 120)),
    "factor": factors,
    "positive": st.floats(1e-4, 2),
    "power": st.one_of(st.sampled_from([0.5, 1.0, 2.0]), st.floats(0.1, 8)),
    "timescale": st.one_of(st.integers(1, 5), st.integers(1, 120)),
    "decay": st.one_of(st.just(1.0), st.floats(0.01, 1)),
    "share": st.one_of(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.floats(0, 1)),
    "multiple": st.sampled_from([1, 2, 3, 1.5, 1.1]),
    "real": st.floats(-8, 8),
}
EXAMPLES = {
    "steps": 6,
    "factor": 0.5,
    "positive": 0.5,
    "power": 2.0,
    "timescale": 6,
    "decay": 0.5,
    "share": 0.5,
    "multiple": 2,
    "real": 0.5,
    "milestones": [2, 4],
    "values": [1.0, 0.5, 0.2],
}


def example_of(row):
    """One choice of arguments for the constructor of a row."""
    kinds = row.arguments.items()
    return {name: kind[0] if isinstance(kind, tuple) else EXAMPLES[kind] for name, kind in kinds}


def arguments_of(row):
    """Arguments for the constructor of a row, drawn."""
    kinds = row.arguments.items()
    marks = st.lists(st.integers(0, 60), unique="values" in row.arguments, max_size=5).map(sorted)
    values = st.lists(factors, min_size=6, max_size=6)
    drawn = {**KINDS, "milestones": marks, "values": values}
    return st.fixed_dictionaries(
        {name: st.sampled_from(kind) if isinstance(kind, tuple) else drawn[kind] for name, kind in kinds}
    ).map(_one_value_more)


def _one_value_more(arguments):
    """As many values as the milestones need."""
    if "values" not in arguments:
        return arguments
    return {**arguments, "values": arguments["values"][: len(arguments["milestones"]) + 1]}


@st.composite
def finite_schedules(draw):
    """Any schedule of the table that has an end."""
    row = draw(st.sampled_from([row for row in SCHEDULES.values() if "steps" in row.arguments.values()]))
    return row.build(**draw(arguments_of(row)))


class Groups:
    """The least that a scheduler drives: parameter groups with rates, saved and loaded as torch does."""

    def __init__(self, *rates):
        self.param_groups = [{"lr": rate} for rate in rates]

    def add_param_group(self, group):
        self.param_groups.append(group)

    def state_dict(self):
        return {"param_groups": copy.deepcopy(self.param_groups)}

    def load_state_dict(self, state):
        self.param_groups = copy.deepcopy(state["param_groups"])
