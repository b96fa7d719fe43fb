"""Training: two phases, distillation, augmentation, and the statistics of normalisation."""
