"""A trainer of SemanticStyleGAN without data: tests hand it their batches."""

from __future__ import annotations

import torch

from semanticgan.distributed import ALONE, Processes
from semanticgan.regions import RegionScheme
from semanticgan.training.config import TrainingConfig
from semanticgan.training.methods.semanticstylegan import SemanticStyleGAN
from semanticgan.training.trainer import Trainer


def trainer_of(
    config: TrainingConfig, regions: RegionScheme, device: torch.device, processes: Processes = ALONE
) -> Trainer:
    """The trainer of a configuration."""
    return Trainer(SemanticStyleGAN(config, regions, device, processes), processes)
