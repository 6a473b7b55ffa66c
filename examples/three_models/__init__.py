"""Predicted against measured one-step learning rates on three models that nobody tuned for."""
