"""Chains over depth.

Oracles: jacrev of the stage called by itself (torch.func), central differences in float64, twins without in-place
operations, and what is known in closed form (dropout's mask, the two null directions that BatchNorm has a channel).
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

import gradstudy as gs
from gradstudy.errors import (
    DTypeError,
    GradstudyError,
    InputShapeError,
    LossError,
    NonFiniteError,
    SkipError,
    UnknownStageError,
    UnsupportedModuleError,
    WeightsChangedError,
)


def images(rows: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(rows, 3, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cnn(inplace: bool = False) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(inplace=inplace),
        nn.Conv2d(6, 4, 3, stride=2),
        nn.MaxPool2d(2, stride=1),
        nn.Flatten(),
        nn.Linear(16, 5),
    ).double()


class Residual(nn.Module):
    """A block that adds in place."""

    def __init__(self, width: int, inplace: bool = True) -> None:
        super().__init__()
        self.linear, self.act, self.inplace = nn.Linear(width, width), nn.ReLU(inplace=inplace), inplace

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.inplace:
            y += x
        else:
            y = y + x
        return self.act(y)


class Branches(nn.Module):
    """c reads a's output around b."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.tanh(self.a(x))
        return self.c(h + torch.tanh(self.b(h)))


class Everything(nn.Module):
    """Returns a dictionary; its stages return tuples; takes keywords, and has code of its own between stages."""

    class Stage(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.linear = nn.Linear(n, n)

        def forward(self, hidden: Tensor, mask: Tensor | None = None) -> tuple[Tensor, None]:
            return torch.tanh(self.linear(hidden)), None

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.one, self.two, self.head = self.Stage(4), self.Stage(4), nn.Linear(4, 2)

    def forward(self, tokens: Tensor, scale: float = 1.0) -> dict[str, Tensor]:
        hidden, _ = self.one(hidden=self.embedding(tokens))
        hidden, _ = self.two(scale * hidden.mean(1))
        return {"hidden": hidden, "logits": self.head(hidden)}


def alone(chain: gs.Chain, t: int, stage: Callable[[Tensor], Tensor]) -> Tensor:
    """Dense Jacobians of a stage whose rows are independent, by torch.func on the stage itself."""
    jacobians = torch.func.vmap(torch.func.jacrev(lambda row: stage(row[None])[0].flatten()))(chain.states[t - 1])
    return jacobians.flatten(2)


@pytest.mark.parametrize("inplace", [False, True])
def test_links_against_jacrev_of_the_stage(inplace: bool) -> None:
    model = cnn(inplace).eval()
    model[1].running_mean.normal_(), model[1].running_var.uniform_(0.5, 2.0)
    chain = gs.depth_chain(model, images())
    plain = copy.deepcopy(model)
    plain[2] = nn.ReLU()
    assert chain.names == ("input", *"0123456")
    for t, stage in enumerate(plain, start=1):
        expected = alone(chain, t, stage)
        torch.testing.assert_close(chain.jacobian(t), expected)
        v = torch.randn(3, chain.sizes[t - 1], 2, dtype=torch.float64)
        torch.testing.assert_close(chain.jvp(t, v), expected @ v)
        torch.testing.assert_close(chain.jvp(t, v[..., 0]), (expected @ v)[..., 0])
        u = torch.randn(3, chain.sizes[t], 2, dtype=torch.float64)
        torch.testing.assert_close(chain.vjp(t, u), expected.mT @ u)


def test_links_against_central_differences() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), Residual(6), nn.Linear(6, 3)).double()
    chain = gs.depth_chain(model, torch.randn(2, 4, dtype=torch.float64))
    step = 1e-6
    for t, stage in enumerate(model, start=1):
        state = chain.states[t - 1]
        columns = []
        for i in range(state.shape[1]):
            nudge = torch.zeros_like(state)
            nudge[:, i] = step
            columns.append((stage(state + nudge) - stage(state - nudge)) / (2 * step))
        torch.testing.assert_close(chain.jacobian(t), torch.stack(columns, -1), atol=1e-7, rtol=1e-7)


def test_vectors_in_a_states_own_layout() -> None:
    chain = gs.depth_chain(cnn().eval(), images())
    v, u = torch.randn_like(chain.states[0]), torch.randn_like(chain.states[1])
    pushed, pulled = chain.jvp(1, v), chain.vjp(1, u)
    assert pushed.shape == u.shape
    assert pulled.shape == v.shape
    torch.testing.assert_close((pushed * u).sum(), (pulled * v).sum())
    torch.testing.assert_close(pushed.flatten(1), chain.jvp(1, v.flatten(1)))


def test_batch_norm_in_train_mode_couples_the_batch() -> None:
    model = cnn()
    chain = gs.depth_chain(model, images())
    assert "batch-coupled (rows mix in 1)" in chain.method
    assert chain.rows == 1
    assert chain.sizes[1] == 3 * 6 * 64
    twin = copy.deepcopy(model)
    expected = torch.autograd.functional.jacobian(twin[1], chain.states[1]).reshape(chain.sizes[2], chain.sizes[1])
    torch.testing.assert_close(chain.jacobian(2)[0], expected)
    v = torch.randn(1, chain.sizes[1], dtype=torch.float64)
    torch.testing.assert_close(chain.jvp(2, v), v @ expected.T)


def test_batch_norm_has_two_null_directions_a_channel() -> None:
    chain = gs.depth_chain(nn.Sequential(nn.BatchNorm2d(3, eps=1e-30)).double(), images(4))
    values = gs.jacobian_spectra(chain).singular_values[0, 0]
    assert int((values < 1e-10 * values[0]).sum()) == 2 * 3
    chain = gs.depth_chain(nn.Sequential(nn.BatchNorm2d(3)).double(), images(4))
    state = chain.states[0]
    constant = torch.ones_like(state)  # the mean is taken out, and so is the scale, up to the layer's epsilon
    assert chain.jvp(1, constant).abs().max() < 1e-13
    centred = state - state.mean((0, 2, 3), keepdim=True)
    assert chain.jvp(1, centred).abs().max() < 1e-4


def test_mixing_of_rows_is_found_whatever_does_it() -> None:
    class Mix(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x - x.mean(0)

    chain = gs.depth_chain(nn.Sequential(nn.Linear(3, 3), Mix()), torch.randn(4, 3))
    assert chain.rows == 1
    assert "rows mix in 1" in chain.method
    assert gs.depth_chain(nn.Sequential(nn.Linear(3, 3), Mix()), torch.randn(1, 3)).rows == 1


class RunningSum(nn.Module):
    """Each row sees those before it."""

    def forward(self, x: Tensor) -> Tensor:
        return x.cumsum(0)


class Pair(nn.Module):
    """Two rows in the middle see each other."""

    def forward(self, x: Tensor) -> Tensor:
        return x + x[[0, 1, 3, 2, 4]] * torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])[:, None]


@pytest.mark.parametrize("mix", [RunningSum(), Pair(), nn.LSTM(3, 3)])
def test_mixing_that_leaves_the_first_row_alone_is_found(mix: nn.Module) -> None:
    chain = gs.depth_chain(nn.Sequential(nn.Linear(3, 3), mix), torch.randn(5, 3), ["0", "1"])
    assert chain.rows == 1
    assert "rows mix in 1" in chain.method
    kept = nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 3, batch_first=True))
    assert gs.depth_chain(kept, torch.randn(5, 2, 3), ["0", "1"]).rows == 5


class Leak(nn.Module):
    """A little of one row gets into another."""

    def __init__(self, source: int, target: int, share: float) -> None:
        super().__init__()
        self.source, self.target, self.share = source, target, share

    def forward(self, x: Tensor) -> Tensor:
        return x.index_add(0, torch.tensor([self.target]), self.share * x[[self.source]])


@pytest.mark.parametrize(("source", "target"), [(0, 1), (1, 0), (3, 67), (67, 3), (63, 64), (69, 0)])
@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_a_little_mixing_between_any_two_rows_is_found(
    source: int, target: int, dtype: torch.dtype, share: float
) -> None:
    model = nn.Sequential(nn.Linear(8, 8), Leak(source, target, share)).to(dtype)
    assert gs.depth_chain(model, torch.randn(70, 8, dtype=dtype)).rows == 1
    kept = nn.Sequential(nn.Linear(8, 8), Leak(source, source, share)).to(dtype)
    assert gs.depth_chain(kept, torch.randn(70, 8, dtype=dtype)).rows == 70


@pytest.mark.parametrize(("rows", "blur", "passes"), [(2, 0, 2), (64, 0, 2), (65, 0, 3), (64, 1e-3, 2 + 8)])
def test_rows_apart_are_seen_in_few_passes(rows: int, blur: float, passes: int) -> None:
    # With sums that come out a little different every time rows are still seen to be apart, in more passes.
    gradients = list[Tensor]()

    class Seen(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y.register_hook(lambda grad: (gradients.append(grad), grad * (1 + blur * torch.rand(())))[1])
            return y

    assert gs.depth_chain(nn.Sequential(Seen()), torch.randn(rows, 3)).rows == rows
    assert len(gradients) == passes


def test_states_of_another_first_axis_are_one_row() -> None:
    class Windows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.reshape(-1, 2)

    chain = gs.depth_chain(nn.Sequential(Windows(), nn.Linear(2, 2)), torch.randn(3, 4))
    assert chain.rows == 1
    assert "first axes" in chain.method
    assert gs.gradient_norms(chain, chain.output.sum()).log_norm.shape == (3, 1)


def test_dropout_is_measured_with_the_masks_it_drew() -> None:
    chain = gs.depth_chain(nn.Sequential(nn.Linear(6, 40), nn.Dropout(0.5)), torch.randn(2, 6))
    kept = chain.states[2] != 0
    torch.testing.assert_close(chain.jacobian(2), torch.diag_embed(2.0 * kept))


def test_nothing_of_the_model_is_changed() -> None:
    model = nn.Sequential(cnn(), nn.Dropout()).float()
    model(images().float()).sum().backward()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    random_state = torch.get_rng_state()
    chain = gs.depth_chain(model, images().float())
    gs.gradient_norms(chain, chain.output.sum())
    gs.product_spectrum(chain, k=2)
    assert torch.equal(random_state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients, strict=True))
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    chain.output.sum().backward()  # the output is the model's own, in the graph


def test_hooks_are_gone_after_an_exception() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(4, 4))
    with pytest.raises(RuntimeError):
        gs.depth_chain(model, torch.randn(2, 3))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_product_of_the_links_is_the_models_jacobian() -> None:
    model = nn.Sequential(nn.Linear(4, 6), *(Residual(6) for _ in range(3)), nn.Linear(6, 3)).double()
    x = torch.randn(2, 4, dtype=torch.float64)
    chain = gs.depth_chain(model, x)
    product = chain.jacobian(1)
    for t in range(2, chain.length + 1):
        product = chain.jacobian(t) @ product
    plain = copy.deepcopy(model)
    for block in plain[1:4]:
        block.inplace, block.act = False, nn.ReLU()
    torch.testing.assert_close(product, torch.func.vmap(torch.func.jacrev(plain))(x))


def test_default_stages() -> None:
    class Model(nn.Module):
        def __init__(self, blocks: bool) -> None:
            super().__init__()
            self.stem, self.relu = nn.Linear(3, 4), nn.ReLU()
            name = "blocks" if blocks else "layers"
            setattr(self, name, nn.ModuleList([nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.Tanh())]))
            self.head, self.unused = nn.Linear(4, 2), nn.Linear(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            x = self.relu(self.stem(x))
            for block in getattr(self, "blocks", None) or self.layers:
                x = self.relu(block(x))
            return self.head(x)

    x = torch.randn(2, 3)
    assert gs.depth_chain(Model(True), x).names == ("input", "blocks.0", "blocks.1")
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 2, enable_nested_tensor=False)
    within = nn.ModuleDict({"encoder": encoder, "head": nn.Linear(4, 2)})
    within.forward = lambda x: within["head"](within["encoder"](x))  # type: ignore[method-assign]
    names = gs.depth_chain(within, torch.randn(3, 2, 4)).names
    assert names == ("input", "encoder.layers.0", "encoder.layers.1", "head")
    expected = ("input", "stem", "layers.0", "layers.1.0", "layers.1.1", "head")  # the shared activation is no stage
    assert gs.depth_chain(Model(False), x).names == expected
    assert gs.depth_chain(Branches(), x).names == ("input", "a", "c")


def test_default_stages_of_a_body_and_a_head() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shortcut, self.activation = nn.Identity(), nn.ReLU()
            self.mlp = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))

        def forward(self, x: Tensor) -> Tensor:
            return self.activation(self.shortcut(x) + self.mlp(x))

    class Body(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.layers, self.norm = (
                nn.Embedding(7, 4),
                nn.ModuleList([Block(), Block()]),
                nn.LayerNorm(4),
            )

        def forward(self, tokens: Tensor) -> tuple[Tensor]:
            x = self.embedding(tokens)
            for layer in self.layers:
                x = layer(x)
            return (self.norm(x),)

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = Body(), nn.Linear(4, 2)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.head(self.body(tokens)[0])

    chain = gs.depth_chain(Classifier(), torch.randint(0, 7, (2, 5)))
    # The first block's own first layer is what first takes a number; skips lead around all but the blocks themselves.
    assert chain.names == ("input", "body.layers.0", "body.layers.1", "body.norm", "head")


def test_stages_in_the_order_of_their_calls() -> None:
    chain = gs.depth_chain(cnn().eval(), images(), ["6", "3", "0"])
    assert chain.names == ("input", "0", "3", "6")
    assert chain.states[1].shape == (3, 6, 8, 8)
    assert chain.jacobian(3).shape == (3, 5, 4 * 3 * 3)  # pooling and flattening are part of the last link


def test_a_path_around_a_stage_is_refused_with_the_stages_to_choose() -> None:
    x = torch.randn(2, 3)
    with pytest.raises(SkipError, match="depends on a by a path around 'b'") as caught:
        gs.depth_chain(Branches(), x, ["a", "b", "c"])
    assert caught.value.remedy.endswith(": a, c")
    model = Branches()
    chain = gs.depth_chain(model, x, ["a", "c"])

    def around(a: Tensor) -> Tensor:
        h = torch.tanh(a)
        return model.c(h + torch.tanh(model.b(h)))

    torch.testing.assert_close(chain.jacobian(2), alone(chain, 2, around))


def test_a_path_from_the_input_around_the_first_stage() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x)) * x

    chain = gs.depth_chain(Model(), torch.randn(2, 3), ["a", "b"])  # the output alone sees the input again
    with pytest.raises(SkipError):
        gs.depth_chain(nn.Sequential(Model(), nn.Tanh()), torch.randn(2, 3), ["0.a", "0.b", "1"])
    assert chain.length == 2


def test_tuples_dictionaries_tokens_and_keywords() -> None:
    torch.manual_seed(0)
    model, tokens = Everything().double(), torch.randint(0, 7, (2, 5))
    chain = gs.depth_chain(model, {"tokens": tokens, "scale": 2.0}, ["one", "two", "head"])
    assert chain.names == ("input", "one", "two", "head")
    assert [tuple(state.shape) for state in chain.states] == [(2, 5, 4), (2, 5, 4), (2, 4), (2, 2)]
    expected = alone(chain, 2, lambda h: torch.tanh(model.two.linear(2.0 * h.mean(1))))
    torch.testing.assert_close(chain.jacobian(2), expected)
    assert gs.depth_chain(model, (tokens, 2.0), ["one", "head"]).output["logits"].equal(chain.output["logits"])
    norms = gs.gradient_norms(chain, lambda output: output["logits"].square().sum())
    assert bool(norms.log_norm.isfinite().all())
    with pytest.raises(UnsupportedModuleError, match="embedding"):
        gs.depth_chain(model, tokens, ["embedding"])


def test_transformer_of_torch() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    model = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).double()
    for mode in (True, False):
        model.train(mode)
        chain = gs.depth_chain(model, torch.randn(2, 4, 8, dtype=torch.float64))
        assert chain.names == ("input", "layers.0", "layers.1", "layers.2")
        v, u = (torch.randn(2, 32, dtype=torch.float64) for _ in range(2))
        torch.testing.assert_close((chain.jvp(2, v) * u).sum(1), (chain.vjp(2, u) * v).sum(1))
        expected = torch.autograd.functional.jacobian(lambda s: model.layers[1](s), chain.states[1])
        expected = expected.reshape(2, 32, 2, 32)[[0, 1], :, [0, 1]]
        torch.testing.assert_close(chain.jacobian(2), expected)


def test_identity_and_a_stage_without_a_path() -> None:
    chain = gs.depth_chain(nn.Sequential(nn.Identity(), nn.Linear(2, 2), nn.Identity()), torch.randn(3, 2))
    assert torch.equal(chain.jacobian(1), torch.eye(2).expand(3, 2, 2))
    assert torch.equal(chain.jvp(3, torch.ones(3, 2)), torch.ones(3, 2))

    class Sign(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sign()

    chain = gs.depth_chain(nn.Sequential(nn.Linear(2, 2), Sign(), nn.Linear(2, 2)), torch.randn(3, 2))
    assert not chain.jacobian(2).any()
    assert not chain.jvp(2, torch.ones(3, 2)).any()


class Square(torch.autograd.Function):
    """x^2, whose derivative torch cannot differentiate again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return (2 * ctx.saved_tensors[0] * grad).detach()


class SquareOnce(Square):
    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * ctx.saved_tensors[0] * grad


@pytest.mark.parametrize("function", [Square, SquareOnce])
@pytest.mark.parametrize("beside", [False, True])
def test_a_derivative_that_cannot_be_differentiated_does_not_read_zero(
    function: type[torch.autograd.Function], beside: bool
) -> None:
    class Custom(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function.apply(x) + (x if beside else 0)

    chain = gs.depth_chain(nn.Sequential(nn.Linear(3, 3), Custom()).double(), torch.randn(2, 3).double())
    expected = torch.diag_embed(2 * chain.states[1] + float(beside))
    torch.testing.assert_close(chain.vjp(2, torch.ones(2, 3).double()), expected.sum(1))
    torch.testing.assert_close(chain.jacobian(2), expected)
    with pytest.raises(UnsupportedModuleError, match="stage '1'"):
        chain.jvp(2, torch.ones(2, 3).double())


@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing_is_refused_and_leaves_the_statistics(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.body, x, use_reentrant=reentrant)

    model = nn.Sequential(nn.Linear(3, 3), Checkpointed())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(UnsupportedModuleError, match="checkpoint"):
        gs.depth_chain(model, torch.randn(4, 3))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Actor(NamedTuple):
    logits: Tensor
    values: Tensor


@dataclass
class Answer:
    logits: Tensor


class Wrapped(nn.Module):
    """Its stage takes and its output is a container of another kind."""

    def __init__(self, wrap: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.linear, self.head, self.wrap = self.Stage(), nn.Linear(3, 2), wrap

    class Stage(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, given: Any) -> Tensor:
            return self.inner(given["logits"] if isinstance(given, dict) else given.logits)

    def forward(self, given: Any) -> Any:
        return self.wrap(self.head(self.linear(given)))


@pytest.mark.parametrize("wrap", [lambda x: Actor(x, x.sum(1)), Answer, lambda x: OrderedDict(logits=x)])
def test_named_tuples_dataclasses_and_mappings(wrap: Callable[[Tensor], Any]) -> None:
    torch.manual_seed(0)
    model = Wrapped(wrap)
    chain = gs.depth_chain(model, (wrap(torch.randn(2, 3)),))
    assert type(chain.output) is type(wrap(torch.ones(2, 2)))
    assert chain.names == ("input", "linear", "head")
    torch.testing.assert_close(chain.jacobian(1), model.linear.inner.weight.detach().expand(2, 3, 3))


def test_a_skip_from_what_a_frozen_embedding_gives() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.a, self.b = nn.Embedding(5, 3), nn.Linear(3, 3), nn.Linear(3, 2)
            self.embedding.weight.requires_grad_(False)

        def forward(self, tokens: Tensor) -> Tensor:
            x = self.embedding(tokens)
            return self.b(self.a(x) + x)

    model, tokens = Model(), torch.randint(0, 5, (2, 4))
    with pytest.raises(SkipError, match="around 'a'"):
        gs.depth_chain(model, tokens, ["a", "b"])
    assert not model.embedding.weight.requires_grad
    chain = gs.depth_chain(model, tokens, ["b"])
    chain.output.sum().backward()
    assert model.embedding.weight.grad is None


@pytest.mark.parametrize("frozen", [False, True])
def test_weights_that_the_forward_pass_changes_are_kept(frozen: bool) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.a = nn.Embedding(5, 3, max_norm=0.1), nn.Linear(3, 3)
            self.average = nn.Parameter(torch.ones(3), requires_grad=False)

        def forward(self, tokens: Tensor) -> Tensor:
            self.average.mul_(0.9)
            return self.a(self.embedding(tokens)) * self.average

    model = Model().requires_grad_(not frozen)
    model.average.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    chain = gs.depth_chain(model, torch.arange(4)[:, None], ["a"])
    assert bool((chain.states[0].norm(dim=-1) < 0.1001).all())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    chain.output.sum().backward()
    assert (model.embedding.weight.grad is None) == frozen


def test_one_tensor_given_as_several_arguments_is_one_state() -> None:
    class Product(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x * y

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("start", torch.tensor([[1.0, 2.0, 3.0]]))
            self.product, self.head = Product(), nn.Linear(3, 2)

        def forward(self, tokens: Tensor) -> Tensor:
            x = self.start.expand(len(tokens), -1) * tokens
            return self.head(self.product(x, x))

    chain = gs.depth_chain(Model(), torch.ones(2, 1, dtype=torch.long), ["product", "head"])
    torch.testing.assert_close(chain.jacobian(1), torch.diag_embed(2 * chain.states[0]))


def test_inputs_that_require_grad_may_be_changed_in_place() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    kept = x.detach().clone()
    chain = gs.depth_chain(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 2)), x)
    assert torch.equal(x, kept)
    torch.testing.assert_close(chain.jacobian(1), torch.diag_embed((kept > 0).float()))
    chain.output.sum().backward()
    assert x.grad is not None


def test_a_stage_that_returns_a_number() -> None:
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.square().mean()

    chain = gs.depth_chain(nn.Sequential(nn.Linear(3, 3), Mean()).double(), torch.randn(2, 3).double())
    norms = gs.gradient_norms(chain, chain.output)
    assert norms.log_norm.shape == (3, 1)
    torch.testing.assert_close(norms.log_norm[1, 0], (chain.states[1].norm() / 3).log())


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.layer(x))


class Blind(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(3, 3), nn.Linear(3, 3)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x))


class Splits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.left(x[:, :3]) + self.right(x[:, 3:])


def infinite() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    with torch.no_grad():
        model[0].weight.fill_(1e38), model[0].bias.zero_()
    return model


@pytest.mark.parametrize(
    ("model", "inputs", "stages", "error", "says"),
    [
        (nn.Linear(3, 3), torch.ones(2, 3), ["nope"], UnknownStageError, "no submodule 'nope'"),
        (cnn().float(), torch.ones(2, 3, 8, 8), ["00"], UnknownStageError, "0"),
        (Twice(), torch.ones(2, 3), ["layer"], UnknownStageError, "called 2 times"),
        (cnn().float(), torch.ones(2, 3, 8, 8), ["0", "0"], UnknownStageError, "different names"),
        (cnn().float(), torch.ones(2, 3, 8, 8), "0", UnknownStageError, "list of different names"),
        (
            Everything(),
            torch.zeros(2, 3, dtype=torch.long),
            ["embedding"],
            UnsupportedModuleError,
            "none of the stages",
        ),
        (Blind(), torch.ones(2, 3), ["layer"], UnsupportedModuleError, "carries a gradient"),
        (Splits(), torch.ones(2, 6), ["left", "right"], SkipError, "no earlier state"),
        (nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), torch.ones(1, 3), None, InputShapeError, "one value"),
        (nn.Linear(3, 3).half(), torch.ones(2, 3).half(), None, DTypeError, "float16"),
        (cnn(), torch.ones(2, 3, 8, 8), None, DTypeError, "float32"),
        (nn.Linear(3, 3), torch.ones(2, 3, dtype=torch.complex64), None, DTypeError, "complex"),
        (nn.Sequential(nn.Linear(3, 3)), torch.full((2, 3), torch.nan), None, NonFiniteError, "inputs"),
        (infinite(), torch.full((2, 3), 10.0), None, NonFiniteError, "after stage '0'"),
        (nn.Sequential(nn.Linear(3, 3)), torch.ones(0, 3), None, InputShapeError, "no numbers"),
        (nn.Sequential(nn.Linear(3, 0), nn.Linear(0, 2)), torch.ones(2, 3), None, InputShapeError, "after stage '0'"),
        (torch.tanh, torch.ones(2, 3), None, UnsupportedModuleError, "nn.Module"),
        (torch.compile(nn.Linear(3, 3)), torch.ones(2, 3), None, UnsupportedModuleError, "compiled"),
        (nn.DataParallel(nn.Linear(3, 3)), torch.ones(2, 3), None, UnsupportedModuleError, "one device"),
    ],
)
def test_bad_input_is_named(
    model: nn.Module, inputs: Tensor, stages: list[str] | None, error: type[GradstudyError], says: str
) -> None:
    with pytest.raises(error, match=says):
        gs.depth_chain(model, inputs, stages)


def test_no_grad_outside_does_not_matter_and_inference_mode_is_refused() -> None:
    model, x = cnn().eval(), images()
    with torch.no_grad():
        chain = gs.depth_chain(model, x)
    assert chain.output.requires_grad
    with torch.inference_mode(), pytest.raises(UnsupportedModuleError, match="inference_mode"):
        gs.depth_chain(model, x)


def test_a_loss_that_leaves_out_a_stage() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    kept = list[Tensor]()
    handle = model[1].register_forward_hook(lambda module, args, result: kept.append(result))
    chain = gs.depth_chain(model, torch.randn(2, 3))
    handle.remove()
    with pytest.raises(LossError, match="does not depend on stage 2") as caught:
        gs.gradient_norms(chain, kept[0].sum())
    assert "end the chain at '1'" in caught.value.remedy
    with pytest.raises(LossError, match="does not depend on the chain"):
        gs.gradient_norms(chain, torch.ones((), requires_grad=True) * 2)


def test_a_graph_that_is_gone_and_weights_that_have_changed() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3))
    chain = gs.depth_chain(model, torch.randn(2, 3))
    chain.output.sum().backward()
    with pytest.raises(LossError, match=r"backward\(\) has freed"):
        chain.vjp(2, torch.ones(2, 3))
    chain = gs.depth_chain(model, torch.randn(2, 3))
    with torch.no_grad():
        model[2].weight.mul_(2)
    with pytest.raises(WeightsChangedError, match="stage '2'"):
        chain.vjp(3, torch.ones(2, 3))


def test_time_quantities_refuse_a_chain_over_depth() -> None:
    chain = gs.depth_chain(nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)), torch.randn(2, 3))
    loss = chain.output.sum()
    for call in (
        lambda: gs.temporal_components(chain, loss),
        lambda: gs.pascanu_omega(chain, loss),
        lambda: gs.gate_statistics(chain),
        lambda: gs.cell_path(chain),
        lambda: gs.block_norms(chain),
        lambda: gs.lyapunov_exponents(chain),
        lambda: gs.gradient_flow(chain),
    ):
        with pytest.raises(UnsupportedModuleError):
            call()


def test_equal_sizes_have_exponents_and_a_flow() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(5, 5, bias=False) for _ in range(40)]
    for layer in layers:
        nn.init.orthogonal_(layer.weight, gain=0.8)
    chain = gs.depth_chain(nn.Sequential(*layers).double(), torch.randn(1, 5, dtype=torch.float64))
    rate = torch.tensor(0.8, dtype=torch.float64).log()
    torch.testing.assert_close(gs.lyapunov_exponents(chain).exponents, rate.expand(5), atol=1e-6, rtol=0)
    assert gs.gradient_flow(chain).decay_length == pytest.approx(-1 / float(rate), rel=1e-5)
