/** Which files of a repository an import takes: the two of a PEFT adapter, and nothing else. */
import type { HubFile, HubRepository } from '../../../integrations/hub/hub.service.js';
import { ADAPTER_FILES, type AdapterFileName } from '../adapter-content.js';
import { CONFIG_BYTES_MAX } from '../adapter-input.js';
import { ImportRefusal } from './import-problem.js';

export type ImportPlan = Record<AdapterFileName, HubFile>;

const PICKLE = 'adapter_model.bin';

/** `path`: a folder of the repository; empty: its top. @throws ImportRefusal that says what is missing */
export async function planImport(hub: HubRepository, commit: string, path: string): Promise<ImportPlan> {
  const at = (name: string): string => (path === '' ? name : `${path}/${name}`);
  const plan = {} as ImportPlan;
  for (const name of ADAPTER_FILES) {
    const file = await hub.file(commit, at(name));
    if (!file) throw await missing(hub, commit, name, at);
    if (file.bytes === 0) throw new ImportRefusal('hub_empty_file', 'an empty file', 'a file with something in it', at(name));
    plan[name] = file;
  }
  const { bytes } = plan['adapter_config.json'];
  if (bytes > CONFIG_BYTES_MAX) {
    throw new ImportRefusal('hub_file_too_large', `${bytes} bytes`, `an adapter_config.json of at most ${CONFIG_BYTES_MAX}`, at('adapter_config.json'));
  }
  return plan;
}

async function missing(hub: HubRepository, commit: string, name: AdapterFileName, at: (name: string) => string): Promise<ImportRefusal> {
  if (name === 'adapter_model.safetensors' && (await hub.file(commit, at(PICKLE)))) {
    const way = 'load it with PEFT, save it with save_pretrained(), which writes safetensors, and push that file beside it';
    return new ImportRefusal('hub_pickle', `only ${PICKLE}, a pickle, which can run code when it is opened`, `${name}: ${way}`, at(name));
  }
  return new ImportRefusal('hub_file_missing', 'no such file in the repository', 'a PEFT adapter’s adapter_config.json and adapter_model.safetensors', at(name));
}
