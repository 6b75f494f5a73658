/** Where models can be loaded to. */
import { EngineError } from './engine-error.js';
import { native, translatedAsync } from './native.js';

export interface Device {
  /** `cpu`, `cuda:0` … */
  name: string;
  description: string;
  /** Of its own; 0 = the host's. */
  memoryBytes: number;
}

export interface Devices {
  /** The CPU first. */
  devices: Device[];
  /** What is missing where there is no CUDA device; else empty. */
  whyNoCuda: string;
}

export const listDevices = (): Promise<Devices> => translatedAsync(() => native().devices());

export interface ChosenDevice {
  device: string;
  /** Why it is another one than the one that was asked for; null: it is not. */
  note: string | null;
}

/**
 * `auto` is the first CUDA device there is, else the CPU. Where there is no CUDA at all, one that is asked for by name
 * becomes the CPU too, so that one configuration serves machines with and without. Throws EngineError
 * `device_unavailable` for one that is missing among others.
 */
export function chooseDevice(wanted: string, { devices, whyNoCuda }: Devices): ChosenDevice {
  if (wanted === 'auto') return { device: devices[1]?.name ?? 'cpu', note: null };
  if (devices.some(({ name }) => name === wanted)) return { device: wanted, note: null };
  if (whyNoCuda) return { device: 'cpu', note: `${wanted} was asked for; computing on the CPU: ${whyNoCuda}` };
  const names = devices.map(({ name }) => name).join(', ');
  throw new EngineError('device_unavailable', `device: found ${wanted}; expected one of ${names}.`);
}
