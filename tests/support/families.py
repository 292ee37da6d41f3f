"""Small pipelines with random weights, one per family of models, saved as diffusers saves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers.models import Unigram
from torch import nn

from support.lazy import LazyModule

diffusers = LazyModule("diffusers")
transformers = LazyModule("transformers")
diffusers_logging = LazyModule("diffusers.utils.logging")
transformers_logging = LazyModule("transformers.utils.logging")
convert_slow_tokenizer = LazyModule("transformers.convert_slow_tokenizer")

RESOLUTION_PX = 64
CELL_PX = 8
CELLS = RESOLUTION_PX // CELL_PX

WORDS = ("an", "image", "of", "a", "photo", "cat", "dog", "bird", "tench", "church")
"""Words that are one token; any other is spelt, letter by letter."""

DOUBLED = (
    "attn2.to_q.weight", "attn2.to_k.weight", "attn2.to_out.0.weight", "self_attn.q_proj.weight",
    "self_attn.k_proj.weight",
)  # fmt: skip
"""Made larger, so that attention prefers some tokens and counts: one word of 77 has to matter."""

DIT_CLASSES = MappingProxyType(
    {
        0: "tench, Tinca tinca",
        1: "English springer, English springer spaniel",
        2: "cassette player",
        3: "chain saw, chainsaw",
        4: "church, church building",
    }
)
PIXEL_CLASSES = ("cat", "dog", "bird")

# Stable Diffusion's schedule.
SCALED_LINEAR: Mapping[str, Any] = MappingProxyType(
    {
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "steps_offset": 1,
    }
)


def build_sd_epsilon(folder: Path) -> Path:
    """Stable Diffusion 1.5: one text encoder, predicts the noise."""
    with _seeded(1):
        pipeline = _stable_diffusion(
            _unet(cross_attention_dim=32, attention_head_dim=4),
            diffusers.DDPMScheduler(**SCALED_LINEAR, clip_sample=False, prediction_type="epsilon"),
        )
        return _save(pipeline, folder)


def build_sd_v(folder: Path) -> Path:
    """Stable Diffusion 2.1: heads by level, linear projections, predicts v."""
    with _seeded(2):
        pipeline = _stable_diffusion(
            _unet(
                cross_attention_dim=32,
                attention_head_dim=[2, 4, 8],
                use_linear_projection=True,
            ),
            diffusers.DDIMScheduler(
                **SCALED_LINEAR,
                clip_sample=False,
                set_alpha_to_one=False,
                prediction_type="v_prediction",
            ),
        )
        return _save(pipeline, folder)


def build_sdxl(folder: Path) -> Path:
    """Stable Diffusion XL: two text encoders, and the picture's size among the conditions."""
    with _seeded(3):
        tokenizer, tokenizer_2 = _clip_tokenizer(), _clip_tokenizer()
        second = _clip(transformers.CLIPTextModelWithProjection, tokenizer_2, width=40)
        pipeline = diffusers.StableDiffusionXLPipeline(
            vae=_autoencoder(4, scaling_factor=0.13025, force_upcast=True),
            text_encoder=_clip(transformers.CLIPTextModel, tokenizer, width=24),
            text_encoder_2=second,
            tokenizer=tokenizer,
            tokenizer_2=tokenizer_2,
            unet=_unet(
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                attention_head_dim=[2, 4, 8],
                transformer_layers_per_block=[1, 1, 2],
                use_linear_projection=True,
                cross_attention_dim=24 + 40,
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                projection_class_embeddings_input_dim=second.config.projection_dim + 6 * 8,
            ),
            scheduler=diffusers.EulerDiscreteScheduler(
                **SCALED_LINEAR, timestep_spacing="leading", prediction_type="epsilon"
            ),
            force_zeros_for_empty_prompt=True,
            add_watermarker=False,
        )
        return _save(pipeline, folder)


def build_sd3(folder: Path) -> Path:
    """Stable Diffusion 3: three text encoders, a joint transformer, predicts the velocity."""
    with _seeded(4):
        tokenizer = _t5_tokenizer()
        pipeline = _stable_diffusion_3(_t5(tokenizer, width=64), tokenizer)
        return _save(pipeline, folder)


def build_sd3_no_t5(folder: Path) -> Path:
    """Stable Diffusion 3.5 medium's transformer, without the third text encoder."""
    with _seeded(5):
        pipeline = _stable_diffusion_3(None, None, qk_norm="rms_norm", dual_attention_layers=(0,))
        return _save(pipeline, folder)


def build_flux_schnell(folder: Path) -> Path:
    """FLUX.1 schnell: packed latents, sigmas as they are."""
    with _seeded(6):
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False)
        return _save(_flux(scheduler, guidance_embeds=False), folder)


def build_flux_dev(folder: Path) -> Path:
    """FLUX.1 dev: is told a guidance, and shifts its sigmas by the picture's size."""
    with _seeded(7):
        scheduler = diffusers.FlowMatchEulerDiscreteScheduler(
            shift=3.0,
            use_dynamic_shifting=True,
            base_shift=0.5,
            max_shift=1.15,
            base_image_seq_len=256,
            max_image_seq_len=4096,
        )
        return _save(_flux(scheduler, guidance_embeds=True), folder)


def build_dit(folder: Path) -> Path:
    """DiT: class labels, square pictures, and an output that holds a learnt variance too."""
    with _seeded(8):
        pipeline = diffusers.DiTPipeline(
            transformer=diffusers.DiTTransformer2DModel(
                num_attention_heads=4,
                attention_head_dim=8,
                in_channels=4,
                out_channels=8,
                num_layers=3,
                sample_size=CELLS,
                patch_size=2,
                num_embeds_ada_norm=len(DIT_CLASSES),
                norm_type="ada_norm_zero",
            ),
            vae=_autoencoder(4, scaling_factor=0.18215),
            scheduler=diffusers.DDIMScheduler(
                beta_start=0.0001, beta_end=0.02, beta_schedule="linear", clip_sample=False
            ),
            id2label=dict(DIT_CLASSES),
        )
        _save(pipeline, folder)
    # The pipeline reads labels from model_index.json but does not write them there.
    labels = {str(number): names for number, names in DIT_CLASSES.items()}
    _edit_json(folder / "model_index.json", id2label=labels)
    return folder


def build_dit_of_old(folder: Path) -> Path:
    """The same DiT under the class names of the one on the Hub, which is older than the class."""
    build_dit(folder)
    _edit_json(folder / "model_index.json", transformer=["diffusers", "Transformer2DModel"])
    _edit_json(folder / "transformer/config.json", _class_name="Transformer2DModel")
    return folder


def build_pixel_unet(folder: Path) -> Path:
    """A U-Net on pixels with class labels, the last of which is the null class."""
    with _seeded(9):
        pipeline = diffusers.DDPMPipeline(
            unet=diffusers.UNet2DModel(
                sample_size=32,
                in_channels=3,
                out_channels=3,
                layers_per_block=1,
                block_out_channels=(32, 32, 64),
                norm_num_groups=8,
                attention_head_dim=8,
                down_block_types=("DownBlock2D", "DownBlock2D", "AttnDownBlock2D"),
                up_block_types=("AttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
                num_class_embeds=len(PIXEL_CLASSES) + 1,
            ),
            scheduler=diffusers.DDPMScheduler(),
        )
        _save(pipeline, folder)
    (folder / "classes.json").write_text(json.dumps(PIXEL_CLASSES), encoding="utf-8")
    return folder


FAMILIES: Mapping[str, Callable[[Path], Path]] = MappingProxyType(
    {
        "sd_epsilon": build_sd_epsilon,
        "sd_v": build_sd_v,
        "sdxl": build_sdxl,
        "sd3": build_sd3,
        "sd3_no_t5": build_sd3_no_t5,
        "flux_schnell": build_flux_schnell,
        "flux_dev": build_flux_dev,
        "dit": build_dit,
        "dit_of_old": build_dit_of_old,
        "pixel_unet": build_pixel_unet,
    }
)
"""Name of each family -> what builds its pipeline in a new folder and returns that folder."""

CLASS_NAMES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {name: ("tench", "chain saw") if "dit" in name else ("cat", "dog") for name in FAMILIES}
)
"""Two classes that each family knows."""


def latent_shape(name: str, height_px: int, width_px: int) -> tuple[int, int, int]:
    """The shape (C, h, w) of a picture's latent."""
    if name == "pixel_unet":
        return 3, height_px, width_px
    channels = 16 if name.startswith(("sd3", "flux")) else 4
    return channels, height_px // CELL_PX, width_px // CELL_PX


def load_pipeline(folder: Path) -> Any:
    """Load a saved pipeline in float32, whatever its class; parts that it does without are None."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    # Without this, from_pretrained refuses a Stable Diffusion 3 that has no T5.
    absent = {name: None for name, value in index.items() if value == [None, None]}
    with _quiet():
        return diffusers.DiffusionPipeline.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, **absent
        )


def _stable_diffusion(
    unet: diffusers.UNet2DConditionModel, scheduler: Any
) -> diffusers.StableDiffusionPipeline:
    tokenizer = _clip_tokenizer()
    return diffusers.StableDiffusionPipeline(
        vae=_autoencoder(4, scaling_factor=0.18215),
        text_encoder=_clip(transformers.CLIPTextModel, tokenizer, width=32),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _stable_diffusion_3(
    text_encoder_3: transformers.T5EncoderModel | None, tokenizer_3: Any, **transformer: Any
) -> diffusers.StableDiffusion3Pipeline:
    tokenizer, tokenizer_2 = _clip_tokenizer(), _clip_tokenizer()
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=CELLS,
            patch_size=2,
            in_channels=16,
            out_channels=16,
            num_layers=3,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=64,  # more than the two CLIP widths: the rest is padded
            caption_projection_dim=32,
            pooled_projection_dim=24 + 32,
            pos_embed_max_size=16,
            **transformer,
        ),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_autoencoder(16, scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=_clip(transformers.CLIPTextModelWithProjection, tokenizer, width=24),
        tokenizer=tokenizer,
        text_encoder_2=_clip(transformers.CLIPTextModelWithProjection, tokenizer_2, width=32),
        tokenizer_2=tokenizer_2,
        text_encoder_3=text_encoder_3,
        tokenizer_3=tokenizer_3,
    )


def _flux(
    scheduler: diffusers.FlowMatchEulerDiscreteScheduler, *, guidance_embeds: bool
) -> diffusers.FluxPipeline:
    tokenizer, tokenizer_2 = _clip_tokenizer(), _t5_tokenizer()
    return diffusers.FluxPipeline(
        transformer=diffusers.FluxTransformer2DModel(
            patch_size=1,
            in_channels=4 * 16,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=48,
            pooled_projection_dim=32,
            guidance_embeds=guidance_embeds,
            axes_dims_rope=(4, 6, 6),
        ),
        scheduler=scheduler,
        vae=_autoencoder(16, scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=_clip(transformers.CLIPTextModel, tokenizer, width=32),
        tokenizer=tokenizer,
        text_encoder_2=_t5(tokenizer_2, width=48),
        tokenizer_2=tokenizer_2,
    )


def _unet(**settings: Any) -> diffusers.UNet2DConditionModel:
    layout = {
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    }
    return diffusers.UNet2DConditionModel(
        sample_size=CELLS,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(32, 32, 64),
        norm_num_groups=8,
        **(layout | settings),
    )


def _autoencoder(channels: int, **settings: Any) -> diffusers.AutoencoderKL:
    """An autoencoder of 8 px cells; those of 16 channels have no 1 x 1 convolutions at the ends."""
    autoencoder = diffusers.AutoencoderKL(
        sample_size=RESOLUTION_PX,
        latent_channels=channels,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=channels == 4,
        use_post_quant_conv=channels == 4,
        **settings,
    )
    _widen(autoencoder)
    return autoencoder


@torch.no_grad()
def _widen(autoencoder: diffusers.AutoencoderKL) -> None:
    """Give latents the spread that real ones have; they would count for little beside the noise."""
    picture = torch.rand(1, 3, RESOLUTION_PX, RESOLUTION_PX) * 2 - 1
    mean = autoencoder.encode(picture).latent_dist.mean
    autoencoder.encoder.conv_out.weight /= mean.std() * autoencoder.config.scaling_factor


def _clip(kind: type[nn.Module], tokenizer: Any, width: int) -> Any:
    return kind(
        transformers.CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            projection_dim=width,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=tokenizer.model_max_length,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _t5(tokenizer: Any, width: int) -> transformers.T5EncoderModel:
    return transformers.T5EncoderModel(
        transformers.T5Config(
            vocab_size=len(tokenizer),
            d_model=width,
            d_kv=8,
            d_ff=64,
            num_layers=2,
            num_heads=2,
            feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def _clip_tokenizer() -> transformers.CLIPTokenizer:
    """CLIP's tokenizer with merges for `WORDS`."""
    letters = list(convert_slow_tokenizer.bytes_to_unicode().values())
    merges = [pair for word in WORDS for pair in _merges(word)]
    vocabulary = [*letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary += ["".join(pair) for pair in merges]
    vocabulary = [*dict.fromkeys(vocabulary), "<|startoftext|>", "<|endoftext|>"]
    with TemporaryDirectory() as folder:
        numbers = {token: number for number, token in enumerate(vocabulary)}
        Path(folder, "vocab.json").write_text(json.dumps(numbers), encoding="utf-8")
        lines = ["#version: 0.2", *dict.fromkeys(" ".join(pair) for pair in merges), ""]
        Path(folder, "merges.txt").write_text("\n".join(lines), encoding="utf-8")
        return transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=77)


def _merges(word: str) -> Iterator[tuple[str, str]]:
    """Merges that build the word from its left, letter by letter."""
    whole, *rest = [*word[:-1], f"{word[-1]}</w>"]
    for letter in rest:
        yield whole, letter
        whole += letter


def _t5_tokenizer() -> Any:
    """T5's tokenizer: a unigram model whose cheapest pieces are `WORDS`."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -4.0)]
    pieces += [(f"▁{word}", -3.0) for word in (*WORDS, "An")]
    pieces += [(chr(code), -5.0) for code in range(33, 127)]
    tokenizer = Tokenizer(Unigram(pieces, unk_id=2, byte_fallback=False))
    metaspace = {"replacement": "▁", "prepend_scheme": "always"}
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(**metaspace)
    tokenizer.decoder = decoders.Metaspace(**metaspace)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)]
    )
    with TemporaryDirectory() as folder:
        tokenizer.save(str(Path(folder, "tokenizer.json")))
        return transformers.T5TokenizerFast.from_pretrained(
            folder, extra_ids=0, model_max_length=512
        )


def _save(pipeline: diffusers.DiffusionPipeline, folder: Path) -> Path:
    with _quiet():
        for part in pipeline.components.values():
            if isinstance(part, nn.Module):
                _stir(part)
        pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


@torch.no_grad()
def _stir(module: nn.Module) -> None:
    """Make every input count: what is weak or zero at the start would hide a mistake before it."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            part.weight.normal_(0.0, part.in_features**-0.5)
    for name, parameter in module.named_parameters():
        if not parameter.any():
            parameter.normal_(0.0, 0.05)
        if name.endswith(DOUBLED):
            parameter *= 2


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Draw from a seed, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Draw no bars, and say nothing of parts that are absent on purpose."""
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    level = diffusers_logging.get_verbosity()
    diffusers_logging.set_verbosity_error()
    try:
        yield
    finally:
        diffusers_logging.set_verbosity(level)


def _edit_json(path: Path, **entries: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | entries, indent=2), encoding="utf-8")
