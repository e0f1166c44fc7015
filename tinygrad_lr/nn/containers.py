"""Containers: Sequential, ModuleList, ModuleDict, ParameterList. What they hold belongs to the Module that holds them.

Next: `layers.py`; `module.py` for how parts are registered.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Generic, TypeVar, cast, overload

from tinygrad_lr.engine.tensor import Tensor

from .module import MODULE, PARAMETER, Module, Parameter, checked_output, name_parts

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]

_Part = TypeVar("_Part")
_Self = TypeVar("_Self", bound="_Numbered[Any]")


class _Numbered(Module, Generic[_Part]):
    """A list of parts of one kind, which are named "0", "1", ... in their order."""

    _kind = MODULE

    def _checked(self, entry: Any, at: int) -> Any:
        """An entry that can be a part. Raises TypeError for another one."""
        if not isinstance(entry, Module):
            raise TypeError(f"{_a(self)} takes Modules, got {type(entry).__name__} at position {at}")
        self._check_part(str(at), entry)
        return entry

    def _names(self) -> list[str]:
        own = vars(self)
        return [name for name, kind in self._registered.items() if kind == self._kind and own[name] is not None]

    def _replace(self: _Self, entries: Iterable[Any]) -> _Self:
        """Hold these entries and no others; nothing changes unless all can be parts."""
        checked = [self._checked(entry, i) for i, entry in enumerate(entries)]
        for name in self._names():
            delattr(self, name)
        for i, entry in enumerate(checked):
            self._put(str(i), entry)
        name_parts(self)
        return self

    def _put(self, name: str, entry: Any) -> None:
        """Hold an entry, which keeps the names that its parameters have."""
        vars(self).setdefault("_registered", {})[name] = self._kind
        object.__setattr__(self, name, entry)

    def _of(self: _Self, named: Iterable[tuple[str, Any]]) -> _Self:
        """A container of the same kind that shares these entries; their parameters keep the names that they have."""
        own = next(kind for kind in type(self).__mro__ if kind in (Sequential, ModuleList, ParameterList))
        plain = type(self) if type(self).__init__ is own.__init__ else own  # another __init__ takes what it likes
        part = cast(_Self, plain())
        for name, entry in named:
            part._put(name, entry)
        part.training = self.training
        return part

    def append(self: _Self, entry: _Part) -> _Self:
        """Add an entry at the end; returns the container."""
        return self.extend([entry])

    def extend(self: _Self, entries: Iterable[_Part]) -> _Self:
        """Add entries at the end; returns the container."""
        numbers = {int(name) for name in self._names() if name.isdecimal()}
        first = max([len(self) - 1, *numbers]) + 1  # in a slice of a Sequential, numbers beyond its length are taken
        added = [self._checked(entry, len(self) + i) for i, entry in enumerate(_listed(entries, self))]
        for i, entry in enumerate(added):
            self._put(str(first + i), entry)
        name_parts(self)
        return self

    def insert(self: _Self, index: int, entry: _Part) -> _Self:
        """Add an entry before an index; all are numbered anew. Returns the container."""
        entries = list(self)
        entries.insert(index, entry)
        return self._replace(entries)

    def pop(self, index: int = -1) -> _Part:
        """Remove the entry at an index, and return it; the others are numbered anew."""
        entries = list(self)
        removed: _Part = entries.pop(index)
        self._replace(entries)
        return removed

    def __iadd__(self: _Self, entries: Iterable[_Part]) -> _Self:
        return self.extend(entries)

    def __add__(self: _Self, entries: Iterable[_Part]) -> _Self:
        every = [*self, *_listed(entries, self)]
        return self._of([(str(i), self._checked(entry, i)) for i, entry in enumerate(every)])

    def __len__(self) -> int:
        return len(self._names())

    def __iter__(self) -> Iterator[_Part]:
        own = vars(self)
        return iter([own[name] for name in self._names()])

    @overload
    def __getitem__(self: _Self, index: int) -> _Part: ...

    @overload
    def __getitem__(self: _Self, index: slice) -> _Self: ...

    def __getitem__(self: _Self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._of([(str(i), entry) for i, entry in enumerate(list(self)[index])])
        return list(self)[index]

    @overload
    def __setitem__(self, index: int, entry: _Part) -> None: ...

    @overload
    def __setitem__(self, index: slice, entry: Iterable[_Part]) -> None: ...

    def __setitem__(self, index: int | slice, entry: Any) -> None:
        if isinstance(index, slice):
            entries = list(self)
            entries[index] = _listed(entry, self)
            self._replace(entries)
        else:
            name, at = self._names()[index], range(len(self))[index]
            setattr(self, name, self._checked(entry, at))

    def __delitem__(self, index: int | slice) -> None:
        entries = list(self)
        del entries[index]
        self._replace(entries)


def _a(container: object) -> str:
    return f"a {type(container).__name__}"


def _listed(entries: Any, container: object) -> list[Any]:
    if not isinstance(entries, Iterable) or isinstance(entries, (str, bytes, Mapping, set, frozenset, Tensor)):
        raise TypeError(f"{_a(container)} takes a list of entries, got {type(entries).__name__}")
    return list(entries)


class Sequential(_Numbered[Module]):
    """Modules one after the other, named "0", "1", ..., or as a dict names them.

    A slice is a Sequential that shares the Modules; their names stay.

    Raises:
        TypeError: a part is no Module.

    Example:
        >>> from tinygrad_lr.nn import Linear, ReLU
        >>> model = Sequential(Linear(4, 8), ReLU(), Linear(8, 1))
        >>> [name for name, _ in model.named_parameters()]
        ['0.weight', '0.bias', '2.weight', '2.bias']
        >>> model[1:]
        Sequential(
          (1): ReLU()
          (2): Linear(in_features=8, out_features=1, bias=True)
        )
    """

    def __init__(self, *parts: Module | Mapping[str, Module]) -> None:
        if len(parts) == 1 and isinstance(parts[0], Mapping):
            for name, part in parts[0].items():
                if not isinstance(part, Module):
                    raise TypeError(f"{_a(self)} takes Modules, got {type(part).__name__} under {name!r}")
                self.add_module(name, part)
        else:
            self._replace(parts)

    def forward(self, x: Any) -> Any:
        own = vars(self)
        for name in self._registered:  # written out, because every step comes here
            part = own[name]
            if isinstance(part, Module):
                x = checked_output(part, part.forward(x))
        return x

    @overload
    def __getitem__(self: _Self, index: int) -> Module: ...

    @overload
    def __getitem__(self: _Self, index: slice) -> _Self: ...

    def __getitem__(self: _Self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._of(list(zip(self._names(), self, strict=True))[index])
        return list(self)[index]


class ModuleList(_Numbered[Module]):
    """A list of Modules whose parameters belong to the Module that holds the list; they are named "0", "1", ...

    It has no `forward`: the Module that holds it says how its entries are used. A slice is a ModuleList that shares the
    Modules; their parameters keep their `.name`.

    Args:
        modules: the first entries.

    Raises:
        TypeError: an entry is no Module.

    Example:
        >>> from tinygrad_lr.nn import Linear
        >>> class Network(Module):
        ...     def __init__(self):
        ...         self.layers = ModuleList([Linear(4, 8), Linear(8, 1)])
        ...     def forward(self, x):
        ...         for layer in self.layers:
        ...             x = layer(x)
        ...         return x
        >>> [name for name, _ in Network().named_parameters()]
        ['layers.0.weight', 'layers.0.bias', 'layers.1.weight', 'layers.1.bias']
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raise NotImplementedError: a list does not say how its entries are used."""
        raise NotImplementedError(
            "a ModuleList has no forward(); call its entries, `for layer in self.layers: x = layer(x)`, or use "
            "nn.Sequential"
        )


class ParameterList(_Numbered[Parameter]):
    """A list of Parameters that belong to the Module that holds the list; they are named "0", "1", ...

    Args:
        values: Parameters, or Tensors and arrays, of which Parameters are made, with copies of their values.

    Raises:
        TypeError: an entry cannot be a Parameter.

    Example:
        >>> from tinygrad_lr import ones
        >>> class Polynomial(Module):
        ...     def __init__(self):
        ...         self.coefficients = ParameterList([ones(1), ones(1)])
        ...     def forward(self, x):
        ...         return self.coefficients[0] + self.coefficients[1] * x
        >>> [name for name, _ in Polynomial().named_parameters()]
        ['coefficients.0', 'coefficients.1']
    """

    _kind = PARAMETER

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.extend(values)

    def _checked(self, entry: Any, at: int) -> Parameter:
        return entry if isinstance(entry, Parameter) else Parameter(entry)

    def extra_repr(self) -> str:
        return "\n".join(f"({i}): Parameter of shape {p.shape}, {p.dtype}" for i, p in enumerate(self))


class ModuleDict(Module):
    """Modules by name, whose parameters belong to the Module that holds the dict. It has no `forward`.

    Args:
        modules: the first entries: a dict, or pairs of names and Modules.

    Raises:
        TypeError: an entry is no Module. KeyError: a name with a dot, an empty one, or that of an attribute.

    Example:
        >>> from tinygrad_lr.nn import Linear
        >>> towers = ModuleDict({"vision": Linear(3, 2), "text": Linear(4, 2)})
        >>> list(towers), [name for name, _ in towers.named_parameters()][:2]
        (['vision', 'text'], ['vision.weight', 'vision.bias'])
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        self.update(modules)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add Modules, or put them in the place of those of the same names."""
        try:
            named = dict(modules)
        except (TypeError, ValueError) as error:
            found = type(modules).__name__
            raise TypeError(f"a ModuleDict takes a dict, or pairs of names and Modules, got {found}") from error
        for name, module in named.items():
            self[name] = module

    def pop(self, name: str) -> Module:
        """Remove the Module of a name, and return it."""
        removed = self[name]
        delattr(self, name)
        return removed

    def clear(self) -> None:
        """Remove all."""
        for name in list(self):
            delattr(self, name)

    def keys(self) -> KeysView[str]:
        """The names."""
        return self._entries().keys()

    def values(self) -> ValuesView[Module]:
        """The Modules."""
        return self._entries().values()

    def items(self) -> ItemsView[str, Module]:
        """The names and Modules."""
        return self._entries().items()

    def _entries(self) -> dict[str, Module]:
        own = vars(self)
        return {name: own[name] for name, kind in self._registered.items() if kind == MODULE and own[name] is not None}

    def __getitem__(self, name: str) -> Module:
        return self._entries()[name]

    def __setitem__(self, name: str, module: Module) -> None:
        if not isinstance(module, Module):
            raise TypeError(f"{_a(self)} takes Modules, got {type(module).__name__} under {name!r}")
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        self.pop(name)

    def __contains__(self, name: object) -> bool:
        return name in self._entries()

    def __len__(self) -> int:
        return len(self._entries())

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Raise NotImplementedError: a dict does not say how its entries are used."""
        raise NotImplementedError("a ModuleDict has no forward(); call its entries, self.layers[name](x)")
