"""Measurement: everything that touches data, torch, files and plots."""
