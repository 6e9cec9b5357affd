"""SimCLR and BYOL on torchvision's ResNet, in the form of configs/cifar10_simclr.yaml and cifar10_byol.yaml."""

import copy

import torch
import torch.nn.functional as F
import torchvision
from torch import nn


def resnet(name, is_small):
    """The encoder and its number of features; for small images with a 3×3 stem and without pooling."""
    network = getattr(torchvision.models, name)()
    features = network.fc.in_features
    network.fc = nn.Identity()
    if is_small:
        network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        network.maxpool = nn.Identity()
    return network, features


class SimCLR(nn.Module):
    weight_decay = 5e-4

    def __init__(self, encoder, is_small):
        super().__init__()
        self.encoder, features = resnet(encoder, is_small)
        self.head = nn.Sequential(nn.Linear(features, 1024), nn.ReLU(), nn.Linear(1024, 128))

    def forward(self, one, other):
        """NT-Xent at temperature 0.5 over both views, which pass the encoder together."""
        n = one.shape[0]
        z = F.normalize(self.head(self.encoder(torch.cat([one, other]))).float(), dim=1)
        mask = torch.eye(2 * n, dtype=torch.bool, device=z.device)
        positives = torch.arange(2 * n, device=z.device).roll(n)
        return F.cross_entropy((z @ z.T / 0.5).masked_fill(mask, float("-inf")), positives)

    def after_step(self):
        pass


class BYOL(nn.Module):
    weight_decay = 2e-3
    tau = 0.99

    def __init__(self, encoder, is_small):
        super().__init__()
        self.encoder, features = resnet(encoder, is_small)
        self.head = mlp(features)
        self.predictor = mlp(256)
        self.target = copy.deepcopy(nn.Sequential(self.encoder, self.head)).requires_grad_(False)

    def forward(self, one, other):
        """2 − 2 cos of each prediction and the other view's target, summed over both directions."""
        predictions = [self.predictor(self.head(self.encoder(view))) for view in (one, other)]
        with torch.no_grad():
            targets = [self.target(view) for view in (other, one)]
        cosines = [F.cosine_similarity(p.float(), t.float()).mean() for p, t in zip(predictions, targets)]
        return 4 - 2 * cosines[0] - 2 * cosines[1]

    @torch.no_grad()
    def after_step(self):
        online = [*self.encoder.parameters(), *self.head.parameters()]
        torch._foreach_lerp_(list(self.target.parameters()), online, 1 - self.tau)


def mlp(features):
    return nn.Sequential(nn.Linear(features, 1024), nn.BatchNorm1d(1024), nn.ReLU(), nn.Linear(1024, 256))


METHODS = {"simclr": SimCLR, "byol": BYOL}
