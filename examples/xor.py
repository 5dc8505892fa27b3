"""The smallest network that learns something: exclusive or."""

import lamina
from lamina import nn, optim

lamina.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = optim.Adam(net.parameters(), lr=0.05)
criterion = nn.MSELoss()
x = lamina.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = lamina.tensor([[0.0], [1.0], [1.0], [0.0]])

for _step in range(300):
    loss = criterion(net(x), y)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

print(f"loss {loss.item():.2e}")
print([round(value[0], 2) for value in net(x).tolist()])
assert loss.item() < 1e-3
