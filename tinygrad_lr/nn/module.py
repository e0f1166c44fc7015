"""Modules: objects whose parameters have names.

Assigning a `Parameter` or a `Module` to an attribute of a `Module` registers it. Each Parameter carries its full dotted
name as seen from the outermost module ("vision.weight"). So optimizers can match state by name even when they are given
`model.vision.parameters()`.

Next: `layers.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from tinygrad_lr.booleans import true_or_false
from tinygrad_lr.engine.dtypes import Array, check_device, check_dtype, to_device, to_host
from tinygrad_lr.engine.recording import notify
from tinygrad_lr.engine.saved import changed
from tinygrad_lr.engine.tensor import Tensor

__all__ = ["Module", "Parameter", "checked_output"]

_Output = TypeVar("_Output")
_Self = TypeVar("_Self", bound="Module")


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


class Module:
    """Base class of layers and models: subclass it, assign parts as attributes, and write `forward`.

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

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes. Subclasses write it, and return the output."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(); write one")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return checked_output(self, self.forward(*args, **kwargs))

    def __setattr__(self, name: str, value: Any) -> None:
        plain = isinstance(value, Tensor) and not isinstance(value, Parameter)
        if plain and isinstance(vars(self).get(name), Parameter):
            raise TypeError(f"attribute {name!r} is a Parameter; assign Parameter(...) or None, or copy into its .data")
        if isinstance(value, (list, tuple, dict)):
            _refuse_unregistered(self, name, value)
        object.__setattr__(self, name, value)
        if isinstance(value, (Parameter, Module)):
            _name_parts(self)

    # --- parts ------------------------------------------------------------------------------------------------------

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """This module and all modules inside it, each once, with dotted names; its own name is empty."""
        yield from _modules(self, prefix, set())

    def modules(self) -> Iterator[Module]:
        """This module and all modules inside it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """All parameters, each once, with dotted names as seen from this module, in the order of assignment.

        Raises:
            TypeError: an attribute is a list, tuple or dict of Modules, whose parameters would be left out.
        """
        for module in self.modules():
            for key, part in vars(module).items():
                if isinstance(part, (list, tuple, dict)):
                    _refuse_unregistered(module, key, part)
        yield from _each_once(self)

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once."""
        return (parameter for _, parameter in self.named_parameters())

    # --- saving and loading -----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of all parameters by name (a shared parameter under each of its names), on the CPU.

        Example:
            >>> from tinygrad_lr.nn import Linear
            >>> {name: array.shape for name, array in Linear(3, 2).state_dict().items()}
            {'weight': (2, 3), 'bias': (2,)}
        """
        found = {}
        for name, parameter in _all_parameters(self):
            notify(parameter, "state_dict()")
            found[name] = to_host(parameter._data).copy()
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Copy values into the parameters; nothing is written unless all names and shapes fit.

        Args:
            state: an array or Tensor for each name that `state_dict` returns, of the same shape; values are cast.

        Raises:
            TypeError: `state` is no mapping.
            ValueError: a name is missing or unexpected, or its array is of another shape or kind.
        """
        if not isinstance(state, Mapping):
            raise TypeError(f"load_state_dict needs a mapping of names to arrays, got {type(state).__name__}")
        own = dict(_all_parameters(self))
        problems = [f"missing {name}" for name in own if name not in state]
        problems += [f"unexpected {name}" for name in state if name not in own]
        arrays = {}
        for name, parameter in own.items():
            if name in state:
                value = state[name]
                if isinstance(value, Tensor):
                    notify(value, "load_state_dict()")
                array = to_host(value._data) if isinstance(value, Tensor) else np.asarray(value)
                if array.shape != parameter.shape:
                    problems.append(f"{name} has shape {parameter.shape} here and {array.shape} in the state")
                elif array.dtype.kind not in "fiub":
                    problems.append(f"{name} is {array.dtype}, not real numbers")
                arrays[name] = array.copy()
        if problems:
            raise ValueError(f"the state does not fit this {type(self).__name__}: " + "; ".join(problems))
        for name, parameter in own.items():
            parameter.data = arrays[name]

    # --- modes and places -------------------------------------------------------------------------------------------

    def train(self: _Self, mode: bool = True) -> _Self:
        """Set `training` of this module and of all modules inside it; returns the module.

        Raises:
            TypeError: `mode` is neither True nor False.
        """
        mode = true_or_false("mode", mode)
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self: _Self) -> _Self:
        """The same as `train(False)`."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for _, parameter in _all_parameters(self):
            parameter.zero_grad()

    def to(self: _Self, device_or_dtype: DTypeLike) -> _Self:
        """Move all parameters, in place, to a device ("cpu", "cuda") or dtype ("float32", "float64").

        Move the module before its optimizer is built, which keeps state on the device and in the dtype that it found.

        Raises:
            ValueError, TypeError: neither a device nor a floating-point dtype was given.
            RuntimeError: there is no "cuda".
        """
        if isinstance(device_or_dtype, str) and (device_or_dtype in ("cpu", "cuda") or ":" in device_or_dtype):
            device, dtype = check_device(device_or_dtype), None
        else:
            device, dtype = None, check_dtype(device_or_dtype)
            if dtype.kind != "f":
                raise TypeError(f"parameters are float32 or float64, got {dtype}")
        for parameter in self.parameters():
            _move(parameter, device or parameter.device, dtype or parameter.dtype)
        return self

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses."""
        return ""

    def __repr__(self) -> str:
        parts = [f"({name}): {part!r}" for name, part in vars(self).items() if isinstance(part, Module)]
        if not parts:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}(", *("  " + line for p in parts for line in p.split("\n")), ")"])


def checked_output(module: Module, output: _Output) -> _Output:
    """What `forward` returned.

    Raises:
        TypeError: it returned None.
    """
    if output is None:
        raise TypeError(f"{type(module).__name__}.forward returned None; end it with `return` and the output")
    return output


def _refuse_unregistered(module: Module, name: str, parts: list[Any] | tuple[Any, ...] | dict[Any, Any]) -> None:
    """Raise TypeError if a container that is an attribute holds Modules whose parameters would be left out."""
    inside = [each for each in _modules_in(parts) if next(_all_parameters(each), None) is not None]
    if not inside:
        return
    registered = {id(each) for each in module.modules()}
    if any(id(each) not in registered for each in inside):
        remedy = "assign each of them to an attribute" if isinstance(parts, dict) else "write nn.ModuleList([...])"
        raise TypeError(
            f"attribute {name!r} of {type(module).__name__} is a {type(parts).__name__} of Modules, whose parameters "
            f"would not be trained or saved; {remedy}"
        )


def _modules_in(parts: Any) -> Iterator[Module]:
    """The Modules in a container and in the containers inside it."""
    for part in parts.values() if isinstance(parts, dict) else parts:
        if isinstance(part, Module):
            yield part
        elif isinstance(part, (list, tuple, dict)) and part is not parts:
            yield from _modules_in(part)


def _modules(module: Module, name: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
    if id(module) in seen:
        return
    seen.add(id(module))
    yield name, module
    for key, part in vars(module).items():
        if isinstance(part, Module):
            yield from _modules(part, f"{name}.{key}" if name else key, seen)


def _all_parameters(module: Module, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
    """Every (name, parameter), a shared parameter under each of its names."""
    for key, part in vars(module).items():
        if isinstance(part, Parameter):
            yield prefix + key, part
        elif isinstance(part, Module):
            yield from _all_parameters(part, f"{prefix}{key}.")


def _each_once(module: Module) -> Iterator[tuple[str, Parameter]]:
    """Every parameter under the first of its names."""
    seen: set[int] = set()
    for name, parameter in _all_parameters(module):
        if id(parameter) not in seen:
            seen.add(id(parameter))
            yield name, parameter


def _name_parts(module: Module) -> None:
    """Give every parameter inside `module` its name from the outermost module; a shared one keeps its first."""
    for name, part in module.named_modules():
        if part is not module:
            object.__setattr__(part, "_path", f"{module._path}{name}.")
    for name, parameter in _each_once(module):
        parameter.name = module._path + name


def _move(parameter: Parameter, device: str, dtype: np.dtype[Any]) -> None:
    if parameter.device == device and parameter.dtype == dtype:
        return

    def moved(array: Array) -> Array:
        array = to_host(array).astype(dtype)
        return array if device == "cpu" else to_device(array)

    parameter._data = moved(parameter._data)
    parameter._grad = None if parameter._grad is None else moved(parameter._grad)
    parameter._device = device
    parameter._slot = parameter._grad_slot = None
    changed(parameter)
