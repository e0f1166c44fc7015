"""The laboratory: a page in which one sees learning rates work, by the rules that train, translated to JavaScript."""
