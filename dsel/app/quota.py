"""What visitors may keep and use: each of them, and all together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dsel.errors import QuotaError

GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The most that may be kept at a time; 0 is no limit.

    uploads: files. upload_bytes: of them. jobs: that run, wait, or have a result. active: of these,
    those that run or wait. job_bytes: of their folders. evaluations: of the prior by these jobs.
    """

    uploads: int = 0
    upload_bytes: int = 0
    jobs: int = 0
    active: int = 0
    job_bytes: int = 0
    evaluations: int = 0


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quota of each remote visitor, and of all; local visitors have none."""

    each: Quota
    total: Quota

    def check(self, name: str, uses: Iterable[tuple[str, int]], visitor: str, more: int) -> None:
        """Raise `QuotaError` if a visitor's use of something by `more` is above a quota.

        name: a field of `Quota`. uses: what is used already, by visitor. Nothing is checked for
        the visitor "", who is local.
        """
        if not visitor:
            return
        known = list(uses)
        mine = sum(used for who, used in known if who == visitor)
        for whose, most, used in (
            ("one visitor", getattr(self.each, name), mine),
            ("all visitors", getattr(self.total, name), sum(used for _, used in known)),
        ):
            if most and used + more > most:
                raise QuotaError(
                    f"{_WORDS[name]} of {whose} may be at most {_shown(name, most)} here, and "
                    f"{_shown(name, used)} are in use: {_ADVICE[name]}",
                    quota=name,
                )


NO_QUOTAS: Final = Quotas(Quota(), Quota())
PUBLIC: Final = Quotas(
    each=Quota(
        uploads=100, upload_bytes=8 * GIB, jobs=50, active=4, job_bytes=16 * GIB,
        evaluations=60_000_000,
    ),
    total=Quota(
        uploads=5_000, upload_bytes=64 * GIB, jobs=2_000, job_bytes=256 * GIB,
        evaluations=2_000_000_000,
    ),
)  # fmt: skip
"""Of apps that others may reach, and of visitors without the token of an app that they may not."""

SPACE: Final = Quotas(
    each=Quota(
        uploads=40, upload_bytes=GIB, jobs=20, active=2, job_bytes=4 * GIB, evaluations=4_000_000
    ),
    total=Quota(
        uploads=1_000, upload_bytes=12 * GIB, jobs=500, job_bytes=24 * GIB,
        evaluations=200_000_000,
    ),
)  # fmt: skip
"""Of a Hugging Face Space, whose disk has 50 GB."""

_LATER: Final = (
    "delete what you no longer need, or try again when older ones have been removed, some time "
    "after their end"
)
_TOMORROW: Final = "they are removed a day after they were uploaded, so try again tomorrow"
_WORDS: Final = {
    "uploads": "the uploads", "upload_bytes": "the uploads", "jobs": "the jobs",
    "active": "the jobs that run or wait", "job_bytes": "the results",
    "evaluations": "the evaluations of the prior",
}  # fmt: skip
_ADVICE: Final = {
    "uploads": _TOMORROW, "upload_bytes": _TOMORROW, "jobs": _LATER,
    "active": "cancel one, or try again when one is done", "job_bytes": _LATER,
    "evaluations": _LATER,
}  # fmt: skip


def _shown(name: str, count: int) -> str:
    return f"{count / (1 << 20):,.0f} MiB" if name.endswith("bytes") else f"{count:,}"
