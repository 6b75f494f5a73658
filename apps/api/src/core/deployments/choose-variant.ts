/**
 * Which variant of a deployment answers whom: weighted rendezvous hashing. Every variant draws a number from its own
 * id and the routing key; its score is -weight / ln(number), and the highest score wins. So each wins as often as its
 * weight says, the same key always has the same winner, and a change of weights moves only keys that it must: a score
 * does not depend on the other variants. (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005.)
 */
import { createHash } from 'node:crypto';

export interface Weighted {
  id: string;
  /** 0: never chosen. */
  weight: number;
}

/** `variants`: at least one of them with a weight above 0. */
export function chooseVariant<V extends Weighted>(deploymentId: string, variants: readonly V[], routingKey: string): V {
  let best: V | null = null;
  let bestScore = 0;
  for (const variant of variants) {
    const score = -variant.weight / Math.log(draw(deploymentId, variant.id, routingKey));
    if (score <= bestScore) continue;
    best = variant;
    bestScore = score;
  }
  if (!best) throw new Error(`deployment ${deploymentId}: no variant has a weight above 0`);
  return best;
}

/** Between 0 and 1, never either; ids are of one length, so that no two inputs are written alike. */
function draw(deploymentId: string, variantId: string, routingKey: string): number {
  const hash = createHash('sha256').update(`${deploymentId}:${variantId}:${routingKey}`).digest();
  return (hash.readUIntBE(0, 6) + 0.5) / 2 ** 48;
}
