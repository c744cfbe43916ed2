"""Learning from labels: heads on embeddings, evaluation, thresholds with a guarantee, the loop and its simulation."""
