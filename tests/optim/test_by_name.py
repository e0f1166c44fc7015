"""Parameter groups by names: which parameters a pattern takes, what it is refused for, and that training has them."""

import re

import numpy as np
import pytest

from tinygrad_lr import nn, ones, optim, tensor
from tinygrad_lr.optim import decay_groups, param_groups


class Net(nn.Module):
    def __init__(self):
        self.body = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 4))
        self.images = nn.LayerNorm((2, 2))
        self.head = nn.Linear(4, 1)
        self.scale = nn.Parameter(ones(1).data)


NAMES = [name for name, _ in Net().named_parameters()]


def shown(groups):
    return [
        ([name for name, _ in group["params"]], {key: value for key, value in group.items() if key != "params"})
        for group in groups
    ]


def test_a_parameter_takes_what_all_matching_patterns_say_and_the_later_one_counts():
    model = Net()
    rows = [("*.bias", {"weight_decay": 0.0, "lr": 1.0}), ("head.*", {"lr": 0.5})]
    found = shown(param_groups(model, rows, weight_decay=0.1))
    rest = [name for name in NAMES if not name.endswith("bias") and not name.startswith("head")]
    expected = [
        (rest, {"weight_decay": 0.1}),
        ([n for n in NAMES if n.endswith("bias") and n != "head.bias"], {"weight_decay": 0.0, "lr": 1.0}),
        (["head.weight"], {"weight_decay": 0.1, "lr": 0.5}),
        (["head.bias"], {"weight_decay": 0.0, "lr": 0.5}),
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert found[0][0][0] == NAMES[0], "in the order of the first parameter"
    every = [param for group in param_groups(model, rows) for _, param in group["params"]]
    assert {id(param) for param in every} == {id(param) for param in model.parameters()} and len(every) == len(NAMES)


@pytest.mark.parametrize(
    ("pattern", "taken"),
    [
        ("head.weight", ["head.weight"]),
        ("body.[02].weight", ["body.0.weight", "body.2.weight"]),
        ("?cale", ["scale"]),
        ("*", NAMES),
        (["head.*", "scale"], ["head.weight", "head.bias", "scale"]),
        (("*.1.*",), ["body.1.weight", "body.1.bias"]),
        (lambda name, param: param.shape == (4, 3), ["body.0.weight"]),
        (["scale", lambda name, param: param.shape == (1, 4)], ["scale", "head.weight"]),
    ],
)
def test_patterns_are_matched_with_the_whole_name(pattern, taken):
    found = shown(param_groups(Net(), [(pattern, {"lr": 0.5})]))
    assert sorted(next(names for names, settings in found if settings)) == sorted(taken)


@pytest.mark.parametrize(
    "pattern", ["bias", "*.Bias", "head", "body.*.gain", ["head.*", "tail.*"], lambda name, p: False]
)
def test_a_pattern_that_matches_nothing_is_an_error_that_lists_the_names(pattern):
    said = re.escape(", ".join(NAMES))
    with pytest.raises(ValueError, match=rf"groups\[1\]: the .* matches no parameter; their names are {said}"):
        param_groups(Net(), [("*", {}), (pattern, {"lr": 0.5})])


def test_pairs_of_names_will_do_and_groups_have_the_effect_of_groups_by_hand():
    results = []
    for by_hand in (False, True):
        model = Net()
        for i, param in enumerate(model.parameters()):
            param.data = np.full(param.shape, 0.5 + i)
            param.grad = np.full(param.shape, 1.0)
        if by_hand:
            biases = [(n, p) for n, p in model.named_parameters() if n.endswith("bias")]
            rest = [(n, p) for n, p in model.named_parameters() if not n.endswith("bias")]
            groups = [{"params": rest, "weight_decay": 0.1}, {"params": biases, "weight_decay": 0.0}]
        else:
            groups = param_groups(model.named_parameters(), [("*.bias", {"weight_decay": 0.0})], weight_decay=0.1)
        optimizer = optim.AdamW(groups, lr=0.1)
        optimizer.step()
        results.append([param.data.tobytes() for param in model.parameters()])
        assert [len(names) for names in (g["params"] for g in optimizer.param_groups)] == [6, 5]
        assert optimizer.state_dict()["param_groups"][1]["param_names"][0] == "body.0.bias"
    assert results[0] == results[1]


def test_biases_and_norms_have_no_decay():
    model = Net()
    spared, decayed = shown(decay_groups(model, 0.25))  # "scale" is the first parameter
    assert decayed == (["body.0.weight", "body.2.weight", "head.weight"], {"weight_decay": 0.25})
    assert spared == ([n for n in NAMES if n not in decayed[0]], {"weight_decay": 0.0})
    assert "images.weight" in spared[0], "a norm over two axes"
    rows = [("head.*", {"lr": 0.5}), ("scale", {"weight_decay": 1.0})]
    found = shown(decay_groups(model, 0.25, rows, betas=(0.8, 0.9)))
    assert (["head.bias"], {"weight_decay": 0.0, "lr": 0.5, "betas": (0.8, 0.9)}) in found
    assert (["scale"], {"weight_decay": 1.0, "betas": (0.8, 0.9)}) in found
    with pytest.raises(ValueError, match=r"groups\[0\]: the pattern 'tail.\*' matches no"):
        decay_groups(model, 0.25, [("tail.*", {})])
    assert len(decay_groups(nn.Linear(2, 2, bias=False), 0.1)) == 1


def test_what_a_group_has_is_checked_by_the_optimizer():
    with pytest.raises(TypeError, match="did you mean 'weight_decay'"):
        optim.SGD(param_groups(Net(), [("*.bias", {"weight_decy": 0.0})]))
    with pytest.raises(ValueError, match="weight_decay must be at least 0"):
        optim.AdamW(decay_groups(Net(), -0.1))


@pytest.mark.parametrize(
    ("model", "groups", "kind", "message"),
    [
        ([ones(2)], [], TypeError, "one entry is a Tensor, which has no name"),
        (tensor([1.0]), [], TypeError, "takes a Module, or pairs"),
        ({"a": 1}, [], TypeError, "takes a Module, or pairs"),
        ({("a", 1)}, [], TypeError, "parameters need an order"),
        (3, [], TypeError, "got int"),
        (Net(), ["*.bias"], TypeError, r"groups\[0\] must be a pair \(pattern, hyperparameters\)"),
        (Net(), [("*.bias", 0.0)], TypeError, r"groups\[0\] must be a pair"),
        (Net(), [(3, {})], TypeError, "a pattern is a text or a function"),
        (Net(), [([], {})], ValueError, "has no pattern; leave it out"),
        (Net(), [("*", {"params": []})], ValueError, "has the key 'params'"),
    ],
)
def test_mistakes_are_named(model, groups, kind, message):
    with pytest.raises(kind, match=message):
        param_groups(model, groups)


def test_decay_groups_needs_a_module():
    with pytest.raises(TypeError, match="whose norms it knows"):
        decay_groups(Net().named_parameters(), 0.1)
