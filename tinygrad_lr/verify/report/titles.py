"""What every property is called, and what is wrong where it fails: one row each, for readers who know no numbers.

`name` stands in tables; `wrong` is the first line of a failure. A new property needs a row here
(tests/verify/test_registry.py). Next: findings.py.
"""

from __future__ import annotations

from typing import NamedTuple


class Title(NamedTuple):
    """A property in words."""

    name: str
    """A few words, for a table."""
    wrong: str
    """A sentence: what is wrong where the property fails."""


TITLES: dict[str, Title] = {
    "P0": Title("can be run", "It cannot be run."),
    "P1": Title("the formula", "A step is not the formula's."),
    "P1.range": Title("extreme gradients", "Huge or tiny gradients do not give the formula's step."),
    "P1.settings": Title("every setting", "In another setting a step is not the formula's."),
    "P1.changes": Title("changes and groups", "A hyperparameter that changes, or is a group's own, acts otherwise."),
    "P1.sizes": Title("every size", "In some size or shape a step is not the formula's."),
    "P1.layouts": Title("every layout", "Arrays that lie otherwise in memory do not give the formula's step."),
    "P1.counts": Title("every step count", "After many steps a step is not the formula's."),
    "P1.dtypes": Title("every dtype", "In the other dtype, or with both, a step is not the formula's."),
    "P1.nonfinite": Title("one NaN", "A gradient that is not finite spoils others, or is taken for another."),
    "P1.pairs": Title("where two meet", "Where two circumstances meet a step is not the formula's."),
    "P2": Title("repeatability", "The same steps give another result the second time."),
    "P3": Title("order of elements", "An element's update depends on its place in the array."),
    "P4": Title("shape and layout", "The same numbers in another shape or layout give another result."),
    "P5": Title("company", "A parameter's update depends on the other parameters."),
    "P6": Title("groups", "Two groups with equal settings give another result than one group."),
    "P7": Title("inputs untouched", "A step changes the caller's gradients, or the hyperparameters."),
    "P7.buffers": Title("buffers used again", "Gradients in the same buffer give another result, or are written to."),
    "P8": Title("state is copied", "A saved or loaded state shares memory with its owner."),
    "P9": Title("save and resume", "A run that was saved and loaded goes on differently."),
    "P9.count": Title("large step counts", "A step count that was loaded does not go on."),
    "P9.whole": Title("saved whole", "A changed setting, or whose state it is, is lost by saving and loading."),
    "P10": Title("missing gradients", "A parameter without a gradient moves, or one that starts late starts wrong."),
    "P11": Title("rate of zero", "At a learning rate of 0 the parameters move, or the state stands still."),
    "P12": Title("gradient of zero", "A gradient of zero moves a fresh parameter."),
    "P13": Title("maximize", "maximize=True is not descent on the negated gradient."),
    "P14": Title("mirror image", "Negated parameters and gradients do not give the negated run."),
    "P15": Title("translation", "The update depends on where the parameter stands."),
    "P16": Title("rate is a factor", "The update is not proportional to the learning rate."),
    "P17": Title("every argument acts", "A hyperparameter, or the gradient, does nothing."),
    "P18": Title("same as reference", "The two implementations give different results."),
    "P19": Title("gradient is a factor", "The update is not proportional to the gradient."),
    "P20": Title("scale-free", "Gradients in another unit (epsilon, too) give another update."),
    "P21": Title("Adam's longest step", "A step is longer than Adam's can be."),
    "P22": Title("longest step", "A step is longer than this rule's can be."),
    "P23": Title("Adamax's longest step", "A step is longer than Adamax's can be."),
    "P24": Title("second moments", "A second moment is negative or falls where it cannot, or gives NaN."),
    "P25": Title("AdaGrad's bound", "All steps together are longer than AdaGrad's can be."),
    "P26.norm": Title("norm", "The norm of the clipped gradients is not max_norm."),
    "P26.identity": Title("short ones kept", "Gradients below the limit are changed."),
    "P26.direction": Title("direction kept", "The gradients are not all scaled by one factor."),
    "P26.idempotent": Title("clipping twice", "Clipping again changes the gradients again."),
    "P26.global": Title("one norm for all", "The norm is not that of all gradients together."),
    "P26.zero": Title("zeros", "Gradients of zero do not stay zero."),
    "P26.overflow": Title("large gradients", "Gradients whose squares overflow are clipped wrong."),
    "P26.underflow": Title("small gradients", "Gradients whose squares underflow are clipped wrong."),
    "P26.limits": Title("limits", "At some limits the gradients are clipped wrong."),
    "P26.sizes": Title("sizes", "In arrays of some sizes, elements are left out."),
    "P26.counts": Title("many arrays", "Of many arrays, some are left out."),
    "P26.layouts": Title("layouts", "Transposed, strided or read-only arrays are clipped wrong."),
    "P26.dtypes": Title("dtypes", "Arrays of another dtype, or of two, are clipped wrong."),
    "P26.kept": Title("arrays kept", "It gives new arrays, and changes those that it got."),
    "P26.again": Title("clipping again", "What was clipped before changes the result."),
    "P26.missing": Title("missing gradients", "A gradient that is None does not stay None."),
    "P26.nonfinite": Title("infinity and NaN", "Gradients with infinity or NaN are not treated as declared."),
    "P27": Title("first step", "The first step is not the one that the formula has in closed form."),
    "P28": Title("constant gradient", "A constant gradient does not give the steps that it must."),
    "P29": Title("moving averages", "A moment is not the weighted sum of the gradients."),
    "P30": Title("simpler settings", "Settings that leave a simpler rule do not give that rule."),
    "P31": Title("coupled decay", "Weight decay is not the gradient g + weight_decay theta."),
    "P32": Title(
        "decoupled decay", "Decoupled decay does not shrink theta by 1 - lr weight_decay, or reaches moments."
    ),
    "P33": Title("step count", "The step count is not the number of updates."),
    "P33.average": Title("accumulation", "k small gradients are not one step with their mean."),
    "P34": Title("quadratic", "Descent on a quadratic does not go as it must."),
    "P35": Title("the formula", "The rate at a step is not the formula's, or depends on how it is read."),
    "P35.built": Title("other arguments", "Built with other arguments, long phases say, it is not the formula."),
    "P36": Title("save and resume", "A run that was saved and loaded has other rates."),
    "P37": Title("range and ends", "The rate leaves its range, turns where it must not, or misses its end."),
    "P38": Title("no jumps", "The rate jumps between two phases."),
    "P39": Title("sum of a cosine", "The rates of a cosine do not add up."),
    "P40": Title("restarts", "A restart is missing, misplaced, or should not be there."),
    "P41": Title("base rate", "The rates are not proportional to the base rate."),
    "P42": Title("every step", "At some step there is neither a finite rate nor a clear error."),
    "P42.built": Title("short phases", "Phases of no steps, or of one, give neither finite rates nor a clear error."),
    "P43": Title("parts", "A part of a sequence does not count its own steps from 0."),
    "P43.epochs": Title("epochs", "In epochs the schedule is another than in steps."),
    "P43.accumulation": Title("accumulation", "Small steps of accumulation advance the schedule."),
    "P44": Title("derivative", "The gradient is not the derivative."),
    "P45": Title("linear", "What flows back is not linear."),
    "P46": Title("shape and dtype", "A gradient has another shape or dtype than its input."),
    "P47": Title("used twice", "A value that is used twice is not counted twice, or an input is changed."),
    "P48": Title("graphs add up", "Two graphs do not add up, or a freed one is used again."),
    "P49": Title("declared values", "At a kink the gradient is not the declared one."),
}


def title_of(property_id: str, statement: str = "") -> Title:
    """The row of a property; of one that has none, its statement.

    Example:
        >>> title_of("P9").name, title_of("X1", "Nothing moves.").wrong
        ('save and resume', 'Broken: Nothing moves.')
    """
    return TITLES.get(property_id) or Title(property_id, f"Broken: {statement}" if statement else property_id)
