"""Time what the project promises: start, memory, sampling, sliders, animations, training."""
