"""Encoders in extractor-predictor pairs, behind one interface."""
