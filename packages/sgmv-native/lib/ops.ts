/**
 * The SGMV operators on their own, after Punica: `v := x·Aᵀ` and `y += scale · v·Bᵀ` per segment of tokens that share
 * an adapter, each segment at its own rank. For tests and study; the engine calls them natively. Synchronous.
 */
import { native, translated } from './native.js';
import type { FactorSegment } from './types.js';

export interface OpsOptions {
  /** One of `cpuInfo().isas`; default the best this machine has. */
  isa?: string;
  /** 0 = one per core. */
  threads?: number;
}

/** x: [tokens, inFeatures]; `v` takes each segment's [tokens, rank] block, one after the other, fully overwritten. */
export function sgmvShrink(
  x: Float32Array,
  inFeatures: number,
  segments: FactorSegment[],
  v: Float32Array,
  options: OpsOptions = {},
): void {
  translated(() => native().sgmvShrink(options, x, inFeatures, segments, v));
}

/** v as `sgmvShrink` leaves it; y: [tokens, outFeatures] is added to. Tokens in no segment are not touched. */
export function sgmvExpand(
  v: Float32Array,
  outFeatures: number,
  segments: FactorSegment[],
  y: Float32Array,
  options: OpsOptions = {},
): void {
  const scaled = segments.map((segment) => ({ scale: 1, ...segment }));
  translated(() => native().sgmvExpand(options, v, outFeatures, scaled, y));
}

/** Cores this process may use and the instruction sets this machine has, best first. */
export const cpuInfo = (): { cores: number; isas: string[] } => translated(() => native().cpuInfo());
