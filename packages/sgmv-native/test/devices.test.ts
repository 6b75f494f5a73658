import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chooseDevice, type Device } from '../lib/devices.js';
import { createEngine, listDevices } from '../lib/index.js';
import { goldenFolder } from './places.js';

const cpu: Device = { name: 'cpu', description: 'avx2, 2 cores', memoryBytes: 0 };
const gpu = (index: number): Device => ({ name: `cuda:${index}`, description: 'a device', memoryBytes: 80e9 });

describe('the device', () => {
  it('is a CUDA device if there is one', () => {
    const two = { devices: [cpu, gpu(0), gpu(1)], whyNoCuda: '' };
    expect(chooseDevice('auto', two)).toEqual({ device: 'cuda:0', note: null });
    expect(chooseDevice('cuda:1', two)).toEqual({ device: 'cuda:1', note: null });
    expect(chooseDevice('cpu', two)).toEqual({ device: 'cpu', note: null });
  });

  it('is the CPU where there is no CUDA, and says so if another was asked for', () => {
    const none = { devices: [cpu], whyNoCuda: 'no driver' };
    expect(chooseDevice('auto', none)).toEqual({ device: 'cpu', note: null });
    expect(chooseDevice('cpu', none)).toEqual({ device: 'cpu', note: null });
    expect(chooseDevice('cuda:0', none)).toEqual({
      device: 'cpu',
      note: 'cuda:0 was asked for; computing on the CPU: no driver',
    });
  });

  it('is refused when it is missing among others', () => {
    const one = { devices: [cpu, gpu(0)], whyNoCuda: '' };
    expect(() => chooseDevice('cuda:3', one)).toThrow('device: found cuda:3; expected one of cpu, cuda:0.');
  });

  it('is listed, the CPU first, with what CUDA lacks if it is not there', async () => {
    const { devices, whyNoCuda } = await listDevices();
    expect(devices[0]).toMatchObject({ name: 'cpu', memoryBytes: 0 });
    expect(whyNoCuda === '').toBe(devices.length > 1);
  });

  it('of an engine is told, with a note where it is not the one that was asked for', async () => {
    const engine = await createEngine({ model: join(goldenFolder('llama2'), 'model'), device: 'cuda:0' });
    const { devices, whyNoCuda } = await listDevices();
    if (devices.length > 1) expect(engine.model).toMatchObject({ device: 'cuda:0', deviceNote: null });
    else expect(engine.model).toMatchObject({ device: 'cpu', batchInvariant: true, deviceNote: expect.stringContaining(whyNoCuda) });
    await engine.close();
  });

  it('has a name of a known form', async () => {
    await expect(createEngine({ model: 'x', device: 'gpu' })).rejects.toThrow('device: found "gpu"; expected auto, cpu or cuda:0');
  });

  it('must have the number type', async () => {
    const model = join(goldenFolder('llama2'), 'model');
    await expect(createEngine({ model, device: 'cpu', weightType: 'fp8' })).rejects.toThrow(/weightType.*CPU/);
    await expect(createEngine({ model, device: 'cpu', kvType: 'bf16' })).rejects.toThrow(/kvType.*CPU/);
  });
});
