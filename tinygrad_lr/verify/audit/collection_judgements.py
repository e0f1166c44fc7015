"""What a person judged of the optimizers of pytorch_optimizer and torch_optimizer. Next: package_judgements.py."""

# ruff: noqa: E501  (sentences)

from __future__ import annotations

from .judging import Judgement

# What several packages share, as they have the code from one another.
GROUPS = "torch: a parameter group's entries are its own hyperparameters, and may be changed between steps"
ADDED = "torch: add_param_group adds parameters to an optimizer that exists"
KEEPS = "torch.optim's classes leave p.grad as it was"
NO_ELEMENTS = (
    "A parameter without elements raises ZeroDivisionError, as delta / sqrt(0).",
    "torch.optim's classes leave such a parameter alone",
    "Only who has parameters without elements sees it.",
)
IN_FLOAT32 = (
    "float64 parameters are updated in float32: the step takes `.float()` of parameter and gradient.",
    "torch.optim's classes compute in the parameter's dtype",
    "In float64 a training has the precision of float32.",
)
ONE_FLOAT = (
    "The sums from which the distance is estimated are float32 tensors, also of float64 parameters.",
    "The authors' package sums in Python's floats (`.item()`), which are float64",
    "In float64 steps are off in their eighth digit.",
)
VIEWS = (
    "A weight or gradient that is not contiguous raises RuntimeError, as `x.view(x.size(0), -1)` is not possible.",
    "torch.optim's classes take any layout",
    "Convolutions in channels_last cannot be trained.",
)
PROJECTED_BUFFER = (
    "The projection works in place on the momentum buffer, which so forgets what was projected away; the authors' own "
    "code does so (`d_p = buf`, `perturb -= ...`), and the paper's algorithm does not.",
    "Heo et al., Algorithm 1: p_t = beta p_(t-1) + grad f(w_t), q_t = the projection of p_t, w - eta q_t",
    "Where a layer's weights are nearly orthogonal to the gradient, later steps lack the radial part of the momentum.",
)
FIRST_BOUNDS = (
    "A group that is added later is never updated: the groups are zipped with the rates noted when it was built, and "
    "zip ends with the shorter list.",
    ADDED,
    "Layers that are unfrozen with add_param_group stay as they are, without an error.",
)
RUNNING_WEIGHTS = (
    "After a change of the betas the averages are weighted otherwise: it keeps the sum of the weights, and the formula has "
    "1 - beta^t with the new beta.",
    "Ma & Yarats, section 4, has constant betas, for which both are the same; the authors' package keeps the weights",
    "Only who schedules the betas sees a difference, and either reading is an average.",
)
CACHED_RECTIFICATION = (
    "It reads alpha and N_sma_threshhold from the optimizer and not from the group, and keeps the rectification of a step "
    "number for all groups together, with the betas of the first.",
    GROUPS,
    "A group with betas, alpha or a threshold of its own is updated with another's: with betas (0.5, 0.6) beside (0.95, "
    "0.999) the first step is ten times too large.",
)
LOST_BETA = (
    "The velocities are kept under the value of their beta, so that a beta that is changed raises KeyError.",
    GROUPS,
    "The betas cannot be scheduled.",
)
UNREAD_EPSILONS = (
    "eps1 and eps2 stand in every group, and the step reads those that the optimizer was built with.",
    GROUPS,
    "A group's own eps1 and eps2, and a later change of them, have no effect.",
)
EACH_DIMENSION = (
    "Of parameters of more than two dimensions it keeps the largest along each dimension, and the formula along the last two.",
    "Anil et al., section 4: for tensors the cover has a set for each index of each dimension",
    "None is claimed; for vectors and matrices it computes the formula.",
)
NOTHING_WITHOUT_MOMENTUM = (
    "With momentum=0 there is neither integral nor derivative: both stand inside `if momentum != 0`, as in the authors' code.",
    "The formula's I <- mu I + g and D, in which momentum 0 leaves the gradient and its difference; the authors' code has the "
    "condition",
    "momentum=0 is gradient descent, whatever integral and derivative are.",
)

ONE_COUNT = (
    "All parameters of a group share one step count, so that one whose gradients come late is corrected as if it had been there "
    "from the start.",
    "Kingma & Ba, arXiv:1412.6980, Algorithm 1, counts iterations of one theta, which says nothing of parts of it; torch counts the "
    "updates of each parameter",
    "The first updates of layers that are unfrozen, or used, later are smaller: 0.64 of the rate after two steps for Adam's "
    "defaults, down to 0.32.",
)
DECAYS_AFTER = (
    "The decay shrinks what the step has left, and not what it started from; the authors' code does so, too, without the rate.",
    "Ziyin et al., arXiv:2002.04839, has no decay; the authors' laprop.py: p.add_(-step_size, exp_avg), then "
    "p.add_(-weight_decay, p); Loshchilov & Hutter decay the parameter before the step",
    "Steps differ by lr^2 weight_decay, a ten thousandth of a step.",
)
SECOND_MOMENT_ANEW = (
    "It starts the second moment anew whenever that is zero, and not only at step 1, as NVIDIA's own code does.",
    "Ginsburg et al., Algorithm 1: v_1 = |g_1|^2, v_t = beta2 v_(t-1) + (1 - beta2) |g_t|^2",
    "A layer whose first gradients are all zero starts as if at step 1, which is what one would want.",
)
FIRST_MOMENT_OF_YOGI = (
    "The first moment starts at initial_accumulator (1e-6) where the second does, and not at zero.",
    "Zaheer et al., Algorithm 2: m_0 = 0; TensorFlow Addons, from which the value comes: `add_slot(var, 'v', init)` and "
    "`add_slot(var, 'm')`, which is zeros",
    "With a zero gradient parameters move, by 2.8e-6 in the first step at the default rate.",
)
FIRST_MOMENT_SHOWS = ("P1", "P12", "P14", "P20", "P27", "P29", "P30", "P31", "P32")

PYTORCH_OPTIMIZER: tuple[Judgement, ...] = (
    Judgement("pytorch_optimizer", "*", ("P10",), "disputed", *ONE_COUNT),
    Judgement(
        "pytorch_optimizer",
        "ADOPT",
        ("P1",),
        "true",
        "The clip is one step ahead: it uses t^(1/4) with t counted from the step that only fills the second moment.",
        "Taniguchi et al., Algorithm 2: m_t = beta1 m + (1 - beta1) clip(g / max(sqrt(v), eps), c_t), c_t = t^(1/4), t from 1 "
        "after v_0 = g_0^2",
        "Where the clip acts, the first update is up to 1.19 times larger; later the difference vanishes.",
    ),
    Judgement(
        "pytorch_optimizer",
        "AdaBound",
        ("P6", "P1.changes", "P1.pairs"),
        "true",
        "A group that is added later ends a step with IndexError: its rate was not noted when the optimizer was built.",
        ADDED,
        "Layers cannot be unfrozen with add_param_group.",
    ),
    *(
        Judgement("pytorch_optimizer", name, ("P1.changes",), "true", *UNREAD_EPSILONS)
        for name in ("AdaFactor", "CAME")
    ),
    *(Judgement("pytorch_optimizer", name, ("P5",), "disputed", *NO_ELEMENTS) for name in ("AdamP", "SGDP")),
    Judgement(
        "pytorch_optimizer",
        "Adan",
        ("P13", "P1"),
        "true",
        "With maximize=True the first gradient is kept before its sign is changed, so that the first difference is twice the "
        "gradient and not zero.",
        "Xie et al., Algorithm 1: the difference is g_k - g_(k-1) of one objective; P13: maximizing f is minimizing -f",
        "Maximizing starts otherwise than minimizing the negative: the second step is 1.4 times as large.",
    ),
    Judgement("pytorch_optimizer", "AggMo", ("P1.changes", "P9.whole"), "true", *LOST_BETA),
    Judgement("pytorch_optimizer", "AdamP", ("P1.layouts",), "true", *VIEWS),
    Judgement(
        "pytorch_optimizer",
        "DAdaptAdaGrad",
        ("P1",),
        "disputed",
        "Where the sum of the gradients returns to exactly zero, a step returns before it moves the parameters back.",
        "Defazio & Mishchenko, Algorithm 3: x_(k+1) = x_0 - s / A in every step; the authors' package returns, too",
        "A sum of exactly zero is met in examples, and not in trainings.",
    ),
    *(Judgement("pytorch_optimizer", name, ("P1.dtypes",), "disputed", *ONE_FLOAT) for name in ("DAdaptSGD",)),
    Judgement(
        "pytorch_optimizer",
        "DAdaptSGD",
        ("P1", "P31"),
        "disputed",
        "The first gradient's norm, by which all steps are divided, leaves the weight decay out.",
        "Defazio & Mishchenko, Algorithm 4: lambda_k = d_k gamma_k / |g_0|, without a weight decay; P31 has it as a part of g",
        "With weight decay all steps are scaled by another norm than the gradients that are used have.",
    ),
    Judgement(
        "pytorch_optimizer",
        "SOAP",
        ("P2", "P6", "P7", "P9", "P11", "P12", "P14", "P15", "P16", "P33"),
        "disputed",
        "Gradients whose squares overflow float32 (2e19) end a step with torch's LinAlgError: the covariance is infinite.",
        "Vyas et al., Algorithm 3, in exact arithmetic; every implementation squares gradients",
        "Gradients of that size end a training anyhow; clip them.",
    ),
    Judgement(
        "pytorch_optimizer",
        "MARS",
        ("P11",),
        "disputed",
        "A rate of 0 raises ZeroDivisionError, as a quotient of two rates is taken.",
        "torch.optim's classes take lr=0, and move nothing",
        "A schedule must end above 0.",
    ),
    Judgement(
        "pytorch_optimizer",
        "Muon",
        ("P0",),
        "withheld",
        "It takes parameter groups that say use_muon, and no tensors; the row hands it tensors.",
        "pytorch_optimizer, Muon: params are groups with use_muon",
        "None is claimed.",
    ),
    Judgement(
        "pytorch_optimizer",
        "PNM",
        ("P1",),
        "withheld",
        "It differs from the formula in the last bit after the momenta have been exchanged, which the bound may not hold.",
        "Xie et al., Algorithm 1",
        "None is claimed.",
    ),
    Judgement("pytorch_optimizer", "SM3", ("P1",), "withheld", *EACH_DIMENSION),
    Judgement(
        "pytorch_optimizer",
        "SM3",
        ("P5",),
        "disputed",
        "A parameter without elements raises IndexError, as the largest of none is asked for.",
        NO_ELEMENTS[1],
        NO_ELEMENTS[2],
    ),
    Judgement("pytorch_optimizer", "QHAdam", ("P1.changes",), "disputed", *RUNNING_WEIGHTS),
    Judgement("pytorch_optimizer", "SGDP", ("P1",), "disputed", *PROJECTED_BUFFER),
    Judgement(
        "pytorch_optimizer",
        "AdaFactor",
        ("P1.range",),
        "disputed",
        "A gradient whose square overflows float32 (2.4e19) makes the parameter NaN, where the formula's step is finite.",
        "Shazeer & Stern, Algorithm 5, in exact arithmetic; every implementation squares gradients",
        "Gradients of that size end a training anyhow; clip them.",
    ),
    Judgement(
        "pytorch_optimizer",
        "LARS",
        ("P7",),
        "true",
        "A step writes the scaled gradient, and then the momentum, over the caller's gradient.",
        KEEPS,
        "A norm of the gradients that is logged after the step is another, and accumulating without zero_grad() adds the "
        "momentum.",
    ),
    Judgement(
        "pytorch_optimizer",
        "*",
        ("P7", "P1.layouts"),
        "true",
        "A step writes into the caller's gradients: maximize changes their signs, coupled decay adds to them; a gradient "
        "with repeated memory (expand) raises RuntimeError.",
        KEEPS,
        "Accumulating without zero_grad() adds changed gradients, and a norm that is logged after the step is another.",
    ),
    Judgement("pytorch_optimizer", "PID", ("P1.settings", "P17"), "disputed", *NOTHING_WITHOUT_MOMENTUM),
    Judgement(
        "pytorch_optimizer",
        "Lamb",
        ("P1", "P27", "P30"),
        "true",
        "The first moment's correction multiplies the rate, after the trust ratio, and the second's is left out: "
        "`step_size = lr / (1 - beta1^t)`, and no 1 - beta2^t.",
        "You et al., arXiv:1904.00962, Algorithm 2: m^ = m / (1 - beta1^t), v^ = v / (1 - beta2^t), and the ratio is of the "
        "corrected direction, so that both nearly cancel in it",
        "With beta1 = 0.9 the first step is 10 times LAMB's, and 32 times where a parameter is zero; after some 30 steps it is "
        "within 5 % of LAMB's, for parameters that are not zero. Warm the rate up.",
    ),
    Judgement("pytorch_optimizer", "Yogi", FIRST_MOMENT_SHOWS, "true", *FIRST_MOMENT_OF_YOGI),
    Judgement(
        "pytorch_optimizer",
        "Grams",
        ("P1.settings", "P1.pairs", "P31"),
        "true",
        "weight_decouple=False has no effect: the decay is added to the gradient after the update was computed from it.",
        "Its docstring: 'Apply weight decay to parameters instead of adding it to the gradient'; its other classes add it before the "
        "moments are computed",
        "With weight_decouple=False there is no weight decay, and p.grad is changed.",
    ),
    Judgement(
        "pytorch_optimizer",
        "LaProp",
        ("P31",),
        "true",
        "weight_decouple=False has no effect: the decay is added to the gradient after the step was made.",
        "Its docstring: 'Apply weight decay to parameters instead of adding it to the gradient'; its other classes add it before the "
        "moments are computed",
        "With weight_decouple=False there is no weight decay, and p.grad is changed.",
    ),
    Judgement("pytorch_optimizer", "LaProp", ("P1.changes", "P1.settings", "P32"), "disputed", *DECAYS_AFTER),
    Judgement(
        "pytorch_optimizer",
        "LaProp",
        ("P1.dtypes",),
        "disputed",
        "The sizes of the steps are made a float32 tensor, also for float64 parameters.",
        "The formula's number, which the authors' code computes in Python's floats",
        "In float64 steps are off in their eighth digit.",
    ),
    Judgement(
        "pytorch_optimizer",
        "QHAdam",
        ("P1.dtypes", "P9.whole"),
        "disputed",
        "The sums of the averages' weights are float32 tensors, also for float64 parameters, until load_state_dict casts them.",
        "The formula's 1 - beta^t; the authors' package keeps the weights as Python's floats",
        "In float64 steps are off in their eighth digit, and a run that is resumed goes on in other bits.",
    ),
    Judgement(
        "pytorch_optimizer",
        "RAdam",
        ("P1", "P17", "P27", "P30", "P31", "P32"),
        "documented",
        "With degenerated_to_sgd=False, its default, the first five steps do nothing, decay included; the paper takes steps of "
        "momentum there.",
        "Liu et al., arXiv:1908.03265, Algorithm 2: else update parameters with un-adapted momentum; the docstring of "
        "degenerated_to_sgd, and the authors' radam.py, whose default is False as well",
        "Five steps are lost, with the default betas; degenerated_to_sgd=True is the paper's rule.",
    ),
    Judgement(
        "pytorch_optimizer",
        "Ranger",
        ("P1",),
        "true",
        "In the first five steps it climbs: below the threshold the rate is multiplied by -1, a mark for 'no step' that it takes "
        "for a factor.",
        "Liu et al., arXiv:1908.03265, Algorithm 2, line 12: theta - alpha m^; its own RAdam passes such steps by (`step_size > 0`)",
        "With degenerated_to_sgd=False, its default, each of the first five steps adds the rate times the gradient; "
        "degenerated_to_sgd=True descends.",
    ),
    Judgement(
        "pytorch_optimizer",
        "ScheduleFreeAdamW",
        ("P8",),
        "disputed",
        "After load_state_dict the tensors of the state are those of the dict that was loaded, so that a step changes it, or its "
        "owner the optimizer.",
        "torch.optim.Optimizer.load_state_dict does so for every class: it copies the dict and not its tensors",
        "Two optimizers that load one dict in memory share their state; a file that is read makes new tensors.",
    ),
    Judgement(
        "pytorch_optimizer",
        "SimplifiedAdEMAMix",
        ("P1",),
        "true",
        "The first moment is an average where the paper sums, and the update is divided by sqrt(1 - beta2^t) where that "
        "correction multiplies it.",
        "Morwani et al., arXiv:2502.02431: m <- beta1 m + g; the authors' simplified_AdEMAMix.py: exp_avg.mul_(beta1).add_(grad, "
        "alpha=1.0), update * sqrt(den_sum)",
        "At its defaults the first step is a fifth of the paper's and the later ones a hundredth, so that rates and alpha from the "
        "paper do not carry over.",
    ),
)

TORCH_OPTIMIZER: tuple[Judgement, ...] = (
    Judgement("torch_optimizer", "Yogi", FIRST_MOMENT_SHOWS, "true", *FIRST_MOMENT_OF_YOGI),
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
        "NovoGrad",
        ("P7",),
        "true",
        "A step divides the caller's gradients by the root of the second moment, in place: `grad.div_(denom)`.",
        KEEPS,
        "A norm of the gradients that is logged, or clipped, after the step is another, and accumulating without "
        "zero_grad() adds scaled gradients.",
    ),
    Judgement("torch_optimizer", "NovoGrad", ("P1",), "disputed", *SECOND_MOMENT_ANEW),
    Judgement(
        "torch_optimizer",
        "NovoGrad",
        ("P9.whole",),
        "disputed",
        "The second moment, one number for each parameter, is a float32 tensor, also for float64 parameters, until "
        "load_state_dict casts it.",
        "torch.optim.Optimizer.load_state_dict casts a state to its parameter's dtype",
        "In float64 a run that is resumed goes on in other bits, from the eighth digit on.",
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
        ("P6", "P1.changes", "P1.pairs"),
        "true",
        "A group that is added later has no state: a step raises KeyError: 'grad_sum_sq'.",
        ADDED,
        "Layers cannot be unfrozen with add_param_group.",
    ),
    Judgement(
        "torch_optimizer",
        "Adafactor",
        ("P1",),
        "true",
        "For parameters of more than two dimensions the row means are divided by the means of other rows, as `mean(dim=-1)` lacks "
        "keepdim=True: a step raises RuntimeError, or is wrong where the sizes happen to fit.",
        "Shazeer & Stern, Algorithm 4: V = R C / mean(R), of each matrix; transformers, from which it comes, has keepdim=True",
        "Convolutions cannot be trained: a weight of shape (8, 3, 3, 3) raises, and one of (3, 3, 2) steps wrongly.",
    ),
    Judgement("torch_optimizer", "AdaBound", ("P6", "P1.changes", "P1.pairs"), "true", *FIRST_BOUNDS),
    Judgement("torch_optimizer", "AdamP", ("P1.layouts",), "true", *VIEWS),
    *(Judgement("torch_optimizer", name, ("P5",), "disputed", *NO_ELEMENTS) for name in ("AdamP", "SGDP")),
    Judgement("torch_optimizer", "SGDP", ("P1",), "disputed", *PROJECTED_BUFFER),
    Judgement("torch_optimizer", "AggMo", ("P1.changes", "P9.whole"), "true", *LOST_BETA),
    Judgement(
        "torch_optimizer",
        "RAdam",
        ("P1.changes", "P1.pairs"),
        "true",
        "The step's size is kept under the step's number in one list for all groups, the rate included: all groups are "
        "updated with the rate of the first.",
        GROUPS,
        "Two groups with the rates 0.001 and 0.5 both move by 0.001. Layer-wise rates have no effect, and the weight decay "
        "alone follows a group's own rate.",
    ),
    Judgement("torch_optimizer", "Ranger", ("P1.changes", "P1.pairs"), "true", *CACHED_RECTIFICATION),
    *(Judgement("torch_optimizer", name, ("P1.dtypes",), "disputed", *IN_FLOAT32) for name in ("RAdam", "Ranger")),
    Judgement("torch_optimizer", "QHAdam", ("P1.changes",), "disputed", *RUNNING_WEIGHTS),
    Judgement(
        "torch_optimizer",
        "PID",
        ("P7", "P31"),
        "true",
        "A step adds the integral, the derivative and the decay to the caller's gradients in place: `d_p.add_(...)`.",
        KEEPS,
        "After a step with the defaults p.grad is six times what it was; accumulating without zero_grad() adds to that.",
    ),
    Judgement(
        "torch_optimizer",
        "PID",
        ("P1",),
        "disputed",
        "The gradient of the first step is not kept: `g_buf = d_p` binds a name and writes nothing, so that the second step's "
        "difference is taken from zero; the authors' own code does so.",
        "Its own later steps: `self.state[p]['grad_buffer'] = d_p.clone()`; An et al., the derivative of the gradient",
        "The second step has a derivative part of the whole gradient, which decays with the momentum.",
    ),
)
