"""dsel: dataset distillation by selection with a pretrained diffusion model."""

__version__ = "0.1.0"
