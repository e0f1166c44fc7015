"""The list of suites. Each is a module with SUITE, CASES and NOT_APPLICABLE."""

from . import autograd, torch_losses, torch_modules, torch_optimizers, torch_schedulers, transformers_schedules

SUITES = [autograd, torch_losses, torch_modules, torch_optimizers, torch_schedulers, transformers_schedules]
