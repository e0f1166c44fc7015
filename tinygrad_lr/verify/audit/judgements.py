"""What a person judged of each accusation, with the lines that it was held to. Next: judging.py, document.py."""

# ruff: noqa: E501  (sentences)

from __future__ import annotations

from .judging import Judgement
from .schedule_judgements import SCHEDULE_JUDGEMENTS

# Sentences that several judgements share.
SHARED_COUNT = (
    "Kingma & Ba, Algorithm 1: 1 - beta^t, t the number of updates of theta; torch counts them for each parameter"
)
ITERATIONS = "its count is of iterations, as the paper's is, and not of updates of each parameter, as torch's own are"

JUDGEMENTS: tuple[Judgement, ...] = (
    *SCHEDULE_JUDGEMENTS,
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
    # torch_optimizer
    Judgement(
        "torch_optimizer",
        "Yogi",
        ("P1", "P12", "P14", "P20", "P27", "P29", "P30", "P31"),
        "true",
        "The first moment starts at initial_accumulator (1e-6) where the second does, and not at zero.",
        "Zaheer et al., Algorithm 2: m_0 = 0; TensorFlow Addons, which its source cites, initialises v with the value and "
        "m with zeros",
        "With a zero gradient parameters move, by 2.8e-6 in the first step at the default rate.",
    ),
    Judgement(
        "torch_optimizer",
        "SGDW",
        ("P32", "P1"),
        "true",
        "The decay subtracts lr weight_decay from every parameter, whatever its value: "
        "`p.data.add_(weight_decay, alpha=-group['lr'])`.",
        "Loshchilov & Hutter, Algorithm 1, line 9: theta - v - eta lambda theta",
        "Parameters drift towards minus infinity by lr weight_decay a step, and do not decay. Use another SGDW.",
    ),
    Judgement(
        "torch_optimizer",
        "LARS",
        ("P1", "P17"),
        "true",
        "Without weight decay there is no trust ratio: its computation stands inside `if weight_decay != 0`.",
        "You, Gitman & Ginsburg, Algorithm 1: lambda = eta |w| / (|g| + beta |w|), which beta = 0 does not end",
        "At weight_decay=0, the default, it is SGD with momentum, and trust_coefficient does nothing.",
    ),
    Judgement(
        "torch_optimizer",
        "NovoGrad",
        ("P7",),
        "true",
        "A step divides the caller's gradients by the root of the second moment, in place: `grad.div_(denom)`.",
        "torch.optim's classes leave p.grad as it was",
        "A norm of the gradients that is logged, or clipped, after the step is another, and accumulating without "
        "zero_grad() adds scaled gradients.",
    ),
    Judgement(
        "torch_optimizer",
        "NovoGrad",
        ("P1",),
        "disputed",
        "It starts the second moment anew whenever that is zero, and not only at step 1, as NVIDIA's own code does.",
        "Ginsburg et al., Algorithm 1: v_1 = |g_1|^2, v_t = beta2 v_(t-1) + (1 - beta2) |g_t|^2",
        "A layer whose first gradients are all zero starts as if at step 1, which is what one would want.",
    ),
    Judgement(
        "torch_optimizer",
        "Lamb",
        ("P1", "P27", "P30"),
        "true",
        "debias=True multiplies the rate, and not the direction, by the correction, so that the trust ratio does not "
        "cancel it: the first step is 0.32 of the formula's.",
        "You et al., Algorithm 2: r = m^ / (sqrt(v^) + eps), theta - eta phi(|theta|) / |r + lambda theta| (r + lambda theta)",
        "With debias=True the first steps are smaller than LAMB's by sqrt(1 - beta2^t) / (1 - beta1^t). The default, "
        "debias=False, leaves the corrections out as the paper's third version does.",
    ),
    Judgement(
        "torch_optimizer",
        "MADGRAD",
        ("P6",),
        "true",
        "A group that is added later has no state: a step raises KeyError: 'grad_sum_sq'.",
        "torch: add_param_group adds parameters to an optimizer that exists",
        "Layers cannot be unfrozen with add_param_group.",
    ),
    Judgement(
        "torch_optimizer",
        "AdaBound",
        ("P6",),
        "true",
        "A group that is added later is never updated: the groups are zipped with the rates noted when it was built, and "
        "zip ends with the shorter list.",
        "torch: add_param_group adds parameters to an optimizer that exists",
        "Layers that are unfrozen with add_param_group stay as they are, without an error.",
    ),
    Judgement(
        "adabound",
        "AdaBound",
        ("P6",),
        "true",
        "A group that is added later is never updated: the groups are zipped with the rates noted when it was built, and "
        "zip ends with the shorter list.",
        "torch: add_param_group adds parameters to an optimizer that exists",
        "Layers that are unfrozen with add_param_group stay as they are, without an error.",
    ),
    *(
        Judgement(
            package,
            name,
            ("P5",),
            "disputed",
            "A parameter without elements raises ZeroDivisionError, as delta / sqrt(0).",
            "torch.optim's classes leave such a parameter alone",
            "Only who has parameters without elements sees it.",
        )
        for package in ("torch_optimizer", "adamp")
        for name in ("AdamP", "SGDP")
    ),
    # pytorch_optimizer
    Judgement(
        "pytorch_optimizer",
        "*",
        ("P10",),
        "true",
        "All parameters of a group share one step count, so that one whose gradients come late is corrected as if it had "
        "been there from the start.",
        SHARED_COUNT,
        "The first updates of layers that are unfrozen, or used, later are smaller: 0.64 of the rate after two steps for "
        "Adam's defaults, down to 0.32.",
    ),
    Judgement(
        "pytorch_optimizer",
        "ADOPT",
        ("P1",),
        "true",
        "The clip is one step ahead: it uses t^(1/4) with t counted from the step that only fills the second moment.",
        "Taniguchi et al., Algorithm 2: m_t = beta1 m + (1 - beta1) clip(g / max(sqrt(v), eps), c_t), c_t = t^(1/4), t from 1 "
        "after v_0 = g_0^2",
        "Where the clip acts, the first update may be 1.19 times larger; later the difference vanishes.",
    ),
    # MADGRAD and Schedule-Free
    *(
        Judgement(
            package,
            name,
            ("P10",),
            "disputed",
            f"A parameter whose gradients come late starts with the others' step count: {ITERATIONS}.",
            source,
            "Layers that are unfrozen later start with other weights than a new optimizer would give them.",
        )
        for package, names, source in (
            ("madgrad", ("MADGRAD",), "Defazio & Jelassi, Algorithm 1: lambda_k = gamma sqrt(k + 1), k the iteration"),
            (
                "torch_optimizer",
                ("MADGRAD",),
                "Defazio & Jelassi, Algorithm 1: lambda_k = gamma sqrt(k + 1), k the iteration",
            ),
            (
                "schedulefree",
                (
                    "AdamWScheduleFree",
                    "AdamWScheduleFreePaper",
                    "AdamWScheduleFreeReference",
                    "SGDScheduleFree",
                    "SGDScheduleFreeReference",
                ),
                "Defazio et al., Algorithm 1: c_(t+1) = gamma_t^2 / sum of gamma_i^2, t the iteration",
            ),
        )
        for name in names
    ),
    *(
        Judgement(
            "schedulefree",
            name,
            ("P7",),
            "documented",
            "A step writes the normalised gradient over the caller's.",
            'schedulefree\'s source: "Reuse grad buffer for memory efficiency"',
            "A norm of the gradients that is logged after the step is another; call zero_grad() before each backward().",
        )
        for name in ("AdamWScheduleFree", "AdamWScheduleFreePaper")
    ),
    # D-Adaptation
    Judgement(
        "dadaptation",
        "DAdaptSGD",
        ("P1", "P2", "P7", "P9", "P10", "P14", "P33"),
        "true",
        "Where the first gradients are all zero a step raises ZeroDivisionError: the rate is divided by their norm.",
        "Defazio & Mishchenko, Algorithm 4: lambda_k = d_k gamma_k / |g_0|, which assumes a gradient; its own DAdaptAdam steps",
        "A model whose first batch gives no gradient (a frozen head, a masked loss) ends with this error.",
    ),
    Judgement(
        "dadaptation",
        "DAdaptSGD",
        ("P31",),
        "true",
        "The first gradient's norm leaves the weight decay out: `grad.add(p.data, alpha=decay)` is computed and thrown away, "
        "where `add_` was meant.",
        "Its own second loop, which applies the decay before everything else: `grad.add_(p.data, alpha=decay)`",
        "With weight decay all steps are scaled by another norm than the gradients that are used have.",
    ),
    *(
        Judgement(
            package,
            name,
            ("P9.count", "P33"),
            "disputed",
            "Each parameter's state has a `step` that stays 0; the count that is used is the group's `k`.",
            "torch: state['step'] is the number of updates of a parameter",
            "Read group['k'], and not state['step'], to learn how many steps were made; the updates are right.",
        )
        for package, name in (("dadaptation", "DAdaptAdam"), ("prodigyopt", "Prodigy"))
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
        for package in ("adamp", "torch_optimizer", "timm")
    ),
    Judgement(
        "torch_optimizer",
        "PID",
        ("P1",),
        "true",
        "The gradient of the first step is not kept: `g_buf = d_p` binds a name and writes nothing, so that the second step's "
        "difference is taken from zero.",
        "Its own later steps: `self.state[p]['grad_buffer'] = d_p.clone()`; An et al., the derivative of the gradient",
        "The second step has a derivative part of the whole gradient, which decays with the momentum.",
    ),
    Judgement(
        "torch_optimizer",
        "PID",
        ("P7", "P31"),
        "true",
        "With weight decay a step adds the decay to the caller's gradients in place.",
        "torch.optim's classes leave p.grad as it was",
        "Accumulating without zero_grad() adds decayed gradients.",
    ),
    Judgement(
        "adan-pytorch",
        "Adan",
        ("P1", "P12", "P27", "P28", "P30"),
        "true",
        "The first step updates nothing: the moments stay zero at step 1, and the first gradient enters only as a difference.",
        "Xie et al., Algorithm 1: m_0 = g_0, n_0 = g_0^2",
        "The first batch is lost, and the second moment starts one step late.",
    ),
    Judgement(
        "pytorch-lamb",
        "Lamb",
        ("P1", "P12", "P14", "P27", "P28", "P30"),
        "true",
        "There is no guard for weights or directions of norm 0: weights that are zero stay zero, and a gradient of zero "
        "gives 0/0, NaN.",
        "You et al., Algorithm 2, and its reference code: the ratio is 1 where a norm is 0",
        "Biases and layers that start at zero are never trained.",
    ),
    Judgement(
        "galore-torch",
        "GaLoreAdamW",
        ("P32",),
        "documented",
        "The decay shrinks the parameter after the update, and so the update too.",
        'its source: "Add weight decay at the end (fixed version)"',
        "The update is 1 - lr weight_decay of what it would be.",
    ),
    Judgement(
        "pytorch_optimizer",
        "AdaBound",
        ("P6",),
        "true",
        "A group that is added later ends a step with IndexError: its rate was not noted when the optimizer was built.",
        "torch: add_param_group adds parameters to an optimizer that exists",
        "Layers cannot be unfrozen with add_param_group.",
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
        for package, name in (("pytorch_optimizer", "AdaFactor"), ("timm", "Adafactor"))
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
