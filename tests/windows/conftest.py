"""The wine that all tests of this folder share, and a release to install from."""
import os

import pytest
import wine_build


@pytest.fixture(scope="session")
def wine(tmp_path_factory):
    """The wine that run.py has started, or else one of our own."""
    folder = os.environ.get("WINE_TEST_FOLDER")
    if folder:
        shared = wine_build.Wine(folder)
        shared.tells_line = shared.expands_late()
        yield shared
        return
    with wine_build.Wine(tmp_path_factory.mktemp("wine")) as own:
        own.tells_line = own.expands_late()
        yield own


@pytest.fixture
def release(tmp_path):
    """A release in a folder of its own."""
    return wine_build.Release(tmp_path / "release")
