"""Pretrained transformer encoders by family."""
