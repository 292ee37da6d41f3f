"""Quotas count what each visitor uses, and all together."""

from __future__ import annotations

import pytest

from dsel.app.quota import NO_QUOTAS, Quota, Quotas
from dsel.errors import QuotaError

QUOTAS = Quotas(each=Quota(jobs=2, upload_bytes=3 << 20), total=Quota(jobs=4))
USES = [("a", 1), ("a", 1), ("b", 1), ("", 7)]


def test_check__of_each_and_of_all() -> None:
    QUOTAS.check("jobs", [("a", 1), ("b", 2)], "a", 1)
    with pytest.raises(QuotaError) as caught:
        QUOTAS.check("jobs", USES[:3], "a", 1)
    assert str(caught.value) == (
        "the jobs of one visitor may be at most 2 here, and 2 are in use: delete what you no "
        "longer need, or try again when older ones have been removed, some time after their end"
    )
    with pytest.raises(QuotaError, match="the jobs of all visitors may be at most 4 here, and 10"):
        QUOTAS.check("jobs", USES, "b", 1)
    with pytest.raises(QuotaError, match="may be at most 3 MiB here, and 2 MiB are in use"):
        QUOTAS.check("upload_bytes", [("a", 2 << 20)], "a", (1 << 20) + 1)


def test_check__nothing_for_local_visitors_or_without_quotas() -> None:
    QUOTAS.check("jobs", USES * 100, "", 1)
    NO_QUOTAS.check("jobs", USES * 100, "a", 1)
    QUOTAS.check("uploads", USES * 100, "a", 1)
