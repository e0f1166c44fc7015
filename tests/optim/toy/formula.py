from tinygrad_lr.verify.formulas import Family


def toy(theta, g, state, t, *, lr, momentum=0.9):
    """Toy: theta follows the average m of past gradients."""
    m = momentum * state["exp_avg"] + (1 - momentum) * g
    return theta - lr * m, {"exp_avg": m}


FAMILY = Family(
    name="toy",
    title="Toy",
    source="tests/optim/toy",
    formula=toy,
    state=lambda settings: {"exp_avg": 0.0},
    lines=lambda settings: ["m <- mu m + (1 - mu) g", "theta <- theta - lr m"],
    symbols={"exp_avg": "m"},
    dialects={"own": {"lr": 1e-3}, "quick": {"lr": 0.1}},
)
