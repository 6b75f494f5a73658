import { describe, expect, it } from 'vitest';
import { selectAdapterFiles } from '@/features/upload/chosen-files';

const file = (path: string): File => {
  const made = new File(['x'], path.split('/').at(-1) ?? path);
  return Object.assign(made, { path });
};

describe('selectAdapterFiles', () => {
  it('takes the two files of a folder and leaves the rest aside', () => {
    const dropped = ['/run/README.md', '/run/adapter_config.json', '/run/adapter_model.safetensors'].map(
      file,
    );
    const { chosen, path, ignored } = selectAdapterFiles(dropped);
    expect(chosen).toEqual({ 'adapter_config.json': dropped[1], 'adapter_model.safetensors': dropped[2] });
    expect(path).toBe('/run/adapter_config.json');
    expect(ignored).toEqual(['README.md']);
  });

  it('prefers the final adapter over the checkpoints below it', () => {
    const deep = file('/run/checkpoint-100/adapter_config.json');
    const top = file('/run/adapter_config.json');
    expect(selectAdapterFiles([deep, top]).chosen['adapter_config.json']).toBe(top);
  });

  const pair = (folder: string): File[] =>
    ['adapter_config.json', 'adapter_model.safetensors'].map((name) => file(`${folder}/${name}`));

  it('never pairs the config of one folder with the weights of another', () => {
    const stray = file('/run/adapter_config.json');
    const [config, weights] = pair('/run/final');
    expect(selectAdapterFiles([stray, config!, weights!]).chosen).toEqual({
      'adapter_config.json': config,
      'adapter_model.safetensors': weights,
    });
    const halves = selectAdapterFiles([
      file('/run/a/adapter_config.json'),
      file('/run/b/adapter_model.safetensors'),
    ]);
    expect(Object.keys(halves.chosen)).toEqual(['adapter_config.json']);
  });

  it('asks which one is meant when complete adapters lie side by side', () => {
    const dropped = [...pair('/all/tone'), ...pair('/all/json'), ...pair('/all/json/checkpoint-5')];
    const before = { 'adapter_config.json': file('adapter_config.json') };
    const { chosen, alternatives } = selectAdapterFiles(dropped, before);
    expect(alternatives.map(({ folder }) => folder)).toEqual(['all/json', 'all/tone']);
    expect(alternatives[1]?.files['adapter_config.json']).toBe(dropped[0]);
    expect(chosen).toEqual(before);
  });

  it('completes an earlier choice, and replaces a file chosen again', () => {
    const config = file('adapter_config.json');
    const weights = file('adapter_model.safetensors');
    const first = selectAdapterFiles([config]).chosen;
    expect(selectAdapterFiles([weights], first).chosen).toEqual({
      'adapter_config.json': config,
      'adapter_model.safetensors': weights,
    });
    const again = file('adapter_config.json');
    expect(selectAdapterFiles([again], first).chosen['adapter_config.json']).toBe(again);
  });
});
