"""Oracle: the folders themselves; a study in the workspace and in the package is one only when all bytes are alike."""

import shutil

import pytest

from gradstudy.errors import StudySpecError, UnknownStudyError
from gradstudy.study import catalog
from gradstudy.study.catalog import all_studies, find_studies, find_study


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An empty folder in the place of the package's studies."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(catalog, "shipped_folder", lambda: folder)
    return folder


def test_studies_of_workspace_and_package_are_found_by_name(workspace, shipped):
    shutil.copytree(workspace.notebook.parent, shipped / "another")
    assert [study.slug for study in all_studies(workspace.folder)] == ["another", "small"]
    assert [study.slug for study in find_studies(("small", "small"), workspace.folder)] == ["small"]
    assert find_study("small", workspace.folder).notebook == workspace.notebook


def test_an_unknown_study_comes_with_close_ones(workspace, shipped):
    with pytest.raises(UnknownStudyError, match="did you mean small"):
        find_study("smal", workspace.folder)
    with pytest.raises(UnknownStudyError, match="one of: small"):
        find_study("../small", workspace.folder)


def test_a_copy_of_a_shipped_study_is_the_same_study(workspace, shipped):
    shutil.copytree(workspace.notebook.parent, shipped / "small")
    (shipped / "small" / "__pycache__").mkdir()
    (shipped / "small" / "__pycache__" / "figures.pyc").write_bytes(b"x")
    assert find_study("small", workspace.folder).folder == workspace.notebook.parent
    (shipped / "small" / "notebook.py").write_text("# another")
    with pytest.raises(UnknownStudyError, match="'small' twice"):
        find_study("small", workspace.folder)


def test_a_name_that_cannot_be_a_folder_of_reports_is_refused(workspace, shipped):
    workspace.notebook.parent.rename(workspace.notebook.parent.with_name("Small_study"))
    with pytest.raises(StudySpecError, match="Small_study"):
        all_studies(workspace.folder)
