/**
 * Bounds of histograms, in seconds, wide enough for a small model on a GPU and a large one on two cores. One set for all
 * that is waited for, so that their parts can be laid over each other; alerts ask for bounds by name, so none goes away.
 */
export const LATENCY_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** From one token to the next: 2 ms are a fast GPU's, 2 s are somebody's who waits for others' prompts on a CPU. */
export const TOKEN_BUCKETS_S = [0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2];
