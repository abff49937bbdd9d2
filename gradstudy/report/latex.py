"""Text as LaTeX source that any engine sets as it is read: its special signs escaped, mathematical ones translated."""

from __future__ import annotations

import re

_SPECIAL = {
    "\\": r"\textbackslash{}",
    # Not \{ and \}: BibTeX counts braces with or without a backslash.
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "–": "--",
    "…": r"\ldots{}",
}
# LaTeX drops a sign its font does not have, without a word.
_LETTERS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"
_NAMES = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon varphi chi "
    "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
_SIGNS = {
    "−": "-",
    "×": r"\times",
    "·": r"\cdot",
    "±": r"\pm",
    "≤": r"\le",
    "≥": r"\ge",
    "≈": r"\approx",
    "≠": r"\ne",
    "≪": r"\ll",
    "≫": r"\gg",
    "∼": r"\sim",
    "∝": r"\propto",
    "∘": r"\circ",
    "⊙": r"\odot",
    "∥": r"\parallel",
    "ℓ": r"\ell",
    "ϕ": r"\phi",
    "ϵ": r"\epsilon",
    "∞": r"\infty",
    "∂": r"\partial",
    "∇": r"\nabla",
    "∑": r"\sum",
    "∏": r"\prod",
    "√": r"\surd",
    "∈": r"\in",
    "→": r"\to",
    "⇒": r"\Rightarrow",
    "⇔": r"\Leftrightarrow",
    "‖": r"\|",
    "′": "'",
    "ℝ": r"\mathbf{R}",
    "½": r"\frac{1}{2}",
    "¼": r"\frac{1}{4}",
}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ᵀᵏˡⁿᵗ", "0123456789+-Tklnt", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋ᵢⱼₖₗₙₜ", "0123456789+-ijklnt", strict=True))
_SCRIPTS = {"^": _RAISED, "_": _LOWERED}
_MATH = {sign: rf"\{name}" for sign, name in zip(_LETTERS, _NAMES.split(), strict=True)} | _SIGNS
_ALL = str.maketrans(_SPECIAL | {sign: rf"\ensuremath{{{command}}}" for sign, command in _MATH.items()})
_PIECES = re.compile(f"[{''.join(_RAISED)}]+|[{''.join(_LOWERED)}]+|[^{''.join(_RAISED | _LOWERED)}]+")


def latex(text: str) -> str:
    """LaTeX source that shows the text, in one line: an empty one would end a paragraph, or a caption in an error."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))
    return "".join(_piece(piece) for piece in _PIECES.findall(shown))


def _piece(text: str) -> str:
    """A number that is raised or lowered, as one; anything else sign by sign."""
    for place, signs in _SCRIPTS.items():
        if text[0] in signs:
            return rf"\ensuremath{{{place}{{{''.join(signs[sign] for sign in text)}}}}}"
    return text.translate(_ALL)
