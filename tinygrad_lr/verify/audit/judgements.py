"""What a person judged of each accusation, with the lines that it was held to. Next: judging.py, document.py."""

# ruff: noqa: E501  (sentences)

from __future__ import annotations

from .collection_judgements import PYTORCH_OPTIMIZER, TORCH_OPTIMIZER
from .judging import Judgement
from .package_judgements import PACKAGE_JUDGEMENTS
from .schedule_judgements import SCHEDULE_JUDGEMENTS

JUDGEMENTS: tuple[Judgement, ...] = (
    *SCHEDULE_JUDGEMENTS,
    *PYTORCH_OPTIMIZER,
    *TORCH_OPTIMIZER,
    *PACKAGE_JUDGEMENTS,
    # scikit-learn
    Judgement(
        "scikit-learn",
        "AdamOptimizer",
        ("P1", "P27", "P28", "P30"),
        "disputed",
        "It folds the corrections into the rate and adds epsilon to the uncorrected root, a form that the paper offers "
        "too; its docstring names the paper and not the form.",
        "Kingma & Ba, section 2, last paragraph: alpha_t = alpha sqrt(1 - beta2^t) / (1 - beta1^t), theta - alpha_t m / "
        "(sqrt(v) + epsilon^)",
        "At step 1 its epsilon works as one that is 31 times larger: gradients below 1e-7 move less than in torch. "
        "For others the difference is not seen.",
    ),
    # autograd
    Judgement(
        "autograd",
        "rmsprop",
        ("P1", "P20", "P27", "P28"),
        "disputed",
        "The average of the squares starts at one, and not at zero.",
        "Tieleman & Hinton's slide names no start; torch, keras and optax start at 0, TensorFlow 1 started at 1",
        "With gradients below 1 the first steps are smaller than in torch, up to 10 times at its defaults.",
    ),
    # thinc
    Judgement(
        "thinc",
        "RAdam",
        ("P1", "P27", "P30"),
        "true",
        "The step is counted twice: `nr_update` has been raised when `state['step'] += 1` raises it again, so that the "
        "first update is corrected as the second.",
        "Liu et al., Algorithm 2: m^ = m / (1 - beta1^t), t from 1",
        "The first update is 0.53 of the learning rate; the rectification sets in one step early.",
    ),
    Judgement(
        "thinc",
        "Adam",
        ("P1", "P21", "P27"),
        "disputed",
        "It computes 1 - beta2 in float32, which is off by 13 millionths for beta2 = 0.999, and so is the average.",
        "Kingma & Ba, Algorithm 1: v <- beta2 v + (1 - beta2) g^2, which torch computes with 1 - beta2 in float64",
        "Steps differ from torch's by 7 millionths; nothing that a training shows.",
    ),
    Judgement(
        "thinc",
        "Adam",
        ("P30",),
        "documented",
        "With both betas at 0 it is plain gradient descent, as its class says, and not Adam without memory.",
        "thinc.optimizers.Optimizer: vanilla SGD, Adam, and RAdam; the code chooses Adam where b1 > 0 and b2 > 0",
        "Betas of 0 give SGD at the same rate.",
    ),
    *(
        Judgement(
            "thinc",
            name,
            ("P32",),
            "disputed",
            "The decay shrinks the parameter after the update, and so the update too.",
            "Loshchilov & Hutter, Algorithm 2, line 12: theta - eta (alpha m^ / (sqrt(v^) + eps) + lambda theta), with the "
            "theta before the step",
            "The update is 1 - lr L2 of what it would be, a millionth less at usual settings.",
        )
        for name in ("Adam", "RAdam", "SGD")
    ),
    # timm
    *(
        Judgement(
            "timm",
            name,
            ("P9.count",),
            "disputed",
            "The step count is a float32 number, which stops at 2^24, as in torch's own classes.",
            "torch.optim's classes, from which its step count is taken",
            "After 16.8 million steps the bias corrections no longer change, which they do not need to by then.",
        )
        for name in ("AdamWLegacy", "NAdamW", "Adopt", "LaProp", "Adan", "Lamb")
    ),
    *(
        Judgement(
            "timm",
            name,
            ("P5",),
            "disputed",
            "A parameter without elements raises ZeroDivisionError, as delta / sqrt(0).",
            "torch.optim's classes leave such a parameter alone",
            "Only who has parameters without elements sees it.",
        )
        for name in ("AdamP", "SGDP")
    ),
    # others
    *(
        Judgement(
            package,
            "SGDP",
            ("P1",),
            "disputed",
            "The projection works in place on the momentum buffer, which so forgets what was projected away; the authors' own "
            "code does so, and the paper's algorithm does not.",
            "Heo et al., Algorithm 1: p_t = beta p_(t-1) + grad f(w_t), q_t = the projection of p_t, w - eta q_t",
            "Where a layer's weights are nearly orthogonal to the gradient, later steps lack the radial part of the momentum.",
        )
        for package in ("timm",)
    ),
    *(
        Judgement(
            package,
            name,
            ("P1.range",),
            "disputed",
            "A gradient whose square overflows float32 (2.4e19) makes the parameter NaN, where the formula's step is finite.",
            "Shazeer & Stern, Algorithm 5, in exact arithmetic; every implementation squares gradients",
            "Gradients of that size end a training anyhow; clip them.",
        )
        for package, name in (("timm", "Adafactor"),)
    ),
    Judgement(
        "timm",
        "Adafactor",
        ("P7",),
        "disputed",
        "With lr=None a step writes the relative rate of the parameter that was updated last into the group's `lr`.",
        "torch.optim's classes leave the groups' hyperparameters to the caller; timm computes it anew for each parameter",
        "group['lr'] is a rate to look at and not one to set; the updates are right.",
    ),
)
