"""Handlers of pushes: whether this visitor can push the distilled set to the Hub, and the job."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from dsel.app.context import Context
from dsel.app.hub_login import current_login, offers_login
from dsel.app.jobs.tasks import PUSHED, PushTask
from dsel.app.requests import Flag, Params, Text
from dsel.errors import SettingError
from dsel.exports.parquet import HubDataset
from dsel.pipeline.push import check_push


class PushParams(Params):
    """repo: the dataset of the Hub, as user/name. public: whether everybody sees it."""

    repo: Text
    public: Flag = False


NOBODY: Final[Mapping[str, str]] = {
    "log-in": "nobody is logged in to the Hugging Face Hub: log in, and push again",
    "no-token": "nobody is logged in to the Hugging Face Hub on this machine: run hf auth login, "
    "or set HF_TOKEN to a token that may write",
    "closed": "only the owner of this app can push, from the address that it printed when it "
    "started: export the format parquet, and push it yourself",
}
"""Why a visitor cannot push, by state."""


def push_options(context: Context, _: Params) -> Mapping[str, Any]:
    """Return whether the visitor can push, and by which account; never the token."""
    login = current_login()
    state = "ready" if login else _state(context)
    return {
        "state": state,
        "name": login.name if login else "",
        "reason": NOBODY.get(state, ""),
        "logs_in": not context.trusted and offers_login(),
    }


def push_start(context: Context, params: PushParams) -> Mapping[str, str]:
    """Push the view as a dataset of the Hub; return the token of the job."""
    login, view = current_login(), context.view
    if login is None:
        raise SettingError(NOBODY[_state(context)])
    repo, settings = params.repo.strip(), view.export.replace(format=HubDataset.name)
    check_push(repo, settings, Path(PUSHED), login.token)
    task = PushTask(
        title=repo, run=str(context.explorer.run.path), repo=repo, public=params.public,
        select=view.select, settings=settings,
    )  # fmt: skip
    return {"token": context.state.jobs.start(task, context.visitor)}


def _state(context: Context) -> str:
    """Return why a visitor who is not logged in cannot push."""
    if context.trusted:
        return "no-token"
    return "log-in" if offers_login() else "closed"
