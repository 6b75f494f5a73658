/** What an engine's options may be, for whoever parses them. */
import type { AdapterType, KvType, WeightType } from './types.js';

export const WEIGHT_TYPES = ['f32', 'f16', 'bf16', 'int8', 'fp8'] as const satisfies WeightType[];
export const ADAPTER_TYPES = ['stored', 'f32', 'f16', 'bf16', 'int8'] as const satisfies AdapterType[];
export const KV_TYPES = ['f32', 'f16', 'bf16'] as const satisfies KvType[];
export const DEVICE = /^(auto|cpu|cuda:\d{1,3})$/;
