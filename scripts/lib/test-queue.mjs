/**
 * In which order test steps run. Two at a time: where it can be, one that computes and one that mostly waits, so that
 * neither core idles and what has people's patience to keep to has room; the longest first, so that both end together.
 */

/** Longest first, as one run on two cores took them; what is not named took less than a minute. */
const LONGEST = [
  ...['e2e-clean-clone', 'native-sanitized', 'cuda-races', 'e2e', 'cuda-sanitized', 'cuda-emulated', 'api'],
  ...['gpu-runner', 'native-fuzz', 'native', 'sgmv-native', 'cuda', 'local-services', 'native-threads'],
];
const rank = ({ id }) => (LONGEST.includes(id) ? LONGEST.indexOf(id) : LONGEST.length);

/**
 * @typedef {import('./test-steps.mjs').TestStep} TestStep
 * @param {TestStep[]} waiting @param {TestStep[]} running
 * @returns {TestStep | undefined} undefined: none of them may run beside those that do
 */
export function nextStep(waiting, running) {
  const free = waiting.filter(({ uses }) => !uses || running.every((step) => step.uses !== uses));
  const others = free.filter(({ computes }) => running.every((step) => step.computes !== computes));
  return (others.length > 0 ? others : free).sort((a, b) => rank(a) - rank(b))[0];
}

/**
 * @template T @param {TestStep[]} steps @param {number} atOnce @param {(step: TestStep) => Promise<T>} run
 * @returns {Promise<T[]>} outcomes in the order of the steps
 */
export async function runQueue(steps, atOnce, run) {
  const waiting = [...steps];
  const running = new Map();
  const outcomes = new Map();
  const start = (step) => {
    waiting.splice(waiting.indexOf(step), 1);
    const ended = run(step).then((outcome) => outcomes.set(step, outcome)).finally(() => running.delete(step));
    running.set(step, ended);
  };
  while (waiting.length + running.size > 0) {
    const next = running.size < atOnce ? nextStep(waiting, [...running.keys()]) : undefined;
    if (next) start(next);
    else await Promise.race(running.values());
  }
  return steps.map((step) => outcomes.get(step));
}
