"""What a person judged of the frameworks and of libraries of their kind: torch, optax, keras, timm, thinc, fastai, ...

Next: judgements.py.
"""

# ruff: noqa: E501  (sentences)

from __future__ import annotations

from .collection_judgements import DECAYS_AFTER, EACH_DIMENSION, IN_FLOAT32, KEEPS, ONE_COUNT, SECOND_MOMENT_ANEW
from .judging import Judgement

GROUPS = "torch.optim, 'Per-parameter options': keys of a group 'will be used as optimization options for this group'"
UPDATED_FIRST = (
    "The decay shrinks the parameter after the update, and so the update too.",
    "Loshchilov & Hutter, arXiv:1711.05101, Algorithm 1, line 9: theta_t = theta_(t-1) - m_t - eta_t lambda theta_(t-1), and "
    "Algorithm 2, line 12, likewise: the decay is of the theta before the step",
    "The update is 1 - lr weight_decay of what it would be, a millionth less at usual settings.",
)
NO_ELEMENTS = "torch's other optimizers leave a parameter without elements alone"

TORCH = (
    Judgement(
        "torch",
        "*",
        ("P1.layouts", "P4"),
        "true",
        "On the CPU the fused kernel reads the memory of a gradient in order, whatever the gradient's strides: of one that "
        "is transposed or strided each parameter gets another's, and one that is expanded is read beyond its end.",
        "Its own default form, which computes the right step of the same gradient; for CUDA the fused kernels refuse such "
        "a gradient (pytorch/pytorch#106951: 'must have same dtype, device, and layout')",
        "backward() gives gradients that lie as the parameters do. Who assigns p.grad (a transposed view, a column, "
        "an expanded tensor) trains with wrong numbers, without an error: call .contiguous() first.",
        only="fused",
    ),
    Judgement(
        "torch",
        "SGD",
        ("P5", "P9.whole", "P10"),
        "true",
        "With fused=True and momentum a parameter whose first gradient comes after the others' ends the step with a TypeError: "
        "momentum buffers are made in the step in which none has one, and never again.",
        "torch/optim/sgd.py, _fused_sgd: is_first_step = all(t is None for t in momentum_buffer_list); its default form makes "
        "a buffer when a parameter needs it",
        "Layers that are unfrozen, or used, later cannot be trained by SGD(momentum=..., fused=True).",
        only="fused",
    ),
    Judgement(
        "torch",
        "Adagrad",
        ("P1.changes",),
        "true",
        "A group's own initial_accumulator_value is accepted and not used: every sum starts with the constructor's.",
        f"{GROUPS}; torch/optim/adagrad.py, _init_group: self.defaults['initial_accumulator_value']",
        "Groups cannot differ in it; say it to the constructor.",
    ),
    Judgement(
        "torch",
        "ASGD",
        ("P1.changes",),
        "true",
        "The rate of a step is computed at the end of the step before it, so that a rate that is changed acts one step late.",
        "torch/optim/asgd.py, after the update: new_eta = lr / (1 + lambd lr step)^alpha; all other classes of torch.optim use "
        "group['lr'] in the step for which a scheduler set it",
        "Under a scheduler every rate comes one step late; the first step has the rate that the optimizer was built with.",
    ),
    *(
        Judgement(
            "torch",
            name,
            ("P9.whole",),
            "disputed",
            "With parameters in float64 a run that is resumed goes on in other bits: a number of its state is a float32 tensor, "
            "which load_state_dict casts to float64.",
            "torch/optim/optimizer.py, _process_value_according_to_param_policy: all of a state but `step` is cast to the "
            "parameter's dtype; the numbers agree to float32's precision",
            "After resuming steps differ by some 1e-8 of themselves.",
        )
        for name in ("NAdam",)
    ),
    Judgement(
        "torch",
        "Adafactor",
        ("P5",),
        "disputed",
        "A parameter without elements raises ZeroDivisionError, from the norm over the root of the number of elements.",
        NO_ELEMENTS,
        "Only who has parameters without elements sees it.",
    ),
)

OPTAX = (
    Judgement(
        "optax",
        "rprop",
        ("P1", "P27", "P17"),
        "true",
        "Each update that it returns is that of the step before it; the first is zero.",
        "google-deepmind/optax#1725 (open): 'every Rprop update lags one step behind'; Riedmiller & Braun, 1993: the step of "
        "this gradient's sign",
        "The first step is lost, and where a gradient changes its sign the step back comes late.",
    ),
    Judgement(
        "optax",
        "adan",
        ("P1",),
        "true",
        "The difference of the gradients is weighted with 1 - b2 where b2 is meant: 0.08 in the place of 0.92.",
        "Its docstring, (1 - beta_2) with beta_2 = 1 - b2; google-deepmind/optax#1715 (open); Xie et al., arXiv:2208.06677, "
        "Algorithm 1",
        "From the second step on it is nearly Adam: what Adan adds is scaled down by eleven.",
    ),
    Judgement(
        "optax",
        "yogi",
        ("P1", "P12", "P14", "P17", "P20", "P27", "P29", "P30"),
        "true",
        "The first moment starts at 1e-6, where the second does, and not at zero.",
        "Zaheer et al., 2018, Algorithm 2: m_0 = 0; TensorFlow Addons initialises v with the value and m with zeros",
        "With a zero gradient parameters move, by 2.8e-6 in the first step at lr=0.01.",
    ),
    Judgement(
        "optax",
        "adafactor",
        ("P1.settings", "P1.changes"),
        "disputed",
        "weight_decay_rate is not multiplied by the learning rate.",
        "Shazeer & Stern, Algorithm 4, has no decay; the docstring: 'Optional rate at which to decay weights'; torch, keras "
        "and transformers multiply by the learning rate",
        "A value that is taken from another library decays by 1/lr more: at 1e-3 a thousandfold.",
    ),
    Judgement(
        "optax",
        "adafactor",
        ("P1.sizes",),
        "disputed",
        "Of parameters of more than two dimensions it factors the two largest, and not the last two.",
        "Shazeer & Stern, Algorithm 4, is of matrices; optax/_src/factorized.py: 'a tuple with the two largest axes to reduce over'",
        "Parameters of three and more dimensions are scaled otherwise than in torch.",
    ),
    *(
        Judgement(
            "optax",
            name,
            ("P1.range",),
            "disputed",
            "A gradient below 1.2e-38, which is subnormal, counts as zero.",
            "The formula in exact arithmetic; XLA flushes subnormal numbers to zero on the CPU, for all of JAX",
            "None: no training has gradients of that size.",
        )
        for name in ("lion", "lars", "sign_sgd", "signum")
    ),
    Judgement(
        "optax",
        "contrib.simplified_ademamix",
        ("P1.range",),
        "disputed",
        "A gradient whose square overflows float32 makes the parameter NaN, where the formula's step is finite.",
        "The formula in exact arithmetic; every implementation squares gradients",
        "Gradients of that size end a training anyhow; clip them.",
    ),
    Judgement("optax", "sm3", ("P1",), "withheld", *EACH_DIMENSION),
    Judgement(
        "optax",
        "sm3",
        ("P5",),
        "disputed",
        "A parameter without elements raises ValueError, from the maximum of nothing.",
        "optax's other transformations leave a parameter without elements alone",
        "Only who has parameters without elements sees it.",
    ),
    Judgement(
        "optax",
        "contrib.prodigy",
        ("P1", "P11", "P12"),
        "true",
        "Where the first gradients are all zero the estimate of the distance is 0/0, and every parameter NaN.",
        "Mishchenko & Defazio, arXiv:2306.06101, Algorithm 4: the numerator over the norm of s; its authors' code returns "
        "where that norm is 0",
        "A model whose first batch gives no gradient, or whose rate begins at 0, is NaN from then on.",
    ),
)

CENTRED = (
    *(
        Judgement(
            package,
            name,
            ("P24",),
            "true",
            "Centred, the mean of the squares less the square of the mean is not kept from falling below zero in rounding; its "
            "root is NaN where a gradient hardly changes.",
            "Graves, arXiv:1308.0850, equations 38 to 41, where it is a variance, which exact arithmetic keeps from being "
            "negative",
            "With a decay of 0.9 some constant gradients (0.545, 0.7, 2.3) make a parameter NaN within 140 steps, for good; "
            "with torch's default of 0.99 none of seven did in 6000.",
            only="centered",
        )
        for package, name in (("torch", "RMSprop"), ("optax", "rmsprop"), ("keras", "RMSprop"))
    ),
)

KERAS = (
    *(
        Judgement(
            "keras",
            name,
            ("P1.range",),
            "disputed",
            "After one gradient whose square overflows float32 (1.8e19) the second moment is NaN for good: it is computed as "
            "v + (g^2 - v) (1 - beta2), inf - inf in the next step.",
            "Kingma & Ba, arXiv:1412.6980, Algorithm 1: beta2 v + (1 - beta2) g^2, which stays infinite, so that steps are 0",
            "Gradients of that size end a training either way; clip them.",
        )
        for name in ("Adam", "AdamW", "Nadam", "Lamb", "ScheduleFreeAdamW")
    ),
    Judgement(
        "keras",
        "Adafactor",
        ("P17",),
        "true",
        "relative_step=False has no effect: the rate is the smaller of learning_rate and 1/sqrt(t) either way.",
        "keras/src/optimizers/adafactor.py: rho_t = minimum(lr, 1 / sqrt(t)), after the condition on relative_step; its docstring "
        "says that with relative_step=True the rate is adjusted so",
        "A constant rate above 1/sqrt(t) cannot be had.",
    ),
    Judgement(
        "keras",
        "Adafactor",
        ("P1.settings", "P1.changes"),
        "disputed",
        "The weight decay shrinks the parameter before anything else, so that the step is scaled by the size of what is left.",
        "Shazeer & Stern, Algorithm 4, has no decay; torch takes the size first, as transformers does since its #14539",
        "Steps are smaller by lr weight_decay, relative to them.",
    ),
    Judgement(
        "keras",
        "Muon",
        ("P17",),
        "documented",
        "epsilon is that of Adam, for what is no matrix; the iteration for matrices has 1e-7.",
        "Its docstring: 'This is \"epsilon hat\" in the Kingma and Ba paper'",
        "None for matrices.",
    ),
    Judgement(
        "keras",
        "ScheduleFreeAdamW",
        ("P1.settings", "P1.changes"),
        "true",
        "Weight decay shrinks the variable and not z, to which the average goes: in the first step it has no effect, and in the "
        "step t a t-th of it is lost.",
        "Defazio et al., arXiv:2405.15682, and the authors' code: z - gamma (g / (sqrt(v^) + eps) + lambda y)",
        "A training with weight_decay has much less of it than was asked.",
    ),
    Judgement(
        "keras",
        "*",
        ("P29",),
        "disputed",
        "It computes 1 - beta in float32, which is off by 13 millionths for 0.999 and by one for 0.99, and so is the average.",
        "The formula's (1 - beta) g, which torch computes with 1 - beta in float64; keras/src/optimizers casts the betas first",
        "Steps differ by millionths; nothing that a training shows.",
    ),
    Judgement(
        "keras",
        "*",
        ("P1.dtypes",),
        "documented",
        "With variables in float64 a step is computed in float32, on all backends but TensorFlow's.",
        "keras/src/backend/common/dtypes.py: 'Force to be 32-bit dtype when encountering 64-bit dtype. This is to be aligned with "
        "JAX's default behavior'",
        "Training in float64 has float32's precision, also after set_floatx('float64').",
    ),
)

SCIKIT_LEARN_AND_AUTOGRAD = (
    Judgement(
        "scikit-learn",
        "AdamOptimizer",
        ("P1", "P27", "P28", "P30"),
        "disputed",
        "It folds the corrections into the rate and adds epsilon to the uncorrected root, a form that the paper offers "
        "too; its docstring names the paper and not the form.",
        "Kingma & Ba, arXiv:1412.6980, section 2, last paragraph: alpha_t = alpha sqrt(1 - beta2^t) / (1 - beta1^t), theta - "
        "alpha_t m / (sqrt(v) + epsilon^)",
        "At step 1 its epsilon works as one that is 31 times larger: gradients below 1e-7 move less than in torch. "
        "For others the difference is not seen.",
    ),
    Judgement(
        "autograd",
        "rmsprop",
        ("P1", "P20", "P27", "P28"),
        "disputed",
        "The average of the squares starts at one, and not at zero.",
        "Tieleman & Hinton's slide names no start; torch, keras and optax start at 0, TensorFlow 1 started at 1",
        "With gradients below 1 the first steps are smaller than in torch, up to 10 times at its defaults.",
    ),
)

THINC = (
    Judgement(
        "thinc",
        "RAdam",
        ("P1", "P27", "P30"),
        "true",
        "The step is counted twice: `nr_update` has been raised when `state['step'] += 1` raises it again, so that the "
        "first update is corrected as the second.",
        "Liu et al., arXiv:1908.03265, Algorithm 2: m^ = m / (1 - beta1^t), t from 1",
        "The first update is 0.53 of the learning rate; the rectification sets in one step early.",
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
        Judgement("thinc", name, ("P1.settings", "P1.changes", "P1.pairs", "P32"), "disputed", *UPDATED_FIRST)
        for name in ("Adam", "RAdam", "SGD")
    ),
    Judgement(
        "thinc",
        "thinc_cyclic",
        ("P35",),
        "disputed",
        "It counts steps from 1, so that the first rate is the second of the cycle and the lowest comes at the end of one.",
        "Smith, arXiv:1506.01186, section 3.2, counts iterations without saying from where; torch's CyclicLR begins at the lowest",
        "All rates are those of the step after.",
    ),
)

TORCHOPT = (
    *(
        Judgement(
            "torchopt",
            name,
            ("P7", "P7.buffers", "P1.layouts"),
            "true",
            "A step writes the update over the caller's gradient, in place; a gradient that is expanded ends with a RuntimeError.",
            KEEPS,
            "A norm of the gradients that is logged after the step is that of the update, and accumulating without zero_grad() "
            "adds gradients to updates.",
        )
        for name in ("SGD", "RMSProp", "Adadelta")
    ),
    Judgement(
        "torchopt",
        "SGD",
        ("P10",),
        "true",
        "A step without a gradient sets the parameter's momentum to None: from then on its momentum is lost.",
        "torchopt/transform/trace.py: the new trace of a missing gradient is None; torch's SGD leaves the buffer as it was",
        "Layers that are used in some steps only train without momentum, without an error.",
    ),
    Judgement(
        "torchopt",
        "AdaMax",
        ("P10", "P16", "P20"),
        "true",
        "A parameter without a gradient moves: the update that is returned for it is its first moment.",
        "torchopt/transform/scale_by_adamax.py: `if n is not None else m`; torch's Adamax leaves such a parameter alone",
        "Layers without a gradient drift by lr m in each step, and their largest gradient is forgotten.",
    ),
    Judgement("torchopt", "RAdam", ("P10",), "disputed", *ONE_COUNT),
    Judgement(
        "torchopt",
        "Adadelta",
        ("P1.range",),
        "disputed",
        "The two averages are divided under one root, where the quotient of a gradient of 1e19 is subnormal.",
        "Zeiler, arXiv:1212.5701, Algorithm 1: RMS[dx] / RMS[g] g, two roots",
        "None below gradients of 1e18.",
    ),
)

OPTIMI = (
    Judgement("torch-optimi", "*", ("P10",), "disputed", *ONE_COUNT),
    Judgement(
        "torch-optimi",
        "StableAdamW",
        ("P1.changes",),
        "true",
        "The clip's eps^2 is written down when a parameter is first seen, and does not follow a group's eps that is changed.",
        "optimi/stableadamw.py: state['eps_sq'] = eps ** 2 at the first step, and group['eps'] in the denominator",
        "After a change of eps the clip uses the old one and the denominator the new one; only who changes eps sees it.",
    ),
)

FASTAI = (
    Judgement(
        "fastai",
        "RMSProp",
        ("P1", "P17", "P20", "P30"),
        "true",
        "The argument eps is not handed on: `Optimizer(params, cbs, lr=lr, mom=mom, sqr_mom=sqr_mom, wd=wd)`, so that it is "
        "always the 1e-8 of rms_prop_step.",
        "Its own signature, 'eps: Added for numerical stability'",
        "eps=... does nothing.",
    ),
    *(
        Judgement(
            "fastai",
            name,
            ("P35", "P37"),
            "disputed",
            "The last rate is start + (end - start), which is `end` but for the last bit.",
            "fastai.callback.schedule: sched_cos and sched_lin, in Python's floats",
            "None.",
        )
        for name in ("fastai_cosine", "fastai_linear")
    ),
)

NADIR = (
    *(
        Judgement(
            "nadir",
            name,
            ("P1", "P17", "P20", "P22", "P25", "P27", "P28", "P30"),
            "true",
            f"It is plain gradient descent, lr g: {name} {how}, and the base class's step never asks for it.",
            source,
            f"A training with {name} is one with SGD at the same rate; eps{more} does nothing.",
        )
        for name, how, source, more in (
            (
                "Adagrad",
                "computes a denominator",
                "Duchi et al., 2011: the gradient over the root of the sum of its squares",
                "",
            ),
            (
                "RMSProp",
                "adds hyperparameters alone",
                "Tieleman & Hinton, lecture 6.5: g / sqrt(MeanSquare)",
                " and beta_2",
            ),
        )
    ),
    Judgement(
        "nadir",
        "Adam",
        ("P1", "P20", "P27", "P28", "P30"),
        "true",
        "Epsilon stands inside the root, where its 1e-8 works as 1e-4 outside it.",
        "Kingma & Ba, arXiv:1412.6980, Algorithm 1: theta - alpha m^ / (sqrt(v^) + epsilon)",
        "Gradients below 1e-4 move less than Adam's, those of 1e-6 by a hundredth.",
    ),
    Judgement("nadir", "SGD", ("P1.settings", "P1.changes", "P1.pairs", "P32"), "disputed", *UPDATED_FIRST),
)

TIMM = (
    *(Judgement("timm", name, ("P10",), "disputed", *ONE_COUNT) for name in ("Adan", "Lamb")),
    Judgement(
        "timm",
        "Adafactor",
        ("P1.changes", "P1.dtypes", "P1.layouts", "P1.nonfinite", "P1.settings", "P1.sizes"),
        "documented",
        "Of parameters of more than two dimensions it factors the first two where both are long enough, and of a pair of which "
        "one is of length 1 none.",
        "timm/optim/adafactor.py: 'nD convs in torch are ND + 2 dim weights with leading in/out chs'; Shazeer & Stern, Algorithm 4, "
        "is of matrices",
        "Convolutions are scaled otherwise than in torch.",
    ),
    Judgement("timm", "LaProp", ("P1.changes", "P1.settings", "P32"), "disputed", *DECAYS_AFTER),
    *(Judgement("timm", name, ("P1.dtypes",), "disputed", *IN_FLOAT32) for name in ("LaProp", "RAdamLegacy")),
    Judgement(
        "timm",
        "Muon",
        ("P1", "P17"),
        "withheld",
        "It leaves small matrices to AdamW, and those that the kit examines are small.",
        "timm/optim/muon.py: _is_suitable_for_muon",
        "Whether it computes Muon was not examined.",
    ),
    Judgement(
        "timm",
        "NAdamW",
        ("P1",),
        "documented",
        "The momentum has no schedule: m^ = (beta1 m + (1 - beta1) g) / (1 - beta1^t).",
        "Its docstring refers to Table 1 of Choi et al., arXiv:1910.05446, which has that form; Dozat's paper, and torch, have mu_t",
        "Its first steps are larger than torch's NAdam's: 1.9 times in the first.",
    ),
    Judgement("timm", "NvNovoGrad", ("P1",), "disputed", *SECOND_MOMENT_ANEW),
    Judgement(
        "timm",
        "RMSpropTF",
        ("P1", "P20", "P27", "P28", "P29", "P30"),
        "documented",
        "The second moment starts at 1 and not at 0, as in the first TensorFlow.",
        "Its docstring: 'square_avg initialized to ones'",
        "The first steps are smaller: with alpha=0.9 and gradients of 1 a third of RMSprop's.",
    ),
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
        for name in ("AdamWLegacy", "NAdamW", "Muon", "RMSpropTF")
    ),
    *(
        Judgement(
            "timm",
            name,
            ("P5",),
            "disputed",
            "A parameter without elements raises ZeroDivisionError, as delta / sqrt(0).",
            NO_ELEMENTS,
            "Only who has parameters without elements sees it.",
        )
        for name in ("AdamP", "SGDP")
    ),
)

RANGE = tuple(
    Judgement(
        package,
        name,
        ("P1.range",),
        "disputed",
        "A gradient whose square overflows float32 (1.8e19) makes the parameter NaN, where the formula's step is finite.",
        "Shazeer & Stern, arXiv:1804.04235, Algorithm 4, in exact arithmetic; every implementation squares gradients",
        "Gradients of that size end a training anyhow; clip them.",
    )
    for package, name in (("torch", "Adafactor"), ("timm", "Adafactor"))
)

TINYGRAD = (
    Judgement(
        "tinygrad",
        "*",
        ("P4",),
        "true",
        "A parameter without dimensions ends a step with ValueError: the rate, of shape (1,), gives the update a dimension.",
        "tinygrad/nn/optim.py: self.lr = Tensor([lr]), and tt.assign(...) of the update; tinygrad's tensors may have no dimension",
        "A scale or a temperature of shape () cannot be trained; give it the shape (1,).",
    ),
    Judgement(
        "tinygrad",
        "*",
        ("P1.dtypes", "P1.pairs", "P5", "P17"),
        "disputed",
        "A parameter in float64 ends a step with RuntimeError: assign dtype mismatch, as buffers are float32.",
        "tinygrad/nn/optim.py makes its buffers in float32, whatever the parameter's dtype; nothing says that it trains float64",
        "Train in float32.",
    ),
)

OTHERS = (
    Judgement(
        "apollo-torch",
        "APOLLOAdamW",
        ("P1", "P32"),
        "documented",
        "The decay shrinks the parameter after the update, and so the update too.",
        'its source: "Add weight decay at the end (fixed version)"',
        "The update is 1 - lr weight_decay of what it would be.",
    ),
)

LIBRARY_JUDGEMENTS: tuple[Judgement, ...] = (
    *TORCH,
    *OPTAX,
    *CENTRED,
    *KERAS,
    *SCIKIT_LEARN_AND_AUTOGRAD,
    *THINC,
    *TORCHOPT,
    *OPTIMI,
    *FASTAI,
    *NADIR,
    *TIMM,
    *TINYGRAD,
    *RANGE,
    *OTHERS,
)
