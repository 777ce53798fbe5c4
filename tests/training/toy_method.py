"""A toy method: a two-layer GAN on pictures of 8 pixels, which grows to 16 and then doubles its batch."""

import copy
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from semanticgan.training.method import Average, Method, Phase, Stage, register
from semanticgan.training.optimisers import adam
from semanticgan.training.sections import CommonConfig

ALL = ("generator", "discriminator")
STAGES = {  # the number of images seen at which each begins
    0: Stage("8 pixels", batch=8, size=8, in_use=("generator.small", "discriminator.small")),
    96: Stage("16 pixels", batch=8, size=16, in_use=ALL, anew=ALL),
    192: Stage("16 pixels, larger batch", batch=16, size=16, in_use=ALL),
}


@dataclass
class ToyConfig(CommonConfig):
    method: str = "toy"


class Toy(Method):
    schedule = STAGES

    def __init__(self, config, device):
        self.config, self.device, self.data_key = config, device, "random pictures"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            generator = nn.ModuleDict({"small": nn.Linear(4, 192), "large": nn.Conv2d(3, 3, 3, padding=1)})
            discriminator = nn.ModuleDict({"small": nn.Linear(192, 1), "large": nn.Conv2d(3, 3, 2, stride=2)})
        self.networks = {"generator": generator, "discriminator": discriminator, "average": copy.deepcopy(generator)}
        self.optimisers = {name: adam({self.networks[name]: 1.0}, config.optimiser, device) for name in ALL}

    def batches(self, stage, images, positions):
        while True:
            seeds = [torch.Generator().manual_seed(images + position) for position in positions]
            yield (torch.stack([torch.rand(3, stage.size, stage.size, generator=seed) for seed in seeds]),)
            images += stage.batch

    def picture(self, name, z, size):
        part, small = self.networks[name], self.networks[name]["small"](z).view(-1, 3, 8, 8)
        return small if size == 8 else part["large"](F.interpolate(small, scale_factor=2))

    def score(self, picture):
        part = self.networks["discriminator"]
        return part["small"]((picture if picture.shape[-1] == 8 else part["large"](picture)).flatten(1))

    def phases(self, stage):
        def fake(draws):
            z = torch.stack([torch.randn(4, generator=stream) for stream in draws.streams(real=False)])
            return self.picture("generator", z, stage.size)

        def of_discriminator(batch, draws):
            loss = F.softplus(self.score(fake(draws).detach())) + F.softplus(-self.score(batch[0]))
            return loss.mean(), {"loss/discriminator": loss.mean()}

        def of_generator(batch, draws):
            return (loss := F.softplus(-self.score(fake(draws))).mean()), {"loss/generator": loss}

        frozen = (self.networks["discriminator"],)
        return [Phase(ALL[1], ALL[1:], of_discriminator), Phase(ALL[0], ALL[:1], of_generator, frozen=frozen)]

    def averages(self, stage):
        return [Average(self.networks["generator"], self.networks["average"], half_life=50.0)]

    def preview(self):
        return (self.picture("average", torch.ones(1, 4), 16)[0].clamp(0, 1) * 255).byte().movedim(0, 2).numpy()

    def export(self, path, images):
        save_file(self.networks["average"].state_dict(), path)


register(ToyConfig, lambda config: (config, lambda device, processes: Toy(config, device)))
