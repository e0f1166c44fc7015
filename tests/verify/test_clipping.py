"""check_clipping: P26."""

import numpy as np
import pytest

from tinygrad_lr import tensor, verify
from tinygrad_lr.optim import clip_grad_norm_
from tinygrad_lr.verify.checks.clipping import _finding
from tinygrad_lr.verify.mutants import CLIPPING_MUTANTS, clipping
from tinygrad_lr.verify.mutants.clipping import scaled
from tinygrad_lr.verify.properties.clipping import CHECKS, global_norm
from tinygrad_lr.verify.search.diagnose import nearest_wrong_clipping

CHECKS_BY_ID = {check.id: check for check in CHECKS}
PARTS = [check.id.partition(".")[2] for check in CHECKS]


def ours(grads, max_norm):
    leaves = []
    for g in grads:
        leaf = tensor(np.zeros_like(g), requires_grad=True)
        leaf.grad = g
        leaves.append(leaf)
    clip_grad_norm_(leaves, max_norm)
    return [leaf.grad for leaf in leaves]


def test_p26_ours():
    for dtype in ("float32", "float64"):
        report = verify.check_clipping(ours, dtype=dtype)
        assert report.ok and [each.property_id for each in report.findings] == [f"P26.{part}" for part in PARTS]


def test_p26_torch_and_optax():
    torch = pytest.importorskip("torch", reason="torch 2.13 is not installed here (extra `peers`)")
    optax = pytest.importorskip("optax", reason="optax is not installed here (extra `peers`)")

    def by_torch(grads, max_norm):
        params = [torch.zeros(g.shape, dtype=getattr(torch, str(g.dtype)), requires_grad=True) for g in grads]
        for param, g in zip(params, grads, strict=True):
            param.grad = torch.from_numpy(np.asarray(g))
        torch.nn.utils.clip_grad_norm_(params, max_norm)
        return [param.grad.numpy() for param in params]

    def by_optax(grads, max_norm):
        clip = optax.clip_by_global_norm(max_norm)
        return [np.asarray(g) for g in clip.update([np.asarray(g) for g in grads], clip.init(grads))[0]]

    assert [each.property_id for each in verify.check_clipping(by_torch).failures] == ["P26.overflow"]
    parts = ("P26.norm", "P26.overflow", "P26.dtypes", "P26.kept")  # each shape is compiled: these have few
    found = {each: _finding(CHECKS_BY_ID[each], by_optax, np.dtype("float32"), 0) for each in parts}
    assert [each for each in parts if found[each].outcome == "failed"] == ["P26.overflow"]
    assert "it makes float32 of float64" in found["P26.dtypes"].reason, found["P26.dtypes"]


@pytest.mark.parametrize("name", CLIPPING_MUTANTS)
def test_p26_a_wrong_clipping_is_killed_and_named(name):
    mutant = CLIPPING_MUTANTS[name]
    finding = verify.check_clipping(mutant.clip)[mutant.killed_by]
    assert finding.outcome == "failed" and finding.example["max_norm"] > 0, str(finding)
    if CHECKS_BY_ID[mutant.killed_by].examples is None and mutant.killed_by not in ("P26.kept", "P26.again"):
        assert finding.nearest_bug == f"matches: {mutant.named}" and finding.nearest_bug in str(finding)


def test_p26_every_part_has_a_mutant_and_right_clipping_is_no_known_bug():
    promised = {"P26.nonfinite", "P26.missing"}  # what is declared decides: tests below
    assert {mutant.killed_by for mutant in CLIPPING_MUTANTS.values()} == {f"P26.{part}" for part in PARTS} - promised
    grads = [np.array([3.0, -4.0], np.float32), np.array([[1.0]], np.float32)]
    for clip in (ours, clipping.right, lambda grads, limit: 1 / 0):
        assert nearest_wrong_clipping(clip, grads, 1.0) is None


def test_clipping_that_raises_or_is_not_callable():
    report = verify.check_clipping(lambda grads, limit: [g.astype(np.float16) for g in grads])
    by_values = {"P26.dtypes", "P26.kept", "P26.again", "P26.missing", "P26.nonfinite"}
    asked = [each for each in report.findings if each.property_id not in by_values]
    assert all(each.outcome == "failed" and "float16" in each.actual for each in asked)
    known = {"P26.zero": "known", "P26.global": "a ZeroDivisionError, not mended yet"}
    report = verify.check_clipping(lambda grads, limit: 1 / 0, expected_failures=known)
    assert report["P26.norm"].outcome == "error" and "ZeroDivisionError" in report["P26.norm"].reason
    assert report["P26.zero"].outcome == "error" and "expected was a failure: known" in report["P26.zero"].reason
    assert report["P26.global"].outcome == "expected failure"
    with pytest.raises(TypeError, match="clip must be callable"):
        verify.check_clipping(3)
    with pytest.raises(ValueError, match=r"P1 is checked by verify\.check_optimizer; here there are P26\.norm"):
        verify.check_clipping(ours, expected_failures={"P1": "?"})
    with pytest.raises(ValueError, match="float32 or float64"):
        verify.check_clipping(ours, dtype="int32")


@pytest.mark.parametrize("answer", ["abc", [np.ones(1)] * 9, {"a": 1}, np.ones(3), (g for g in ())])
def test_what_a_clipping_returns_is_a_list_as_long_or_a_number(answer):
    report = verify.check_clipping(lambda grads, limit: answer)
    assert report["P26.identity"].outcome == "failed" and "return" in report["P26.identity"].where, str(report)
    in_place = verify.check_clipping(lambda grads, limit: [g.__imul__(0) for g in grads] and answer)
    assert in_place["P26.zero"].outcome == "failed"


@pytest.mark.parametrize("answer", [None, 2.5, np.float32(1), np.array(1.0)])
def test_a_clipping_in_place_may_return_the_norm(answer):
    def clip(grads, limit):
        for g, clipped in zip(grads, ours(grads, limit), strict=True):
            g[...] = clipped
        return answer

    assert verify.check_clipping(clip).ok


def test_the_example_of_an_overflow_reproduces():
    clip = CLIPPING_MUTANTS["squares_overflow"].clip
    example = verify.check_clipping(clip)["P26.overflow"].example
    grads = [np.array(g, np.float32) for g in example["grads"]]
    with np.errstate(all="ignore"):
        assert not global_norm(clip(grads, example["max_norm"])) > 0.5 * example["max_norm"]
    early = CLIPPING_MUTANTS["clips_below_the_limit"].clip
    example = verify.check_clipping(early)["P26.identity"].example
    assert global_norm([np.array(g) for g in example["grads"]]) == pytest.approx(example["max_norm"] / 2)


def test_p26_none_stays_none():
    def clip(grads, limit):
        clipped = iter(ours([g for g in grads if g is not None], limit))
        return [None if g is None else next(clipped) for g in grads]

    assert verify.check_clipping(clip, missing_gradients=True)["P26.missing"].outcome == "passed"
    zeros = lambda grads, limit: clip([np.zeros(1) if g is None else g for g in grads], limit)  # noqa: E731
    assert verify.check_clipping(zeros, missing_gradients=True)["P26.missing"].outcome == "failed"


def in_place(grads, limit):
    for g in grads:
        g *= g.dtype.type(min(1.0, limit / (global_norm(grads) + 1e-6)))


def flattened(grads, limit):
    whole = clipping.right([np.concatenate([g.ravel() for g in grads])], limit)[0]
    ends = np.cumsum([g.size for g in grads])[:-1]
    return [part.reshape(g.shape) for part, g in zip(np.split(whole, ends), grads, strict=True)]


def test_p26_what_cannot_be_examined_is_said():
    def once(grads, limit):
        size = global_norm(grads)
        for g in grads:
            g *= g.dtype.type(min(1.0, limit / (size + 1e-6)))

    report = verify.check_clipping(once)
    assert report.ok and "it refuses arrays that cannot be written" in report["P26.layouts"].reason, str(report)
    assert report["P26.kept"].reason == "it scales in place"
    assert not verify.check_clipping(in_place).ok  # each array by the norm that those before it have left
    report = verify.check_clipping(flattened)
    assert report.ok and "together it makes float64 of float32" in report["P26.dtypes"].reason, str(report)

    def of_finite_limits(grads, limit):
        if limit == np.inf:
            raise ValueError("no limit")
        return ours(grads, limit)

    assert verify.check_clipping(ours)["P26.limits"].outcome == "passed"
    assert "it refuses a limit of infinity" in verify.check_clipping(of_finite_limits)["P26.limits"].reason


def finite(grads):
    return np.isfinite(global_norm(grads))


KEEPING = {
    "raises": ours,
    "propagates": lambda grads, limit: scaled(
        grads, min(1.0, np.divide(limit, global_norm(grads)) if global_norm(grads) else 1.0)
    ),
    "zeros": lambda grads, limit: ours(grads, limit) if finite(grads) else [np.zeros_like(g) for g in grads],
    "keeps": lambda grads, limit: ours(grads, limit) if finite(grads) else [g.copy() for g in grads],
}


@pytest.mark.parametrize("promise", KEEPING)
def test_p26_what_is_not_finite_is_treated_as_declared(promise):
    assert verify.check_clipping(ours)["P26.nonfinite"].outcome == "not applicable"
    for kept, clip in KEEPING.items():
        finding = verify.check_clipping(clip, non_finite=promise)["P26.nonfinite"]
        right = kept == promise or (kept, promise) == ("keeps", "propagates")
        assert (finding.outcome == "passed") == right, str(finding)
    with pytest.raises(ValueError, match="one of raises, propagates, zeros, keeps or None, got 'no'"):
        verify.check_clipping(ours, non_finite="no")
