"""The article's whole training flow, line by line. Only its import lines are changed.

    python examples/article.py

`decay_lr_poly` is imported rather than pasted: it is the same function. Both ways of the article are here: the first
sets the rate of every batch, the second (commented out there too) asks a scheduler once an epoch.
"""

import tinygrad_lr as torch
from tinygrad_lr import nn, optim
from tinygrad_lr.data import DataLoader, TensorDataset
from tinygrad_lr.optim.lr_scheduler import GradualWarmupScheduler
from tinygrad_lr.schedules import decay_lr_poly


class LinearModel(nn.Module):
    def __init__(self):
        super(LinearModel, self).__init__()  # noqa: UP008 (as in the article)
        self.linear = nn.Linear(10, 1)

    def forward(self, x):
        return self.linear(x)


def main():
    """Train for 10 epochs; returns (epoch, learning rate, loss) of each."""
    seen = []
    torch.manual_seed(0)  # the one line that is not in the article: the same numbers every time

    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    x = torch.randn(100, 10).to(device)
    y = torch.randn(100, 1).to(device)

    dataset = TensorDataset(x, y)
    dataloader = DataLoader(dataset, batch_size=10, shuffle=True)

    model = LinearModel().to(device)
    loss_fn = nn.MSELoss()
    total_epochs, warmup_epochs, lr = 10, 5, 0.01
    optimizer = optim.Adam(model.parameters(), lr=lr)
    # 方法2
    scheduler = GradualWarmupScheduler(optimizer, total_epochs, warmup_epochs)  # noqa: F841 (as in the article)

    for epoch in range(total_epochs):
        model.train()
        for batch_idx, (input, target) in enumerate(dataloader):
            # 方法1
            batch_lr = decay_lr_poly(lr, epoch, batch_idx, total_epochs, len(dataloader), warmup_epochs, 1)
            for group in optimizer.param_groups:
                group['lr'] = batch_lr
            optimizer.zero_grad()
            output = model(input)
            loss = loss_fn(output, target)
            loss.backward()
            optimizer.step()
        # scheduler.step()
        # lr = scheduler.get_lr()[0]
        # print(f'Epoch {epoch+1}, Learning Rate: {lr:.6f}, Loss Value: {loss.item()}')
        print(f'Epoch {epoch+1}, Learning Rate: {batch_lr:.6f}, Loss Value: {loss.item()}')
        seen.append((epoch, batch_lr, loss.item()))
    return seen


if __name__ == "__main__":
    main()
