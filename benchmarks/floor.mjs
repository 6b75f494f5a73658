/**
 * The shortest time a decode step can take on this machine: every byte it must touch read once at the measured
 * bandwidth, or every operation done at the measured peak, whichever takes longer.
 */
import { projectionShapes } from './random-adapters.mjs';

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The peak of a type; f32's where it has no instruction of its own, because its numbers are widened then. */
const peakOf = (limits, type) => (limits.peaks[type] ?? limits.peaks.f32).gigaops;

/**
 * @param info ModelInfo and EngineStats of a finished turn, in one object
 * @param {{ requests: number, context: number, adapters: number, adapterBytes: number, rank: number }} step
 *   `context`: positions each request's token attends to; `adapters`: distinct ones, `adapterBytes` all of them
 */
export function decodeFloor(info, step, limits) {
  const { requests, context, adapterBytes, rank, adapters } = step;
  const shapes = projectionShapes(info);
  const parameters =
    info.layers * sum(shapes.map(([, out, input]) => out * input)) + info.vocabSize * info.hiddenSize;
  const loraParameters =
    adapters > 0 ? info.layers * rank * sum(shapes.map(([, out, input]) => out + input)) : 0;
  const bytes = {
    weights: info.weightBytes,
    adapters: adapterBytes,
    kv: requests * context * kvBytesPerToken(info),
  };
  const operations = {
    base: { type: info.computeType ?? info.weightType ?? 'f32', count: 2 * requests * parameters },
    lora: {
      type: limits.peaks[info.adapterType] ? info.adapterType : 'f32',
      count: 2 * requests * loraParameters,
    },
    attention: { type: 'f32', count: 4 * requests * context * info.layers * info.heads * info.headDim },
  };
  const bytesMs = sum(Object.values(bytes)) / limits.read / 1e6;
  const operationsMs = sum(
    Object.values(operations).map(({ type, count }) => count / peakOf(limits, type) / 1e6),
  );
  return { bytes, operations, bytesMs, operationsMs, ms: Math.max(bytesMs, operationsMs) };
}

/** Keys and values of one position in all layers; float32 unless the engine says otherwise. */
export const kvBytesPerToken = (info) =>
  info.kvBytesPerToken ?? 2 * info.layers * info.kvHeads * info.headDim * Float32Array.BYTES_PER_ELEMENT;

const mb = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

/** The terms, for people. */
export function describeFloor({ bytes, operations, bytesMs, operationsMs, ms }, limits) {
  const flops = Object.entries(operations)
    .filter(([, { count }]) => count > 0)
    .map(
      ([name, { type, count }]) =>
        `${name} ${(count / 1e9).toFixed(2)} Gop at ${peakOf(limits, type).toFixed(0)} (${type})`,
    );
  return [
    `(weights ${mb(bytes.weights)} + adapters ${mb(bytes.adapters)} + KV ${mb(bytes.kv)}) / ${limits.read.toFixed(1)} GB/s = ${bytesMs.toFixed(1)} ms`,
    `${flops.join(' + ')} = ${operationsMs.toFixed(1)} ms`,
    `floor ${ms.toFixed(1)} ms`,
  ].join('; ');
}
