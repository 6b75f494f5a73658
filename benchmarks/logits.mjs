/** Comparing distributions over the vocabulary. All arrays are logits [vocab]. */

export function argmax(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}

/** log Σ exp, by the largest. */
function logSum(logits) {
  const highest = logits[argmax(logits)];
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - highest);
  return highest + Math.log(sum);
}

/** Kullback–Leibler divergence of `found` from `expected`, in nats. */
export function klDivergence(expected, found) {
  const expectedSum = logSum(expected);
  const foundSum = logSum(found);
  let total = 0;
  for (let i = 0; i < expected.length; i++) {
    const logProbability = expected[i] - expectedSum;
    total += Math.exp(logProbability) * (logProbability - (found[i] - foundSum));
  }
  return Math.max(0, total);
}
