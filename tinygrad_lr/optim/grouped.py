"""The groups of an optimizer: hyperparameters checked, parameters named and moved into arenas. Next: optimizer.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from tinygrad_lr import Tensor

from .arena import Segment
from .groups import EXTRA_KEYS, ParamGroup, check_extra, named_groups, refuse_unrepresentable, unknown_key
from .plan import Plan
from .validation import Validator


class Grouped:
    """The part of `Optimizer` that knows its parameters; see there for the arguments."""

    validators: ClassVar[dict[str, Validator]]
    dialects: ClassVar[dict[str, dict[str, Any]]]

    def __init__(self, params: Any, dialect: str, **given: Any) -> None:
        if dialect not in self.dialects:
            known = ", ".join(map(repr, self.dialects))
            raise ValueError(f"{type(self).__name__} knows the dialects {known}; got {dialect!r}")
        chosen = {key: value for key, value in given.items() if value is not None}
        self.dialect = dialect
        self.defaults = self.checked({**self.dialects[dialect], **chosen})
        self.param_groups: list[ParamGroup] = []
        self._segments: list[list[Segment]] = []
        self._plans: list[Plan | None] = []
        self._names: dict[int, str] = {}
        groups = named_groups(params)
        self._refuse_duplicates([param for group in groups for _, param in group["params"]])
        prepared = [self._prepared(group) for group in groups]
        for values, names in prepared:
            self._adopt(values, names)

    def constraints(self, group: Mapping[str, Any]) -> None:
        """Raise a ValueError where hyperparameters (the rate aside) contradict each other."""

    def checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Every hyperparameter, checked alone and together."""
        for key in values:
            if key not in self.validators:
                raise unknown_key(key, self.validators, type(self).__name__)
        found = {key: self.validators[key](key, value) for key, value in values.items()}
        self.constraints(found)
        return found

    def _check_item(self, group: ParamGroup, key: str, value: Any) -> Any:
        """What `group[key] = value` stores."""
        if key in EXTRA_KEYS:
            return check_extra(key, value)
        if key == "params":
            raise ValueError("a group's parameters cannot be assigned; use add_param_group for more parameters")
        if key not in self.validators:
            raise unknown_key(key, self.validators, type(self).__name__)
        value = self.validators[key](key, value)
        if key != "lr":  # the rate changes at every step, and stands in no constraint
            self.constraints({**group, key: value})
        refuse_unrepresentable(key, value, group["params"])
        return value

    def _refuse_duplicates(self, params: list[Tensor]) -> None:
        seen = {id(param) for group in self.param_groups for param in group["params"]}
        for param in params:
            if id(param) in seen:
                raise ValueError(
                    f"parameter {param.name or ''} of shape {param.shape} appears more than once; "
                    "give each parameter to one group, once"
                )
            seen.add(id(param))

    def _prepared(self, group: dict[str, Any]) -> tuple[dict[str, Any], list[str | None]]:
        """One group's values, checked against this optimizer, before anything is changed."""
        values = {
            key: value for key, value in group.items() if key not in ("params", *EXTRA_KEYS) and value is not None
        }
        hyperparameters = self.checked({**self.defaults, **values})
        extra = {key: check_extra(key, group[key]) for key in EXTRA_KEYS if key in group}
        params = [param for _, param in group["params"]]
        if not params:
            raise ValueError("a parameter group is empty; leave it out or give it parameters")
        for key, value in hyperparameters.items():
            refuse_unrepresentable(key, value, params)
        return {"params": params, **hyperparameters, **extra}, [name for name, _ in group["params"]]

    def _adopt(self, values: dict[str, Any], names: list[str | None]) -> None:
        """Name the parameters, move them into arenas and append the group."""
        taken = set(self._names.values())
        for i, (param, name) in enumerate(zip(values["params"], names, strict=True)):
            base = name or f"group{len(self.param_groups)}.param{i}"
            unique, copies = base, 1
            while unique in taken:
                copies += 1
                unique = f"{base}#{copies}"
            taken.add(unique)
            self._names[id(param)] = unique
        alike: dict[tuple[Any, str], list[Tensor]] = {}
        for param in values["params"]:
            alike.setdefault((param.dtype, param.device), []).append(param)
        self._segments.append([Segment(p, [self._names[id(x)] for x in p]) for p in alike.values()])
        self._plans.append(None)
        self.param_groups.append(ParamGroup(values, partial(type(self)._check_item, self)))

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with hyperparameters of their own; what the group does not say takes the optimizer's defaults.

        Args:
            group: a dict with the key "params" (a Tensor, Tensors or (name, Tensor) pairs) and any hyperparameters.

        Raises:
            TypeError: `group` is no dict, or has an unknown hyperparameter.
            ValueError: a parameter belongs to this optimizer already, or a value is out of range.

        Example:
            >>> from tinygrad_lr import optim, zeros
            >>> optimizer = optim.SGD([zeros(3, requires_grad=True)], lr=0.1)
            >>> optimizer.add_param_group({"params": zeros(2, requires_grad=True), "lr": 0.01})
            >>> [group["lr"] for group in optimizer.param_groups]
            [0.1, 0.01]
        """
        if not isinstance(group, Mapping):
            raise TypeError(f"a parameter group must be a dict with a key 'params', got {type(group).__name__}")
        (named,) = named_groups([group])
        self._refuse_duplicates([param for _, param in named["params"]])
        self._adopt(*self._prepared(named))
