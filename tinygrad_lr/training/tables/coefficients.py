"""`Coefficients`: those of a linear model by name, in the units of the table."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lr import nn
from tinygrad_lr.data.encoding import TableEncoder
from tinygrad_lr.files import write_text
from tinygrad_lr.training.history import frame_of

__all__ = ["Coefficients", "coefficients_of"]

INTERCEPT = "(intercept)"


@dataclass
class Coefficients:
    """prediction = intercept + the sum of coefficient * input, for each output.

    Of a regression a prediction is a target in its units. Of classes it is the logit: of two classes that of the second
    one, log(p / (1 - p)); of more that of each class, whose softmax are the probabilities.

    Attributes:
        outputs: the targets, or the classes. inputs: names of the inputs.
        values: float64, shape (outputs, inputs). intercepts: shape (outputs,).
    """

    outputs: list[str]
    inputs: list[str]
    values: np.ndarray
    intercepts: np.ndarray

    def rows(self) -> list[dict[str, str | float]]:
        """A dict for each coefficient: "output", "input", "coefficient"; the intercept first, then as the inputs."""
        found: list[dict[str, str | float]] = []
        for output, values, intercept in zip(self.outputs, self.values, self.intercepts, strict=True):
            found.append({"output": output, "input": INTERCEPT, "coefficient": float(intercept)})
            for name, value in zip(self.inputs, values, strict=True):
                found.append({"output": output, "input": name, "coefficient": float(value)})
        return found

    def to_frame(self, backend: str = "pandas") -> Any:
        """The same as a frame; arguments and errors are those of `History.to_frame`."""
        kinds = {"output": str, "input": str, "coefficient": float}
        return frame_of({name: [row[name] for row in self.rows()] for name in kinds}, kinds, backend)

    def to_csv(self, path: str | os.PathLike[str] | None = None) -> str:
        """The same as CSV text; with `path`, also written there."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["output", "input", "coefficient"])
        writer.writerows(
            [_harmless(str(row["output"])), _harmless(str(row["input"])), repr(row["coefficient"])]
            for row in self.rows()
        )
        if path is not None:
            write_text(path, text.getvalue())
        return text.getvalue()

    def __str__(self) -> str:
        lines = []
        for output, values, intercept in zip(self.outputs, self.values, self.intercepts, strict=True):
            terms = [f"{value:.4g} * {name}" for name, value in zip(self.inputs, values, strict=True)]
            lines.append(f"{output} = {' + '.join([*terms, f'{intercept:.4g}'])}".replace("+ -", "- "))
        return "\n".join(lines)


def coefficients_of(model: nn.Module, encoder: TableEncoder) -> Coefficients:
    """The coefficients of a linear model of encoded inputs.

    Raises:
        ValueError: the model is not one linear layer.
    """
    if not isinstance(model, nn.Linear) or model.bias is None:
        raise ValueError(
            "only a linear model has coefficients, and this one has hidden layers; train without them to see them"
        )
    weight, bias = (np.asarray(each.to("cpu").numpy(), np.float64) for each in (model.weight, model.bias))
    mean, deviation = encoder.feature_scale
    intercepts, units = bias - weight @ (mean / deviation), np.ones(len(bias))
    if encoder.task == "regression":
        scale = encoder.target_scale
        units = np.where(scale.constant, 0.0, scale.deviation)
        intercepts = intercepts * units + scale.mean
        outputs = encoder.target_names
    elif len(encoder.classes) == 2:
        outputs = [f"{encoder.target} = {encoder.classes[1]}"]
    else:
        outputs = [f"{encoder.target} = {each}" for each in encoder.classes]
    with np.errstate(over="ignore"):  # of tiny numbers: a coefficient may be beyond float64, while predictions are not
        values = weight * (units[:, None] / deviation)
    return Coefficients(outputs, encoder.feature_names, values, intercepts)


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
