"""gradstudy: measure what the chain rule does to gradients in a network, and decide what is claimed about it."""

import lazy_loader as _lazy

__version__ = "0.1.0"

# Names are loaded when first used, so that `import gradstudy` brings in neither torch nor pandas (SPEC 1).
__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=["track"],
    submod_attrs={
        "chains.depth": ["depth_chain"],
        "chains.time": ["time_chain"],
        "chains.hooked": ["chains"],
        "chains.chain": ["Chain"],
        "measure.block_norms": ["block_norms"],
        "measure.cell_path": ["cell_path"],
        "measure.convolution_spectrum": ["convolution_spectrum"],
        "measure.gate_statistics": ["gate_statistics"],
        "measure.gradient_correlation": ["gradient_correlation"],
        "measure.gradient_flow": ["gradient_flow"],
        "measure.gradient_norms": ["gradient_norms"],
        "measure.jacobian_moments": ["jacobian_moments"],
        "measure.jacobian_spectra": ["jacobian_spectra"],
        "measure.lyapunov_exponents": ["lyapunov_exponents"],
        "measure.pascanu_omega": ["pascanu_omega"],
        "measure.product_spectrum": ["product_spectrum"],
        "measure.steps_in_the_past": ["steps_in_the_past"],
        "measure.temporal_components": ["temporal_components"],
        "records": ["checkpoint_path", "record"],
        "study.load": ["load"],
    },
)
