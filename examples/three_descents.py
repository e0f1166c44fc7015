"""Full batch, mini-batches, single samples: three descents that differ in one argument, the batch size.

    python examples/three_descents.py

All three see the diabetes data 20 times, with plain gradient descent. The full batch makes few sure steps; single
samples make many unsure ones, which need a smaller rate that falls away in the end.
"""

import tinygrad_lr
from tinygrad_lr import nn, optim, schedules
from tinygrad_lr.data import DataLoader, TensorDataset, datasets
from tinygrad_lr.data.encoding import Standardiser
from tinygrad_lr.training import evaluate, fit

EPOCHS = 20
DESCENTS = {  # name: (batch size, learning rate); None is the whole data set
    "full batch": (None, 0.1),
    "mini-batch": (32, 0.1),
    "single samples": (1, 0.01),
}


def descend(dataset, batch_size, lr):
    """The loss over all data before and after 20 epochs, and the number of steps made."""
    tinygrad_lr.manual_seed(0)
    model, loss = nn.Linear(10, 1), nn.MSELoss()
    loader = DataLoader(dataset, batch_size, shuffle=True, seed=0)
    before = evaluate(model, loss, dataset)
    optimizer = optim.SGD(model.parameters(), lr=lr)
    history = fit(model, loss, optimizer, loader, epochs=EPOCHS, schedule=schedules.polynomial(EPOCHS * len(loader)))
    return before, evaluate(model, loss, dataset), len(history)


def main():
    """Run the three descents; returns name -> (loss before, loss after, steps)."""
    inputs, target = datasets.diabetes()
    dataset = TensorDataset(Standardiser.fit(inputs)(inputs), Standardiser.fit(target)(target))
    print(f"{'descent':<16}{'batch':>6}{'rate':>7}{'steps':>7}{'loss before':>13}{'loss after':>12}")
    results = {}
    for name, (batch_size, lr) in DESCENTS.items():
        before, after, steps = results[name] = descend(dataset, batch_size, lr)
        print(f"{name:<16}{batch_size or len(dataset):>6}{lr:>7g}{steps:>7}{before:>13.4f}{after:>12.4f}")
    return results


if __name__ == "__main__":
    main()
