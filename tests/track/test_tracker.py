"""The tracker as a guest in a loop.

Oracles: the same training without it, bit for bit; torch's own dictionaries of hooks; the garbage collector.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import inspect
import io
import pickle
import pydoc
import weakref

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import gradstudy as gs
from gradstudy import errors

EVERYTHING = dict.fromkeys(["gradient", "activation", "units", "update", "time", "spectrum"], 1)


def train(
    model, inputs, targets, *, tracked, optimizer=torch.optim.Adam, scaler=None, autocast=False, clip=None, every
):
    """Losses, weights, the optimizer's state and the random state after four steps."""
    torch.manual_seed(7)
    model = copy.deepcopy(model)
    optimizer = optimizer(model.parameters(), lr=0.01)
    scaler = scaler and scaler()
    losses = []
    context = gs.track(model, optimizer, every=every, scaler=scaler) if tracked else contextlib.nullcontext()
    with context as tracker:
        for _ in range(4):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                loss = cross_entropy(model(inputs).flatten(0, -2), targets)
            optimizer.zero_grad()
            (loss if scaler is None else scaler.scale(loss)).backward()
            if scaler is not None:
                scaler.unscale_(optimizer)
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            (optimizer.step if scaler is None else lambda opt=optimizer: scaler.step(opt))()
            if scaler is not None:
                scaler.update()
            losses.append(loss.detach())
            if tracked:
                tracker.step(loss=loss)
    moments = [value for state in optimizer.state.values() for value in state.values()]
    return [
        *losses,
        *model.state_dict().values(),
        *(p.grad for p in model.parameters()),
        *moments,
        torch.get_rng_state(),
    ]


def scaler():
    return torch.amp.GradScaler("cpu", init_scale=1024.0)


@pytest.mark.parametrize("every", [EVERYTHING, dict.fromkeys(EVERYTHING, 3)])
@pytest.mark.parametrize(
    "options", [{}, {"clip": 0.1}, {"scaler": scaler, "autocast": True}, {"optimizer": torch.optim.SGD}]
)
def test_training_is_bit_for_bit_the_same(conv, images, tagger, options, every):
    sequences = torch.randn(7, 4, 3), torch.randint(2, (28,))
    for model, data in ((conv, images), (tagger(), sequences), (tagger(nn.GRU, bidirectional=True), sequences)):
        plain = train(model, *data, tracked=False, every=every, **options)
        seen = train(model, *data, tracked=True, every=every, **options)
        for a, b in zip(plain, seen, strict=True):
            assert torch.equal(torch.as_tensor(a), torch.as_tensor(b))


def test_hooks_are_gone_afterwards_after_an_exception_too(conv, images, hooks_of):
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
    before = len(hooks_of(conv, optimizer))
    for fail in (False, True):
        with contextlib.suppress(ZeroDivisionError), gs.track(conv, optimizer, every=EVERYTHING) as tracker:
            assert len(hooks_of(conv, optimizer)) > before
            loss = cross_entropy(conv(images[0]), images[1])
            if fail:
                raise ZeroDivisionError
            loss.backward()
            tracker.step()
        assert len(hooks_of(conv, optimizer)) == before


def test_modules_have_hooks_only_in_steps_at_which_something_is_due(conv, images, hooks_of):
    with gs.track(conv, every={"activation": 3, "time": 3, "units": 3}) as tracker:
        counts = []
        for _ in range(4):
            counts.append(len(hooks_of(conv.first)) > 2)
            cross_entropy(conv(images[0]), images[1]).backward()
            tracker.step()
    assert counts == [True, False, False, True]
    assert sorted(tracker.to_frame()["step"].unique()) == [0, 3]


def test_nothing_of_the_model_is_kept(conv, images):
    model = copy.deepcopy(conv)
    with gs.track(model, torch.optim.SGD(model.parameters(), lr=0.1), every=EVERYTHING) as tracker:
        loss = cross_entropy(model(images[0]), images[1])
        loss.backward()
        graph = weakref.ref(loss)
        tracker.step(loss=loss)
        del loss
        gc.collect()
        assert graph() is None
        seen = weakref.ref(model)
    del model
    gc.collect()
    assert seen() is None
    assert len(tracker.to_frame())


def test_a_tracker_that_is_never_entered_or_stepped_leaves_no_trace(conv, hooks_of):
    before = len(hooks_of(conv))
    tracker = gs.track(conv)
    assert len(hooks_of(conv)) == before
    with tracker:
        pass
    assert len(hooks_of(conv)) == before
    assert tracker.to_frame().empty
    assert tracker.findings() == ()


def test_copies_and_pickles_of_the_model_are_not_tracked(conv, images):
    with gs.track(conv) as tracker:
        copies = [copy.deepcopy(conv), pickle.loads(pickle.dumps(conv))]
        buffer = io.BytesIO()
        torch.save(conv, buffer)
        for model in copies:
            cross_entropy(model(images[0]), images[1]).backward()
        with pytest.raises(errors.TrackingError, match="without a backward"):
            tracker.step()
        cross_entropy(conv(images[0]), images[1]).backward()
        tracker.step()
    rows = tracker.to_frame()
    assert set(rows.loc[rows["quantity"] == "activation_gradient", "name"]) == {
        "first", "norm", "act", "second", "act#2", "drop", "head",
    }  # fmt: skip


def test_nested_trackers_see_the_same(conv, images, hooks_of):
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
    with gs.track(conv, optimizer) as outer, gs.track(conv, optimizer) as inner:
        for _ in range(2):
            optimizer.zero_grad()
            cross_entropy(conv(images[0]), images[1]).backward()
            inner.step()
            optimizer.step()
            outer.step()
    columns = ["step", "quantity", "name"]
    tables = [t.to_frame().sort_values(columns).reset_index(drop=True) for t in (outer, inner)]
    assert tables[0].equals(tables[1])
    assert not [hook for parameter in conv.parameters() for hook in parameter._post_accumulate_grad_hooks or ()]


def test_evaluation_in_the_loop_is_not_seen(conv, images, values):
    with gs.track(conv) as tracker:
        for _ in range(2):
            cross_entropy(conv(images[0]), images[1]).backward()
            conv.eval()
            with torch.no_grad():
                conv(images[0])
            conv(images[0])  # with a graph that nobody differentiates
            conv.train()
            tracker.step()
    assert set(values(tracker, "activation_gradient")) == {"first", "norm", "act", "second", "act#2", "drop", "head"}
    assert set(values(tracker, "dead_fraction")) == {"act", "act#2"}


def test_a_step_without_backward_is_refused(conv, images):
    with gs.track(conv) as tracker:
        with pytest.raises(errors.TrackingError, match="without a backward"):
            tracker.step()
        cross_entropy(conv(images[0]), images[1]).backward()
        tracker.step(loss=1.0)
        with pytest.raises(errors.TrackingError, match="step 1 without a backward"):
            tracker.step()
    with pytest.raises(errors.TrackingError, match="outside the `with`"):
        tracker.step()
    with pytest.raises(errors.TrackingError, match="second time"), tracker:
        pass


def test_bad_input_is_named(conv):
    other = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    with pytest.raises(errors.OptimizerError, match="owns none"):
        gs.track(conv, other)
    with pytest.raises(errors.OptimizerError, match="Linear as optimizer"):
        gs.track(conv, nn.Linear(1, 1))
    with pytest.raises(errors.OptimizerError, match="as scaler"):
        gs.track(conv, scaler=1024.0)
    with pytest.raises(errors.OptionError, match="'gradients' in every"):
        gs.track(conv, every={"gradients": 1})
    for number in (0, True, 1.5):
        with pytest.raises(errors.OptionError, match="every="):
            gs.track(conv, every=number)
    with pytest.raises(errors.OptionError, match="keep"):
        gs.track(conv, keep=0)
    with pytest.raises(errors.UnsupportedModuleError, match="function"):
        gs.track(lambda x: x)
    with pytest.raises(errors.UnsupportedModuleError, match="none of whose parameters"):
        gs.track(nn.Linear(2, 2).requires_grad_(False))
    with pytest.raises(errors.UnsupportedModuleError, match="lazy"):
        gs.track(nn.LazyLinear(2))
    model = nn.Linear(1, 1)
    with gs.track(model) as tracker:
        model(torch.ones(1, 1)).backward()
        with pytest.raises(errors.LossError, match="shape"):
            tracker.step(loss=torch.ones(3))


@pytest.mark.filterwarnings("ignore:.*jit:DeprecationWarning")
def test_compiled_models_are_refused_by_name_but_for_their_parameters(values):
    compiled = torch.compile(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), backend="eager")
    with pytest.raises(errors.UnsupportedModuleError, match=r"compiled module.*activation"):
        gs.track(compiled)
    model = nn.Sequential(nn.Linear(2, 3))
    model[0].compile(backend="eager")
    with pytest.raises(errors.UnsupportedModuleError, match=r"compiled module \(0\)"):
        gs.track(model)
    scripted = torch.jit.trace(nn.Linear(2, 3), torch.ones(1, 2))
    with pytest.raises(errors.UnsupportedModuleError, match="scripted"):
        gs.track(scripted)
    optimizer = torch.optim.SGD(compiled.parameters(), lr=0.1)
    with gs.track(compiled, optimizer, every={"gradient": 1, "update": 1}) as tracker:
        compiled(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        tracker.step()
    norms = {name: p.grad.norm().item() for name, p in compiled.named_parameters()}
    assert values(tracker, "parameter_gradient") == pytest.approx(norms)


def test_attention_and_a_transformer_that_was_not_written_for_it(values):
    model = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    with gs.track(model) as tracker:
        out = model(torch.randn(3, 5, 8))
        out.sum().backward()
        tracker.step()
    found = values(tracker, "activation_gradient")
    assert next(iter(found)) == "self_attn[0]"
    assert found["norm2"] == pytest.approx(out.numel() ** 0.5)


def test_data_parallel_without_devices_is_the_model_itself(conv, images, values):
    with gs.track(nn.DataParallel(conv)) as tracker:
        cross_entropy(conv(images[0]), images[1]).backward()
        tracker.step()
    assert "module.first" in values(tracker, "activation_gradient")


def test_the_function_and_the_package_are_one_name():
    import gradstudy.track
    from gradstudy.track.tracker import Tracker

    assert gs.track is gradstudy.track
    assert isinstance(gs.track(nn.Linear(1, 1)), Tracker)


def test_repr_says_how_far_it_is(conv, images):
    with gs.track(conv, every={"gradient": 2}) as tracker:
        cross_entropy(conv(images[0]), images[1]).backward()
        tracker.step()
        assert repr(tracker) == "Tracker(1 steps, 13 rows, open; {'gradient': 2})"


def test_log10_is_natural_log_over_ln_10(conv, images):
    with gs.track(conv) as tracker:
        cross_entropy(conv(images[0]), images[1]).backward()
        tracker.step()
    natural, common = tracker.to_frame(), tracker.to_frame(log10=True)
    ratio = (natural["log_value"] / common["log10_value"]).dropna()
    assert ratio.to_numpy() == pytest.approx(2.302585092994046)


def test_a_closure_optimizer(values):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    x = torch.randn(8, 3)
    before, returned = model.weight.detach().clone(), []

    def closure():
        optimizer.zero_grad()
        loss = (model(x) - 1).pow(2).mean()
        loss.backward()
        returned.append(nn.utils.clip_grad_norm_(model.parameters(), 1e-3).item())
        return loss

    with gs.track(model, optimizer) as tracker:
        optimizer.step(closure)
        tracker.step()
    assert len(returned) > 1
    assert values(tracker, "total_gradient")[""] == pytest.approx(returned[-1])
    assert values(tracker, "clip_factor")[""] == pytest.approx(1e-3 / (returned[-1] + 1e-6), rel=1e-4)
    moved = ((model.weight - before).norm() / before.norm()).item()
    assert values(tracker, "parameter_update")["weight"] == pytest.approx(moved, rel=1e-5)


def test_a_wrapped_optimizer_is_unwrapped(values):
    class Wrapper(torch.optim.Optimizer):
        """As accelerate's: a step of the wrapper is one of what it holds, and its own hooks are not called."""

        def __init__(self, inner):
            self.optimizer = inner

        param_groups = property(lambda self: self.optimizer.param_groups)

        def step(self):
            self.optimizer.step()

    model = nn.Linear(2, 1)
    optimizer = Wrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with gs.track(model, optimizer) as tracker:
        model(torch.ones(1, 2)).sum().backward()
        optimizer.step()
        tracker.step()
    assert list(values(tracker, "clip_factor")) == [""]


def test_the_help_of_the_callable_package_says_how_to_call_it():
    taken = list(inspect.signature(gs.track.Tracker).parameters.values())
    assert [(p.name, p.kind, p.default) for p in inspect.signature(gs.track).parameters.values()] == [
        (p.name, p.kind, p.default) for p in taken
    ]
    said = pydoc.render_doc(gs.track, renderer=pydoc.plaintext)
    assert all(parameter.name in said for parameter in taken)
    assert "help(gs.track.Tracker)" in said


def test_the_package_names_what_it_lacks():
    with pytest.raises(AttributeError, match="no attribute 'trackers'"):
        gs.track.trackers  # noqa: B018
