"""What a person judged of the optimizers of packages that hold one, or few. Next: judgements.py."""

# ruff: noqa: E501  (sentences)

from __future__ import annotations

from .collection_judgements import (
    CACHED_RECTIFICATION,
    EACH_DIMENSION,
    FIRST_BOUNDS,
    IN_FLOAT32,
    KEEPS,
    NO_ELEMENTS,
    ONE_COUNT,
    PROJECTED_BUFFER,
    RUNNING_WEIGHTS,
    VIEWS,
)
from .judging import Judgement

NO_GRADIENT = (
    "A parameter without a gradient raises an error, as `p.grad` is None.",
    "torch.optim's classes pass by such a parameter",
    "Parameters that are frozen, or that a batch does not reach, must be kept out of the optimizer.",
)
EPSILON_AS_FLOOR = (
    "epsilon is the least value of the root, max(sqrt(v^), epsilon), and is not added to it.",
    "Kingma & Ba, Algorithm 1: sqrt(v^) + epsilon; heavyball, utils.py, eps_sqrt: item.clamp_min(0).sqrt().clamp(min=eps)",
    "A gradient of 1e-8 moves by the whole rate, where torch has half of it. For others the difference is not seen.",
)
NO_AMSGRAD = (
    "amsgrad=True is taken, and has no effect.",
    "its docstring: 'Whether to use the AMSGrad variant of Adam that uses the maximum of past squared gradients instead'",
    "Who asks for AMSGrad does not get it, without a message.",
)
SHARES_MEMORY = (
    "What state_dict() gives changes with the next step, as its arrays are the optimizer's own.",
    "torch.optim.Optimizer's own state_dict() shares memory, too",
    "Copy a state that is to be kept (copy.deepcopy, torch.save).",
)

PACKAGE_JUDGEMENTS: tuple[Judgement, ...] = (
    # AdaBelief, AdaBound, AdamP, Adan
    Judgement(
        "adabelief-slim",
        "AdaBelief",
        ("P1",),
        "true",
        "The epsilon that AdaBelief adds to s in every step is missing; epsilon stands in the divisor alone.",
        "Zhuang et al., Algorithm 2: s_t = beta2 s_(t-1) + (1 - beta2) (g_t - m_t)^2 + epsilon",
        "Where gradients hardly change, s falls towards zero and steps grow, up to lr m / epsilon.",
    ),
    Judgement("adabound", "AdaBound", ("P6", "P1.changes", "P1.pairs"), "true", *FIRST_BOUNDS),
    Judgement("adamp", "AdamP", ("P1.layouts",), "true", *VIEWS),
    Judgement("adamp", "SGDP", ("P1",), "disputed", *PROJECTED_BUFFER),
    *(Judgement("adamp", name, ("P5",), "disputed", *NO_ELEMENTS) for name in ("AdamP", "SGDP")),
    Judgement(
        "adan-pytorch",
        "Adan",
        ("P1", "P12", "P27", "P28", "P30"),
        "true",
        "The first step updates nothing: `if step > 0` leaves the moments at zero, and the first gradient enters only as a "
        "difference.",
        "Xie et al., Algorithm 1: m_0 = g_0, n_0 = g_0^2; sail-sg/Adan, adan.py, updates the moments in the first step, too",
        "The first batch is lost, and the second moment starts one step late.",
    ),
    # bitsandbytes
    Judgement(
        "bitsandbytes",
        "AdEMAMix32bit",
        ("P0",),
        "true",
        "Its state holds one average of the gradients where the update needs two: it derives from Optimizer2State, and "
        "AdEMAMix's own init_state is not used.",
        "bitsandbytes, backends/cpu/ops.py: 'state1 shape is (2, *p.shape), state1[0]=m1, state1[1]=m2'",
        "On a CPU every step raises RuntimeError. Use AdEMAMix, whose 32 bits are the default.",
    ),
    Judgement("bitsandbytes", "AdamW32bit", ("P1.settings", "P1.pairs", "P17"), "true", *NO_AMSGRAD),
    Judgement(
        "bitsandbytes",
        "Adam32bit",
        ("P1.settings", "P1.pairs", "P1.changes", "P31"),
        "disputed",
        "Adam is AdamW: weight_decay shrinks the parameter and is no part of the gradient.",
        "torch.optim.Adam: g <- g + lambda theta; its docstring says 'The weight decay value for the optimizer', and not which",
        "A weight_decay that was tuned for torch's Adam acts otherwise.",
    ),
    Judgement("bitsandbytes", "Adam32bit", ("P17",), "true", *NO_AMSGRAD),
    Judgement(
        "bitsandbytes",
        "LAMB32bit",
        ("P1", "P17", "P27", "P30"),
        "true",
        "The trust ratio is never above 1, and 0 where the parameter is 0: Adam's step is shortened to the parameter's norm. "
        "bias_correction=False has no effect.",
        "You et al., Algorithm 2: the step is phi(|theta|) / |r| r, longer or shorter than r; reference codes have 1 where a "
        "norm is 0",
        "Weights that start at zero (biases) are never trained, and steps are never longer than Adam's.",
    ),
    Judgement(
        "bitsandbytes",
        "SGD32bit",
        ("P1.settings", "P1.pairs", "P1.changes", "P17"),
        "true",
        "dampening and nesterov are taken, and have no effect.",
        "its docstring: 'nesterov: Whether to use Nesterov momentum', 'dampening: The dampening value reduces the momentum of "
        "the optimizer'",
        "Who asks for Nesterov's momentum gets Polyak's, without a message.",
    ),
    Judgement(
        "bitsandbytes",
        "RMSprop32bit",
        ("P1.settings", "P1.pairs", "P1.changes", "P17"),
        "true",
        "momentum is taken, and has no effect.",
        "its docstring: 'momentum: The momentum value speeds up the optimizer by taking bigger steps'",
        "Who asks for momentum gets none, without a message.",
    ),
    Judgement(
        "bitsandbytes",
        "*",
        ("P1.dtypes",),
        "documented",
        "float64 parameters are updated in float32.",
        "its name, 32bit; backends/cpu/ops.py: p_float = p.data.float()",
        "In float64 a training has the precision of float32.",
    ),
    # D-Adaptation
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
        "DAdaptAdam",
        ("P9.count", "P33"),
        "disputed",
        "Each parameter's state has a `step` that stays 0; the count that is used is the group's `k`.",
        "torch: state['step'] is the number of updates of a parameter",
        "Read group['k'], and not state['step'], to learn how many steps were made; the updates are right.",
    ),
    Judgement(
        "prodigyopt",
        "Prodigy",
        ("P33",),
        "disputed",
        "A step in which all gradients are zero returns before it is counted.",
        "torch: state['step'] is the number of updates of a parameter; the authors' own code returns where |s|_1 is 0",
        "None for a training: before the first gradient there is nothing to count.",
    ),
    # DoG and DoWG
    *(
        Judgement(package, name, ("P10",), "true", *NO_GRADIENT)
        for package, name in (
            ("dog-optimizer", "DoG"),
            ("dowgopt", "DoWG"),
            ("torch-sm3", "SM3"),
            ("muon-optimizer", "SingleDeviceMuon"),
        )
    ),
    *(
        Judgement(package, name, ("P8",), "disputed", *SHARES_MEMORY)
        for package, name in (("dog-optimizer", "DoG"), ("dowgopt", "DoWG"))
    ),
    Judgement(
        "dowgopt",
        "DoWG",
        ("P9",),
        "true",
        "A loaded state has lost where the run began: x0 is kept under the group's number, which torch's load_state_dict takes "
        "for the first parameter's.",
        "torch: a whole number in state_dict()['state'] is the index of a parameter",
        "A training that is resumed measures its distance from where it was resumed, and takes other steps.",
    ),
    Judgement(
        "dowgopt",
        "DoWG",
        ("P1.dtypes",),
        "disputed",
        "Its two sums are float32 tensors, also of float64 parameters.",
        "torch.optim's classes compute in the parameter's dtype",
        "In float64 steps are off in their eighth digit.",
    ),
    # heavyball
    Judgement(
        "heavyball",
        "ADOPT",
        ("P1", "P5", "P31"),
        "true",
        "The quotient is not clipped, and the average starts corrected and not at zero: its first step is g / max(sqrt(v), eps) "
        "whole.",
        "Taniguchi et al., Algorithm 1: m_0 = 0, m_t = beta1 m + (1 - beta1) g / max(sqrt(v), eps); Algorithm 2 clips the "
        "quotient at t^(1/4)",
        "Where a first gradient is zero the next step is lr / eps: 1000 at lr = 0.001 and eps = 1e-6.",
    ),
    *(
        Judgement("heavyball", name, ("P1", "P20", "P27", "P28", "P30"), "disputed", *EPSILON_AS_FLOOR)
        for name in ("AdamW", "AdEMAMix", "NAdam")
    ),
    Judgement(
        "heavyball",
        "NAdam",
        ("P31",),
        "true",
        "Coupled decay is added to the gradient and then subtracted from the update again (_nadam_finish_weight_decay), so "
        "that the parameter grows by lr weight_decay theta beside the step.",
        "torch.optim.NAdam: g <- g + lambda theta, and nothing else",
        "weight_decay shrinks less than asked for: with g = 0, lr = 0.002 and weight_decay = 0.25 by 0.0016 where torch has "
        "0.0021.",
    ),
    Judgement(
        "heavyball",
        "*",
        ("P9.whole",),
        "disputed",
        "The moments of float64 parameters are float32, and torch's load_state_dict makes them float64, so that a resumed run "
        "goes on in other bits.",
        "torch.optim.Optimizer.load_state_dict casts what floats to the parameter's dtype; storage_dtype is float32",
        "In float64 a resumed training differs in its eighth digit; in float32 it does not.",
    ),
    Judgement("heavyball", "LaProp", ("P1.settings", "P1.pairs", "P1.range", "P17"), "disputed", *EPSILON_AS_FLOOR),
    Judgement(
        "heavyball",
        "LaProp",
        ("P1.changes",),
        "disputed",
        "The rate multiplies the whole average, where the paper has each gradient's own rate in it.",
        "Ziyin, Wang & Ueda, Algorithm 1: m_t = mu m_(t-1) + (1 - mu) lambda_t g / (sqrt(n / c_n) + eps)",
        "With a constant rate both are the same; a change of the rate acts at once, and in the paper's form by and by.",
    ),
    Judgement("heavyball", "*", ("P10",), "disputed", *ONE_COUNT),
    Judgement(
        "heavyball",
        "*",
        ("P1.dtypes",),
        "disputed",
        "Rates, betas and epsilon are float32 tensors, also where parameters are float64.",
        "torch.optim's classes compute in the parameter's dtype, with numbers of float64",
        "In float64 steps are off in their eighth digit.",
    ),
    # GaLore, LAMB, MADGRAD
    Judgement(
        "galore-torch",
        "GaLoreAdamW",
        ("P1", "P32"),
        "documented",
        "The decay shrinks the parameter after the update, and so the update too.",
        'its source: "Add weight decay at the end (fixed version)"',
        "The update is 1 - lr weight_decay of what it would be.",
    ),
    Judgement(
        "pytorch-lamb",
        "Lamb",
        ("P1", "P11", "P12", "P14", "P24", "P27", "P28", "P30"),
        "true",
        "There is no guard for weights or directions of norm 0: weights that are zero stay zero, and a gradient of zero "
        "gives 0/0, NaN.",
        "You et al., Algorithm 2, and reference codes (TensorFlow Addons, apex): the ratio is 1 where a norm is 0",
        "Biases and layers that start at zero are never trained.",
    ),
    Judgement(
        "parameterfree",
        "COCOB",
        ("P1.range",),
        "disputed",
        "A gradient of 2.4e19 makes the parameter NaN, where the formula's step is finite: its square overflows float32.",
        "Orabona & Tommasi, Algorithm 2, in exact arithmetic",
        "Gradients of that size end a training anyhow; clip them.",
    ),
    Judgement("qhoptim", "QHAdam", ("P1.changes",), "disputed", *RUNNING_WEIGHTS),
    # Ranger
    *(
        Judgement(package, name, ("P1.dtypes",), "disputed", *IN_FLOAT32)
        for package, name in (("pytorch-ranger", "Ranger"), ("ranger-adabelief", "RangerAdaBelief"))
    ),
    Judgement("pytorch-ranger", "Ranger", ("P1.changes", "P1.pairs"), "true", *CACHED_RECTIFICATION),
    Judgement(
        "ranger-adabelief",
        "RangerAdaBelief",
        ("P7", "P1.layouts"),
        "true",
        "Centralisation subtracts the mean from the caller's gradient in place (`x.add_(-mean)`), which a gradient with "
        "repeated memory (expand) does not allow.",
        KEEPS,
        "A norm of the gradients that is logged after the step is another.",
    ),
    Judgement(
        "ranger-adabelief",
        "RangerAdaBelief",
        ("P1.settings", "P1.changes", "P1.pairs", "P32"),
        "true",
        "The decay is multiplied by the step's correction: lr weight_decay / (1 - beta1^t) times the rectification.",
        "Loshchilov & Hutter, Algorithm 2, line 12: theta - eta (alpha m^ / (sqrt(v^) + eps) + lambda theta), with no correction "
        "before lambda",
        "With beta1 = 0.95 the first step decays 20 times as much as asked for, and later ones as the rectification grows.",
    ),
    # Schedule-Free
    *(
        Judgement(
            "schedulefree",
            name,
            ("P7", "P1.layouts"),
            "documented",
            "A step writes the normalised gradient over the caller's.",
            'schedulefree\'s source: "Reuse grad buffer for memory efficiency"',
            "A norm of the gradients that is logged after the step is another; call zero_grad() before each backward().",
        )
        for name in ("AdamWScheduleFree", "AdamWScheduleFreePaper")
    ),
    *(
        Judgement("schedulefree", name, ("P8",), "disputed", *SHARES_MEMORY)
        for name in ("AdamWScheduleFree", "AdamWScheduleFreePaper")
    ),
    *(
        Judgement(
            "schedulefree",
            name,
            ("P1.changes", "P1.pairs"),
            "disputed",
            "It keeps x and z, from which y follows with a changed beta at once; the other classes keep y and z, and the formula "
            "does.",
            "Defazio et al., Algorithm 1: y_t = (1 - beta) z_t + beta x_t, with one beta",
            "Only who changes beta during a training sees a difference.",
        )
        for name in ("AdamWScheduleFreeReference", "SGDScheduleFreeReference")
    ),
    # SM3, Muon, Sophia
    Judgement(
        "muon-optimizer",
        "SingleDeviceMuon",
        ("P7",),
        "true",
        "With Nesterov's momentum, which it always has, a step writes over the caller's gradient: `grad.lerp_(momentum, beta)`.",
        KEEPS,
        "A norm of the gradients that is logged after the step is another, and accumulating without zero_grad() adds changed "
        "gradients.",
    ),
    Judgement("torch-sm3", "SM3", ("P1.nonfinite",), "true", *NO_GRADIENT),
    Judgement(
        "torch-sm3",
        "SM3",
        ("P5",),
        "disputed",
        "A parameter without elements raises IndexError, as the largest of none is asked for.",
        NO_ELEMENTS[1],
        NO_ELEMENTS[2],
    ),
    Judgement("torch-sm3", "SM3", ("P1",), "withheld", *EACH_DIMENSION),
    Judgement(
        "sophia-opt",
        "SophiaG",
        ("P9.count",),
        "disputed",
        "The step count is a float32 number, which stops at 2^24, as in torch's own classes.",
        "torch.optim's classes, from which its step count is taken",
        "None: the count is not used by the update.",
    ),
)
