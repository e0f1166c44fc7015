"""From a table to a trained model: tasks, metrics, baselines, defaults, and the folder of a run."""
