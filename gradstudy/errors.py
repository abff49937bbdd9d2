"""Named errors: what came, what was needed, why it matters, what to do."""

from __future__ import annotations


class GradstudyError(Exception):
    """Base of all errors that gradstudy raises on purpose.

    Args:
        came: what was found, with names and numbers.
        needed: what would have been right.
        why: what would go wrong if it were let through.
        remedy: what the reader can do now.
    """

    def __init__(self, came: str, *, needed: str, why: str, remedy: str) -> None:
        self.came, self.needed, self.why, self.remedy = came, needed, why, remedy
        super().__init__(f"{came}\n  needed: {needed}\n  why: {why}\n  what to do: {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are lost by Exception's own pickling.
        return _rebuild, (type(self), self.came, self.needed, self.why, self.remedy)


def _rebuild(kind: type[GradstudyError], came: str, needed: str, why: str, remedy: str) -> GradstudyError:
    return kind(came, needed=needed, why=why, remedy=remedy)


class GradstudyWarning(UserWarning):
    """Something was not as asked for, but the result is right."""


# Measuring


class InputShapeError(GradstudyError, ValueError):
    """A tensor's shape does not fit the module."""


class DTypeError(GradstudyError, TypeError):
    """A tensor is complex, integer, or of another dtype than the module."""


class NonFiniteError(GradstudyError, ValueError):
    """A weight, an input or a state holds NaN or infinity."""


class UnsupportedModuleError(GradstudyError, TypeError):
    """The module, or one of its options, cannot be measured exactly."""


class DropoutError(UnsupportedModuleError):
    """Dropout between recurrent layers in train mode: its masks cannot be recovered."""


class PackedInputError(UnsupportedModuleError):
    """A packed sequence came where a padded tensor is needed."""


class LossError(GradstudyError, ValueError):
    """The loss is not a scalar, or does not depend on the chain."""


class WeightsChangedError(GradstudyError, RuntimeError):
    """A module's weights are no longer those its chain was made from."""


class LinkRangeError(GradstudyError, IndexError):
    """A link, start, stop or k outside the chain."""


class UnknownStageError(GradstudyError, LookupError):
    """A stage that the model does not have, or does not call exactly once."""


class SkipError(UnsupportedModuleError):
    """A path that leads around a stage: the states between which it runs are no chain."""


class TooLargeError(GradstudyError, ValueError):
    """A dense matrix, or more of an operator's spectrum, than fits into memory."""


class ConvergenceError(GradstudyError, ArithmeticError):
    """An iteration that did not reach the accuracy promised."""


class TrackingError(GradstudyError, RuntimeError):
    """A tracker's step at a time at which there is nothing to measure, or a tracker that is not open."""


class OptimizerError(GradstudyError, ValueError):
    """The optimizer, or the gradient scaler, is not that of the model."""


class OptionError(GradstudyError, ValueError):
    """An option that is not one of those offered."""


class ModelsError(GradstudyError, ValueError):
    """Models that are too few, of different shapes, or not drawn independently."""


class OutputError(GradstudyError, ValueError):
    """A model's output is not one number a row, or does not depend on its input."""


class UnknownStudyError(GradstudyError, LookupError):
    """No study of that name, or the name twice."""


class UnknownProfileError(GradstudyError, LookupError):
    """The study has no such profile."""


class StudySpecError(GradstudyError, ValueError):
    """study.yaml does not fit its schema."""


class ParametersCellError(GradstudyError, ValueError):
    """The notebook's parameters cell is missing, twice there, or not made of annotated literals."""


class ParameterError(GradstudyError, ValueError):
    """An unknown parameter, or a value of another type."""


class RecordError(GradstudyError, ValueError):
    """A record that cannot be kept, or cannot be read back."""


class StudyHeldError(GradstudyError, RuntimeError):
    """Another run holds the study."""


class StorageError(GradstudyError, OSError):
    """The disk is full, read-only, or took only part of a file."""


# Tasks


class LengthError(GradstudyError, ValueError):
    """Sequences too short for the positions that their task needs, or longer than any in the data."""


# Data


class NoDataError(GradstudyError, FileNotFoundError):
    """A data set is neither in the local folder nor to be downloaded."""


class CorruptDataError(GradstudyError, ValueError):
    """A data file's sha256 is not the published one."""


# Reports


class UnknownClaimError(GradstudyError, LookupError):
    """No claim of that id, or the id twice."""


class UnknownFigureError(GradstudyError, LookupError):
    """No figure of that id, or a picture that gradstudy did not draw."""


class ReportError(GradstudyError, ValueError):
    """A report cannot be built from what is there."""


# Running


class OversubscribedError(GradstudyError, ValueError):
    """More threads were asked for than there are cores."""
