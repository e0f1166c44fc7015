"""A learning rate for each part of a model: the article's Vision and Text example.

    python examples/parameter_groups.py

A multimodal model adds what its two halves make of their inputs. The vision half learns at 1e-2, the text half at the
optimizer's own 1e-3; the momentum, given once, holds for both.
"""

import tinygrad_lr
from tinygrad_lr import nn, optim, schedules
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.training import fit


class Multimodal(nn.Module):
    def __init__(self):
        super().__init__()
        self.VisionModel = nn.Linear(8, 1)
        self.TextModel = nn.Linear(8, 1)

    def forward(self, image, text):
        return self.VisionModel(image) + self.TextModel(text)


def distance(module, wanted):
    """How far a half's weights are from those that made the data."""
    return float(((module.weight.detach() - wanted) ** 2).sum().sqrt().item())


def main():
    """Train both halves; returns the history and what is left of each half's distance, as a fraction."""
    tinygrad_lr.manual_seed(0)
    image, text = tinygrad_lr.randn(512, 8), tinygrad_lr.randn(512, 8)
    vision_weights, text_weights = tinygrad_lr.randn(1, 8), tinygrad_lr.randn(1, 8)
    target = image @ vision_weights.T + text @ text_weights.T
    loader = DataLoader(TensorDataset(image, text, target), batch_size=32, shuffle=True, seed=0)

    model = Multimodal()
    optimizer = optim.SGD(
        [{"params": model.VisionModel.parameters(), "lr": 1e-2}, {"params": model.TextModel.parameters(), "lr": 1e-3}],
        lr=1e-3,
        momentum=0.9,
    )
    halves = {"vision": (model.VisionModel, vision_weights), "text": (model.TextModel, text_weights)}
    before = {name: distance(*half) for name, half in halves.items()}

    # One schedule for all: each group keeps its own base rate, and the schedule gives the factor.
    epochs = 5
    schedule = schedules.warmup(len(loader)).then(schedules.cosine((epochs - 1) * len(loader)))
    history = fit(model, nn.MSELoss(), optimizer, loader, epochs=epochs, schedule=schedule)

    left = {name: distance(*half) / before[name] for name, half in halves.items()}
    highest = history.lr.max(axis=0)
    for (name, fraction), rate in zip(left.items(), highest, strict=True):
        print(f"{name:<6} highest learning rate {rate:g}: {fraction:.1%} of the distance to the true weights is left")
    print(f"loss: {history.loss[0]:.4f} at the first step, {history.loss[-1]:.4f} at the last")
    return history, left


if __name__ == "__main__":
    main()
