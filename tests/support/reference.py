"""The scoring of each family of models, written down once more in the plainest way.

It asks the pipelines of diffusers as their own `__call__` does, one draw at a time, and shares no
line with dsel: it is there to be compared with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from support.families import load_pipeline
from support.lazy import LazyModule

diffusers = LazyModule("diffusers")
pipeline_flux = LazyModule("diffusers.pipelines.flux.pipeline_flux")

Estimate = Callable[[Tensor, Tensor, int], Tensor]
"""(clean latent (1, C, h, w), its noise (1, C, h, w), timestep) -> the noise as predicted."""


@torch.no_grad()
def reference_maps(
    name: str,
    folder: Path,
    pixels: NDArray[np.uint8],
    class_name: str,
    timesteps: Sequence[int],
    noise: Tensor,
    template: str = "An image of {class}.",
    null_prompt: str = "An image of .",
    resolution_px: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maps (T, h, w) of the conditional loss and of the gap, both of the noise.

    name: one of `families.FAMILIES`, whose pipeline lies in the folder. pixels: (H, W, 3).
    noise: (T, draws, C, h, w). The prompts are for the families that read them; the others take
    the class name itself, and their own null label. resolution_px: the side of the square picture
    that sets the shift of FLUX dev's sigmas; None takes its autoencoder's.
    """
    pipeline = load_pipeline(folder)
    clean = clean_latent(pipeline, pixels)
    size_px = pixels.shape[0], pixels.shape[1]
    if name in ("dit", "dit_of_old"):
        named = _dit(pipeline, _dit_label(pipeline, class_name))
        null = _dit(pipeline, pipeline.transformer.config.num_embeds_ada_norm)
    elif name == "pixel_unet":
        classes = json.loads((folder / "classes.json").read_text(encoding="utf-8"))
        named = _pixel_unet(pipeline, classes.index(class_name))
        null = _pixel_unet(pipeline, len(classes))
    else:
        named, null = (
            _of_prompt(name, pipeline, prompt, size_px, resolution_px)
            for prompt in (template.replace("{class}", class_name), null_prompt)
        )
    conditional = np.zeros((len(timesteps), *clean.shape[2:]))
    gap = np.zeros_like(conditional)
    for row, timestep in enumerate(timesteps):
        draws = noise[row]
        for draw in draws:
            eps = draw[None]
            loss_c = _loss(eps, named(clean, eps, timestep))
            loss_u = _loss(eps, null(clean, eps, timestep))
            conditional[row] += loss_c / len(draws)
            gap[row] += (loss_u - loss_c) / len(draws)
    return conditional, gap


@torch.no_grad()
def clean_latent(pipeline: Any, pixels: NDArray[np.uint8]) -> Tensor:
    """The latent of pixels (H, W, 3) without noise, (1, C, h, w)."""
    picture = torch.from_numpy(pixels.astype(np.float32) / 127.5 - 1.0).permute(2, 0, 1)[None]
    vae = getattr(pipeline, "vae", None)
    if vae is None:
        return picture
    mean = vae.encode(picture).latent_dist.mean
    return (mean - (vae.config.shift_factor or 0.0)) * vae.config.scaling_factor


def flow_sigma(scheduler: Any, timestep: int, mu: float | None = None) -> Tensor:
    """The scheduler's sigma of an integer training timestep, (1,)."""
    base = (timestep + 1) / scheduler.config.num_train_timesteps
    scheduler.set_timesteps(sigmas=[base], mu=mu)
    return scheduler.sigmas[:1]


def flux_shift(pipeline: Any, resolution_px: int | None = None) -> float:
    """FLUX's mu for square pictures of the autoencoder's size, or of a given one."""
    side_px = resolution_px or pipeline.vae.config.sample_size
    side = side_px // (2 * pipeline.vae_scale_factor)  # in tokens, of 2 x 2 cells each
    config = pipeline.scheduler.config
    return pipeline_flux.calculate_shift(
        side * side,
        config.base_image_seq_len,
        config.max_image_seq_len,
        config.base_shift,
        config.max_shift,
    )


def _loss(eps: Tensor, estimate: Tensor) -> NDArray[np.float64]:
    """Squared error, mean over channels, (h, w)."""
    return (eps.double() - estimate.double()).square().mean(dim=1)[0].numpy()


def _of_prompt(
    name: str,
    pipeline: Any,
    prompt: str,
    size_px: tuple[int, int],
    resolution_px: int | None,
) -> Estimate:
    if name in ("sd_epsilon", "sd_v"):
        return _stable_diffusion(pipeline, prompt)
    if name == "sdxl":
        return _stable_diffusion_xl(pipeline, prompt, size_px)
    if name in ("sd3", "sd3_no_t5"):
        return _stable_diffusion_3(pipeline, prompt)
    assert name in ("flux_schnell", "flux_dev")
    return _flux(pipeline, prompt, size_px, resolution_px)


def _stable_diffusion(pipeline: Any, prompt: str) -> Estimate:
    embeds, _ = pipeline.encode_prompt(prompt, "cpu", 1, do_classifier_free_guidance=False)

    def network(noised: Tensor, timestep: Tensor) -> Tensor:
        return pipeline.unet(
            noised,
            timestep,
            encoder_hidden_states=embeds,
            timestep_cond=None,
            cross_attention_kwargs=None,
            added_cond_kwargs=None,
            return_dict=False,
        )[0]

    return _by_diffusion(pipeline.scheduler, network)


def _stable_diffusion_xl(pipeline: Any, prompt: str, size_px: tuple[int, int]) -> Estimate:
    embeds, _, pooled, _ = pipeline.encode_prompt(
        prompt, device="cpu", do_classifier_free_guidance=False
    )
    if prompt == "" and pipeline.config.force_zeros_for_empty_prompt:
        embeds, pooled = torch.zeros_like(embeds), torch.zeros_like(pooled)
    time_ids = pipeline._get_add_time_ids(
        size_px,
        (0, 0),
        size_px,
        dtype=embeds.dtype,
        text_encoder_projection_dim=pipeline.text_encoder_2.config.projection_dim,
    )

    def network(noised: Tensor, timestep: Tensor) -> Tensor:
        return pipeline.unet(
            noised,
            timestep,
            encoder_hidden_states=embeds,
            timestep_cond=None,
            cross_attention_kwargs=None,
            added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids},
            return_dict=False,
        )[0]

    # Euler's own add_noise is in another scale: z_0 + sigma eps.
    return _by_diffusion(diffusers.DDPMScheduler.from_config(pipeline.scheduler.config), network)


def _dit(pipeline: Any, label: int) -> Estimate:
    channels = pipeline.transformer.config.in_channels

    def network(noised: Tensor, timestep: Tensor) -> Tensor:
        output = pipeline.transformer(
            noised, timestep=timestep, class_labels=torch.tensor([label])
        ).sample
        noise, _learnt_variance = torch.split(output, channels, dim=1)
        return noise

    return _by_diffusion(pipeline.scheduler, network)


def _dit_label(pipeline: Any, class_name: str) -> int:
    """The label of one of a class's names, or of all of them as id2label has them."""
    (label,) = pipeline.get_label_ids([class_name.split(",")[0]])
    return label


def _pixel_unet(pipeline: Any, label: int) -> Estimate:
    def network(noised: Tensor, timestep: Tensor) -> Tensor:
        return pipeline.unet(noised, timestep, class_labels=torch.tensor([label])).sample

    return _by_diffusion(pipeline.scheduler, network)


def _by_diffusion(scheduler: Any, network: Callable[[Tensor, Tensor], Tensor]) -> Estimate:
    def estimate(clean: Tensor, eps: Tensor, timestep: int) -> Tensor:
        times = torch.tensor([timestep])
        noised = scheduler.add_noise(clean, eps, times)
        output = network(noised, times)
        if scheduler.config.prediction_type == "epsilon":
            return output
        assert scheduler.config.prediction_type == "v_prediction"
        a = scheduler.alphas_cumprod[timestep]
        return a.sqrt() * output + (1 - a).sqrt() * noised

    return estimate


def _stable_diffusion_3(pipeline: Any, prompt: str) -> Estimate:
    embeds, _, pooled, _ = pipeline.encode_prompt(
        prompt,
        None,
        None,
        device="cpu",
        do_classifier_free_guidance=False,
        max_sequence_length=256,
    )

    def network(noised: Tensor, sigma: Tensor) -> Tensor:
        return pipeline.transformer(
            hidden_states=noised,
            timestep=sigma * 1000,
            encoder_hidden_states=embeds,
            pooled_projections=pooled,
            joint_attention_kwargs=None,
            return_dict=False,
        )[0]

    return _by_flow(pipeline.scheduler, network, mu=None)


def _flux(
    pipeline: Any, prompt: str, size_px: tuple[int, int], resolution_px: int | None
) -> Estimate:
    guided = pipeline.transformer.config.guidance_embeds
    embeds, pooled, text_ids = pipeline.encode_prompt(
        prompt, device="cpu", max_sequence_length=512 if guided else 256
    )

    def network(noised: Tensor, sigma: Tensor) -> Tensor:
        _, channels, height, width = noised.shape
        output = pipeline.transformer(
            hidden_states=pipeline._pack_latents(noised, 1, channels, height, width),
            timestep=sigma,
            guidance=torch.full([1], 1.0) if guided else None,
            pooled_projections=pooled,
            encoder_hidden_states=embeds,
            txt_ids=text_ids,
            img_ids=pipeline._prepare_latent_image_ids(
                1, height // 2, width // 2, noised.device, noised.dtype
            ),
            joint_attention_kwargs={},
            return_dict=False,
        )[0]
        return pipeline._unpack_latents(output, *size_px, pipeline.vae_scale_factor)

    dynamic = pipeline.scheduler.config.use_dynamic_shifting
    mu = flux_shift(pipeline, resolution_px) if dynamic else None
    return _by_flow(pipeline.scheduler, network, mu)


def _by_flow(
    scheduler: Any, network: Callable[[Tensor, Tensor], Tensor], mu: float | None
) -> Estimate:
    def estimate(clean: Tensor, eps: Tensor, timestep: int) -> Tensor:
        sigma = flow_sigma(scheduler, timestep, mu)
        noised = (1 - sigma) * clean + sigma * eps
        velocity = network(noised, sigma)  # of eps - z_0
        return noised + (1 - sigma) * velocity

    return estimate
