"""An optimizer from outside the package, for test_registration.py: what a user writes to add one."""

from tinygrad_lr import optim

optim.register("toy", "toy.optimizer:Toy", "an average of past gradients", formula="toy.formula:FAMILY")
