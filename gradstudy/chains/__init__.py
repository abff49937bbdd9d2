"""Chains: a network as a chain of maps s_0 -> s_1 -> ... -> s_T.

The package is callable, because `gs.chains(model, x)` and `gradstudy.chains` are one name: calling it is
`gradstudy.chains.hooked.chains`.
"""

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from gradstudy.chains.hooked import chains

        return chains(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
