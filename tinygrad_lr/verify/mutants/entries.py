"""The list of real bugs that the checks must find, by number, and why a part of one has no mutant.

Every mutant of a catalogue names its entry; a test holds the two together. Next: catalogue.py.
"""

from __future__ import annotations

ENTRIES: dict[str, str] = {
    # Formula
    "1a": "NAdam: mu applied twice (torch #92699)",
    "1b": "NAdam: the product of mu starts at 0 (TorchSharp #1154)",
    "2": "RAdam ignores epsilon (torch #92551)",
    "3a": "AMSGrad: the maximum is never stored (torch #78807)",
    "3b": "AMSGrad: the maximum is square-rooted in place before it is stored (torch #4314)",
    "4": "ASGD: all parameters assumed at one step (torch #125440, #126375)",
    "5": "Adam: epsilon scaled by sqrt(1 - beta2^t) (torch #22628, #23737, #26987; keras #17391)",
    "6a": "AdaBelief: the error uses m_(t-1) (optax #1130)",
    "6b": "Yogi squares the signed square (optax #288)",
    "6c": "Rprop emits the previous update (optax #1725)",
    "7a": "decay inside the rescale product (mxnet #8925)",
    "7b": "centred RMSprop gives NaN (mxnet #6235; torch and optax too)",
    "8a": "beta instead of beta^t (Flux #789)",
    "8b": "the stored moment is corrected in place (holocron #1)",
    "9a": "AdaGrad: the index is not advanced",
    "9b": "the first step lacks 1 - beta (PennyLane #1928)",
    "10a": "v <- v + mu g (AiDotNet #2008)",
    "10b": "scalars rounded to float32",
    "11a": "the buffer is zeroed again (pytorch_optimizer #516)",
    "11b": "the gradient is negated in place (pytorch_optimizer #528)",
    "11c": "epsilon after the reciprocal root (pytorch_optimizer #480)",
    "11d": "the denominator before its update (pytorch_optimizer #347)",
    "11e": "epsilon twice (pytorch_optimizer #397)",
    "11f": "bias correction twice (pytorch_optimizer #308)",
    "12": "the step is never incremented (OLMo-core #317)",
    "13": "LARS without decay drops the trust ratio (Paddle #40892)",
    # Weight decay
    "14": "decays the updated theta (transformers #14539)",
    "15a": "Lion coupled in one dtype, decoupled in another (bitsandbytes #1992)",
    "15b": "the order of decay and update differs per backend (bitsandbytes #2010)",
    "16a": "Adam silently does AdamW (FlagGems #4988)",
    "16b": "the mode flag is ignored (DeepSpeed #8307)",
    "17": "decay not multiplied by lr (Optimisers.jl #182)",
    "18": "decays once per dtype group (timm #2750)",
    "19": "decay is dead (tinygrad #17708, MLX #473, pytorch_optimizer #518)",
    # Steps, shapes, aliasing, state
    "20": "t advances per parameter (flashlight #143, DiffSharp #292)",
    "21": "the wrong t for late parameters (DeepSpeed #8471)",
    "22": "a kernel given shape[0] instead of the size (ColossalAI #633)",
    "23": "a trailing empty tensor: no update at all (torch #100701)",
    "24": "gradients that are not contiguous (bitsandbytes #1187)",
    "25": "decay changes the caller's gradients (torch #12218, MLX #4426)",
    "26": "state_dict shares memory with the live state (torch #196083, TorchSharp #1172)",
    "27a": "loading casts the step (torch #75214)",
    "27b": "a step in few bits sticks at 256 (torchao #4915)",
    "28a": "found_inf is not passed on (torch #95847)",
    "28b": "clipping divides 0 by 0 (optax #1752)",
    "28c": "clipping per group instead of global (transformers #614)",
    "29": "decay and t advance per micro-batch (keras #19990)",
    # Schedules
    "30a": "a recursive cosine divides by 0 and drifts (torch #17913)",
    "30b": "warm restarts off by one (torch #23480)",
    "30c": "OneCycle has two phases where the paper has three (torch #40362)",
    "31a": "loading keeps an old setting (torch #52911)",
    "31b": "a resumed sequence begins its part again (torch #171515)",
    "31c": "milestone 0 (torch #185872)",
    "32a": "saved before stepping (Lightning #1772, #4655)",
    "32b": "stepped during accumulation (accelerate #963)",
    "33": "a polynomial applied to the previous rate (LBANN #1984)",
    "34": "the cosine's clock runs during warm-up (PaddleDetection #4611, fairchem #1967)",
    "35a": "T - 1 for T (spd #642)",
    "35b": "step = warm-up = total (lightly #1842)",
    "35c": "milestones one epoch early (timm #2753)",
    # Autograd, compiler
    "36a": "a value used again, a diamond, an assignment (micrograd #2, MyGrad #98)",
    "36b": "a second backward() sums wrongly (micrograd #53, #102)",
    "37a": "a broadcast gradient twice (torch #13669)",
    "37b": "the gradient of a sum over several axes",
    "38a": "every tie gets 1 (mxnet #18563)",
    "38b": "the derivative of x**2 is NaN at 0 (autograd #116)",
    "39": "max() drops the gradient",
    "40": "parallel reductions are compiled wrongly (numba #9518, #4922, #9582)",
}
# What is not a mutant here, and why; the number may have one all the same.
WITHOUT: dict[str, str] = {
    "36a": "an assignment changes a graph from within: tests/engine/test_engine_graph.py runs the engine's against an "
    "oracle without a graph; `check_gradients` sees values that are used again",
    "40": "numba 0.68 compiles #9518 and #4922 rightly (tried), so the wrong machine code cannot be had; the mutant "
    "computes what such code gave",
}
