"""The papermill engine `gradstudy`.

papermill loads its engines while it is itself being imported, so this module imports nothing of it;
`gradstudy.study.execution` is the one that does.
"""

from __future__ import annotations

from typing import Any


class GradstudyEngine:
    """Runs a notebook in a kernel of this very Python and says truthfully how it ended."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """The executed notebook; a study's exported one is kept as a run.

        Raises:
            NotebookStoppedError: the run did not reach its end; the notebook was saved as far as it came.
        """
        from gradstudy.study.execution import execute_managed
        from gradstudy.study.notebook import ORIGIN

        if ORIGIN in nb.metadata and "options" not in options:
            from gradstudy.study import exported

            return exported.execute(nb, **options)
        return execute_managed(nb, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Always the kernel of this Python."""
        return "python3"

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Always Python."""
        return "python"
