"""Parameter groups by the names of parameters: `param_groups`, and `decay_groups`, which spares biases and norms.

Both return a list of groups for an optimizer, in which every parameter has its name. groups.py checks what they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from tinygrad_lr.engine import Tensor
from tinygrad_lr.integers import shown
from tinygrad_lr.nn import LayerNorm, Module

from .groups import refuse_set

__all__ = ["decay_groups", "param_groups"]

Chooser = str | Sequence[str] | Callable[[str, Tensor], bool]
Row = tuple[Chooser, Mapping[str, Any]]


def param_groups(
    model: Module | Iterable[tuple[str, Tensor]], groups: Iterable[Row], **others: Any
) -> list[dict[str, Any]]:
    """Return groups for an optimizer, whose hyperparameters are chosen by the names of the parameters.

    Args:
        model: a Module, or pairs (name, Tensor), such as `model.named_parameters()`.
        groups: pairs (pattern, hyperparameters). A pattern is matched with the whole dotted name, letter by letter: `*`
            stands for anything, `?` for one character, `[ab]` for one of them. It may also be a list of patterns, or a
            function of (name, parameter). A parameter takes the hyperparameters of all pairs that match it; where two
            set the same one, the later pair counts.
        others: hyperparameters of all parameters, unless a pair that matches has another value.

    Returns:
        A dict for each combination of matching pairs, in the order of the first parameter that has it:
        `{"params": [(name, Tensor), ...], **hyperparameters}`.

    Raises:
        TypeError: no Module and no pairs, or a pair of another kind.
        ValueError: a pattern that matches no parameter (the message lists the names), or one of nothing.

    Example:
        >>> from tinygrad_lr import nn, optim
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> groups = param_groups(model, [("*.bias", {"weight_decay": 0.0}), ("2.*", {"lr": 0.1})], weight_decay=0.01)
        >>> optimizer = optim.AdamW(groups, lr=0.001)
        >>> for group in groups:
        ...     print([name for name, _ in group["params"]], group["weight_decay"], group.get("lr"))
        ['0.weight'] 0.01 None
        ['0.bias'] 0.0 None
        ['2.weight'] 0.01 0.1
        ['2.bias'] 0.0 0.1
    """
    return _grouped(_named(model), [_rule(place, each) for place, each in enumerate(groups)], others)


def decay_groups(model: Module, weight_decay: float, groups: Iterable[Row] = (), **others: Any) -> list[dict[str, Any]]:
    """Return groups for an optimizer in which biases and the parameters of norms have no weight decay.

    No decay have: parameters called "bias", those of `nn.LayerNorm`, and all with fewer than two axes.

    Args:
        model: a Module.
        weight_decay: of all others.
        groups, others: as for `param_groups`; `groups` come later, and may give a decay back.

    Raises:
        TypeError, ValueError: as `param_groups`; the optimizer checks `weight_decay`.

    Example:
        >>> from tinygrad_lr import nn, optim
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2), nn.Linear(2, 1))
        >>> optimizer = optim.AdamW(decay_groups(model, 0.01), lr=0.001)
        >>> for group in optimizer.param_groups:
        ...     print(group["weight_decay"], [param.name for param in group["params"]])
        0.01 ['0.weight', '2.weight']
        0.0 ['0.bias', '1.weight', '1.bias', '2.bias']
    """
    if not isinstance(model, Module):
        raise TypeError(f"decay_groups takes a Module, whose norms it knows, got {type(model).__name__}")
    of_norms = {
        id(param) for module in model.modules() if isinstance(module, LayerNorm) for param in module.parameters()
    }

    def spared(name: str, param: Tensor) -> bool:
        return param.ndim < 2 or name.rpartition(".")[2] == "bias" or id(param) in of_norms

    rules = [_rule(place, each) for place, each in enumerate(groups)]
    named = list(model.named_parameters())
    if any(spared(name, param) for name, param in named):
        rules = [_Rule("", [("", spared)], {"weight_decay": 0.0}), *rules]
    return _grouped(named, rules, {"weight_decay": weight_decay, **others})


class _Rule(NamedTuple):
    """A pair of `groups`: what it is called in a message, its patterns as text and function, its hyperparameters."""

    place: str
    choosers: list[tuple[str, Callable[[str, Tensor], Any]]]
    settings: Mapping[str, Any]


def _grouped(
    named: Sequence[tuple[str, Tensor]], rules: Sequence[_Rule], others: Mapping[str, Any]
) -> list[dict[str, Any]]:
    found: dict[tuple[int, ...], dict[str, Any]] = {}
    used = set()  # of rules and their patterns
    for name, param in named:
        hits = [
            (i, j)
            for i, rule in enumerate(rules)
            for j, (_, matches) in enumerate(rule.choosers)
            if matches(name, param)
        ]
        used.update(hits)
        key = tuple(dict.fromkeys(i for i, _ in hits))
        if key not in found:
            chosen = dict(others)
            for i in key:
                chosen |= rules[i].settings
            found[key] = {"params": [], **chosen}
        found[key]["params"].append((name, param))
    for i, rule in enumerate(rules):
        for j, (text, _) in enumerate(rule.choosers):
            if (i, j) not in used:
                names = ", ".join(name for name, _ in named)
                raise ValueError(f"{rule.place}: {text} matches no parameter; their names are {names}")
    return list(found.values())


def _rule(place: int, given: Any) -> _Rule:
    """A pair of `groups`, checked."""
    what = f"groups[{place}]"
    if not isinstance(given, (tuple, list)) or len(given) != 2 or not isinstance(given[1], Mapping):
        raise TypeError(
            f"{what} must be a pair (pattern, hyperparameters), such as ('*.bias', {{'weight_decay': 0.0}}), "
            f"got {shown(given)}"
        )
    chooser, settings = given
    patterns = list(chooser) if isinstance(chooser, (list, tuple)) else [chooser]
    if not patterns:
        raise ValueError(f"{what} has no pattern; leave it out")
    for each in patterns:
        if not isinstance(each, str) and not callable(each):
            raise TypeError(f"{what}: a pattern is a text or a function of (name, parameter), got {shown(each)}")
    if "params" in settings:
        raise ValueError(f"{what} has the key 'params'; its pattern says which parameters it is for")
    return _Rule(what, [_chooser(each) for each in patterns], dict(settings))


def _chooser(pattern: Any) -> tuple[str, Callable[[str, Tensor], Any]]:
    if callable(pattern):
        return f"the function {getattr(pattern, '__name__', type(pattern).__name__)}", pattern
    return f"the pattern {pattern!r}", lambda name, param: fnmatchcase(name, pattern)


def _named(model: Any) -> list[tuple[str, Tensor]]:
    """The parameters with their names, in order."""
    refuse_set(model)
    if isinstance(model, Module):
        return list(model.named_parameters())
    wanted = "a Module, or pairs (name, Tensor) such as model.named_parameters()"
    if isinstance(model, (str, bytes, Tensor, Mapping)) or not isinstance(model, Iterable):
        raise TypeError(f"param_groups takes {wanted}, got {type(model).__name__}")
    found = list(model)
    for each in found:
        if not isinstance(each, tuple) or len(each) != 2 or not isinstance(each[0], str):
            raise TypeError(f"param_groups takes {wanted}; one entry is a {type(each).__name__}, which has no name")
    return found
