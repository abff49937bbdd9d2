# %% [markdown]
# # How far back does my network's gradient reach?

# %% tags=["parameters"]
networks: int = 20
hidden: int = 16
length: int = 200
forget_biases: list[float] = [0.0, 1.0, 2.0]
planted_rate: float | None = None  # planted

# %%
import gradstudy as gs
import lib

# %%
norms = lib.norms(networks, hidden, length, forget_biases, planted_rate)
gs.record("norms", norms)

# %%
gs.record("rates", lib.rates(norms))
