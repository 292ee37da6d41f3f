"""Push an exported set to the Hugging Face Hub: a generator of events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dsel.config import ExportSettings
from dsel.errors import SettingError, StorageError, first_line
from dsel.exports import is_zip
from dsel.exports.base import MANIFEST
from dsel.exports.parquet import HubDataset
from dsel.files import PARTIAL
from dsel.locks import LOCK
from dsel.pipeline.distill import RUN_IN_OUT
from dsel.runs.evaluations import FOLDER as EVALUATIONS
from dsel.types import Done, Event, Notice

if TYPE_CHECKING:
    from huggingface_hub import HfApi

KIND: Final = "dataset"
REPO: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
GIVEN: Final = frozenset({".gitattributes", "README.md"})
"""Files of a new dataset on the Hub, which may be written again."""

OWN: Final = ("data/*", "patches/*")
"""Files of an earlier push, of which a larger set may have had more."""

LEFT_OUT: Final = (f"*{PARTIAL}", LOCK, f"{RUN_IN_OUT}/*", f"{EVALUATIONS}/*")


def check_push(repo: str, settings: ExportSettings, out: Path, token: str | None = None) -> None:
    """Raise `SettingError` before anything is exported that could not be pushed.

    token: of the Hub; by default that of `hf auth login` or of HF_TOKEN.
    """
    if not REPO.fullmatch(repo):
        raise SettingError(f"push must name a dataset as user/name, got {repo!r}")
    if HubDataset.name not in settings.format:
        raise SettingError(
            f"--push {repo} needs the format {HubDataset.name}, got "
            f"{','.join(settings.format)}: add it to --format"
        )
    if is_zip(out):
        raise SettingError(f"--push {repo} needs a folder, got {out}: leave out the suffix .zip")
    if token is None and not _token():
        raise SettingError(
            f"--push {repo} needs a token of the Hugging Face Hub: run hf auth login, or set "
            "HF_TOKEN to one that may write"
        )


def push(out: Path, repo: str, public: bool = False, api: HfApi | None = None) -> Iterator[Event]:
    """Upload the Hugging Face dataset of an export, private unless it is `public`.

    out: the export in the format parquet, alone or among others. A dataset that exists keeps its
    visibility. Raises `StorageError` for one with files of others, and where the Hub refuses.
    """
    inside = out / HubDataset.name
    folder = inside if (inside / MANIFEST).is_file() else out
    try:
        yield from _push(folder, repo, public, api or hub_api())
    except _hub_errors() as error:
        raise StorageError(
            f"{repo} cannot be pushed to the Hugging Face Hub: {first_line(error)}", path=repo
        ) from error


def _push(folder: Path, repo: str, public: bool, api: Any) -> Iterator[Event]:
    api.create_repo(repo, repo_type=KIND, private=not public, exist_ok=True)
    files = set(api.list_repo_files(repo, repo_type=KIND))
    if files - GIVEN and MANIFEST not in files:
        name = min(files - GIVEN)
        raise StorageError(
            f"{repo} holds other files, such as {name}: push to a new dataset", path=repo
        )
    is_private = api.repo_info(repo, repo_type=KIND).private
    if is_private == public:
        shown = "private" if is_private else "public"
        yield Notice(f"{repo} exists and stays {shown}: change that in its settings on the Hub")
    done = api.upload_folder(
        repo_id=repo,
        repo_type=KIND,
        folder_path=folder,
        commit_message="Add a distilled set",
        ignore_patterns=list(LEFT_OUT),
        delete_patterns=list(OWN),
    )
    yield Done("push", {"dataset": repo, "commit": str(getattr(done, "oid", ""))})


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


def hub_api(token: str | None = None) -> HfApi:
    """Return the client of the Hub; by default with the token of `hf auth login` or HF_TOKEN."""
    from huggingface_hub import HfApi

    return HfApi(token=token)


def _hub_errors() -> tuple[type[Exception], ...]:
    from huggingface_hub.errors import HfHubHTTPError

    # Its first base is that of the HTTP library, whose errors of connections are no OSError.
    return HfHubHTTPError.__bases__[0], OSError
