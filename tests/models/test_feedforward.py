"""Feed-forward networks by design.

Oracles: the forward pass written out from the blocks' formulas and the weights alone; shapes and parameter counts by
hand; the same network without in-place modules.
"""

from __future__ import annotations

import pickle

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from gradstudy.errors import OptionError
from gradstudy.models.feedforward import FeedForward, draw_feedforward

KINDS = ("plain", "residual", "pre-activation", "dense")
NORMALISATIONS = ("none", "batch", "layer", "group")


def design(kind, layer, depth=6, width=8, **options):
    if layer == "convolution":
        options = {"input_shape": (2, 9, 10), "stages": 3, **options}
    return FeedForward(kind, layer, depth, width, **options)


def images(of, batch=5, seed=1):
    drawn = torch.randn(batch, *of.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn.requires_grad_()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", ["linear", "convolution"])
def test_the_same_seed_draws_the_same_network_from_a_generator_of_its_own(kind, layer):
    of = design(kind, layer, normalisation="batch")
    before = torch.get_rng_state()
    one, same, other = (draw_feedforward(of, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in one.state_dict().items():
        assert value.dtype == (torch.int64 if name.endswith("tracked") else torch.float64)
        assert torch.equal(value, same.state_dict()[name])
    assert not torch.equal(one.head.linear.weight, other.head.linear.weight)
    assert one.training
    torch.testing.assert_close(pickle.loads(pickle.dumps(one))(images(of)), same(images(of)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_deeper_network_shares_the_first_blocks(kind):
    deep, shallow = (draw_feedforward(design(kind, "linear", depth), seed=0).blocks for depth in (5, 3))
    for one, other in zip(deep[:3].parameters(), shallow.parameters(), strict=True):
        assert torch.equal(one, other)


def phi_n(network, prefix, x, index):
    """Phi N x by the functions that the layers' parameters belong to."""
    state = network.state_dict()
    if f"{prefix}.norm{index}.weight" in state:
        weight, bias = state[f"{prefix}.norm{index}.weight"], state[f"{prefix}.norm{index}.bias"]
        x = F.batch_norm(x, None, None, weight, bias, training=True)
    return torch.tanh(x)


@pytest.mark.parametrize("normalisation", ["none", "batch"])
@pytest.mark.parametrize("kind", KINDS)
def test_fully_connected_networks_are_their_formulas(kind, normalisation):
    scale = 1.0 if kind in ("plain", "dense") else 0.3
    of = design(kind, "linear", 4, 8, nonlinearity="tanh", normalisation=normalisation, scale=scale, input_shape=(3, 2))
    network = draw_feedforward(of, seed=0)
    state, bias = network.state_dict(), normalisation == "none"

    def layer(name, x):
        assert (f"{name}.bias" in state) == bias
        return x @ state[f"{name}.weight"].T  # biases are 0

    x = layer("stem.linear1", images(of).flatten(1))
    if kind in ("plain", "residual"):
        x = phi_n(network, "stem", x, 1)
    for block in range(4):
        here = f"blocks.{block}"
        if kind == "plain":
            x = phi_n(network, here, layer(f"{here}.linear1", x), 1)
        elif kind == "residual":
            branch = layer(f"{here}.branch.linear1", x)
            if normalisation == "batch":
                branch = F.batch_norm(branch, None, None, training=True)
            x = torch.tanh(x + 0.3 * branch)
        else:
            branch = layer(f"{here}.branch.linear1", phi_n(network, f"{here}.branch", x, 1))
            x = torch.cat([x, branch], 1) if kind == "dense" else x + 0.3 * branch
    if kind in ("pre-activation", "dense"):
        x = phi_n(network, "head", x, 1)
    torch.testing.assert_close(network(images(of)), F.linear(x, state["head.linear.weight"]))


def test_two_layers_a_block_follow_he():
    """He 2015 (phi between and after the sum) and He 2016 (N phi before each), written out."""
    options = {"block_layers": 2, "normalisation": "batch"}
    post = draw_feedforward(design("residual", "linear", 1, **options), seed=0).blocks[0]
    pre = draw_feedforward(design("pre-activation", "linear", 1, **options), seed=0).blocks[0]
    x = torch.randn(6, 8, generator=torch.Generator().manual_seed(0)).double()

    def n(y):
        return F.batch_norm(y, None, None, training=True)

    first, second = post.branch.linear1.weight.T, post.branch.linear2.weight.T
    torch.testing.assert_close(post(x), F.relu(x + n(F.relu(n(x @ first)) @ second)))
    first, second = pre.branch.linear1.weight.T, pre.branch.linear2.weight.T
    torch.testing.assert_close(pre(x), x + F.relu(n(F.relu(n(x)) @ first)) @ second)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", ["linear", "convolution"])
def test_in_place_networks_compute_the_same(layer, kind, normalisation):
    kept, overwritten = (
        draw_feedforward(design(kind, layer, normalisation=normalisation, inplace=inplace), seed=0)
        for inplace in (False, True)
    )
    # A dense layer's only nonlinearity reads what is also handed on.
    some = (kind, normalisation) != ("dense", "none")
    assert any(getattr(module, "inplace", False) for module in overwritten.blocks.modules()) == some
    assert not any(getattr(module, "inplace", False) for module in kept.modules())
    x = images(kept.design)
    expected = torch.autograd.grad(kept(x).square().sum(), [x, *kept.parameters()])
    found = torch.autograd.grad(overwritten(x).square().sum(), [x, *overwritten.parameters()])
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    state = kept.stem(x).detach()
    before = state.clone()
    for name, block in overwritten.blocks.named_children():
        following = block(state)
        assert torch.equal(state, before), name  # a state outlives the next link
        state, before = following.detach(), following.detach().clone()


def test_the_shapes_of_three_stages():
    shapes = {}
    for kind in KINDS:
        network = draw_feedforward(design(kind, "convolution", growth_rate=3), seed=0)
        x, shapes[kind] = network.stem(images(network.design)), []
        for block in network.blocks:
            x = block(x)
            shapes[kind].append(tuple(x.shape[1:]))
    stages = [(8, 9, 10)] * 2 + [(16, 5, 5)] * 2 + [(32, 3, 3)] * 2
    assert shapes["plain"] == shapes["residual"] == shapes["pre-activation"] == stages
    first, second, third = [(11, 9, 10), (14, 9, 10)], [(14, 4, 5), (17, 4, 5), (20, 4, 5)], [(20, 2, 2), (23, 2, 2)]
    assert shapes["dense"] == first + second + third + [(26, 2, 2)]


@pytest.mark.parametrize("kind", ["residual", "pre-activation"])
def test_shortcuts(kind):
    """With its branch 0 a pre-activation block is S, a residual one phi S."""
    x = (
        images(design(kind, "convolution"))
        .detach()
        .new_zeros(2, 8, 9, 10)
        .normal_(generator=torch.Generator().manual_seed(0))
    )
    phi = F.relu if kind == "residual" else torch.Tensor.clone
    for shortcut in ("identity", "projection"):
        network = draw_feedforward(design(kind, "convolution", shortcut=shortcut), seed=0)
        with torch.no_grad():
            for block in network.blocks:
                block.branch.convolution1.weight.zero_()
        assert torch.equal(network.blocks[1](x), phi(x))
        found = network.blocks[2](x)
        if shortcut == "identity":
            assert torch.equal(found[:, :8], phi(x[:, :, ::2, ::2]))
            assert not found[:, 8:].any()
        else:
            weight = network.blocks[2].shortcut.weight[:, :, 0, 0]
            torch.testing.assert_close(found, phi(torch.einsum("oc,bchw->bohw", weight, x[:, :, ::2, ::2])))


def test_circular_convolutions_commute_with_shifts():
    of = design("plain", "convolution", 3, padding="circular", stages=1)
    x, network = images(of), draw_feedforward(of, seed=0)
    state = network.blocks(network.stem(x))
    shifted = network.blocks(network.stem(x.roll((2, 3), (2, 3))))
    torch.testing.assert_close(shifted, state.roll((2, 3), (2, 3)))
    zeros = draw_feedforward(design("plain", "convolution", 3, stages=1), seed=0)
    assert not torch.allclose(
        zeros.blocks(zeros.stem(x.roll((2, 3), (2, 3)))), zeros.blocks(zeros.stem(x)).roll((2, 3), (2, 3))
    )


@pytest.mark.parametrize("layer", ["linear", "convolution"])
@pytest.mark.parametrize("kind", KINDS)
def test_layer_and_group_normalisation_have_mean_0_and_variance_1_in_each_sample(kind, layer):
    for normalisation, groups in (("layer", 1), ("group", 4)):
        network = draw_feedforward(design(kind, layer, normalisation=normalisation), seed=0)
        block = network.blocks[0] if kind == "plain" else network.blocks[0].branch
        seen = []
        block.norm1.register_forward_hook(lambda module, args, output, seen=seen: seen.extend([args[0], output]))
        network(images(network.design))
        before, after = (values.reshape(5, groups, -1) for values in seen)
        torch.testing.assert_close(after.mean(-1), torch.zeros(5, groups).double(), rtol=0, atol=1e-12)
        variance = before.var(-1, correction=0)
        torch.testing.assert_close(after.square().mean(-1), variance / (variance + 1e-5))


def test_without_a_stem_the_input_is_the_first_state():
    network = draw_feedforward(design("plain", "linear", stem=False, input_shape=(2, 4)), seed=0)
    x = images(network.design)
    assert torch.equal(network.stem(x), x.flatten(1))
    assert network.design.weight_layers == 7
    network = draw_feedforward(design("plain", "convolution", width=2, stem=False), seed=0)
    assert network.stem(images(network.design)).shape == (5, 2, 9, 10)


def test_weight_layers_are_those_of_the_module():
    for kind in KINDS:
        for options in ({}, {"bottleneck": True} if kind == "dense" else {"block_layers": 2}):
            of = design(kind, "convolution", **options)
            modules = draw_feedforward(of, seed=0).modules()
            assert of.weight_layers == sum(isinstance(module, torch.nn.Conv2d | torch.nn.Linear) for module in modules)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"depth": 0}, "depth=0"),
        ({"initialisation": "delta-orthogonal"}, "delta-orthogonal"),
        ({"stages": 2}, "stages=2"),
        ({"padding": "circular"}, "padding='circular'"),
        ({"kind": "residual", "shortcut": "projection"}, "shortcut='projection'"),
        ({"initialisation": "gaussian", "gain": 2.0}, "gain=2.0"),
        ({"sigma_b": 0.1}, "sigma_b"),
        ({"initialisation": "gaussian", "sigma_b": 0.1, "normalisation": "batch"}, "sigma_b=0.1"),
        ({"scale": 0.5}, "scale=0.5"),
        ({"bottleneck": True}, "bottleneck"),
        ({"kind": "dense", "compression": 1.5}, "compression=1.5"),
        ({"kind": "dense", "block_layers": 2}, "block_layers=2"),
        ({"nonlinearity": "tanh", "inplace": True}, "'tanh' in place"),
        ({"normalisation": "group", "groups": 3}, "3 groups"),
        ({"kind": "dense", "normalisation": "group", "growth_rate": 6}, "growth_rate=6"),
        ({"kind": "dense", "normalisation": "group", "compression": 0.5}, "compression=0.5"),
        ({"stem": False, "input_shape": (9,)}, "9 inputs"),
        ({"layer": "convolution"}, "input_shape=None"),
        ({"layer": "convolution", "input_shape": (1, 9, 9), "stages": 4}, "6 blocks in 4 stages"),
        ({"layer": "convolution", "input_shape": (1, 3, 3), "stages": 3}, "3 stages on 3x3"),
        ({"layer": "convolution", "input_shape": (1, 9, 9), "shortcut": "projection"}, "a shortcut in a plain"),
    ],
)
def test_designs_that_do_not_exist_are_refused_by_name(options, named):
    with pytest.raises(OptionError, match=named.replace("(", r"\(")):
        FeedForward(**{"kind": "plain", "layer": "linear", "depth": 6, "width": 8, **options})


@pytest.mark.parametrize(
    "name", ["kind", "layer", "nonlinearity", "normalisation", "initialisation", "padding", "shortcut"]
)
def test_options_that_are_not_offered_are_refused_by_name(name):
    of = design("plain", "linear")
    # The types of the fields are checked before, while tests run; for a user they are not.
    object.__setattr__(of, name, "highway")
    with pytest.raises(OptionError, match=f"{name}='highway'\\n  needed: one of"):
        of.__post_init__()


NONLINEARITIES = {
    "relu": lambda x: x.clamp(min=0),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "tanh": lambda x: (x.exp() - (-x).exp()) / (x.exp() + (-x).exp()),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "gelu": lambda x: x * (1 + torch.erf(x / 2**0.5)) / 2,
    "silu": lambda x: x / (1 + (-x).exp()),
    "linear": lambda x: x,
}


@pytest.mark.parametrize("layer", ["linear", "convolution"])
@pytest.mark.parametrize("name", NONLINEARITIES)
def test_nonlinearities_are_the_named_functions(name, layer):
    network = draw_feedforward(design("plain", layer, nonlinearity=name), seed=0)
    x = images(network.design)
    weights = network.stem.linear1 if layer == "linear" else network.stem.convolution1
    before = weights(x.flatten(1) if layer == "linear" else x)
    torch.testing.assert_close(network.stem(x), NONLINEARITIES[name](before))


def test_the_same_network_in_single_precision():
    network = draw_feedforward(design("residual", "convolution", normalisation="batch"), seed=0)
    x = images(network.design).detach()
    expected = network(x)
    torch.testing.assert_close(network.float()(x.float()).double(), expected, rtol=1e-4, atol=1e-4)
