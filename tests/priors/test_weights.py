"""Where a prior's files are, what names them, and the one line that says why they are not there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import filter_repo_objects
from safetensors.numpy import save_file

from dsel.assets import DEMO_PRIOR, asset
from dsel.config import PriorSettings
from dsel.errors import PriorError
from dsel.priors import load_prior
from dsel.priors.weights import (
    HUB_FILES,
    HUB_LEFT_OUT,
    Weights,
    check_memory,
    download,
    find_weights,
    free_memory,
    origin_of,
    parameters,
    prior_fingerprint,
    weights_fingerprint,
)

# The library that the Hub's client asks with, which its versions have in two.
httpx = import_module(HfHubHTTPError.__mro__[1].__module__.partition(".")[0])

CPU = torch.device("cpu")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "hf_AbCdEfGhIjKlMnOp"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the Hub, and no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def copy(family_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """A prior of one's own, to be changed."""
    return Path(shutil.copytree(family_folder("sd_epsilon"), tmp_path / "copy"))


def keep_in_cache(cache: Path, name: str, folder: Path, branch: str = "main") -> Path:
    """Lay a folder down as the Hub's client caches it."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True, exist_ok=True)
    (repository / "refs" / branch).write_text(COMMIT)
    return Path(shutil.copytree(folder, repository / "snapshots" / COMMIT))


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(PriorError) as error:
        call()
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 400
    return text


def test_find_weights__folder(copy):
    assert find_weights(str(copy)) == Weights(copy, weights_fingerprint(copy))


def test_find_weights__demo():
    assert find_weights("demo").folder == asset(DEMO_PRIOR)


def test_find_weights__names_that_are_none(tmp_path):
    (tmp_path / "file").write_text("")
    names = ("nosuchprior", "a/b/c", str(tmp_path / "absent"), str(tmp_path / "file"), "", "a b/c")
    for name in names:
        text = refusal(lambda name=name: find_weights(name))
        assert text == (
            f"{name!r} is not a prior: give the word demo, the folder of a saved "
            "diffusers pipeline, or a Hub id such as owner/name"
        )


def test_find_weights__folder_of_something_else_is_not_read(tmp_path, monkeypatch):
    """A home folder may hold terabytes: nothing in it is hashed before it is refused."""
    monkeypatch.setattr(
        "dsel.priors.weights.weights_fingerprint", lambda _folder: pytest.fail("hashed")
    )
    text = refusal(lambda: find_weights(str(tmp_path)))
    assert text == (
        f"{tmp_path} is not a prior: it has no model_index.json; give the folder of a saved one"
    )


def test_find_weights__a_folder_has_no_revisions(copy):
    text = refusal(lambda: find_weights(str(copy), "main"))
    assert text == f"{copy} is a local folder, where --revision main has no meaning: leave it out"


@pytest.mark.parametrize("revision", ["", "main", COMMIT])
def test_find_weights__cached_snapshot_is_named_by_its_commit(cache, copy, revision):
    snapshot = keep_in_cache(cache, "owner/name", copy)
    assert find_weights("owner/name", revision) == Weights(snapshot, COMMIT)


def test_load_prior__by_hub_id_from_the_cache(cache, copy):
    """The run's manifest gets the commit, whatever a branch points to later."""
    keep_in_cache(cache, "owner/name", copy, branch="v2")
    settings = PriorSettings(
        prior="owner/name", revision="v2", device="cpu", precision="float32", family="auto"
    )
    prior = load_prior(settings)
    assert (prior.name, prior.origin["prior"], prior.origin["revision"]) == (
        "owner/name", "owner/name", COMMIT,
    )  # fmt: skip
    again = load_prior(settings.replace(revision=COMMIT))
    assert again.fingerprint == prior.fingerprint
    assert again.origin == prior.origin


def test_find_weights__offline_with_nothing_cached(cache, copy):
    keep_in_cache(cache, "owner/name", copy)
    for name, revision in (("nobody/no-such-prior", ""), ("owner/name", "v3")):
        text = refusal(lambda name=name, revision=revision: find_weights(name, revision))
        assert text == (
            f"{name} is not on this machine, or not completely, and the Hub cannot be reached: "
            "connect to the internet without HF_HUB_OFFLINE=1, or give a folder"
        )


@pytest.mark.parametrize("name", ["-a/b", "a/b..c", "a/b--c", f"a/{'b' * 100}"])
def test_find_weights__what_cannot_be_a_hub_id(cache, name):
    text = refusal(lambda: find_weights(name))
    assert text.startswith(f"{name} cannot be downloaded from the Hub: ")


def answer(status: int) -> Any:
    url = f"https://huggingface.co/api/models/owner/name/revision/main?token={SECRET}"
    headers = {"authorization": f"Bearer {SECRET}"}
    return httpx.Response(status, request=httpx.Request("GET", url, headers=headers))


def told(status: int) -> str:
    """What the Hub's client says: it names the address that was asked."""
    url = answer(status).request.url
    return f"{status} Client Error for url: {url} (Request ID: Root=1-2-3)\n\nCannot access {url}."


HUB_SAYS = {
    "gated": (
        GatedRepoError(told(403), response=answer(403)),
        "owner/name is gated: accept its terms at https://huggingface.co/owner/name, then log in "
        "with hf auth login",
    ),
    "revision": (
        RevisionNotFoundError(told(404), response=answer(404)),
        "owner/name has no revision 'v9' on the Hub",
    ),
    "repository": (
        RepositoryNotFoundError(told(401), response=answer(401)),
        "owner/name is not on the Hub, or is private: check its spelling, or log in with hf auth "
        "login",
    ),
    "local": (
        LocalEntryNotFoundError(told(500)),
        "owner/name is not on this machine, or not completely, and the Hub cannot be reached: "
        "connect to the internet without HF_HUB_OFFLINE=1, or give a folder",
    ),
    "other": (
        HfHubHTTPError(told(503), response=answer(503)),
        "owner/name cannot be downloaded from the Hub: 503 Client Error for url: the Hub (Request "
        "ID: Root=1-2-3)",
    ),
    "connection": (
        httpx.ConnectError("[Errno 111] Connection refused"),
        "owner/name cannot be downloaded from the Hub: [Errno 111] Connection refused",
    ),
    "timeout": (
        httpx.ReadTimeout(""),
        "owner/name cannot be downloaded from the Hub: ReadTimeout",
    ),
    "disk": (
        OSError(28, "No space left on device"),
        "owner/name cannot be downloaded from the Hub: [Errno 28] No space left on device",
    ),
    "xet": (
        RuntimeError("Data processing error: CAS service error"),
        "owner/name cannot be downloaded from the Hub: Data processing error: CAS service error",
    ),
}  # fmt: skip
"""What the Hub's client raises, and the line that the user reads."""


@pytest.mark.parametrize("case", HUB_SAYS)
def test_download__what_the_hub_refuses(monkeypatch, case):
    error, line = HUB_SAYS[case]

    def raises(*_args: object, **_more: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", raises)
    text = refusal(lambda: find_weights("owner/name", "v9"))
    assert text == line
    assert SECRET not in text


def test_download__asks_for_the_revision_and_these_files_alone(monkeypatch, tmp_path):
    asked = {}

    def takes(name: str, **more: object) -> str:
        asked.update(more, name=name)
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", takes)
    assert download("owner/name", "", ("*.json",), ("x/*",)) == tmp_path
    assert asked == {
        "name": "owner/name", "revision": None, "allow_patterns": ["*.json"],
        "ignore_patterns": ["x/*"],
    }  # fmt: skip
    download("owner/name", "v2", ("*.json",))
    assert asked["revision"] == "v2"


def test_hub_files__each_part_once_and_no_pickles():
    there = [
        "README.md", "model_index.json", "v1-5-pruned.ckpt", "v1-5-pruned.safetensors",
        "scheduler/scheduler_config.json", "tokenizer/merges.txt", "tokenizer/vocab.json",
        "tokenizer_2/spiece.model", "text_encoders/t5xxl_fp16.safetensors",
        "text_encoder_3/model-00001-of-00002.safetensors",
        "text_encoder_3/model.fp16-00001-of-00002.safetensors",
        "text_encoder_3/model.safetensors.index.json",
        "unet/config.json", "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors", "vae/config.json",
        "safety_checker/config.json", "safety_checker/model.safetensors",
    ]  # fmt: skip
    fetched = filter_repo_objects(there, allow_patterns=HUB_FILES, ignore_patterns=HUB_LEFT_OUT)
    assert list(fetched) == [
        "model_index.json", "scheduler/scheduler_config.json", "tokenizer/merges.txt",
        "tokenizer/vocab.json", "tokenizer_2/spiece.model",
        "text_encoder_3/model-00001-of-00002.safetensors",
        "text_encoder_3/model.safetensors.index.json", "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
    ]  # fmt: skip


def flip_last_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_weights_fingerprint__follows_the_content_not_the_place(copy):
    before = weights_fingerprint(copy)
    moved = copy.rename(copy.with_name("moved"))
    assert weights_fingerprint(moved) == before
    flip_last_bit(moved / UNET)
    assert weights_fingerprint(moved) != before


def test_weights_fingerprint__of_configs_and_vocabularies_too(copy):
    seen = {weights_fingerprint(copy)}
    for name in ("scheduler/scheduler_config.json", "tokenizer/tokenizer.json"):
        path = copy / name
        path.write_text(path.read_text() + " ")
        seen.add(weights_fingerprint(copy))
    assert len(seen) == 3
    (copy / "README.md").write_text("other files say nothing of what it answers")
    assert weights_fingerprint(copy) in seen


def test_weights_fingerprint__a_copy_without_checkpoints_is_the_same_prior(copy):
    before = weights_fingerprint(copy)
    (copy / "training").mkdir()
    save_file({"x": np.zeros(3)}, copy / "training" / "checkpoint.safetensors")
    assert weights_fingerprint(copy) == before
    assert parameters(copy) == parameters(copy.with_name("copy"))


def fingerprint_of(folder: Path, family: str = "stable-diffusion", **settings: object) -> str:
    asked = PriorSettings(prior=str(folder), **settings)
    return prior_fingerprint(asked, find_weights(str(folder)), family)


def test_prior_fingerprint__what_changes_the_answers(copy, tmp_path):
    """Precision and resolution stand in the run beside it; the rest is where and how fast."""
    before = fingerprint_of(copy)
    labels = tmp_path / "names.json"
    labels.write_text(json.dumps(["a", "b"]))
    others = {
        "labels": fingerprint_of(copy, labels=str(labels)),
        "null": fingerprint_of(copy, null_class=0),
        "layer": fingerprint_of(copy, feature_layer="up_blocks.0"),
        "memory": fingerprint_of(copy, low_memory=True),
        "family": fingerprint_of(copy, family="sdxl"),
    }
    labels.write_text(json.dumps(["a", "c"]))
    others["other labels"] = fingerprint_of(copy, labels=str(labels))
    flip_last_bit(copy / UNET)
    others["weights"] = fingerprint_of(copy)
    assert len({before, *others.values()}) == 1 + len(others)


def test_prior_fingerprint__what_does_not(copy):
    before = fingerprint_of(copy)
    for same in (
        {"device": "cuda"}, {"backend": "compile"}, {"precision": "bfloat16"},
        {"resolution_px": 512}, {"family": "stable-diffusion"},
    ):  # fmt: skip
        asked = PriorSettings(prior=str(copy), **same)
        assert prior_fingerprint(asked, find_weights(str(copy)), "stable-diffusion") == before
    assert fingerprint_of(copy.rename(copy.with_name("moved"))) == before


@pytest.mark.parametrize("as_folder", [False, True])
def test_prior_fingerprint__lora_counts_by_content(copy, tmp_path, as_folder):
    def lora(place: str, value: float) -> str:
        folder = tmp_path / place
        folder.mkdir(exist_ok=True)
        save_file({"lora": np.full(3, value, np.float32)}, folder / "lora.safetensors")
        return str(folder if as_folder else folder / "lora.safetensors")

    one, moved = (fingerprint_of(copy, lora=lora(place, 1.0)) for place in ("a", "b"))
    assert one == moved
    assert fingerprint_of(copy, lora=lora("a", 2.0)) != one
    assert fingerprint_of(copy) != one


def test_prior_fingerprint__lora_of_the_hub_counts_by_content(cache, copy, tmp_path):
    """Whatever a branch points to when the prior is loaded again."""
    (tmp_path / "lora").mkdir()
    file = tmp_path / "lora" / "lora.safetensors"
    save_file({"lora": np.ones(3)}, file)
    keep_in_cache(cache, "owner/lora", file.parent)
    assert fingerprint_of(copy, lora="owner/lora") == fingerprint_of(copy, lora=str(file))


def test_prior_fingerprint__labels_count_by_content(copy, tmp_path):
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        path.write_text('["a"]')
    assert len({fingerprint_of(copy, labels=str(path)) for path in paths}) == 1


def test_origin_of__a_folder_has_no_commit(copy):
    settings = PriorSettings(prior=str(copy), device="cuda", backend="compile")
    origin = origin_of(settings, find_weights(str(copy)))
    assert (origin["prior"], origin["revision"]) == (str(copy), "")
    assert {"device", "backend"}.isdisjoint(origin)
    assert PriorSettings(**origin) == PriorSettings(prior=str(copy))


def test_parameters__of_what_is_loaded(copy):
    """The headers of all parts, without copies of the weights that are not read."""
    expected = sum(
        tensor.numel()
        for part in ("unet", "vae", "text_encoder")
        for tensor in load_all(copy / part).values()
    )
    assert parameters(copy) == expected
    for extra in ("unet/x.fp16.safetensors", "safety_checker/model.safetensors", "x.safetensors"):
        (copy / extra).parent.mkdir(exist_ok=True)
        save_file({"x": np.zeros((10, 10))}, copy / extra)
    (copy / "vae" / "broken.safetensors").write_bytes(b"\0")
    assert parameters(copy) == expected


def load_all(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    (path,) = folder.glob("*.safetensors")
    return load_file(path)


def test_check_memory__what_cannot_fit_is_told_before_it_is_loaded(copy, monkeypatch):
    millions = parameters(copy) * 4
    monkeypatch.setattr("dsel.priors.weights.free_memory", lambda _device: 1.1 * millions)
    text = refusal(
        lambda: load_prior(PriorSettings(prior=str(copy), device="cpu", precision="float32"))
    )
    assert text == (
        f"{copy} needs 0.0 GB for its weights in float32, cpu has 0.0 GB free: use --precision "
        "bfloat16, --low-memory, a smaller prior or a larger machine"
    )
    check_memory(copy, torch.bfloat16, CPU)
    monkeypatch.setattr("dsel.priors.weights.free_memory", lambda _device: 1.2 * millions)
    check_memory(copy, torch.float32, CPU)


def test_check_memory__in_gigabytes(copy, monkeypatch):
    monkeypatch.setattr("dsel.priors.weights.parameters", lambda _folder, _spared: 12_000_000_000)
    monkeypatch.setattr("dsel.priors.weights.free_memory", lambda _device: 15.5 * 2**30)
    text = refusal(lambda: check_memory(copy, torch.bfloat16, torch.device("cuda:1")))
    assert f"{copy} needs 25.7 GB for its weights in bfloat16, cuda:1 has 15.5 GB free" in text


def test_free_memory__of_this_machine():
    assert 1e8 < free_memory(CPU) < 1e14


def test_parameters__without_parts_that_are_spared(copy):
    spared = sum(t.numel() for t in load_all(copy / "text_encoder").values())
    assert parameters(copy, ("text_encoder*",)) == parameters(copy) - spared
