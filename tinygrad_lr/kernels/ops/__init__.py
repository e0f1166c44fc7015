"""The loops of the engine's ops, for CUDA and for compiled training. Start with elementwise.py."""
