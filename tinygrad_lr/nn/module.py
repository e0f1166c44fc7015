"""Modules: objects whose parameters have names.

Assigning a `Parameter` or a `Module` to an attribute of a `Module` registers it; `register_buffer` registers a Tensor
that is no parameter. The values are ordinary attributes. `_registered` says of what kind each is, in the order of
registration, and every method that goes through the parts reads it there.

Each Parameter carries its full dotted name as seen from the outermost module ("vision.weight"). So optimizers can match
state by name even when they are given `model.vision.parameters()`.

Next: `layers.py`, `containers.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine.dtypes import Array, copy_into, refuse_masked, to_device, to_host
from tinygrad_lr.engine.recording import notify
from tinygrad_lr.engine.saved import changed
from tinygrad_lr.engine.tensor import Tensor, destination

__all__ = ["BUFFER", "MODULE", "PARAMETER", "LoadedKeys", "Module", "Parameter", "checked_output", "name_parts"]

_Output = TypeVar("_Output")
_Self = TypeVar("_Self", bound="Module")

PARAMETER, BUFFER, UNSAVED, MODULE = "parameter", "buffer", "buffer that is not saved", "module"  # kinds of parts
_BUFFERS = (BUFFER, UNSAVED)
Groups = tuple[tuple[str, ...], ...]  # kinds of Tensors: those of a group come in one order, one group after the other
_PARAMETERS, _SAVED, _TENSORS = ((PARAMETER,),), ((PARAMETER,), (BUFFER,)), ((PARAMETER,), _BUFFERS)

_NO_HOOKS = "there are no hooks: compute it in forward(), or write a Module that calls this one"
_ABSENT = {  # what torch's Modules have besides, and what to write here
    **dict.fromkeys(
        (
            "register_forward_hook",
            "register_forward_pre_hook",
            "register_backward_hook",
            "register_full_backward_hook",
            "register_full_backward_pre_hook",
        ),
        _NO_HOOKS,
    ),
    "half": "parameters are float32 or float64; write .float() or .double()",
    "bfloat16": "parameters are float32 or float64; write .float() or .double()",
    "type": "write .to(dtype)",
    "compile": "write training.fit(..., compiled=True), or compile_step(model, loss, optimizer)",
    "share_memory": "parameters are NumPy arrays; copy them into shared memory with state_dict()",
    "_parameters": "write dict(module.named_parameters(recurse=False))",
    "_buffers": "write dict(module.named_buffers(recurse=False))",
    "_modules": "write dict(module.named_children())",
}


class Parameter(Tensor):
    """A Tensor that a Module registers; it requires gradients unless told otherwise.

    Raises:
        TypeError: whole numbers, which cannot require gradients.

    Example:
        >>> Parameter([1.0, 2.0]).requires_grad
        True
    """

    __slots__ = ()

    def __init__(
        self, data: Any, requires_grad: bool = True, dtype: DTypeLike | None = None, device: str = "cpu"
    ) -> None:
        super().__init__(data, requires_grad, dtype, device)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class LoadedKeys(NamedTuple):
    """What `load_state_dict` did not find in the state, and what it found there and has no place for."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base class of layers and models: subclass it, assign parts as attributes, and write `forward`.

    Assigning follows torch's rules. A Parameter or a Module is registered under the attribute's name. In the place of a
    Parameter stands another Parameter or None, in the place of a Module another Module or None, and in the place of a
    buffer another Tensor or None. `del` removes a part.

    Example:
        >>> from tinygrad_lr.nn import Linear
        >>> class Model(Module):
        ...     def __init__(self):
        ...         self.linear = Linear(10, 1)
        ...     def forward(self, x):
        ...         return self.linear(x)
        >>> [name for name, _ in Model().named_parameters()]
        ['linear.weight', 'linear.bias']
    """

    training: bool = True
    _path = ""  # the dotted name of this module in the outermost one, with a dot at the end
    _registered: Mapping[str, str] = MappingProxyType({})  # the kind of each part, in the order of registration

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Subclasses write it, and return the output."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); write one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return checked_output(self, self.forward(*args, **kwargs))

    # --- attributes ---------------------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        kind = self._registered.get(name)
        part = isinstance(value, Parameter) or (isinstance(value, Module) and kind != PARAMETER)
        if part and not isinstance(getattr(type(self), name, None), property):
            self._register(name, value, PARAMETER if isinstance(value, Parameter) else MODULE)
        elif kind is None or value is None or (kind in _BUFFERS and isinstance(value, Tensor)):
            if isinstance(value, (list, tuple, dict, set, frozenset)):
                _refuse_unregistered(self, name, value)
            object.__setattr__(self, name, value)
        else:
            raise TypeError(_REPLACED[kind].format(name=name, given=type(value).__name__))

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if name in self._registered:
            del vars(self)["_registered"][name]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            remedy = f"; {_ABSENT[name]}" if name in _ABSENT else ""
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}{remedy}", name=name, obj=self
            )

    def _register(self, name: str, value: Tensor | Module | None, kind: str) -> None:
        """Make a value a part of a kind. A name that is of this kind already keeps its place in the order."""
        self._check_part(name, value)
        registered: dict[str, str] = vars(self).setdefault("_registered", {})
        if registered.get(name) != kind:
            registered.pop(name, None)
            registered[name] = kind
        object.__setattr__(self, name, value)
        if isinstance(value, (Parameter, Module)):
            name_parts(self)

    def _check_part(self, name: str, value: Tensor | Module | None) -> None:
        if not isinstance(name, str):
            raise TypeError(f"the name of a part is a string, got {name!r}")
        if "." in name or not name:
            raise KeyError(f"the name of a part has no dot and is not empty, got {name!r}")
        if hasattr(Module, name):
            raise KeyError(f"a part cannot be named {name!r}: Modules have an attribute of that name")
        if isinstance(value, Module) and any(each is self for each in value.modules()):
            raise ValueError(
                f"{name!r}: the {type(value).__name__} holds this {type(self).__name__}, which would then be a part of "
                f"itself; for a link that is no part write object.__setattr__(self, {name!r}, module)"
            )

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Register a Parameter, as assigning it does, or the name of one that is None for now.

        Raises:
            TypeError: neither a Parameter nor None. KeyError: an attribute has that name, or it is no name of a part.
        """
        if not isinstance(param, (Parameter, type(None))):
            raise TypeError(f"parameter {name!r} must be a Parameter or None, got {type(param).__name__}")
        self._refuse_taken(name, (PARAMETER,))
        self._register(name, param, PARAMETER)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Register a Tensor that belongs to the state and is no parameter: a running mean, or constants.

        It is an attribute, it moves with `to`, and optimizers do not get it. A compiled step reads it as a constant; a
        `forward` that changes it cannot be compiled.

        Args:
            name: of the attribute. tensor: a Tensor that is no Parameter, or None for now.
            persistent: whether `state_dict` contains it.

        Raises:
            TypeError: not a Tensor, or a Parameter. KeyError: an attribute has that name, or it is no name of a part.

        Example:
            >>> from tinygrad_lr import zeros
            >>> module = Module()
            >>> module.register_buffer("mean", zeros(2))
            >>> list(module.state_dict()), list(module.parameters())
            (['mean'], [])
        """
        persistent = true_or_false("persistent", persistent)
        if isinstance(tensor, Parameter):
            raise TypeError(f"buffer {name!r}: a Parameter is no buffer; write .detach().clone(), or assign it")
        if not isinstance(tensor, (Tensor, type(None))):
            raise TypeError(f"buffer {name!r} must be a Tensor or None, got {type(tensor).__name__}; use tensor(...)")
        self._refuse_taken(name, _BUFFERS)
        self._register(name, tensor, BUFFER if persistent else UNSAVED)

    def add_module(self, name: str, module: Module | None) -> None:
        """Register a Module, as assigning it does, or the name of one that is None for now.

        Raises:
            TypeError: neither a Module nor None. KeyError: an attribute has that name, or it is no name of a part.
        """
        if not isinstance(module, (Module, type(None))):
            raise TypeError(f"module {name!r} must be a Module or None, got {type(module).__name__}")
        self._refuse_taken(name, (MODULE,))
        self._register(name, module, MODULE)

    register_module = add_module

    def _refuse_taken(self, name: str, kinds: tuple[str, ...]) -> None:
        if isinstance(name, str) and hasattr(self, name) and self._registered.get(name) not in kinds:
            raise KeyError(f"{type(self).__name__} has an attribute {name!r} already")

    # --- parts ------------------------------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules that are parts of this one, each once, with their names."""
        seen: set[int] = set()
        for name, child in _children(self):
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        """The modules that are parts of this one, each once."""
        return (child for _, child in self.named_children())

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """This module and all modules inside it, with dotted names; its own name is `prefix`, empty by default.

        Each comes once; without `remove_duplicate` a shared one comes under each of its names.
        """
        seen: set[int] | None = set() if true_or_false("remove_duplicate", remove_duplicate) else None
        return _modules(self, _text("prefix", prefix), seen)

    def modules(self) -> Iterator[Module]:
        """This module and all modules inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with dotted names as seen from this module.

        The order is torch's: a module's own parameters in the order of assignment, then those of its children.

        Args:
            prefix: what their names begin with, followed by a dot.
            recurse: whether those of the modules inside it are given, too.
            remove_duplicate: whether a shared one comes once, under its first name.

        Raises:
            TypeError: an attribute is a list, tuple, dict or set of Modules or Parameters, which would be left out.
        """
        _refuse_hidden_parts(self)
        return _named(self, _PARAMETERS, prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once; without `recurse` only its own."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with dotted names; arguments and order as for `named_parameters`."""
        return _named(self, (_BUFFERS,), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once; without `recurse` only its own."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module of a dotted name; of an empty one, this module.

        Raises:
            AttributeError: there is none of that name.
        """
        found = self
        for name in filter(None, _text("target", target).split(".")):
            part = vars(found).get(name)
            if not isinstance(part, Module):
                raise AttributeError(f"{target!r}: {type(found).__name__} has no module {name!r}")
            found = part
        return found

    def get_parameter(self, target: str) -> Parameter:
        """The parameter of a dotted name. Raises AttributeError where there is none."""
        found = self._get(target, (PARAMETER,), "parameter")
        assert isinstance(found, Parameter)
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer of a dotted name. Raises AttributeError where there is none."""
        return self._get(target, _BUFFERS, "buffer")

    def _get(self, target: str, kinds: tuple[str, ...], kind: str) -> Tensor:
        path, _, name = _text("target", target).rpartition(".")
        module = self.get_submodule(path)
        found: Tensor | None = vars(module).get(name) if module._registered.get(name) in kinds else None
        if found is None:
            raise AttributeError(f"{target!r}: {type(module).__name__} has no {kind} {name!r}")
        return found

    def apply(self: _Self, fn: Callable[[Module], object]) -> _Self:
        """Call a function with every module inside this one, then with this one; returns the module.

        Raises:
            TypeError: `fn` cannot be called.

        Example:
            >>> from tinygrad_lr.nn import Linear, ReLU, Sequential
            >>> names = []
            >>> _ = Sequential(Linear(1, 1), ReLU()).apply(lambda module: names.append(type(module).__name__))
            >>> names
            ['Linear', 'ReLU', 'Sequential']
        """
        if not callable(fn):
            raise TypeError(f"apply needs a function of one Module, got {type(fn).__name__}")
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    # --- saving and loading -----------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "") -> dict[str, np.ndarray[Any, Any]]:
        """Copies of all parameters and buffers by name (a shared one under each of its names), on the CPU.

        Args:
            prefix: what the names begin with, as it stands; torch's own ends with a dot.

        Raises:
            TypeError: an attribute is a list, tuple, dict or set of Modules or Parameters, which would be left out.

        Example:
            >>> from tinygrad_lr.nn import Linear
            >>> {name: array.shape for name, array in Linear(3, 2).state_dict().items()}
            {'weight': (2, 3), 'bias': (2,)}
        """
        _refuse_hidden_parts(self)
        found = {}
        for name, part in _all(self, _SAVED, _text("prefix", prefix)):
            notify(part, "state_dict()")
            found[name] = to_host(part._data).copy()
        return found

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> LoadedKeys:
        """Copy values into the parameters and buffers; nothing is written unless everything fits.

        Args:
            state: an array or Tensor for each name that `state_dict` returns, of the same shape. Values are cast to the
                dtype here, which must be able to hold them: finite ones stay finite, and whole numbers the same.
            strict: whether missing and unexpected names are errors. Without, they are left alone.

        Returns:
            The names that were missing and unexpected: `.missing_keys` and `.unexpected_keys`.

        Raises:
            TypeError: `state` is no mapping, or an attribute holds parts in a list (as for `state_dict`).
            ValueError: a name is missing or unexpected, or its array is of another shape or kind, or masked.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict needs a mapping of names to arrays, got {type(state).__name__}")
        strict = true_or_false("strict", strict)
        _refuse_hidden_parts(self)
        own = dict(_all(self, _SAVED))
        keys = LoadedKeys([name for name in own if name not in state], [name for name in state if name not in own])
        problems = []
        if strict:
            problems = [f"missing {name}" for name in keys.missing_keys]
            problems += [f"unexpected {name}" for name in keys.unexpected_keys]
        arrays = {}
        for name, part in own.items():
            if name in state:
                try:
                    arrays[name] = _fitting(state[name], part)
                except ValueError as error:
                    problems.append(f"{name} {error}")
        if problems:
            listed = "; ".join(problems)
            raise ValueError(f"the state does not fit this {type(self).__name__}: {listed}{_prefix_hint(state, own)}")
        for name, array in arrays.items():
            own[name].data = array
        return keys

    # --- modes and places -------------------------------------------------------------------------------------------

    def train(self: _Self, mode: bool = True) -> _Self:
        """Set `training` of this module, and call `train(mode)` of its children; returns the module.

        Raises:
            TypeError: `mode` is neither True nor False.
        """
        self.training = mode = true_or_false("mode", mode)
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: _Self) -> _Self:
        """The same as `train(False)`."""
        return self.train(False)

    def requires_grad_(self: _Self, requires_grad: bool = True) -> _Self:
        """Switch the gradients of all parameters on or off; returns the module."""
        requires_grad = true_or_false("requires_grad", requires_grad)
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters; without `set_to_none`, fill those that exist with zeros."""
        set_to_none = true_or_false("set_to_none", set_to_none)
        for _, parameter in _all(self, _PARAMETERS):
            if set_to_none or parameter._grad is None:
                parameter._grad = None
            else:
                copy_into(parameter._grad, np.zeros(parameter.shape, parameter.dtype))

    def to(
        self: _Self, *places: DTypeLike | Tensor, device: str | None = None, dtype: DTypeLike | None = None
    ) -> _Self:
        """Move all parameters and buffers, in place, to a device or floating-point dtype, or both; returns the module.

        The Parameters stay the same objects. Buffers of whole numbers and booleans keep their dtype. Move the module
        before its optimizer is built: its state stays on the device and in the dtype that it found, and its next step
        is an error.

        Args:
            places: "cpu" or "cuda", a dtype ("float32", "float64"), or a Tensor whose device and dtype are meant.
            device, dtype: the same by name.

        Raises:
            ValueError, TypeError: neither a device nor a floating-point dtype was given, or one of them twice.
            RuntimeError: there is no "cuda".

        Example:
            >>> from tinygrad_lr.nn import Linear
            >>> Linear(2, 1).to("cpu", "float64").weight.dtype
            dtype('float64')
        """
        wanted, kind = destination(places, device, dtype)
        if kind is not None and kind.kind != "f":
            raise TypeError(f"parameters are float32 or float64, got {kind}")
        for part in {id(part): part for _, part in _all(self, _TENSORS)}.values():
            _move(part, wanted or part.device, kind if kind is not None and part.dtype.kind == "f" else part.dtype)
        return self

    def float(self: _Self) -> _Self:
        """The same as `to("float32")`."""
        return self.to(dtype="float32")

    def double(self: _Self) -> _Self:
        """The same as `to("float64")`."""
        return self.to(dtype="float64")

    def cpu(self: _Self) -> _Self:
        """The same as `to("cpu")`."""
        return self.to(device="cpu")

    def cuda(self: _Self) -> _Self:
        """The same as `to("cuda")`."""
        return self.to(device="cuda")

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        parts = [f"({name}): {part!r}" for name, part in _children(self)]
        if not parts and len(extra) < 2:
            return f"{type(self).__name__}({''.join(extra)})"
        lines = [f"  {line}" for part in (*extra, *parts) for line in part.split("\n")]
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


def checked_output(module: Module, output: _Output) -> _Output:
    """What `forward` returned.

    Raises:
        TypeError: it returned None.
    """
    if output is None:
        raise TypeError(f"{type(module).__name__}.forward returned None; end it with `return` and the output")
    return output


# What may stand in the place of a part.
_REPLACED = {
    PARAMETER: "attribute {name!r} is a Parameter; assign Parameter(...) or None, or copy into its .data (got {given})",
    MODULE: "attribute {name!r} is a Module; assign another Module or None, or delete it first (got {given})",
    **dict.fromkeys(
        _BUFFERS, "attribute {name!r} is a buffer; assign a Tensor or None, or delete it first (got {given})"
    ),
}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    return value


# --- going through the parts ------------------------------------------------------------------------------------------


def _children(module: Module) -> Iterator[tuple[str, Module]]:
    """The modules that are parts of a module, with their names, in the order of registration."""
    own = vars(module)
    for name, kind in module._registered.items():
        if kind == MODULE and own[name] is not None:
            yield name, own[name]


def _modules(module: Module, name: str, seen: set[int] | None) -> Iterator[tuple[str, Module]]:
    if seen is not None:
        if id(module) in seen:
            return
        seen.add(id(module))
    yield name, module
    for key, part in _children(module):
        yield from _modules(part, f"{name}.{key}" if name else key, seen)


def _all(module: Module, groups: Groups, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Any]]:
    """Every (name, Tensor) of some kinds, a shared one under each of its names, in torch's order."""
    own = vars(module)
    for kinds in groups:
        for key, kind in module._registered.items():
            if kind in kinds and own[key] is not None:
                yield prefix + key, own[key]
    if recurse:
        for key, part in _children(module):
            yield from _all(part, groups, f"{prefix}{key}.")


def _named(
    module: Module, groups: Groups, prefix: str, recurse: bool, remove_duplicate: bool
) -> Iterator[tuple[str, Any]]:
    """The same as torch's named_parameters and named_buffers give it. The arguments are checked at once."""
    prefix = f"{prefix}." if _text("prefix", prefix) else ""
    found = _all(module, groups, prefix, true_or_false("recurse", recurse))
    return _each_once(found) if true_or_false("remove_duplicate", remove_duplicate) else found


def _each_once(named: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Each part under the first of its names."""
    seen: set[int] = set()
    for name, part in named:
        if id(part) not in seen:
            seen.add(id(part))
            yield name, part


def name_parts(module: Module) -> None:
    """Give every parameter inside `module` its name from the outermost module; a shared one keeps its first."""
    for name, part in module.named_modules():
        if part is not module:
            object.__setattr__(part, "_path", f"{module._path}{name}.")
    for name, parameter in _each_once(_all(module, _PARAMETERS)):
        parameter.name = module._path + name


# --- parts in containers that nobody goes through ---------------------------------------------------------------------


def _refuse_hidden_parts(module: Module) -> None:
    """Raise TypeError if an attribute of a module, or of one inside it, is a list or the like of parts."""
    for each in module.modules():
        for key, value in vars(each).items():
            if isinstance(value, (list, tuple, dict, set, frozenset)):
                _refuse_unregistered(each, key, value)


def _refuse_unregistered(module: Module, name: str, parts: Any) -> None:
    """Raise TypeError if a container that is an attribute holds parts whose values would be left out."""
    inside = [each for each in _parts_in(parts) if isinstance(each, Parameter) or next(_all(each, _TENSORS), None)]
    if not inside:
        return
    registered = {id(each) for each in module.modules()} | {id(each) for _, each in _all(module, _PARAMETERS)}
    hidden = next((each for each in inside if id(each) not in registered), None)
    if hidden is not None:
        what, plural = ("Parameter", "ParameterList") if isinstance(hidden, Parameter) else ("Module", "ModuleList")
        remedy = f"write nn.{plural}([...])"
        if isinstance(parts, dict):
            remedy = "assign each of them to an attribute" + ("" if what == "Parameter" else ", or write nn.ModuleDict")
        raise TypeError(
            f"attribute {name!r} of {type(module).__name__} is a {type(parts).__name__} of {what}s, "
            f"{'whose parameters' if what == 'Module' else 'which'} would not be trained or saved; {remedy}"
        )


def _parts_in(parts: Any) -> Iterator[Parameter | Module]:
    """The Parameters and Modules in a container and in the containers inside it."""
    for part in parts.values() if isinstance(parts, dict) else parts:
        if isinstance(part, (Parameter, Module)):
            yield part
        elif isinstance(part, (list, tuple, dict, set, frozenset)) and part is not parts:
            yield from _parts_in(part)


# --- loading ----------------------------------------------------------------------------------------------------------


def _fitting(value: Any, part: Tensor) -> np.ndarray[Any, Any]:
    """A value of a state as a new array of a part's shape and dtype. Raises ValueError with what is wrong with it."""
    if isinstance(value, Tensor):
        notify(value, "load_state_dict()")
        value = to_host(value._data)
    try:
        refuse_masked(value, "the array")
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"cannot be read: {error}") from error
    if array.shape != part.shape:
        raise ValueError(f"has shape {part.shape} here and {array.shape} in the state")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"is {array.dtype}, not real numbers")
    with np.errstate(all="ignore"):
        cast = array.astype(part.dtype)
        held = np.isfinite(cast) | ~np.isfinite(array) if part.dtype.kind == "f" else cast == array
    if not held.all():
        raise ValueError(f"is {part.dtype} here, which cannot hold the {array.dtype} {array[~held][0]} of the state")
    return cast


def _prefix_hint(state: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """A hint, where all names of a state are those of this module after a prefix."""
    first = next(iter(own), None)
    for key in state:
        if first is not None and isinstance(key, str) and key.endswith(f".{first}"):
            prefix = key[: -len(first)]
            if {prefix + name for name in own} == set(state):
                return f". Every name in the state begins with {prefix!r}: remove that, name.removeprefix({prefix!r})"
    return ""


# --- moving -----------------------------------------------------------------------------------------------------------


def _move(part: Tensor, device: str, dtype: np.dtype[Any]) -> None:
    if part.device == device and part.dtype == dtype:
        return

    def moved(array: Array) -> Array:
        array = to_host(array).astype(dtype)
        return array if device == "cpu" else to_device(array)

    part._data = moved(part._data)
    part._grad = None if part._grad is None else moved(part._grad)
    part._device = device
    part._base = part._slot = part._grad_slot = None
    changed(part)
